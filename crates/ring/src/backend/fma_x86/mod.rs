//! Binary64 with fused multiply-add on x86-64.

pub(super) mod avx2;
pub(super) mod avx512;
