//! Moving one object in chunks: the sender and the receiver as state machines without I/O.
//!
//! Chunks of a transfer go in order. An acknowledgement of a chunk covers all before it. At most
//! `window` chunks are sent and not acknowledged, so that neither side buffers more than that.

mod receiver;
mod sender;

pub use receiver::ChunkReceiver;
pub use sender::{ChunkRequest, ChunkSender};

use crate::{CHUNK_BYTES, ProtocolError};

/// Chunks of an object of `size` bytes.
///
/// # Errors
/// [`ProtocolError::Size`] for an empty object, one with more chunks than a u32 counts, or an
/// `offset` that is neither a multiple of the chunk size below `size` nor `size` itself.
pub fn chunk_count(size: u64, offset: u64) -> Result<u32, ProtocolError> {
    let chunk = CHUNK_BYTES as u64;
    let bad = ProtocolError::Size { size, offset };
    if size == 0 || offset > size || (offset != size && !offset.is_multiple_of(chunk)) {
        return Err(bad);
    }
    u32::try_from(size.div_ceil(chunk)).map_err(|_| bad)
}

/// First chunk that a transfer from `offset` sends.
fn first_chunk(offset: u64) -> u32 {
    // `chunk_count` has shown that this fits.
    offset.div_ceil(CHUNK_BYTES as u64) as u32
}

/// Bytes of chunk `index` in an object of `size` bytes.
fn chunk_length(size: u64, index: u32) -> usize {
    let start = u64::from(index) * CHUNK_BYTES as u64;
    size.saturating_sub(start).min(CHUNK_BYTES as u64) as usize
}
