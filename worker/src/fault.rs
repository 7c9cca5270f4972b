//! Errors that clients are told of, with blame.

use std::io;

use confide_protocol::{Blame, Digest, WireError, code};

use crate::bytes::ByteSize;

/// The client's doing.
#[must_use]
pub fn client(code: &str, message: impl Into<String>, remedy: &str) -> WireError {
    WireError::new(code, Blame::Client, message, remedy)
}

/// The worker's own fault.
#[must_use]
pub fn worker(code: &str, message: impl Into<String>, remedy: &str) -> WireError {
    WireError::new(code, Blame::Worker, message, remedy)
}

/// An object that is not in the client's store.
#[must_use]
pub fn unknown_object(digest: &Digest) -> WireError {
    client(
        code::UNKNOWN_OBJECT,
        format!("object {} is not in your store", digest.short()),
        "Upload it first.",
    )
}

/// A limit that would be passed: what needs how much, and what is allowed.
#[must_use]
pub fn limit(code: &str, what: &str, need: u64, available: u64, remedy: &str) -> WireError {
    client(
        code,
        format!(
            "{what} needs {}, {} is allowed",
            ByteSize(need),
            ByteSize(available)
        ),
        remedy,
    )
}

/// A failure of the store. A full disk gets its own code; details stay in the log.
#[must_use]
pub fn store(operation: &'static str, error: &io::Error) -> WireError {
    tracing::error!(operation, %error, "store failed");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => worker(
            code::DISK_FULL,
            "the worker's disk is full",
            "Ask its operator to free space; uploads resume where they stopped.",
        ),
        _ => worker(
            code::STORE,
            format!("the worker's store failed to {operation}"),
            "Try again; if it happens again, ask the worker's operator to look at its log.",
        ),
    }
}
