//! Transfers: any interruption and any window deliver the object; any damage is found.

use confide_protocol::{
    CHUNK_BYTES, ChunkReceiver, ChunkSender, Digest, Frame, ProtocolError, decode_client,
    encode_chunk, transfer::chunk_count,
};
use proptest::prelude::*;

fn object(size: usize) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8).collect()
}

/// Sends up to `limit` chunks, acknowledging with the given delay; returns the bytes received.
fn run(
    data: &[u8],
    have: &mut Vec<u8>,
    window: u32,
    delay: usize,
    limit: usize,
) -> Result<bool, ProtocolError> {
    let size = data.len() as u64;
    let mut hasher = blake3::Hasher::new();
    hasher.update(have);
    let mut sender = ChunkSender::new(4, size, have.len() as u64, window)?;
    let mut receiver = ChunkReceiver::resume(4, Digest::of(data), size, have.len() as u64, hasher)?;
    let mut under_way = std::collections::VecDeque::new();
    let mut sent = 0;
    while !receiver.is_complete() && sent < limit {
        while let Some(request) = sender.poll() {
            let start = request.offset as usize;
            under_way.push_back(encode_chunk(
                4,
                request.index,
                &data[start..start + request.length],
            )?);
        }
        assert!(under_way.len() <= window as usize);
        assert!(!under_way.is_empty(), "a transfer must not stall");
        for _ in 0..=delay {
            let Some(frame) = under_way.pop_front() else {
                break;
            };
            let Frame::Chunk(chunk) = decode_client(&frame)? else {
                panic!("not a chunk");
            };
            receiver.accept(&chunk)?;
            have.extend_from_slice(chunk.data);
            sender.acknowledge(chunk.index)?;
            sent += 1;
        }
        assert_eq!(sender.acknowledged_bytes(), receiver.received_bytes());
    }
    assert_eq!(sender.is_complete(), receiver.is_complete());
    Ok(receiver.is_complete())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn interrupted_transfers_resume(
        chunks in 1usize..7,
        tail in 1usize..CHUNK_BYTES,
        window in 1u32..10,
        delay in 0usize..4,
        cut in 1usize..7,
    ) {
        let data = object((chunks - 1) * CHUNK_BYTES + tail);
        let mut have = Vec::new();
        let mut connections = 0;
        while !run(&data, &mut have, window, delay, cut).unwrap() {
            connections += 1;
            prop_assert!(connections <= chunks);
        }
        prop_assert_eq!(have, data);
    }
}

#[test]
fn damage_is_found_at_the_chunk_or_at_the_end() {
    let data = object(2 * CHUNK_BYTES + 5);
    let size = data.len() as u64;
    let first = encode_chunk(1, 0, &data[..CHUNK_BYTES]).unwrap();
    let mut damaged = first.clone();
    damaged[1000] ^= 1;
    let mut receiver = ChunkReceiver::new(1, Digest::of(&data), size).unwrap();
    let accept = |receiver: &mut ChunkReceiver, frame: &[u8]| match decode_client(frame).unwrap() {
        Frame::Chunk(chunk) => receiver.accept(&chunk),
        Frame::Control(_) => panic!("not a chunk"),
    };
    assert_eq!(
        accept(&mut receiver, &damaged),
        Err(ProtocolError::ChunkDigest {
            transfer: 1,
            index: 0
        })
    );
    accept(&mut receiver, &first).unwrap();
    assert!(matches!(
        accept(&mut receiver, &first),
        Err(ProtocolError::ChunkOrder {
            need: 1,
            have: 0,
            ..
        })
    ));
    let short = encode_chunk(1, 1, &data[..10]).unwrap();
    assert!(matches!(
        accept(&mut receiver, &short),
        Err(ProtocolError::ChunkLength {
            need: CHUNK_BYTES,
            have: 10,
            ..
        })
    ));
    // Another chunk with an honest digest of its own is found by the digest of the whole.
    let other = encode_chunk(1, 1, &data[..CHUNK_BYTES]).unwrap();
    accept(&mut receiver, &other).unwrap();
    let last = encode_chunk(1, 2, &data[2 * CHUNK_BYTES..]).unwrap();
    assert!(matches!(
        accept(&mut receiver, &last),
        Err(ProtocolError::ObjectDigest { .. })
    ));
    assert!(!receiver.is_complete());
}

#[test]
fn sizes_and_offsets_are_checked() {
    let chunk = CHUNK_BYTES as u64;
    assert!(chunk_count(0, 0).is_err());
    assert!(chunk_count(10, 11).is_err());
    assert!(chunk_count(3 * chunk, chunk + 1).is_err());
    assert!(chunk_count(u64::MAX, 0).is_err());
    assert_eq!(chunk_count(1, 0), Ok(1));
    assert_eq!(chunk_count(chunk, chunk), Ok(1));
    assert_eq!(chunk_count(chunk + 1, chunk), Ok(2));
    // A complete object has nothing to receive, and a hasher that read something else is refused.
    assert!(
        ChunkReceiver::resume(1, Digest([0; 32]), chunk, chunk, blake3::Hasher::new()).is_err()
    );
    assert!(
        ChunkReceiver::resume(1, Digest([0; 32]), 2 * chunk, chunk, blake3::Hasher::new()).is_err()
    );
}

#[test]
fn acknowledgements_must_be_due() {
    let mut sender = ChunkSender::new(1, 5 * CHUNK_BYTES as u64, 0, 3).unwrap();
    assert!(sender.acknowledge(0).is_err());
    for _ in 0..3 {
        sender.poll().unwrap();
    }
    assert!(sender.poll().is_none() && !sender.is_ready());
    assert!(sender.acknowledge(3).is_err());
    sender.acknowledge(1).unwrap();
    assert!(sender.acknowledge(1).is_err());
    assert!(sender.poll().is_some() && sender.poll().is_some() && sender.poll().is_none());
    sender.acknowledge(4).unwrap();
    assert!(sender.is_complete());
}
