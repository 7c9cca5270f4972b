//! What goes out on one connection: a bounded queue and the task that writes it.
//!
//! The reader never waits for a slow client's downloads: chunks have few places of their own in
//! the queue, so that acknowledgements always find one.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use confide_protocol::{WorkerMessage, encode_worker};
use futures_util::{SinkExt, stream::SplitSink};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
    time::timeout,
};

use super::{Closed, close_frame};

const QUEUE: usize = 64;
/// Chunks of downloads in the queue: at most so many MiB a connection.
const CHUNKS: usize = 4;
/// Time that a closing connection gets to take what is queued.
const FAREWELL: Duration = Duration::from_secs(3);

type Item = (Message, Option<OwnedSemaphorePermit>);

/// The sending end, shared by the session and the tasks that follow jobs.
#[derive(Clone, Debug)]
pub(super) struct Outbox {
    queue: mpsc::Sender<Item>,
    chunks: Arc<Semaphore>,
}

/// The task that writes.
pub(super) struct Writer(JoinHandle<()>);

/// Starts the task. It gives up when the client takes nothing for `patience`.
pub(super) fn start(sink: SplitSink<WebSocket, Message>, patience: Duration) -> (Outbox, Writer) {
    let (queue, receiver) = mpsc::channel(QUEUE);
    let chunks = Arc::new(Semaphore::new(CHUNKS));
    let task = tokio::spawn(write(sink, receiver, patience));
    (Outbox { queue, chunks }, Writer(task))
}

async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<Item>,
    patience: Duration,
) {
    while let Some((message, permit)) = queue.recv().await {
        let last = matches!(message, Message::Close(_));
        match timeout(patience, sink.send(message)).await {
            Ok(Ok(())) if !last => drop(permit),
            Ok(_) => return,
            Err(_) => {
                tracing::warn!("a client takes no messages, hung up");
                return;
            }
        }
    }
}

impl Writer {
    /// Waits a moment for the last messages to be written. All outboxes must be gone.
    pub(super) async fn finish(mut self) {
        if timeout(FAREWELL, &mut self.0).await.is_err() {
            self.0.abort();
        }
    }
}

impl Outbox {
    /// Queues a message; waits while the queue is full.
    pub(super) async fn send(&self, message: WorkerMessage) -> Result<(), Closed> {
        match encode_worker(&message) {
            Ok(frame) => self.put(Message::Binary(frame.into()), None).await,
            Err(error) => {
                tracing::error!(%error, "a message cannot be encoded");
                Err(Closed)
            }
        }
    }

    /// Waits for one of the places for chunks.
    pub(super) async fn chunk_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.chunks.clone().acquire_owned().await.ok()
    }

    /// Queues a chunk frame in its place.
    pub(super) async fn send_chunk(
        &self,
        frame: Vec<u8>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Closed> {
        self.put(Message::Binary(frame.into()), permit).await
    }

    pub(super) async fn ping(&self) -> Result<(), Closed> {
        self.put(Message::Ping(Vec::new().into()), None).await
    }

    pub(super) async fn close(&self, code: u16, reason: impl Into<String>) -> Result<(), Closed> {
        self.put(close_frame(code, reason), None).await
    }

    async fn put(
        &self,
        message: Message,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Result<(), Closed> {
        self.queue.send((message, permit)).await.map_err(|_| Closed)
    }
}
