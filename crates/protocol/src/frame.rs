//! Frames: one binary WebSocket message each.
//!
//! ```text
//! control  [0] ++ bincode message                       at most MAX_CONTROL_BYTES
//! chunk    [1] ++ transfer u32 LE ++ index u32 LE ++ BLAKE3 of data (32) ++ data (1 to CHUNK_BYTES)
//! ```

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    CHUNK_BYTES, CHUNK_HEADER_BYTES, ClientMessage, Digest, MAX_CONTROL_BYTES, PROTOCOL_VERSION,
    ProtocolError, WorkerMessage,
};

const CONTROL: u8 = 0;
const CHUNK: u8 = 1;

/// A piece of an object, borrowed from the frame that it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkFrame<'a> {
    /// The transfer.
    pub transfer: u32,
    /// Place in the object, counted in chunks from its beginning.
    pub index: u32,
    /// Announced BLAKE3 of `data`; [`crate::ChunkReceiver`] checks it.
    pub digest: Digest,
    /// The data, 1 to [`CHUNK_BYTES`] bytes.
    pub data: &'a [u8],
}

/// A decoded frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<'a, M> {
    /// A control message.
    Control(M),
    /// A piece of an object.
    Chunk(ChunkFrame<'a>),
}

fn config() -> impl bincode::config::Config {
    // Little endian, variable-length integers; reading stops at the limit whatever lengths claim.
    bincode::config::standard().with_limit::<MAX_CONTROL_BYTES>()
}

/// Encodes a value the way that control messages are: `bincode` 2, standard configuration.
///
/// # Errors
/// [`ProtocolError::Oversized`] beyond [`MAX_CONTROL_BYTES`].
pub fn to_bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, ProtocolError> {
    encode_after(Vec::new(), value)
}

/// Reads what [`to_bytes`] wrote; all of it must be used.
///
/// # Errors
/// [`ProtocolError::Oversized`], [`ProtocolError::Malformed`] or [`ProtocolError::Trailing`].
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ProtocolError> {
    if bytes.len() > MAX_CONTROL_BYTES {
        return Err(ProtocolError::Oversized {
            have: bytes.len(),
            limit: MAX_CONTROL_BYTES,
        });
    }
    let (value, used) = bincode::serde::decode_from_slice(bytes, config())
        .map_err(|error| ProtocolError::Malformed(error.to_string()))?;
    if used != bytes.len() {
        return Err(ProtocolError::Trailing(bytes.len() - used));
    }
    Ok(value)
}

fn encode_after<T: Serialize>(mut prefix: Vec<u8>, value: &T) -> Result<Vec<u8>, ProtocolError> {
    bincode::serde::encode_into_std_write(value, &mut prefix, config())
        .map_err(|error| ProtocolError::Malformed(error.to_string()))?;
    if prefix.len() > MAX_CONTROL_BYTES {
        return Err(ProtocolError::Oversized {
            have: prefix.len(),
            limit: MAX_CONTROL_BYTES,
        });
    }
    Ok(prefix)
}

/// A control frame from the data party.
///
/// # Errors
/// [`ProtocolError::TooMany`] for a list or name beyond its limit, [`ProtocolError::Oversized`]
/// for a message beyond [`MAX_CONTROL_BYTES`].
pub fn encode_client(message: &ClientMessage) -> Result<Vec<u8>, ProtocolError> {
    message.check()?;
    encode_after(vec![CONTROL], message)
}

/// A control frame from the worker.
///
/// # Errors
/// [`ProtocolError::Oversized`] beyond [`MAX_CONTROL_BYTES`].
pub fn encode_worker(message: &WorkerMessage) -> Result<Vec<u8>, ProtocolError> {
    encode_after(vec![CONTROL], message)
}

/// A chunk frame; computes the chunk's BLAKE3.
///
/// # Errors
/// [`ProtocolError::ChunkLength`] unless `data` has 1 to [`CHUNK_BYTES`] bytes.
pub fn encode_chunk(transfer: u32, index: u32, data: &[u8]) -> Result<Vec<u8>, ProtocolError> {
    if data.is_empty() || data.len() > CHUNK_BYTES {
        return Err(ProtocolError::ChunkLength {
            transfer,
            index,
            need: CHUNK_BYTES,
            have: data.len(),
        });
    }
    let mut frame = Vec::with_capacity(CHUNK_HEADER_BYTES + data.len());
    frame.push(CHUNK);
    frame.extend_from_slice(&transfer.to_le_bytes());
    frame.extend_from_slice(&index.to_le_bytes());
    frame.extend_from_slice(&Digest::of(data).0);
    frame.extend_from_slice(data);
    Ok(frame)
}

/// Decodes a frame from the data party.
///
/// # Errors
/// Every error that says what is wrong with the bytes; [`ProtocolError::Version`] when they are a
/// greeting of another version that this one cannot read.
pub fn decode_client(bytes: &[u8]) -> Result<Frame<'_, ClientMessage>, ProtocolError> {
    let frame = decode(bytes)?;
    if let Frame::Control(message) = &frame {
        ClientMessage::check(message)?;
    }
    Ok(frame)
}

/// Decodes a frame from the worker.
///
/// # Errors
/// As [`decode_client`].
pub fn decode_worker(bytes: &[u8]) -> Result<Frame<'_, WorkerMessage>, ProtocolError> {
    decode(bytes)
}

fn decode<M: DeserializeOwned>(bytes: &[u8]) -> Result<Frame<'_, M>, ProtocolError> {
    let (&kind, body) = bytes
        .split_first()
        .ok_or(ProtocolError::Truncated { need: 1, have: 0 })?;
    match kind {
        CONTROL if bytes.len() > MAX_CONTROL_BYTES => Err(ProtocolError::Oversized {
            have: bytes.len(),
            limit: MAX_CONTROL_BYTES,
        }),
        CONTROL => from_bytes(body)
            .map(Frame::Control)
            .map_err(|error| greeting_of_another_version(body).unwrap_or(error)),
        CHUNK => decode_chunk(bytes, body).map(Frame::Chunk),
        other => Err(ProtocolError::UnknownKind(other)),
    }
}

/// Greetings of both directions are variant 0 and start with the version, in all versions.
fn greeting_of_another_version(body: &[u8]) -> Option<ProtocolError> {
    let ((variant, theirs), _) =
        bincode::serde::decode_from_slice::<(u32, u16), _>(body, config()).ok()?;
    (variant == 0 && theirs != PROTOCOL_VERSION).then_some(ProtocolError::Version {
        theirs,
        ours: PROTOCOL_VERSION,
    })
}

fn decode_chunk<'a>(frame: &[u8], body: &'a [u8]) -> Result<ChunkFrame<'a>, ProtocolError> {
    let truncated = ProtocolError::Truncated {
        need: CHUNK_HEADER_BYTES + 1,
        have: frame.len(),
    };
    let Some((transfer, rest)) = body.split_first_chunk::<4>() else {
        return Err(truncated);
    };
    let Some((index, rest)) = rest.split_first_chunk::<4>() else {
        return Err(truncated);
    };
    let Some((digest, data)) = rest.split_first_chunk::<32>() else {
        return Err(truncated);
    };
    if data.is_empty() {
        return Err(truncated);
    }
    if data.len() > CHUNK_BYTES {
        return Err(ProtocolError::Oversized {
            have: frame.len(),
            limit: CHUNK_HEADER_BYTES + CHUNK_BYTES,
        });
    }
    Ok(ChunkFrame {
        transfer: u32::from_le_bytes(*transfer),
        index: u32::from_le_bytes(*index),
        digest: Digest(*digest),
        data,
    })
}
