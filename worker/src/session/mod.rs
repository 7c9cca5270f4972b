//! One connection of a data party, from its greeting to its end.

mod control;
mod downloads;
mod jobs;
mod outbox;
mod uploads;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket, close_code},
};
use confide_protocol::{
    Blame, Frame, ProtocolError, WireError, WorkerMessage, code, decode_client,
};
use futures_util::{StreamExt, stream::SplitStream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::{app::App, fault, store::Namespace};
use downloads::Downloads;
use jobs::Followed;
use outbox::Outbox;
use uploads::Uploads;

/// The session is over; what there was to say has been said.
#[derive(Debug)]
pub(crate) struct Closed;

/// Serves one connection to its end.
pub async fn serve(socket: WebSocket, app: Arc<App>) {
    let idle = Duration::from_secs(app.config.limits.idle_timeout_s.into());
    let (sink, stream) = socket.split();
    let (outbox, writer) = outbox::start(sink, idle);
    let mut session = Session {
        uploads: Uploads::default(),
        downloads: Downloads::default(),
        followed: Followed::new(outbox.clone()),
        app,
        outbox,
        namespace: None,
    };
    let Closed = session.run(stream, idle).await;
    tracing::info!(client = session.client(), "disconnected");
    let Session {
        uploads,
        followed,
        outbox,
        ..
    } = session;
    drop((followed, outbox));
    // Dropping an upload writes to the account, and may touch the disk.
    let dropped = tokio::task::spawn_blocking(move || drop(uploads)).await;
    if dropped.is_err() {
        tracing::error!("closing an upload panicked");
    }
    writer.finish().await;
}

struct Session {
    app: Arc<App>,
    outbox: Outbox,
    /// Set by the greeting.
    namespace: Option<Namespace>,
    uploads: Uploads,
    downloads: Downloads,
    followed: Followed,
}

impl Session {
    async fn run(&mut self, mut stream: SplitStream<WebSocket>, idle: Duration) -> Closed {
        let mut stopping = self.app.stopping.clone();
        let mut heard = Instant::now();
        let mut ticks = interval(idle / 4);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                frame = stream.next() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(Message::Binary(bytes))) => self.on_frame(bytes).await,
                        Some(Ok(Message::Text(_))) => {
                            let error = ProtocolError::Malformed("text frames carry nothing".into());
                            Err(self.refuse(error.to_wire(Blame::Client)).await)
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Close(_))) | None => Err(Closed),
                        Some(Err(error)) => Err(self.on_broken(&error).await),
                    }
                }
                permit = self.outbox.chunk_permit(), if self.downloads.ready() => {
                    self.downloads.send_next(&self.outbox, permit).await
                }
                () = told_to_stop(&mut stopping) => {
                    let told = self.outbox.send(WorkerMessage::ShuttingDown).await;
                    let _ = self.outbox.close(close_code::AWAY, "the worker stops").await;
                    told.and(Err(Closed))
                }
                _ = ticks.tick() => {
                    if heard.elapsed() > idle {
                        Err(self.refuse(idle_error(idle)).await)
                    } else {
                        // Answered by the other side's WebSocket itself; shows that it is there.
                        self.outbox.ping().await
                    }
                }
            };
            if let Err(closed) = step {
                return closed;
            }
        }
    }

    async fn on_frame(&mut self, bytes: Bytes) -> Result<(), Closed> {
        let (transfer, message) = match decode_client(&bytes) {
            Ok(Frame::Control(message)) => (None, Some(message)),
            Ok(Frame::Chunk(chunk)) => (Some(chunk.transfer), None),
            Err(error) => return Err(self.refuse(error.to_wire(Blame::Client)).await),
        };
        if let Some(message) = message {
            return self.on_control(message).await;
        }
        if self.namespace.is_none() {
            return Err(self.refuse(greet_first()).await);
        }
        match transfer {
            Some(transfer) => self.uploads.on_chunk(transfer, bytes, &self.outbox).await,
            None => Ok(()),
        }
    }

    /// The WebSocket itself failed. Too long a frame is worth a word.
    async fn on_broken(&self, error: &axum::Error) -> Closed {
        let text = error.to_string();
        if text.contains("too long") || text.contains("too big") {
            let limit = confide_protocol::MAX_FRAME_BYTES;
            let error = ProtocolError::Oversized {
                have: limit + 1,
                limit,
            };
            return self.refuse(error.to_wire(Blame::Client)).await;
        }
        tracing::debug!(client = self.client(), error = text, "connection broke");
        Closed
    }

    /// Says why and hangs up.
    async fn refuse(&self, error: WireError) -> Closed {
        tracing::warn!(
            client = self.client(),
            code = error.code,
            "connection refused"
        );
        let reason = error.code.clone();
        let message = WorkerMessage::Error {
            request: None,
            transfer: None,
            error,
        };
        if self.outbox.send(message).await.is_ok() {
            let _ = self.outbox.close(close_code::POLICY, reason).await;
        }
        Closed
    }

    /// The client's public name for the log.
    fn client(&self) -> String {
        self.namespace
            .map_or_else(|| "unknown".to_owned(), |namespace| namespace.short())
    }
}

async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that whoever would tell is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn greet_first() -> WireError {
    fault::client(
        code::UNEXPECTED,
        "the first message must be a greeting",
        "Send Hello first.",
    )
}

fn idle_error(idle: Duration) -> WireError {
    WireError::new(
        code::IDLE,
        Blame::Network,
        format!("nothing was heard for {} seconds", idle.as_secs()),
        "Connect again; transfers and jobs go on where they stopped.",
    )
}

/// A WebSocket close frame.
fn close_frame(code: u16, reason: impl Into<String>) -> Message {
    Message::Close(Some(CloseFrame {
        code,
        reason: reason.into().into(),
    }))
}
