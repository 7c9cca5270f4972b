//! A data party's session with a hostile worker: whatever comes in any order, only valid frames leave, and only
//! objects with the right digest come out.
#![no_main]

use std::sync::LazyLock;

use confide_client::session::{Event, Object, Session};
use confide_fuzz::Input;
use confide_protocol::{
    Blame, ChunkFrame, Digest, Frame, JobId, JobReport, JobSpec, JobState, Limits, ObjectKind,
    PROTOCOL_VERSION, WireError, WorkerMessage, code, decode_client, encode_chunk, encode_worker,
};
use libfuzzer_sys::fuzz_target;

/// Objects that are uploaded and downloaded: one of a single chunk, one of two.
static OBJECTS: LazyLock<[Object; 2]> = LazyLock::new(|| {
    [100, (1 << 20) + 10].map(|size| Object::new("object", ObjectKind::Features, vec![5; size]))
});

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut session = Session::new([3; 32], "fuzz");
    let mut jobs = vec![JobId(Digest([9; 32]))];
    let mut steps = 0;
    while !input.is_empty() && steps < 200 {
        steps += 1;
        match input.byte() % 8 {
            0 => session.on_open(),
            1 => session.on_close(),
            2 => send(&mut session),
            3 => command(&mut session, &mut input, &mut jobs),
            4 => {
                let length = usize::from(input.u16());
                let _ = session.on_frame(input.take(length));
            }
            5 => {
                let object = &OBJECTS[usize::from(input.byte() & 1)];
                let index = u32::from(input.byte());
                let start = (index as usize) << 20;
                let end = (start + (1 << 20)).min(object.bytes.len());
                if start < end {
                    let chunk = encode_chunk(number(&mut input), index, &object.bytes[start..end]);
                    let _ = session.on_frame(&chunk.expect("a chunk"));
                }
            }
            _ => {
                let message = message(&mut input, &jobs);
                let _ = session.on_frame(&encode_worker(&message).expect("a small message"));
            }
        }
        listen(&mut session);
    }
    send(&mut session);
    assert!(session.upload_bytes_pending() <= OBJECTS.iter().map(|o| o.bytes.len() as u64).sum());
});

/// Everything that the session sends can be read by a worker, and chunks are those of the objects.
fn send(session: &mut Session) {
    for _ in 0..64 {
        let Some(frame) = session.poll_send(0) else {
            return;
        };
        if let Frame::Chunk(ChunkFrame { index, data, .. }) = decode_client(&frame).expect("valid")
        {
            let start = (index as usize) << 20;
            let known = OBJECTS
                .iter()
                .any(|o| o.bytes.get(start..start + data.len()) == Some(data));
            assert!(known, "a chunk of no object");
        }
    }
}

fn listen(session: &mut Session) {
    while let Some(event) = session.poll_event() {
        if let Event::Downloaded { digest, bytes } = event {
            assert_eq!(Digest::of(&bytes), digest);
            assert!(bytes.len() <= OBJECTS[1].bytes.len());
        }
    }
}

fn command(session: &mut Session, input: &mut Input<'_>, jobs: &mut Vec<JobId>) {
    let digests = OBJECTS.iter().map(|object| object.digest).collect();
    match input.byte() % 10 {
        0 => drop(session.request_plan(input.take(20).to_vec())),
        1 => drop(session.have(digests)),
        2 => drop(session.delete(digests)),
        3 => drop(session.delete_all()),
        4 => session.upload(OBJECTS[usize::from(input.byte() & 1)].clone()),
        5 => {
            let object = &OBJECTS[usize::from(input.byte() & 1)];
            session.download(object.digest, object.bytes.len() as u64);
        }
        6 => {
            let spec = JobSpec::Predict {
                plan: vec![input.byte()],
                relin: Digest([0; 32]),
                galois: Vec::new(),
                head: Digest([0; 32]),
                rows: 1,
                records: digests,
            };
            jobs.push(session.start_job(spec).expect("a small job"));
        }
        7 => session.attach_job(job(input, jobs)),
        8 => drop(session.cancel_job(job(input, jobs))),
        _ => {
            session.ping(1);
            session.drop_uploads();
        }
    }
}

fn job(input: &mut Input<'_>, jobs: &[JobId]) -> JobId {
    jobs[usize::from(input.byte()) % jobs.len()]
}

/// Requests and transfers are numbered from 1.
fn number(input: &mut Input<'_>) -> u32 {
    u32::from(input.byte())
}

fn message(input: &mut Input<'_>, jobs: &[JobId]) -> WorkerMessage {
    let (request, transfer) = (number(input), number(input));
    let object = &OBJECTS[usize::from(input.byte() & 1)];
    let size = if input.byte() == 0 {
        input.u64()
    } else {
        object.bytes.len() as u64
    };
    let offset = match input.byte() % 4 {
        0 => 0,
        1 => 1 << 20,
        2 => size,
        _ => input.u64(),
    };
    match input.byte() % 12 {
        0 => WorkerMessage::Plan {
            request,
            plan: vec![1, 2],
        },
        1 => WorkerMessage::HaveReply {
            request,
            missing: vec![(object.digest, offset)],
        },
        2 => WorkerMessage::PutReady {
            request,
            transfer,
            offset,
        },
        3 => WorkerMessage::ChunkAck {
            transfer,
            index: u32::from(input.byte() & 3),
        },
        4 => WorkerMessage::PutDone {
            transfer,
            digest: object.digest,
        },
        5 => WorkerMessage::GetStart {
            request,
            transfer,
            size,
            offset,
        },
        6 => WorkerMessage::JobUpdate {
            request: Some(request),
            job: job(input, jobs),
            state: JobState::Done(JobReport::default()),
        },
        7 => WorkerMessage::JobUpdate {
            request: None,
            job: job(input, jobs),
            state: JobState::Queued { position: 1 },
        },
        8 => WorkerMessage::Deleted {
            request,
            objects: size,
            bytes: offset,
        },
        9 => WorkerMessage::Error {
            request: (input.byte() & 1 == 0).then_some(request),
            transfer: (input.byte() & 1 == 0).then_some(transfer),
            error: error(input),
        },
        10 => WorkerMessage::ShuttingDown,
        _ => WorkerMessage::Welcome {
            version: PROTOCOL_VERSION,
            worker: "hostile".into(),
            limits: Limits {
                chunk_bytes: input.u32(),
                window_chunks: input.u32(),
                max_object_bytes: size,
                max_client_bytes: offset,
                max_jobs: 1,
                max_memory_bytes: 1,
                max_control_bytes: 1 << 20,
                idle_timeout_s: 60,
            },
            threads: 1,
            memory_bytes: 1,
        },
    }
}

fn error(input: &mut Input<'_>) -> WireError {
    let (code, blame) = match input.byte() % 4 {
        0 => (code::CHUNK_DIGEST, Blame::Network),
        1 => (code::TOO_MANY_TRANSFERS, Blame::Client),
        2 => (code::VERSION, Blame::Client),
        _ => (code::QUOTA, Blame::Worker),
    };
    WireError::new(code, blame, "m", "r")
}
