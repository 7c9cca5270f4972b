//! The sending side of a transfer.

use super::{chunk_count, chunk_length, first_chunk};
use crate::{CHUNK_BYTES, ProtocolError};

/// Where the next chunk lies in the object. The owner of the object reads it there and frames it
/// with [`crate::encode_chunk`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRequest {
    /// Place in the object, counted in chunks.
    pub index: u32,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: usize,
}

/// Decides which chunk may be sent when; holds no data.
#[derive(Clone, Debug)]
pub struct ChunkSender {
    transfer: u32,
    size: u64,
    window: u32,
    chunks: u32,
    next: u32,
    acknowledged: u32,
}

impl ChunkSender {
    /// A transfer of an object of `size` bytes whose first `offset` bytes are already there.
    ///
    /// # Errors
    /// [`ProtocolError::Size`], see [`chunk_count`].
    pub fn new(transfer: u32, size: u64, offset: u64, window: u32) -> Result<Self, ProtocolError> {
        let chunks = chunk_count(size, offset)?;
        let next = first_chunk(offset);
        Ok(Self {
            transfer,
            size,
            window: window.max(1),
            chunks,
            next,
            acknowledged: next,
        })
    }

    /// The transfer's number.
    #[must_use]
    pub fn transfer(&self) -> u32 {
        self.transfer
    }

    /// The next chunk, or `None` while the window is full or when all are sent.
    pub fn poll(&mut self) -> Option<ChunkRequest> {
        if self.next >= self.chunks || self.next - self.acknowledged >= self.window {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(ChunkRequest {
            index,
            offset: u64::from(index) * CHUNK_BYTES as u64,
            length: chunk_length(self.size, index),
        })
    }

    /// Whether [`Self::poll`] would give a chunk.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.next < self.chunks && self.next - self.acknowledged < self.window
    }

    /// Chunks up to `index` have arrived.
    ///
    /// # Errors
    /// [`ProtocolError::Ack`] for a chunk that was not sent or was acknowledged before.
    pub fn acknowledge(&mut self, index: u32) -> Result<(), ProtocolError> {
        if index < self.acknowledged || index >= self.next {
            return Err(ProtocolError::Ack {
                transfer: self.transfer,
                index,
            });
        }
        self.acknowledged = index + 1;
        Ok(())
    }

    /// Bytes that the other side has acknowledged, those before the offset included.
    #[must_use]
    pub fn acknowledged_bytes(&self) -> u64 {
        (u64::from(self.acknowledged) * CHUNK_BYTES as u64).min(self.size)
    }

    /// Whether everything was sent and acknowledged.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.acknowledged >= self.chunks
    }
}
