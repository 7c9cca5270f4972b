//! A worker with a quick runner in place of the real one, and a client that speaks raw messages.
#![allow(dead_code, reason = "each test file uses a part")]

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use confide_protocol::{
    Blame, CHUNK_BYTES, ChunkReceiver, ClientMessage, Digest, Frame, JobId, JobReport, JobSpec,
    JobState, Limits, ObjectKind, PROTOCOL_VERSION, Token, WireError, WorkerMessage, code,
    decode_worker, encode_chunk, encode_client,
};
use confide_worker::{
    config::Settings,
    jobs::{JobRunner, Objects, Stopped, Watch},
    server::Server,
};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs jobs whose plan is a word: `echo` joins its inputs behind the word, `slow` waits until it is stopped,
/// `makes` too and has an output before, `panic` panics, `fail` fails, `refuse` is not admitted, `huge` has large outputs.
#[derive(Default)]
pub struct FakeRunner {
    pub runs: AtomicUsize,
}

impl JobRunner for FakeRunner {
    fn plan(&self, request: &[u8], _limits: &Limits) -> Result<Vec<u8>, WireError> {
        Ok(request.iter().rev().copied().collect())
    }

    fn check(&self, spec: &JobSpec, _limits: &Limits) -> Result<(), WireError> {
        match spec.plan() {
            b"refuse" => Err(WireError::new(
                code::PLAN_REFUSED,
                Blame::Client,
                "refused",
                "",
            )),
            _ => Ok(()),
        }
    }

    fn output_bytes(&self, spec: &JobSpec) -> u64 {
        if spec.plan() == b"huge" { 1 << 60 } else { 0 }
    }

    fn run(
        &self,
        spec: &JobSpec,
        objects: &dyn Objects,
        watch: &dyn Watch,
    ) -> Result<JobReport, Stopped> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        watch.progress("fake", 1, 2);
        match spec.plan() {
            b"panic" => panic!("a job's own fault"),
            b"fail" => Err(WireError::new(code::COMPUTE, Blame::Worker, "failed", "").into()),
            plan if plan.starts_with(b"slow") || plan == b"makes" => {
                if plan == b"makes" {
                    let kind = ObjectKind::Validation { step: 3 };
                    watch.made(&[(kind, objects.write(kind, b"part")?, 4)]);
                }
                while !watch.stop_wanted() {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(Stopped::Asked)
            }
            _ => {
                let mut bytes = b"echo".to_vec();
                for digest in spec.inputs() {
                    bytes.extend(objects.read(&digest)?);
                }
                let size = bytes.len() as u64;
                let digest = objects.write(ObjectKind::Head, &bytes)?;
                Ok(JobReport {
                    outputs: vec![(ObjectKind::Head, digest, size)],
                    ..JobReport::default()
                })
            }
        }
    }
}

/// A running worker.
pub struct Worker {
    pub url: String,
    pub runner: Arc<FakeRunner>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Worker {
    pub async fn start(data: &Path) -> Self {
        Self::with(data, Settings::default()).await
    }

    pub async fn with(data: &Path, settings: Settings) -> Self {
        let config = Settings {
            listen: Some(([127, 0, 0, 1], 0).into()),
            data: Some(data.to_owned()),
            threads: Some(2),
            ..settings
        }
        .check()
        .unwrap();
        let runner = Arc::new(FakeRunner::default());
        let server = Server::bind(config, runner.clone()).await.unwrap();
        let url = format!("ws://{}/socket", server.address().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self {
            url,
            runner,
            stop: Some(stop),
            task,
        }
    }

    /// Stops in good order.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(PATIENCE, &mut self.task)
            .await
            .expect("the worker must stop")
            .unwrap()
            .unwrap();
    }

    pub fn runs(&self) -> usize {
        self.runner.runs.load(Ordering::SeqCst)
    }
}

pub fn is_running(state: &JobState) -> bool {
    matches!(state, JobState::Running { .. })
}

/// What came in.
#[derive(Debug)]
pub enum Incoming {
    Message(WorkerMessage),
    Chunk {
        transfer: u32,
        index: u32,
        frame: Vec<u8>,
    },
    Closed,
}

/// A client that sends whatever it is told to.
pub struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Jobs of which an answer, or news beside one, said that they are over: a short one may be by then.
    over: HashMap<JobId, JobState>,
}

impl Peer {
    /// Connects and says nothing.
    pub async fn silent(url: &str) -> Self {
        let (socket, _) = connect_async(url).await.unwrap();
        Self {
            socket,
            over: HashMap::new(),
        }
    }

    /// Connects and greets.
    pub async fn connect(url: &str, token: u8) -> Self {
        let mut peer = Self::silent(url).await;
        peer.send(&hello(PROTOCOL_VERSION, token)).await;
        let welcome = peer.message().await;
        assert!(
            matches!(welcome, WorkerMessage::Welcome { .. }),
            "{welcome:?}"
        );
        peer
    }

    pub async fn send(&mut self, message: &ClientMessage) {
        self.raw(encode_client(message).unwrap()).await;
    }

    pub async fn raw(&mut self, frame: Vec<u8>) {
        self.socket
            .send(Message::Binary(frame.into()))
            .await
            .unwrap();
    }

    /// As [`Self::raw`], for when the worker may have hung up.
    pub async fn try_raw(&mut self, frame: Vec<u8>) -> bool {
        self.socket
            .send(Message::Binary(frame.into()))
            .await
            .is_ok()
    }

    pub async fn next(&mut self) -> Incoming {
        loop {
            let frame = timeout(PATIENCE, self.socket.next())
                .await
                .expect("the worker must answer");
            match frame {
                Some(Ok(Message::Binary(bytes))) => match decode_worker(&bytes).unwrap() {
                    Frame::Control(message) => return Incoming::Message(message),
                    Frame::Chunk(chunk) => {
                        return Incoming::Chunk {
                            transfer: chunk.transfer,
                            index: chunk.index,
                            frame: bytes.to_vec(),
                        };
                    }
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Incoming::Closed,
                Some(Ok(_)) => {}
            }
        }
    }

    pub async fn message(&mut self) -> WorkerMessage {
        match self.next().await {
            Incoming::Message(message) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// The next message must be an error; gives its code.
    pub async fn error(&mut self) -> String {
        match self.message().await {
            WorkerMessage::Error { error, .. } => error.code,
            other => panic!("no error: {other:?}"),
        }
    }

    pub async fn closed(&mut self) {
        let next = self.next().await;
        assert!(matches!(next, Incoming::Closed), "{next:?}");
    }

    /// Cuts the connection without a word.
    pub fn cut(self) {
        drop(self);
    }

    /// Announces an object; gives the offset, or the code of the error.
    pub async fn put(&mut self, transfer: u32, digest: Digest, size: u64) -> Result<u64, String> {
        self.send(&ClientMessage::Put {
            request: 1,
            transfer,
            digest,
            size,
            kind: ObjectKind::Features,
        })
        .await;
        match self.message().await {
            WorkerMessage::PutReady {
                transfer: same,
                offset,
                ..
            } if same == transfer => Ok(offset),
            WorkerMessage::Error { error, .. } => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    /// Sends one chunk and waits for its acknowledgement.
    pub async fn chunk(&mut self, transfer: u32, index: u32, data: &[u8]) -> Result<(), String> {
        self.raw(encode_chunk(transfer, index, data).unwrap()).await;
        match self.message().await {
            WorkerMessage::ChunkAck {
                transfer: t,
                index: i,
            } if (t, i) == (transfer, index) => Ok(()),
            WorkerMessage::Error { error, .. } => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    /// Uploads an object; gives its digest and the bytes that were sent.
    pub async fn upload(&mut self, transfer: u32, data: &[u8]) -> Result<(Digest, u64), String> {
        let digest = Digest::of(data);
        let size = data.len() as u64;
        let offset = self.put(transfer, digest, size).await?;
        if offset == size {
            return Ok((digest, 0));
        }
        let first = offset as usize / CHUNK_BYTES;
        for (index, chunk) in data.chunks(CHUNK_BYTES).enumerate().skip(first) {
            self.chunk(transfer, index as u32, chunk).await?;
        }
        match self.message().await {
            WorkerMessage::PutDone { digest: done, .. } if done == digest => {
                Ok((digest, size - offset))
            }
            WorkerMessage::Error { error, .. } => Err(error.code),
            other => panic!("{other:?}"),
        }
    }

    /// Fetches an object from `have` on, so that it is whole.
    pub async fn download(
        &mut self,
        transfer: u32,
        digest: Digest,
        mut have: Vec<u8>,
    ) -> Result<Vec<u8>, String> {
        let offset = have.len() as u64;
        self.send(&ClientMessage::Get {
            request: 1,
            transfer,
            digest,
            offset,
        })
        .await;
        let size = match self.message().await {
            WorkerMessage::GetStart { size, .. } => size,
            WorkerMessage::Error { error, .. } => return Err(error.code),
            other => panic!("{other:?}"),
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&have);
        let mut receiver = ChunkReceiver::resume(transfer, digest, size, offset, hasher).unwrap();
        while !receiver.is_complete() {
            let Incoming::Chunk { index, frame, .. } = self.next().await else {
                panic!("no chunk");
            };
            let Ok(Frame::Chunk(chunk)) = decode_worker(&frame) else {
                panic!("no chunk");
            };
            receiver.accept(&chunk).unwrap();
            have.extend_from_slice(chunk.data);
            self.send(&ClientMessage::ChunkAck { transfer, index })
                .await;
        }
        Ok(have)
    }

    /// Starts a job; gives where it stands.
    pub async fn start(&mut self, job: JobSpec) -> Result<(JobId, JobState), String> {
        self.send(&ClientMessage::StartJob { request: 9, job })
            .await;
        self.job_answer().await
    }

    /// Starts a job, which may run before the worker has answered, and waits until it does.
    pub async fn start_running(&mut self, job: JobSpec) -> JobId {
        let (id, state) = self.start(job).await.unwrap();
        if !is_running(&state) {
            self.wait_for(id, is_running).await;
        }
        id
    }

    pub async fn job_answer(&mut self) -> Result<(JobId, JobState), String> {
        loop {
            match self.message().await {
                WorkerMessage::JobUpdate {
                    request: Some(_),
                    job,
                    state,
                } => {
                    self.note(job, &state);
                    return Ok((job, state));
                }
                WorkerMessage::JobUpdate {
                    request: None,
                    job,
                    state,
                } => self.note(job, &state),
                WorkerMessage::Error { error, .. } => return Err(error.code),
                other => panic!("{other:?}"),
            }
        }
    }

    fn note(&mut self, job: JobId, state: &JobState) {
        match state.is_final() {
            true => self.over.insert(job, state.clone()),
            false => self.over.remove(&job),
        };
    }

    /// Waits for the end of a job, which may have been told already.
    pub async fn end_of(&mut self, id: JobId) -> JobState {
        match self.over.remove(&id) {
            Some(state) => state,
            None => self.wait_for(id, JobState::is_final).await,
        }
    }

    /// Waits until a job stands as wanted.
    pub async fn wait_for(&mut self, id: JobId, wanted: impl Fn(&JobState) -> bool) -> JobState {
        loop {
            match self.message().await {
                WorkerMessage::JobUpdate { job, state, .. } if job == id && wanted(&state) => {
                    return state;
                }
                WorkerMessage::JobUpdate { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// A round trip: whatever was sent before has been dealt with.
    pub async fn ping(&mut self) {
        self.send(&ClientMessage::Ping { nonce: 77 }).await;
        let pong = self.message().await;
        assert_eq!(pong, WorkerMessage::Pong { nonce: 77 });
    }

    pub async fn have(&mut self, digests: Vec<Digest>) -> Vec<(Digest, u64)> {
        self.send(&ClientMessage::Have {
            request: 1,
            digests,
        })
        .await;
        match self.message().await {
            WorkerMessage::HaveReply { missing, .. } => missing,
            other => panic!("{other:?}"),
        }
    }
}

pub fn hello(version: u16, token: u8) -> ClientMessage {
    ClientMessage::Hello {
        version,
        client: "test".into(),
        token: Token([token; 32]),
    }
}

/// Bytes that differ from place to place and from seed to seed.
pub fn object(size: usize, seed: u8) -> Vec<u8> {
    (0..size).map(|i| (i * 31 + i / 251) as u8 ^ seed).collect()
}

/// A job of the fake runner on one object.
pub fn job(plan: &str, input: Digest) -> JobSpec {
    JobSpec::Train {
        plan: plan.into(),
        relin: input,
        galois: vec![],
        features: vec![],
        labels: vec![],
        sparse: Vec::new(),
        validation: Vec::new(),
    }
}
