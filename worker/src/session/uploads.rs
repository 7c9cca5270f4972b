//! Uploads of one connection.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use axum::body::Bytes;
use confide_protocol::{
    Digest, Frame, MAX_TRANSFERS, ObjectKind, WireError, WorkerMessage, code, decode_client,
};

use super::{Closed, outbox::Outbox};
use crate::{
    app::App,
    fault,
    store::{Begin, Namespace, Upload},
};

/// Failed transfers whose chunks may still be on their way.
const REMEMBERED: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Uploads {
    open: HashMap<u32, Arc<Upload>>,
    /// Transfers that ended with an error: chunks sent before the client heard of it are dropped.
    failed: VecDeque<u32>,
}

/// What a client announces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Put {
    pub request: u32,
    pub transfer: u32,
    pub digest: Digest,
    pub size: u64,
    pub kind: ObjectKind,
}

impl Uploads {
    pub(super) async fn begin(
        &mut self,
        app: &Arc<App>,
        namespace: Namespace,
        put: Put,
        outbox: &Outbox,
    ) -> Result<(), Closed> {
        let Put {
            request, transfer, ..
        } = put;
        let reply = match self.try_begin(app, namespace, put).await {
            Ok(offset) => WorkerMessage::PutReady {
                request,
                transfer,
                offset,
            },
            Err(error) => WorkerMessage::Error {
                request: Some(request),
                transfer: Some(transfer),
                error,
            },
        };
        outbox.send(reply).await
    }

    async fn try_begin(
        &mut self,
        app: &Arc<App>,
        namespace: Namespace,
        put: Put,
    ) -> Result<u64, WireError> {
        if self.open.contains_key(&put.transfer) {
            return Err(fault::client(
                code::UNEXPECTED,
                format!("transfer {} is open already", put.transfer),
                "Choose another number.",
            ));
        }
        if self.open.len() >= MAX_TRANSFERS {
            return Err(fault::client(
                code::TOO_MANY_TRANSFERS,
                format!("{MAX_TRANSFERS} uploads are open, as many as may be"),
                "Wait for one to end.",
            ));
        }
        tracing::debug!(
            client = namespace.short(),
            object = put.digest.short(),
            size = put.size,
            kind = ?put.kind,
            "upload announced"
        );
        self.failed.retain(|failed| *failed != put.transfer);
        let store = app.store.clone();
        let begin = app
            .block(move || store.begin_upload(namespace, put.transfer, put.digest, put.size))
            .await?;
        match begin {
            Begin::Complete => Ok(put.size),
            Begin::From { upload, offset } => {
                self.open.insert(put.transfer, Arc::new(upload));
                Ok(offset)
            }
        }
    }

    /// Takes a chunk in: hashed and written on another thread, then acknowledged.
    pub(super) async fn on_chunk(
        &mut self,
        transfer: u32,
        frame: Bytes,
        outbox: &Outbox,
    ) -> Result<(), Closed> {
        let Some(upload) = self.open.get(&transfer).cloned() else {
            if self.failed.contains(&transfer) {
                return Ok(());
            }
            let error = fault::client(
                code::UNKNOWN_TRANSFER,
                format!("transfer {transfer} is not open"),
                "Announce the object first.",
            );
            return self.fail(transfer, error, outbox).await;
        };
        let digest = upload.digest();
        let taken = tokio::task::spawn_blocking(move || match decode_client(&frame) {
            Ok(Frame::Chunk(chunk)) => upload.accept(&chunk).map(|done| (chunk.index, done)),
            // The session has decoded this frame before.
            _ => Err(fault::client(
                code::MALFORMED,
                "not a chunk",
                "Report this.",
            )),
        })
        .await
        .unwrap_or_else(|_| {
            Err(fault::worker(
                code::INTERNAL,
                "the worker failed to take a chunk",
                "Try again.",
            ))
        });
        match taken {
            Ok((index, done)) => {
                outbox
                    .send(WorkerMessage::ChunkAck { transfer, index })
                    .await?;
                if done {
                    self.open.remove(&transfer);
                    outbox
                        .send(WorkerMessage::PutDone { transfer, digest })
                        .await?;
                }
                Ok(())
            }
            Err(error) => self.fail(transfer, error, outbox).await,
        }
    }

    /// Closes all; what has arrived stays for a resume.
    pub(super) fn clear(&mut self) {
        let open = std::mem::take(&mut self.open);
        for transfer in open.into_keys() {
            self.remember(transfer);
        }
    }

    async fn fail(
        &mut self,
        transfer: u32,
        error: WireError,
        outbox: &Outbox,
    ) -> Result<(), Closed> {
        tracing::warn!(transfer, code = error.code, "upload failed");
        self.open.remove(&transfer);
        self.remember(transfer);
        outbox
            .send(WorkerMessage::Error {
                request: None,
                transfer: Some(transfer),
                error,
            })
            .await
    }

    fn remember(&mut self, transfer: u32) {
        if self.failed.len() >= REMEMBERED {
            self.failed.pop_front();
        }
        self.failed.push_back(transfer);
    }
}
