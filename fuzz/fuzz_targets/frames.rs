//! Frames of both directions, and both sides of a transfer.
#![no_main]

use confide_fuzz::Input;
use confide_protocol::{
    CHUNK_BYTES, ChunkFrame, ChunkReceiver, ChunkSender, Digest, Frame, ProtocolError, Token,
    decode_client, decode_worker, encode_chunk, encode_client, encode_worker,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => client(input.rest()),
        1 => worker(input.rest()),
        2 => sender(&mut input),
        _ => receiver(&mut input),
    }
});

fn client(bytes: &[u8]) {
    match decode_client(bytes) {
        Ok(Frame::Control(message)) => {
            // The integers of bincode have several encodings: the first writing may be shorter than what was read.
            let written = encode_client(&message).expect("it was read");
            assert!(written.len() <= bytes.len());
            assert_eq!(decode_client(&written), Ok(Frame::Control(message.clone())));
            if let confide_protocol::ClientMessage::StartJob { job, .. } = &message {
                job.id(&Token([1; 32])).expect("it was read");
                assert!(job.inputs().len() <= bytes.len());
            }
        }
        Ok(Frame::Chunk(chunk)) => same_chunk(&chunk, bytes),
        Err(error) => assert_wire(&error),
    }
}

fn worker(bytes: &[u8]) {
    match decode_worker(bytes) {
        Ok(Frame::Control(message)) => {
            let written = encode_worker(&message).expect("it was read");
            assert!(written.len() <= bytes.len());
            // Compared as bytes: a report may hold NaN.
            match decode_worker(&written) {
                Ok(Frame::Control(again)) => assert_eq!(encode_worker(&again), Ok(written)),
                other => panic!("{other:?}"),
            }
        }
        Ok(Frame::Chunk(chunk)) => same_chunk(&chunk, bytes),
        Err(error) => assert_wire(&error),
    }
}

fn same_chunk(chunk: &ChunkFrame<'_>, bytes: &[u8]) {
    let mut written = encode_chunk(chunk.transfer, chunk.index, chunk.data).expect("it was read");
    written[9..41].copy_from_slice(&chunk.digest.0);
    assert_eq!(written, bytes);
}

/// Every error can travel.
fn assert_wire(error: &ProtocolError) {
    assert!(
        !error
            .to_wire(confide_protocol::Blame::Client)
            .message
            .is_empty()
    );
}

/// A sender in the hands of a receiver that acknowledges what it likes.
fn sender(input: &mut Input<'_>) {
    let (size, offset, window) = (input.u64(), input.u64(), input.u32());
    // Half of the inputs start at a chunk, as most transfers do.
    let offset = if offset & 1 == 0 {
        offset / CHUNK_BYTES as u64 * CHUNK_BYTES as u64
    } else {
        offset
    };
    let Ok(mut sender) = ChunkSender::new(9, size, offset, window) else {
        return;
    };
    let mut outstanding = 0_u64;
    let mut next = offset;
    while !input.is_empty() {
        let step = input.byte();
        if step & 1 == 0 {
            let ready = sender.is_ready();
            match sender.poll() {
                Some(chunk) => {
                    assert!(ready && chunk.offset == next, "chunks leave in order");
                    assert!((1..=CHUNK_BYTES).contains(&chunk.length));
                    next += chunk.length as u64;
                    assert!(next <= size, "a chunk ends within the object");
                    outstanding += 1;
                    assert!(outstanding <= u64::from(window.max(1)), "the window holds");
                }
                None => assert!(!ready),
            }
        } else {
            let before = sender.acknowledged_bytes();
            let index = if step & 2 == 0 {
                (before / CHUNK_BYTES as u64) as u32 + u32::from(step >> 2)
            } else {
                input.u32()
            };
            if sender.acknowledge(index).is_ok() {
                let after = sender.acknowledged_bytes();
                assert!(
                    before < after && after <= next,
                    "only what was sent is acknowledged"
                );
                outstanding -= (after - before).div_ceil(CHUNK_BYTES as u64);
            }
        }
        assert_eq!(sender.is_complete(), sender.acknowledged_bytes() == size);
    }
}

/// A receiver in the hands of a sender that sends what it likes.
fn receiver(input: &mut Input<'_>) {
    let last = usize::from(input.u16()) + 1;
    let chunks = usize::from(input.byte() % 3);
    let object = vec![input.byte(); chunks * CHUNK_BYTES + last];
    let digest = if input.byte() & 1 == 0 {
        Digest::of(&object)
    } else {
        Digest([0; 32])
    };
    let mut receiver = ChunkReceiver::new(3, digest, object.len() as u64).expect("a size");
    let mut steps = 0;
    while !input.is_empty() && steps < 12 {
        steps += 1;
        let step = input.byte();
        let due = (receiver.received_bytes() / CHUNK_BYTES as u64) as u32;
        let index = if step & 1 == 0 { due } else { input.u32() };
        let start = (index as usize)
            .saturating_mul(CHUNK_BYTES)
            .min(object.len());
        let mut end = (start + CHUNK_BYTES).min(object.len());
        if step & 2 != 0 {
            end = start + usize::from(input.u16()).min(object.len() - start);
        }
        let data = &object[start..end];
        let announced = if step & 4 == 0 {
            Digest::of(data)
        } else {
            Digest(input.array())
        };
        let transfer = if step & 8 == 0 { 3 } else { input.u32() };
        let before = receiver.received_bytes();
        let chunk = ChunkFrame {
            transfer,
            index,
            digest: announced,
            data,
        };
        match receiver.accept(&chunk) {
            Ok(()) => assert_eq!(receiver.received_bytes(), before + data.len() as u64),
            Err(error) => {
                assert_eq!(receiver.received_bytes(), before);
                assert_wire(&error);
                break;
            }
        }
        if receiver.is_complete() {
            assert!(
                receiver.received_bytes() == object.len() as u64 && Digest::of(&object) == digest
            );
        }
    }
}
