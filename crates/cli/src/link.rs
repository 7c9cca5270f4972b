//! The socket under a session: connects, sends, receives, reconnects with growing pauses.
//!
//! A task owns the session and the socket. Callers give it closures over the session and receive its events.

use crate::address::{Endpoint, WorkerAddress, refused_certificate};
use crate::failure::Failure;
use confide_client::ClientError;
use confide_client::session::{Event, Session};
use confide_protocol::MAX_FRAME_BYTES;
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

/// Silence after which the worker is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(15);
/// Silence after which the connection counts as dead.
const DEAD: Duration = Duration::from_secs(60);
/// How long the first connection may take.
const FIRST: Duration = Duration::from_secs(10);
/// How long a lost connection is tried to be made again.
const AGAIN: Duration = Duration::from_secs(600);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

type Action = Box<dyn FnOnce(&mut Session) + Send>;

/// What the caller hears.
#[derive(Debug)]
pub enum News {
    /// An event of the session.
    Event(Event),
    /// The connection is lost and is being made again.
    Lost(String),
    /// The connection cannot be made.
    Ended(ClientError),
}

/// A handle on the task.
pub struct Link {
    actions: mpsc::UnboundedSender<Action>,
    news: mpsc::UnboundedReceiver<News>,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Link {
    /// Starts to connect.
    ///
    /// # Errors
    /// Those of [`WorkerAddress::endpoint`].
    pub fn start(worker: &WorkerAddress, session: Session) -> Result<Self, Failure> {
        let endpoint = worker.endpoint()?;
        let (actions, action_queue) = mpsc::unbounded_channel();
        let (news_queue, news) = mpsc::unbounded_channel();
        let (up, down) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let task = Task {
            endpoint,
            session,
            actions: action_queue,
            news: news_queue,
            up: up.clone(),
            down: down.clone(),
        };
        tokio::spawn(task.run());
        Ok(Self {
            actions,
            news,
            up,
            down,
        })
    }

    /// Does something with the session, soon.
    pub fn tell(&self, action: impl FnOnce(&mut Session) + Send + 'static) {
        // The task only ends with this handle or after it has said so.
        let _ = self.actions.send(Box::new(action));
    }

    /// Asks the session something.
    ///
    /// # Errors
    /// When the task has ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Session) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (answer, waiting) = oneshot::channel();
        self.tell(move |session| {
            let _ = answer.send(question(session));
        });
        waiting.await.map_err(|_| ended().into())
    }

    /// The next news. Can be cancelled without loss.
    pub async fn next(&mut self) -> News {
        self.news
            .recv()
            .await
            .unwrap_or_else(|| News::Ended(ended()))
    }

    /// Bytes sent so far.
    pub fn bytes_up(&self) -> u64 {
        self.up.load(Relaxed)
    }

    /// Bytes received so far.
    pub fn bytes_down(&self) -> u64 {
        self.down.load(Relaxed)
    }
}

fn ended() -> ClientError {
    ClientError::new(
        "CC-6010",
        "The connection has ended.",
        "Start the command again; what was uploaded is kept.",
    )
}

struct Task {
    endpoint: Endpoint,
    session: Session,
    actions: mpsc::UnboundedReceiver<Action>,
    news: mpsc::UnboundedSender<News>,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

/// Why a connection came to its end.
enum End {
    /// The caller is gone.
    Caller,
    /// The connection broke.
    Broken(String),
    /// Connecting again is of no use.
    Fatal(ClientError),
}

impl Task {
    async fn run(mut self) {
        let mut patience = FIRST;
        let mut trying_since = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            let reason = match self.connect().await {
                Ok(socket) => {
                    let begun = Instant::now();
                    match self.converse(socket).await {
                        End::Caller => return,
                        End::Fatal(error) => {
                            let _ = self.news.send(News::Ended(error));
                            return;
                        }
                        End::Broken(reason) => {
                            self.session.on_close();
                            if begun.elapsed() > LONGEST_PAUSE {
                                pause = Duration::from_millis(250);
                            }
                            if patience == AGAIN || begun.elapsed() > Duration::from_secs(1) {
                                trying_since = Instant::now();
                                patience = AGAIN;
                            }
                            let _ = self.news.send(News::Lost(reason.clone()));
                            reason
                        }
                    }
                }
                Err(SocketError::Http(response)) => {
                    format!("the worker answered {}", response.status())
                }
                Err(SocketError::Io(error)) => {
                    // Trying again would not change it.
                    if let Some(error) = refused_certificate(&error) {
                        let _ = self.news.send(News::Ended(error));
                        return;
                    }
                    error.to_string()
                }
                Err(error) => error.to_string(),
            };
            if trying_since.elapsed() > patience {
                let error = ClientError::new(
                    "CC-6012",
                    format!(
                        "No connection to the worker at {}: {reason}.",
                        self.endpoint.url
                    ),
                    "Check that confide-worker runs there and that the address is right.",
                );
                let _ = self.news.send(News::Ended(error));
                return;
            }
            if !self.wait(pause).await {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Waits while actions are taken; false when the caller is gone.
    async fn wait(&mut self, pause: Duration) -> bool {
        let end = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return true,
                action = self.actions.recv() => match action {
                    Some(action) => action(&mut self.session),
                    None => return false,
                },
            }
        }
    }

    async fn connect(&self) -> Result<Socket, SocketError> {
        let config = WebSocketConfig::default()
            .max_message_size(Some(2 * MAX_FRAME_BYTES))
            .max_frame_size(Some(2 * MAX_FRAME_BYTES));
        let Endpoint { url, connector } = &self.endpoint;
        let connector = Some(connector.clone());
        let connecting = connect_async_tls_with_config(url, Some(config), true, connector);
        match tokio::time::timeout(DEAD, connecting).await {
            Ok(connected) => connected.map(|(socket, _)| socket),
            Err(_) => Err(SocketError::Io(std::io::ErrorKind::TimedOut.into())),
        }
    }

    async fn converse(&mut self, socket: Socket) -> End {
        let (mut sink, mut stream) = socket.split();
        // A task of its own sends, so that a full socket never keeps this side from reading.
        let (outgoing, mut queue) = mpsc::channel::<Vec<u8>>(2);
        let sender = tokio::spawn(async move {
            while let Some(frame) = queue.recv().await {
                if sink.send(Message::Binary(frame.into())).await.is_err() {
                    break;
                }
            }
            let _ = sink.close().await;
        });
        self.session.on_open();
        let (mut more_to_send, mut heard) = (true, Instant::now());
        let mut tick = tokio::time::interval(QUIET / 3);
        let end = loop {
            tokio::select! {
                permit = outgoing.reserve(), if more_to_send => match permit {
                    Err(_) => break End::Broken("the connection was closed".into()),
                    Ok(permit) => match self.session.poll_send(now_ms()) {
                        Some(frame) => {
                            permit.send(frame);
                            self.up.store(self.session.bytes_up(), Relaxed);
                        }
                        None => more_to_send = false,
                    },
                },
                message = stream.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Binary(frame))) => {
                            if let Err(error) = self.session.on_frame(&frame) {
                                break match error.code.as_str() {
                                    "CC-4004" => End::Fatal(error),
                                    _ => End::Broken(error.message),
                                };
                            }
                            self.down.store(self.session.bytes_down(), Relaxed);
                            more_to_send = true;
                        }
                        Some(Ok(Message::Close(_))) | None => break End::Broken("the worker closed the connection".into()),
                        Some(Ok(_)) => {}
                        Some(Err(error)) => break End::Broken(error.to_string()),
                    }
                },
                action = self.actions.recv() => match action {
                    Some(action) => {
                        action(&mut self.session);
                        more_to_send = true;
                    }
                    None => break End::Caller,
                },
                _ = tick.tick() => {
                    if heard.elapsed() > DEAD {
                        break End::Broken("nothing was heard for a minute".into());
                    }
                    if heard.elapsed() > QUIET {
                        self.session.ping(now_ms());
                        more_to_send = true;
                    }
                },
            }
            while let Some(event) = self.session.poll_event() {
                if self.news.send(News::Event(event)).is_err() {
                    break;
                }
            }
        };
        while let Some(event) = self.session.poll_event() {
            let _ = self.news.send(News::Event(event));
        }
        drop(outgoing);
        if matches!(end, End::Caller) {
            // Lets a last message, such as a cancellation, leave.
            let _ = tokio::time::timeout(Duration::from_secs(2), sender).await;
        } else {
            sender.abort();
        }
        end
    }
}

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_millis() as u64)
}
