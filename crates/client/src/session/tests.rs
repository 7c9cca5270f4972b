use super::*;
use confide_protocol::{
    Blame, CHUNK_BYTES, ChunkReceiver, Frame, JobReport, JobState, WireError, WorkerMessage, code,
    decode_client, encode_chunk, encode_worker,
};
use std::collections::HashMap;

/// A worker in memory that follows the protocol, with a store that outlives connections.
#[derive(Default)]
struct Worker {
    store: HashMap<Digest, Vec<u8>>,
    parts: HashMap<Digest, Vec<u8>>,
    open: HashMap<u32, ChunkReceiver>,
    greetings: usize,
    chunks: usize,
    jobs_started: usize,
    /// The next chunk is answered with an error instead.
    damage: bool,
    refuse: Option<&'static str>,
}

const LIMITS: Limits = Limits {
    chunk_bytes: CHUNK_BYTES as u32,
    window_chunks: 2,
    max_object_bytes: 1 << 30,
    max_client_bytes: 1 << 32,
    max_jobs: 2,
    max_memory_bytes: 1 << 34,
    max_control_bytes: 1 << 20,
    idle_timeout_s: 60,
};

impl Worker {
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        match decode_client(frame).unwrap() {
            Frame::Control(message) => self.control(message),
            Frame::Chunk(chunk) => {
                self.chunks += 1;
                let transfer = chunk.transfer;
                if std::mem::take(&mut self.damage) {
                    self.open.remove(&transfer);
                    let error =
                        WireError::new(code::CHUNK_DIGEST, Blame::Network, "damaged", "again");
                    return encode(&[WorkerMessage::Error {
                        request: None,
                        transfer: Some(transfer),
                        error,
                    }]);
                }
                let Some(receiver) = self.open.get_mut(&transfer) else {
                    return Vec::new();
                };
                receiver.accept(&chunk).unwrap();
                let digest = receiver.digest();
                let part = self.parts.entry(digest).or_default();
                part.extend_from_slice(chunk.data);
                let mut replies = vec![WorkerMessage::ChunkAck {
                    transfer,
                    index: chunk.index,
                }];
                if receiver.is_complete() {
                    self.store
                        .insert(digest, self.parts.remove(&digest).unwrap());
                    self.open.remove(&transfer);
                    replies.push(WorkerMessage::PutDone { transfer, digest });
                }
                encode(&replies)
            }
        }
    }

    fn control(&mut self, message: ClientMessage) -> Vec<Vec<u8>> {
        let reply = match message {
            ClientMessage::Hello { version, .. } => {
                self.greetings += 1;
                self.open.clear();
                WorkerMessage::Welcome {
                    version,
                    worker: "test".into(),
                    limits: LIMITS,
                    threads: 1,
                    memory_bytes: 1,
                }
            }
            ClientMessage::Have { request, digests } => {
                let missing = digests.iter().filter(|d| !self.store.contains_key(d));
                let missing = missing
                    .map(|d| (*d, self.parts.get(d).map_or(0, Vec::len) as u64))
                    .collect();
                WorkerMessage::HaveReply { request, missing }
            }
            ClientMessage::Put {
                request,
                transfer,
                digest,
                size,
                ..
            } => {
                if let Some(code) = self.refuse {
                    let error = WireError::new(code, Blame::Client, "full", "delete");
                    return encode(&[WorkerMessage::Error {
                        request: Some(request),
                        transfer: None,
                        error,
                    }]);
                }
                let offset = if self.store.contains_key(&digest) {
                    size
                } else {
                    let part = self.parts.entry(digest).or_default();
                    let mut hasher = blake3::Hasher::new();
                    hasher.update(part);
                    let offset = part.len() as u64;
                    let receiver =
                        ChunkReceiver::resume(transfer, digest, size, offset, hasher).unwrap();
                    self.open.insert(transfer, receiver);
                    offset
                };
                WorkerMessage::PutReady {
                    request,
                    transfer,
                    offset,
                }
            }
            ClientMessage::Get {
                request,
                transfer,
                digest,
                offset,
            } => {
                let object = self.store[&digest].clone();
                let mut frames = encode(&[WorkerMessage::GetStart {
                    request,
                    transfer,
                    size: object.len() as u64,
                    offset,
                }]);
                for (index, data) in object
                    .chunks(CHUNK_BYTES)
                    .enumerate()
                    .skip(offset as usize / CHUNK_BYTES)
                {
                    frames.push(encode_chunk(transfer, index as u32, data).unwrap());
                }
                return frames;
            }
            ClientMessage::StartJob { request, job } => {
                self.jobs_started += 1;
                let id = job.id(&Token([7; 32])).unwrap();
                let state = match self.jobs_started {
                    1 => JobState::Running {
                        phase: "train".into(),
                        done: 1,
                        total: 9,
                        elapsed_ms: 1,
                        remaining_ms: None,
                        outputs: Vec::new(),
                    },
                    _ => JobState::Done(JobReport::default()),
                };
                WorkerMessage::JobUpdate {
                    request: Some(request),
                    job: id,
                    state,
                }
            }
            ClientMessage::ChunkAck { .. } => return Vec::new(),
            other => panic!("{other:?}"),
        };
        encode(&[reply])
    }
}

fn encode(messages: &[WorkerMessage]) -> Vec<Vec<u8>> {
    messages
        .iter()
        .map(|message| encode_worker(message).unwrap())
        .collect()
}

/// Exchanges frames until nothing moves or `frames` were sent.
fn exchange(session: &mut Session, worker: &mut Worker, frames: usize) {
    for _ in 0..frames {
        let Some(frame) = session.poll_send(5) else {
            return;
        };
        for reply in worker.answer(&frame) {
            session.on_frame(&reply).unwrap();
        }
    }
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn object(seed: u8, size: usize) -> Object {
    let bytes = (0..size)
        .map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed))
        .collect();
    Object::new(format!("object {seed}"), ObjectKind::Features, bytes)
}

#[test]
fn uploads_go_in_windows_and_end_in_the_store() {
    let (mut session, mut worker) = (Session::new([7; 32], "test"), Worker::default());
    let objects: Vec<Object> = (0..6)
        .map(|i| object(i, 3 * CHUNK_BYTES + usize::from(i)))
        .collect();
    objects
        .iter()
        .for_each(|object| session.upload(object.clone()));
    session.upload(objects[0].clone());
    assert!(
        session.poll_send(0).is_none(),
        "nothing is sent before the socket opens"
    );
    session.on_open();
    exchange(&mut session, &mut worker, 1000);
    for object in &objects {
        assert_eq!(worker.store[&object.digest], object.bytes.to_vec());
    }
    let uploaded = events(&mut session)
        .iter()
        .filter(|e| matches!(e, Event::Uploaded { .. }))
        .count();
    assert_eq!(
        (
            uploaded,
            session.uploads_pending(),
            session.upload_bytes_pending()
        ),
        (6, 0, 0)
    );
    let summary = session.ledger().summary();
    assert_eq!(summary.ciphertexts, 6);
    assert_eq!(
        summary.ciphertext_bytes + summary.plain_bytes,
        session.bytes_up()
    );
}

#[test]
fn the_window_holds_until_chunks_are_acknowledged() {
    let mut session = Session::new([7; 32], "test");
    let mut worker = Worker::default();
    session.on_open();
    exchange(&mut session, &mut worker, 10);
    session.upload(object(1, 9 * CHUNK_BYTES));
    let put = session.poll_send(0).unwrap();
    let ready = worker.answer(&put);
    session.on_frame(&ready[0]).unwrap();
    assert!(session.poll_send(0).is_some() && session.poll_send(0).is_some());
    assert!(
        session.poll_send(0).is_none(),
        "the worker's window is two chunks"
    );
}

#[test]
fn a_cut_in_the_middle_resumes_where_it_stopped() {
    let (mut session, mut worker) = (Session::new([7; 32], "test"), Worker::default());
    let big = object(3, 10 * CHUNK_BYTES + 5);
    session.upload(big.clone());
    session.on_open();
    exchange(&mut session, &mut worker, 6);
    assert!(worker.chunks >= 3 && !worker.store.contains_key(&big.digest));
    let before = worker.chunks;
    session.on_close();
    assert!(session.poll_send(0).is_none());
    session.on_open();
    exchange(&mut session, &mut worker, 1000);
    assert_eq!(worker.greetings, 2);
    assert_eq!(worker.store[&big.digest], big.bytes.to_vec());
    assert_eq!(worker.chunks, 11, "no chunk was sent twice after {before}");
    assert_eq!(session.ledger().summary().ciphertexts, 1);
}

#[test]
fn what_the_worker_has_is_not_sent() {
    let (mut session, mut worker) = (Session::new([7; 32], "test"), Worker::default());
    let big = object(3, 2 * CHUNK_BYTES);
    worker.store.insert(big.digest, big.bytes.to_vec());
    session.on_open();
    session
        .have(vec![big.digest, Digest::of(b"other")])
        .unwrap();
    session.upload(big.clone());
    exchange(&mut session, &mut worker, 100);
    assert_eq!(worker.chunks, 0);
    let events = events(&mut session);
    assert!(events.contains(&Event::Uploaded { digest: big.digest }));
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Have { missing, .. } if missing.len() == 1))
    );
    assert!(session.is_idle());
}

#[test]
fn damage_on_the_way_is_sent_again_and_refusals_are_told() {
    let (mut session, mut worker) = (
        Session::new([7; 32], "test"),
        Worker {
            damage: true,
            ..Worker::default()
        },
    );
    let big = object(3, 3 * CHUNK_BYTES);
    session.upload(big.clone());
    session.on_open();
    exchange(&mut session, &mut worker, 100);
    assert!(worker.store.contains_key(&big.digest));

    worker.refuse = Some(code::QUOTA);
    session.upload(object(4, 10));
    exchange(&mut session, &mut worker, 100);
    let failed = events(&mut session).into_iter().find_map(|e| match e {
        Event::Failed { digest, error, .. } => Some((digest, error.code)),
        _ => None,
    });
    assert_eq!(
        failed,
        Some((Some(object(4, 10).digest), code::QUOTA.to_owned()))
    );
    assert!(session.is_idle());
}

#[test]
fn downloads_arrive_and_resume() {
    let (mut session, mut worker) = (Session::new([7; 32], "test"), Worker::default());
    let big = object(3, 3 * CHUNK_BYTES + 9);
    worker.store.insert(big.digest, big.bytes.to_vec());
    session.on_open();
    exchange(&mut session, &mut worker, 10);
    session.download(big.digest, 1 << 30);
    let get = session.poll_send(0).unwrap();
    let frames = worker.answer(&get);
    session.on_frame(&frames[0]).unwrap();
    session.on_frame(&frames[1]).unwrap();
    session.on_close();
    session.on_open();
    exchange(&mut session, &mut worker, 100);
    let bytes = events(&mut session).into_iter().find_map(|e| match e {
        Event::Downloaded { bytes, .. } => Some(bytes),
        _ => None,
    });
    assert_eq!(bytes.as_deref(), Some(&big.bytes[..]));
}

#[test]
fn a_download_larger_than_asked_for_is_refused() {
    let (mut session, mut worker) = (Session::new([7; 32], "test"), Worker::default());
    let big = object(3, 100);
    worker.store.insert(big.digest, big.bytes.to_vec());
    session.on_open();
    exchange(&mut session, &mut worker, 10);
    session.download(big.digest, 99);
    let get = session.poll_send(0).unwrap();
    let frames = worker.answer(&get);
    assert_eq!(session.on_frame(&frames[0]).unwrap_err().code, "CC-4001");
}

#[test]
fn a_job_is_followed_across_a_cut() {
    let (mut session, mut worker) = (Session::new([7; 32], "test"), Worker::default());
    let d = Digest::of(b"x");
    let spec = JobSpec::Predict {
        plan: vec![1],
        relin: d,
        galois: vec![(5, d)],
        head: d,
        rows: 1,
        records: vec![d],
    };
    session.on_open();
    let job = session.start_job(spec).unwrap();
    exchange(&mut session, &mut worker, 10);
    session.on_close();
    session.on_open();
    exchange(&mut session, &mut worker, 10);
    let states: Vec<bool> = events(&mut session)
        .into_iter()
        .filter_map(|e| match e {
            Event::Job { job: id, state } if id == job => Some(state.is_final()),
            _ => None,
        })
        .collect();
    assert_eq!((states, worker.jobs_started), (vec![false, true], 2));
    session.on_close();
    session.on_open();
    exchange(&mut session, &mut worker, 10);
    assert_eq!(
        worker.jobs_started, 2,
        "a job that has ended is not started again"
    );
}

#[test]
fn nonsense_from_the_worker_is_an_error_not_a_panic() {
    let mut session = Session::new([7; 32], "test");
    session.on_open();
    assert_eq!(session.on_frame(&[]).unwrap_err().code, "CC-4001");
    assert_eq!(session.on_frame(&[9, 9, 9]).unwrap_err().code, "CC-4001");
    let early = encode(&[WorkerMessage::Pong { nonce: 1 }]);
    assert_eq!(session.on_frame(&early[0]).unwrap_err().code, "CC-4001");
    let other = WorkerMessage::Welcome {
        version: confide_protocol::PROTOCOL_VERSION + 1,
        worker: "t".into(),
        limits: LIMITS,
        threads: 1,
        memory_bytes: 1,
    };
    assert_eq!(
        session.on_frame(&encode(&[other])[0]).unwrap_err().code,
        "CC-4004"
    );
    let chunk = encode_chunk(5, 0, b"data").unwrap();
    assert_eq!(session.on_frame(&chunk).unwrap_err().code, "CC-4001");
}
