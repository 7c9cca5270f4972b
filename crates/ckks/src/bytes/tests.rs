//! Tests of the byte formats.
