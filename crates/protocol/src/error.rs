//! Errors on this side of the wire, and errors as they travel.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Stable codes of [`WireError`]: 1xxx the conversation, 2xxx store and limits, 3xxx plans and jobs.
pub mod code {
    /// The frame cannot be read: truncated, trailing bytes, an unknown message.
    pub const MALFORMED: &str = "CF-1001";
    /// The frame is longer than its kind allows.
    pub const OVERSIZED: &str = "CF-1002";
    /// The two sides speak different versions.
    pub const VERSION: &str = "CF-1003";
    /// The message is not allowed now, such as anything before `Hello`.
    pub const UNEXPECTED: &str = "CF-1004";
    /// A chunk or acknowledgement for a transfer that is not open.
    pub const UNKNOWN_TRANSFER: &str = "CF-1005";
    /// A chunk out of turn, of the wrong length or beyond the window.
    pub const CHUNK_ORDER: &str = "CF-1006";
    /// A chunk's data do not have its BLAKE3.
    pub const CHUNK_DIGEST: &str = "CF-1007";
    /// A completed object does not have its BLAKE3.
    pub const OBJECT_DIGEST: &str = "CF-1008";
    /// Nothing was heard for too long.
    pub const IDLE: &str = "CF-1009";

    /// One object is larger than the worker takes.
    pub const OBJECT_TOO_LARGE: &str = "CF-2001";
    /// The client's share of the store is full.
    pub const QUOTA: &str = "CF-2002";
    /// The worker's disk is full.
    pub const DISK_FULL: &str = "CF-2003";
    /// The object is not in the client's store.
    pub const UNKNOWN_OBJECT: &str = "CF-2004";
    /// Too many transfers are open.
    pub const TOO_MANY_TRANSFERS: &str = "CF-2005";
    /// The worker could not read or write its store.
    pub const STORE: &str = "CF-2006";
    /// The object is needed by a job that has not ended.
    pub const OBJECT_IN_USE: &str = "CF-2007";
    /// The worker holds as many connections as it may.
    pub const BUSY: &str = "CF-2008";

    /// The plan or the plan request cannot be read.
    pub const PLAN_MALFORMED: &str = "CF-3001";
    /// The worker would not run this plan: it is not one that its planner makes.
    pub const PLAN_REFUSED: &str = "CF-3002";
    /// The job's list of keys or ciphertexts is not what the plan needs.
    pub const JOB_OBJECTS: &str = "CF-3003";
    /// A stored key or ciphertext is not valid under the plan's parameters.
    pub const OBJECT_INVALID: &str = "CF-3004";
    /// The job would need more memory than the worker gives.
    pub const MEMORY: &str = "CF-3005";
    /// The client has as many jobs waiting as it may.
    pub const TOO_MANY_JOBS: &str = "CF-3006";
    /// The job is not known to this client.
    pub const UNKNOWN_JOB: &str = "CF-3007";
    /// The computation failed.
    pub const COMPUTE: &str = "CF-3008";
    /// The worker's own fault.
    pub const INTERNAL: &str = "CF-3009";
    /// No plan fits the request.
    pub const NO_PLAN: &str = "CF-3010";
    /// The worker has no such model.
    pub const UNKNOWN_MODEL: &str = "CF-3011";
}

/// Whose doing an error is, so that the other side knows whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The client sent something wrong, or has reached its limits.
    Client,
    /// The worker failed.
    Worker,
    /// Bytes were damaged or lost on the way.
    Network,
}

/// An error as it travels: what happened and what can be done about it, in words for a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message} ({code}). {remedy}")]
pub struct WireError {
    /// Stable code, one of [`code`].
    pub code: String,
    /// Whose doing it is.
    pub blame: Blame,
    /// What happened, with what was needed and what was available.
    pub message: String,
    /// What the user can do.
    pub remedy: String,
}

impl WireError {
    /// An error with one of the codes of [`code`].
    pub fn new(
        code: &str,
        blame: Blame,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            code: code.to_owned(),
            blame,
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// What is wrong with bytes that came in, or with a message that was to go out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The frame ends before its header does.
    #[error("frame of {have} bytes is truncated, its header needs {need}")]
    Truncated {
        /// Bytes needed.
        need: usize,
        /// Bytes there.
        have: usize,
    },
    /// The first byte names no kind of frame.
    #[error("frame kind {0} does not exist, known are 0 (control) and 1 (chunk)")]
    UnknownKind(u8),
    /// The frame is longer than its kind allows.
    #[error("frame of {have} bytes is longer than the {limit} bytes allowed")]
    Oversized {
        /// Bytes there.
        have: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The bytes after the kind are not a message.
    #[error("message cannot be read: {0}")]
    Malformed(String),
    /// Bytes are left over after the message.
    #[error("{0} bytes are left over after the message")]
    Trailing(usize),
    /// A list in the message is longer than allowed.
    #[error("{what} has {have} entries or bytes, {limit} are allowed")]
    TooMany {
        /// The list.
        what: &'static str,
        /// Its length.
        have: usize,
        /// The most allowed.
        limit: usize,
    },
    /// The other side speaks another version.
    #[error("the other side speaks protocol version {theirs}, this side {ours}")]
    Version {
        /// Their version.
        theirs: u16,
        /// Our version.
        ours: u16,
    },
    /// A transfer of nothing, or of more chunks than can be numbered.
    #[error("a transfer of {size} bytes from byte {offset} is not possible")]
    Size {
        /// Bytes of the object.
        size: u64,
        /// Where the transfer was to start.
        offset: u64,
    },
    /// A chunk came out of turn.
    #[error("chunk {have} of transfer {transfer} came where chunk {need} was due")]
    ChunkOrder {
        /// The transfer.
        transfer: u32,
        /// The chunk that was due.
        need: u32,
        /// The chunk that came.
        have: u32,
    },
    /// A chunk has the wrong length for its place.
    #[error("chunk {index} of transfer {transfer} has {have} bytes, its place takes {need}")]
    ChunkLength {
        /// The transfer.
        transfer: u32,
        /// The chunk.
        index: u32,
        /// Bytes that belong there.
        need: usize,
        /// Bytes that came.
        have: usize,
    },
    /// A chunk's data do not have its digest.
    #[error("chunk {index} of transfer {transfer} was damaged on the way")]
    ChunkDigest {
        /// The transfer.
        transfer: u32,
        /// The chunk.
        index: u32,
    },
    /// The whole object does not have its digest.
    #[error("the object of transfer {transfer} hashes to {have:?}, announced was {need:?}")]
    ObjectDigest {
        /// The transfer.
        transfer: u32,
        /// Announced.
        need: crate::Digest,
        /// Computed.
        have: crate::Digest,
    },
    /// An acknowledgement of a chunk that is not under way.
    #[error("chunk {index} of transfer {transfer} was acknowledged but is not under way")]
    Ack {
        /// The transfer.
        transfer: u32,
        /// The chunk.
        index: u32,
    },
}

impl ProtocolError {
    /// The same error as it travels. Damage is the network's doing, all else the sender's.
    #[must_use]
    pub fn to_wire(&self, sender: Blame) -> WireError {
        let (code, blame, remedy) = match self {
            Self::Oversized { .. } | Self::TooMany { .. } => (
                code::OVERSIZED,
                sender,
                "Split the request into smaller ones.",
            ),
            Self::Version { .. } => (
                code::VERSION,
                sender,
                "Update the older of the two programs.",
            ),
            Self::ChunkDigest { .. } => (
                code::CHUNK_DIGEST,
                Blame::Network,
                "Send the object again; the transfer resumes where it stopped.",
            ),
            Self::ObjectDigest { .. } => (
                code::OBJECT_DIGEST,
                sender,
                "Send the object again from its beginning.",
            ),
            Self::ChunkOrder { .. }
            | Self::ChunkLength { .. }
            | Self::Ack { .. }
            | Self::Size { .. } => (
                code::CHUNK_ORDER,
                sender,
                "Send the object again; the transfer resumes where it stopped.",
            ),
            Self::Truncated { .. }
            | Self::UnknownKind(_)
            | Self::Malformed(_)
            | Self::Trailing(_) => (
                code::MALFORMED,
                sender,
                "Check that both programs are of the same release.",
            ),
        };
        WireError::new(code, blame, self.to_string(), remedy)
    }
}
