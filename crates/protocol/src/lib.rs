//! What the data party and the worker say to each other: versioned messages, bulk transfer in
//! acknowledged chunks, and the limits of both.
//!
//! Bytes only: no cryptography, no clock, no socket. Both programs drive the same state machines,
//! a browser as well as a server. `docs/protocol.md` describes all of it for other clients.
#![forbid(unsafe_code)]

mod digest;
mod error;
mod frame;
mod job;
mod message;
pub mod transfer;

pub use digest::{Digest, Token};
pub use error::{Blame, ProtocolError, WireError, code};
pub use frame::{
    ChunkFrame, Frame, decode_client, decode_worker, encode_chunk, encode_client, encode_worker,
    from_bytes, to_bytes,
};
pub use job::{JobId, JobReport, JobSpec, JobState, ObjectKind, Output};
pub use message::{ClientMessage, Limits, ModelEntry, ModelFile, WorkerMessage};
pub use transfer::{ChunkReceiver, ChunkRequest, ChunkSender};

/// The version that both sides of a connection must speak.
pub const PROTOCOL_VERSION: u16 = 3;
/// Path of the WebSocket on the worker's port.
pub const SOCKET_PATH: &str = "/socket";
/// Bytes of data in every chunk but the last of a transfer.
pub const CHUNK_BYTES: usize = 1 << 20;
/// Bytes before the data in a chunk frame: kind, transfer, index, BLAKE3.
pub const CHUNK_HEADER_BYTES: usize = 1 + 4 + 4 + 32;
/// Longest control frame, its kind byte included.
pub const MAX_CONTROL_BYTES: usize = 1 << 20;
/// Longest frame of either kind.
pub const MAX_FRAME_BYTES: usize = CHUNK_BYTES + CHUNK_HEADER_BYTES;
/// Most chunks of one transfer that may be sent and not yet acknowledged.
pub const WINDOW_CHUNKS: u32 = 8;
/// Most transfers that one direction of a connection may have open.
pub const MAX_TRANSFERS: usize = 4;
/// Most entries in any list of digests in one message.
pub const MAX_DIGESTS: usize = 4096;
/// Most networks that a worker offers.
pub const MAX_MODELS: usize = 256;
/// Longest client or worker name, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
