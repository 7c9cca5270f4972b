//! One data party's conversation with a worker, as a state machine without socket and clock.
//!
//! The owner connects it: call [`Session::on_open`] when the socket opens, [`Session::on_frame`] for every
//! binary message, [`Session::on_close`] when the socket is gone, and send what [`Session::poll_send`] gives
//! whenever the socket takes more. What happened comes from [`Session::poll_event`]. Commands may be given at
//! any time. After a cut the owner opens a new socket and calls `on_open` again: the greeting, unanswered
//! requests, unfinished transfers (from where they stopped) and running jobs are taken up without further ado.

mod event;
mod receive;
mod transfer;

pub use event::{Event, Object};

use crate::ClientError;
use crate::ledger::{Entry, Form, Ledger};
use confide_protocol::{
    ClientMessage, Digest, JobId, JobSpec, Limits, MAX_DIGESTS, MAX_TRANSFERS, ObjectKind,
    PROTOCOL_VERSION, ProtocolError, Token, encode_client,
};
use std::collections::{BTreeMap, VecDeque};
use transfer::{Download, Link, Upload};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Closed,
    Greeting,
    Open,
}

/// A frame that waits to be sent, with what the ledger says of it.
struct Outgoing {
    frame: Vec<u8>,
    ledger: (&'static str, &'static str),
}

/// The state machine. See the module's description.
pub struct Session {
    token: Token,
    name: String,
    stage: Stage,
    limits: Option<Limits>,
    next_number: u32,
    outbox: VecDeque<Outgoing>,
    events: VecDeque<Event>,
    /// Requests without an answer; sent again after a cut.
    requests: BTreeMap<u32, ClientMessage>,
    /// Jobs that have not ended, by name; followed again after a cut.
    jobs: BTreeMap<JobId, ClientMessage>,
    uploads: VecDeque<Upload>,
    downloads: VecDeque<Download>,
    ledger: Ledger,
    bytes_up: u64,
    bytes_down: u64,
}

impl Session {
    /// A session that is not connected. `name` is told to the worker for its log; `token` owns the store there.
    pub fn new(token: [u8; 32], name: &str) -> Self {
        Self {
            token: Token(token),
            name: name.chars().take(32).collect(),
            stage: Stage::Closed,
            limits: None,
            next_number: 1,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            requests: BTreeMap::new(),
            jobs: BTreeMap::new(),
            uploads: VecDeque::new(),
            downloads: VecDeque::new(),
            ledger: Ledger::default(),
            bytes_up: 0,
            bytes_down: 0,
        }
    }

    /// The socket has opened.
    pub fn on_open(&mut self) {
        self.on_close();
        self.stage = Stage::Greeting;
        let hello = ClientMessage::Hello {
            version: PROTOCOL_VERSION,
            client: self.name.clone(),
            token: self.token,
        };
        self.push(&hello);
    }

    /// The socket is gone. What was under way waits for the next `on_open`.
    pub fn on_close(&mut self) {
        self.stage = Stage::Closed;
        self.outbox.clear();
        self.uploads
            .iter_mut()
            .for_each(|upload| upload.link = Link::Idle);
        self.downloads
            .iter_mut()
            .for_each(|download| download.link = Link::Idle);
    }

    /// The next frame to send, if any: control messages first, then chunks as the windows allow, in turn over the
    /// open uploads. `now_ms` is any clock; it dates the ledger.
    pub fn poll_send(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        if let Some(outgoing) = self.outbox.pop_front() {
            let (name, what) = outgoing.ledger;
            let bytes = outgoing.frame.len() as u64;
            self.bytes_up += bytes;
            self.ledger.record(Entry {
                time_ms: now_ms,
                name: name.into(),
                bytes,
                form: Form::Plain(what.into()),
            });
            return Some(outgoing.frame);
        }
        if self.stage != Stage::Open {
            return None;
        }
        for place in 0..self.uploads.len().min(MAX_TRANSFERS) {
            let Some(Ok(frame)) = self.uploads[place].next_frame() else {
                continue;
            };
            self.bytes_up += frame.len() as u64;
            self.enter_chunk(place, now_ms, frame.len() as u64);
            // The other open uploads come first next time.
            let open = self.uploads.len().min(MAX_TRANSFERS);
            self.uploads.make_contiguous()[..open].rotate_left(place + 1);
            return Some(frame);
        }
        None
    }

    fn enter_chunk(&mut self, place: usize, time_ms: u64, bytes: u64) {
        let upload = &mut self.uploads[place];
        if let Some(entry) = upload.entry.and_then(|at| self.ledger.entries.get_mut(at)) {
            entry.bytes += bytes;
            return;
        }
        upload.entry = Some(self.ledger.entries.len());
        let form = match upload.object.kind {
            ObjectKind::RelinearisationKey
            | ObjectKind::GaloisKey { .. }
            | ObjectKind::SparseKey => Form::EvaluationKey,
            _ => Form::Ciphertext,
        };
        self.ledger.entries.push(Entry {
            time_ms,
            name: upload.object.name.clone(),
            bytes,
            form,
        });
    }

    /// The next thing that happened, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Asks for a plan (`bincode` of a plan request). Returns the request's number.
    pub fn request_plan(&mut self, plan_request: Vec<u8>) -> u32 {
        self.request(|request| ClientMessage::RequestPlan {
            request,
            plan_request,
        })
    }

    /// Asks which networks the worker evaluates. Returns the request's number.
    pub fn list_models(&mut self) -> u32 {
        self.request(|request| ClientMessage::ListModels { request })
    }

    /// Asks for the plan of an inference (`bincode` of a request). Returns the request's number.
    pub fn request_inference(&mut self, inference_request: Vec<u8>) -> u32 {
        self.request(|request| ClientMessage::RequestInference {
            request,
            inference_request,
        })
    }

    /// Asks which objects the worker lacks.
    ///
    /// # Errors
    /// `CC-4002` for more than 4,096 digests.
    pub fn have(&mut self, digests: Vec<Digest>) -> Result<u32, ClientError> {
        limit_digests(digests.len())?;
        Ok(self.request(|request| ClientMessage::Have { request, digests }))
    }

    /// Deletes objects.
    ///
    /// # Errors
    /// `CC-4002` for more than 4,096 digests.
    pub fn delete(&mut self, digests: Vec<Digest>) -> Result<u32, ClientError> {
        limit_digests(digests.len())?;
        Ok(self.request(|request| ClientMessage::Delete { request, digests }))
    }

    /// Ends all jobs and deletes everything that the worker stores of this client.
    pub fn delete_all(&mut self) -> u32 {
        self.request(|request| ClientMessage::DeleteAll { request })
    }

    /// Uploads an object unless the worker has it; the session keeps its bytes until it is complete.
    /// An object that is already on its way is not sent twice.
    pub fn upload(&mut self, object: Object) {
        if self
            .uploads
            .iter()
            .all(|upload| upload.object.digest != object.digest)
        {
            self.uploads.push_back(Upload::new(object));
            self.start_transfers();
        }
    }

    /// Fetches an object of at most `limit` bytes.
    pub fn download(&mut self, digest: Digest, limit: u64) {
        if self
            .downloads
            .iter()
            .all(|download| download.digest != digest)
        {
            let download = Download {
                digest,
                limit,
                attempts: 0,
                bytes: Vec::new(),
                link: Link::Idle,
            };
            self.downloads.push_back(download);
            self.start_transfers();
        }
    }

    /// Starts a job, or attaches to it if the worker knows it, and follows it to its end, across cuts.
    ///
    /// # Errors
    /// `CC-4003` when the job is too large for a message.
    pub fn start_job(&mut self, spec: JobSpec) -> Result<JobId, ClientError> {
        let too_large = |error: ProtocolError| {
            ClientError::new(
                "CC-4003",
                format!("The job cannot be sent: {error}."),
                "Train with fewer rows or features.",
            )
        };
        let job = spec.id(&self.token).map_err(too_large)?;
        let message = ClientMessage::StartJob {
            request: self.number(),
            job: spec,
        };
        encode_client(&message).map_err(too_large)?;
        self.follow(job, message);
        Ok(job)
    }

    /// Follows a job that was started earlier.
    pub fn attach_job(&mut self, job: JobId) {
        let message = ClientMessage::AttachJob {
            request: self.number(),
            job,
        };
        self.follow(job, message);
    }

    fn follow(&mut self, job: JobId, message: ClientMessage) {
        if self.stage == Stage::Open {
            self.push(&message);
        }
        self.jobs.insert(job, message);
    }

    /// Ends a job.
    pub fn cancel_job(&mut self, job: JobId) -> u32 {
        self.request(|request| ClientMessage::CancelJob { request, job })
    }

    /// Drops all uploads that are not complete.
    pub fn drop_uploads(&mut self) {
        self.uploads.clear();
    }

    /// Asks for a sign of life. Not repeated after a cut.
    pub fn ping(&mut self, nonce: u64) {
        if self.stage == Stage::Open {
            self.push(&ClientMessage::Ping { nonce });
        }
    }

    /// Whether the worker has greeted on the present connection.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// What the worker allows, once it has greeted.
    pub fn limits(&self) -> Option<&Limits> {
        self.limits.as_ref()
    }

    /// Uploads that are not complete.
    pub fn uploads_pending(&self) -> usize {
        self.uploads.len()
    }

    /// Bytes of pending uploads that the worker has not acknowledged.
    pub fn upload_bytes_pending(&self) -> u64 {
        self.uploads
            .iter()
            .map(|upload| (upload.object.bytes.len() as u64).saturating_sub(upload.acknowledged))
            .sum()
    }

    /// Whether nothing is under way: no request, transfer or job.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
            && self.jobs.is_empty()
            && self.uploads.is_empty()
            && self.downloads.is_empty()
            && self.outbox.is_empty()
    }

    /// Bytes of all frames sent.
    pub fn bytes_up(&self) -> u64 {
        self.bytes_up
    }

    /// Bytes of all frames received.
    pub fn bytes_down(&self) -> u64 {
        self.bytes_down
    }

    /// Everything that has left.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The worker's name for this client's jobs depends on its token.
    pub fn token(&self) -> &Token {
        &self.token
    }

    fn number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = self.next_number.wrapping_add(1).max(1);
        number
    }

    fn request(&mut self, make: impl FnOnce(u32) -> ClientMessage) -> u32 {
        let number = self.number();
        let message = make(number);
        if self.stage == Stage::Open {
            self.push(&message);
        }
        self.requests.insert(number, message);
        number
    }

    /// Queues a control message. Every message made here is within its limits, except a plan request of the
    /// caller's making, which then fails by event.
    fn push(&mut self, message: &ClientMessage) {
        match encode_client(message) {
            Ok(frame) => self.outbox.push_back(Outgoing {
                frame,
                ledger: ledger_text(message),
            }),
            Err(error) => {
                let request = match message {
                    ClientMessage::RequestPlan { request, .. }
                    | ClientMessage::RequestInference { request, .. } => Some(*request),
                    _ => None,
                };
                self.events.push_back(Event::Failed {
                    request,
                    digest: None,
                    job: None,
                    error: error.to_wire(confide_protocol::Blame::Client),
                });
            }
        }
    }

    /// Announces waiting transfers, at most [`MAX_TRANSFERS`] each way.
    fn start_transfers(&mut self) {
        if self.stage != Stage::Open {
            return;
        }
        for place in 0..self.uploads.len().min(MAX_TRANSFERS) {
            if matches!(self.uploads[place].link, Link::Idle) {
                let (request, transfer) = (self.number(), self.number());
                let upload = &mut self.uploads[place];
                upload.link = Link::Asked { request, transfer };
                let Object {
                    digest,
                    kind,
                    ref bytes,
                    ..
                } = upload.object;
                let size = bytes.len() as u64;
                self.push(&ClientMessage::Put {
                    request,
                    transfer,
                    digest,
                    size,
                    kind,
                });
            }
        }
        for place in 0..self.downloads.len().min(MAX_TRANSFERS) {
            if matches!(self.downloads[place].link, Link::Idle) {
                let (request, transfer) = (self.number(), self.number());
                let download = &mut self.downloads[place];
                download.link = Link::Asked { request, transfer };
                let (digest, offset) = (download.digest, download.bytes.len() as u64);
                self.push(&ClientMessage::Get {
                    request,
                    transfer,
                    digest,
                    offset,
                });
            }
        }
    }
}

fn limit_digests(count: usize) -> Result<(), ClientError> {
    if count > MAX_DIGESTS {
        return Err(ClientError::new(
            "CC-4002",
            format!("{count} objects were named at once; {MAX_DIGESTS} are possible."),
            "Ask in several steps.",
        ));
    }
    Ok(())
}

/// What the ledger says of a control message: its name, and what the worker can read in it.
fn ledger_text(message: &ClientMessage) -> (&'static str, &'static str) {
    match message {
        ClientMessage::Hello { .. } => ("greeting", "name of this program and a random token"),
        ClientMessage::RequestPlan { .. } => (
            "plan request",
            "numbers of rows, features and classes, limits",
        ),
        ClientMessage::ListModels { .. } => ("list of models", "that it was asked for"),
        ClientMessage::RequestInference { .. } => {
            ("inference request", "the model, number of images, limits")
        }
        ClientMessage::StartJob { .. } => ("job", "the plan and digests of encrypted objects"),
        ClientMessage::AttachJob { .. } | ClientMessage::CancelJob { .. } => {
            ("job control", "name of a job")
        }
        _ => ("transfer control", "sizes and digests of encrypted objects"),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
