//! Uploads and downloads of a session.

use super::Object;
use confide_protocol::{
    ChunkFrame, ChunkReceiver, ChunkSender, Digest, ProtocolError, encode_chunk,
};

/// Failed attempts after which a transfer is given up.
pub(super) const ATTEMPTS: u32 = 3;

pub(super) struct Upload {
    pub object: Object,
    pub attempts: u32,
    pub link: Link<ChunkSender>,
    /// Place of its ledger entry once its first bytes have left.
    pub entry: Option<usize>,
    /// Most bytes that the worker has acknowledged.
    pub acknowledged: u64,
}

/// Where a transfer stands on the present connection.
pub(super) enum Link<T> {
    /// Not announced.
    Idle,
    /// Announced with this request and transfer number.
    Asked { request: u32, transfer: u32 },
    /// Chunks flow.
    Flowing(T),
}

impl Upload {
    pub fn new(object: Object) -> Self {
        Self {
            object,
            attempts: 0,
            link: Link::Idle,
            entry: None,
            acknowledged: 0,
        }
    }

    pub fn transfer(&self) -> Option<u32> {
        match &self.link {
            Link::Idle => None,
            Link::Asked { transfer, .. } => Some(*transfer),
            Link::Flowing(sender) => Some(sender.transfer()),
        }
    }

    /// The next chunk as a frame, when the window has room.
    pub fn next_frame(&mut self) -> Option<Result<Vec<u8>, ProtocolError>> {
        let Link::Flowing(sender) = &mut self.link else {
            return None;
        };
        let chunk = sender.poll()?;
        let start = usize::try_from(chunk.offset).ok()?;
        let data = self
            .object
            .bytes
            .get(start..start.checked_add(chunk.length)?)?;
        Some(encode_chunk(sender.transfer(), chunk.index, data))
    }
}

pub(super) struct Download {
    pub digest: Digest,
    pub limit: u64,
    pub attempts: u32,
    /// Chunks that have arrived whole.
    pub bytes: Vec<u8>,
    pub link: Link<ChunkReceiver>,
}

impl Download {
    pub fn transfer(&self) -> Option<u32> {
        match &self.link {
            Link::Idle => None,
            Link::Asked { transfer, .. } => Some(*transfer),
            Link::Flowing(receiver) => Some(receiver.transfer()),
        }
    }

    /// Starts to receive at `offset`, which must be what was asked for.
    pub fn start(&mut self, transfer: u32, size: u64, offset: u64) -> Result<(), ProtocolError> {
        if size > self.limit || offset != self.bytes.len() as u64 {
            return Err(ProtocolError::Size { size, offset });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.bytes);
        self.link = Link::Flowing(ChunkReceiver::resume(
            transfer,
            self.digest,
            size,
            offset,
            hasher,
        )?);
        Ok(())
    }

    /// Takes a chunk; true when the object is complete.
    pub fn accept(&mut self, chunk: &ChunkFrame<'_>) -> Result<bool, ProtocolError> {
        let Link::Flowing(receiver) = &mut self.link else {
            return Err(ProtocolError::ChunkOrder {
                transfer: chunk.transfer,
                need: 0,
                have: chunk.index,
            });
        };
        match receiver.accept(chunk) {
            Ok(()) => {
                self.bytes.extend_from_slice(chunk.data);
                Ok(receiver.is_complete())
            }
            Err(error) => {
                if matches!(error, ProtocolError::ObjectDigest { .. }) {
                    self.bytes.clear();
                }
                Err(error)
            }
        }
    }
}
