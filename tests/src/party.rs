//! A data party: the client's session on a real socket. It connects again by itself.

use std::time::{Duration, Instant};

use confide_client::session::{Event, Object, Session};
use confide_protocol::{Digest, JobId, JobReport, JobSpec, JobState, ObjectKind, WireError};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

/// Time without anything heard after which a test has failed.
const PATIENCE: Duration = Duration::from_secs(120);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The report of a job that has succeeded.
///
/// # Panics
/// In any other state.
pub fn done(state: JobState) -> JobReport {
    match state {
        JobState::Done(report) => report,
        other => panic!("{other:?}"),
    }
}

/// The first output of a kind.
///
/// # Panics
/// When the job made none.
pub fn output(report: &JobReport, wanted: ObjectKind) -> Digest {
    let mut outputs = report.outputs.iter();
    let found = outputs.find(|(kind, _, _)| *kind == wanted);
    found.expect("the job made it").1
}

/// A data party.
pub struct Party {
    /// The session; commands may be given at any time.
    pub session: Session,
    /// Where it connects, now and after a cut.
    pub url: String,
    socket: Option<Socket>,
    began: Instant,
    connections: usize,
}

impl Party {
    /// Connects and waits for the greeting.
    ///
    /// # Panics
    /// When there is no worker.
    pub async fn connect(url: String, token: u8) -> Self {
        let mut party = Self {
            session: Session::new([token; 32], "test"),
            url,
            socket: None,
            began: Instant::now(),
            connections: 0,
        };
        party
            .until(|event| matches!(event, Event::Connected { .. }).then_some(()))
            .await;
        party
    }

    /// Connections made so far.
    pub fn connections(&self) -> usize {
        self.connections
    }

    /// Cuts the connection.
    pub fn cut(&mut self) {
        self.socket = None;
        self.session.on_close();
    }

    /// Sends and receives until an event is the wanted one. A failure event that is not wanted
    /// ends the test.
    ///
    /// # Panics
    /// When nothing is heard for too long.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let Some(found) = wanted(&event) {
                    return found;
                }
                assert!(!matches!(event, Event::Failed { .. }), "{event:?}");
            }
            timeout(PATIENCE, self.step())
                .await
                .expect("something is heard in time");
        }
    }

    /// Sends everything that may be sent, then takes one message in.
    async fn step(&mut self) {
        let Some(mut socket) = self.socket.take() else {
            return self.reconnect().await;
        };
        while let Some(frame) = self
            .session
            .poll_send(self.began.elapsed().as_millis() as u64)
        {
            if socket.send(Message::Binary(frame.into())).await.is_err() {
                return self.session.on_close();
            }
        }
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => {
                self.session
                    .on_frame(&frame)
                    .expect("the worker keeps to the protocol");
                self.socket = Some(socket);
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => self.session.on_close(),
            Some(Ok(_)) => self.socket = Some(socket),
        }
    }

    async fn reconnect(&mut self) {
        match connect_async(&self.url).await {
            Ok((socket, _)) => {
                self.connections += 1;
                self.socket = Some(socket);
                self.session.on_open();
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }

    /// Uploads objects and waits until all are on the worker's disk.
    ///
    /// # Panics
    /// When one is refused.
    pub async fn upload(&mut self, objects: &[Object]) {
        let mut missing: Vec<Digest> = objects.iter().map(|object| object.digest).collect();
        objects
            .iter()
            .for_each(|object| self.session.upload(object.clone()));
        missing.sort();
        missing.dedup();
        while !missing.is_empty() {
            let done = self
                .until(|event| match event {
                    Event::Uploaded { digest } => Some(*digest),
                    _ => None,
                })
                .await;
            missing.retain(|digest| *digest != done);
        }
    }

    /// Fetches an object.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn download(&mut self, wanted: Digest) -> Vec<u8> {
        self.session.download(wanted, 1 << 28);
        self.until(|event| match event {
            Event::Downloaded { digest, bytes } if *digest == wanted => Some(bytes.clone()),
            _ => None,
        })
        .await
    }

    /// Starts a job; gives its name, or the error if it is not taken in.
    ///
    /// # Errors
    /// What the worker said.
    ///
    /// # Panics
    /// When the job is too large for a message.
    pub async fn start(&mut self, spec: JobSpec) -> Result<JobId, WireError> {
        let id = self.session.start_job(spec).expect("the job can be sent");
        self.until(|event| match event {
            Event::Job { job, .. } if *job == id => Some(Ok(id)),
            Event::Failed {
                job: Some(job),
                error,
                ..
            } if *job == id => Some(Err(error.clone())),
            _ => None,
        })
        .await
    }

    /// Waits until a job stands as wanted.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn job_until(&mut self, id: JobId, wanted: impl Fn(&JobState) -> bool) -> JobState {
        self.until(|event| match event {
            Event::Job { job, state } if *job == id && wanted(state) => Some(state.clone()),
            _ => None,
        })
        .await
    }

    /// Runs a job to its end.
    ///
    /// # Errors
    /// What the worker said when it did not take the job in.
    ///
    /// # Panics
    /// When the job is too large for a message.
    pub async fn run(&mut self, spec: JobSpec) -> Result<JobState, WireError> {
        let id = self.session.start_job(spec).expect("the job can be sent");
        self.until(|event| match event {
            Event::Job { job, state } if *job == id && state.is_final() => Some(Ok(state.clone())),
            Event::Failed {
                job: Some(job),
                error,
                ..
            } if *job == id => Some(Err(error.clone())),
            _ => None,
        })
        .await
    }
}
