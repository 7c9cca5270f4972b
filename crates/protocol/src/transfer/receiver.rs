//! The receiving side of a transfer.

use super::{chunk_count, chunk_length, first_chunk};
use crate::{CHUNK_BYTES, ChunkFrame, Digest, ProtocolError};

/// Checks that chunks come in order, whole and undamaged, and hashes the object as it comes.
/// Holds no data: the owner stores each accepted chunk before it acknowledges it.
#[derive(Clone, Debug)]
pub struct ChunkReceiver {
    transfer: u32,
    digest: Digest,
    size: u64,
    chunks: u32,
    next: u32,
    hasher: blake3::Hasher,
}

impl ChunkReceiver {
    /// A transfer of an object from its beginning.
    ///
    /// # Errors
    /// [`ProtocolError::Size`], see [`chunk_count`].
    pub fn new(transfer: u32, digest: Digest, size: u64) -> Result<Self, ProtocolError> {
        Self::resume(transfer, digest, size, 0, blake3::Hasher::new())
    }

    /// A transfer whose first `offset` bytes are already there; `hasher` has read exactly those.
    ///
    /// # Errors
    /// [`ProtocolError::Size`] unless `offset` is a multiple of the chunk size below `size`, and
    /// the number of bytes hashed.
    pub fn resume(
        transfer: u32,
        digest: Digest,
        size: u64,
        offset: u64,
        hasher: blake3::Hasher,
    ) -> Result<Self, ProtocolError> {
        let chunks = chunk_count(size, offset)?;
        if offset == size || hasher.count() != offset {
            return Err(ProtocolError::Size { size, offset });
        }
        Ok(Self {
            transfer,
            digest,
            size,
            chunks,
            next: first_chunk(offset),
            hasher,
        })
    }

    /// The transfer's number.
    #[must_use]
    pub fn transfer(&self) -> u32 {
        self.transfer
    }

    /// Announced BLAKE3 of the whole object.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the whole object.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that have arrived.
    #[must_use]
    pub fn received_bytes(&self) -> u64 {
        (u64::from(self.next) * CHUNK_BYTES as u64).min(self.size)
    }

    /// Whether all chunks have arrived and the whole object has its digest. (A wrong digest is
    /// an error of the last [`Self::accept`].)
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.next >= self.chunks
    }

    /// Takes the next chunk. After an error the transfer is over; what was accepted before the
    /// chunk is good to resume from, except after [`ProtocolError::ObjectDigest`].
    ///
    /// # Errors
    /// [`ProtocolError::ChunkOrder`], [`ProtocolError::ChunkLength`],
    /// [`ProtocolError::ChunkDigest`], and [`ProtocolError::ObjectDigest`] on the last chunk.
    pub fn accept(&mut self, chunk: &ChunkFrame<'_>) -> Result<(), ProtocolError> {
        let (transfer, index) = (self.transfer, chunk.index);
        if chunk.transfer != transfer || index != self.next || self.is_complete() {
            return Err(ProtocolError::ChunkOrder {
                transfer: chunk.transfer,
                need: self.next,
                have: index,
            });
        }
        let need = chunk_length(self.size, index);
        if chunk.data.len() != need {
            return Err(ProtocolError::ChunkLength {
                transfer,
                index,
                need,
                have: chunk.data.len(),
            });
        }
        if Digest::of(chunk.data) != chunk.digest {
            return Err(ProtocolError::ChunkDigest { transfer, index });
        }
        self.hasher.update(chunk.data);
        if index + 1 == self.chunks {
            let have = Digest::from(self.hasher.finalize());
            if have != self.digest {
                return Err(ProtocolError::ObjectDigest {
                    transfer,
                    need: self.digest,
                    have,
                });
            }
        }
        self.next += 1;
        Ok(())
    }
}
