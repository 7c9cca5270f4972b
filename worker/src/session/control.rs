//! Control messages of one connection.

use std::time::Duration;

use confide_protocol::{
    ClientMessage, Digest, JobId, JobState, PROTOCOL_VERSION, ProtocolError, Token, WireError,
    WorkerMessage, code,
};
use tokio::time::timeout;

use super::{Closed, Session, downloads::Get, greet_first, uploads::Put};
use crate::{fault, store::Namespace};

/// Time that a running job has to notice that it is cancelled.
const CANCEL_PATIENCE: Duration = Duration::from_secs(60);

impl Session {
    pub(super) async fn on_control(&mut self, message: ClientMessage) -> Result<(), Closed> {
        let Some(namespace) = self.namespace else {
            return match message {
                ClientMessage::Hello {
                    version,
                    client,
                    token,
                } => self.on_hello(version, &client, &token).await,
                _ => Err(self.refuse(greet_first()).await),
            };
        };
        match message {
            ClientMessage::Hello { .. } => {
                let error = fault::client(
                    code::UNEXPECTED,
                    "this connection has greeted already",
                    "Open another connection.",
                );
                self.reply(None, Err(error)).await
            }
            ClientMessage::RequestPlan {
                request,
                plan_request,
            } => {
                let app = self.app.clone();
                let limits = app.config.limits;
                let plan = self
                    .app
                    .block(move || app.runner.plan(&plan_request, &limits))
                    .await;
                let reply = plan.map(|plan| WorkerMessage::Plan { request, plan });
                self.reply(Some(request), reply).await
            }
            ClientMessage::Have { request, digests } => {
                let missing = self.app.store.missing(&namespace, &digests);
                let reply = WorkerMessage::HaveReply { request, missing };
                self.outbox.send(reply).await
            }
            ClientMessage::Put {
                request,
                transfer,
                digest,
                size,
                kind,
            } => {
                let put = Put {
                    request,
                    transfer,
                    digest,
                    size,
                    kind,
                };
                self.uploads
                    .begin(&self.app, namespace, put, &self.outbox)
                    .await
            }
            ClientMessage::Get {
                request,
                transfer,
                digest,
                offset,
            } => {
                let get = Get {
                    request,
                    transfer,
                    digest,
                    offset,
                };
                self.downloads
                    .begin(&self.app, namespace, get, &self.outbox)
                    .await
            }
            ClientMessage::ChunkAck { transfer, index } => {
                self.downloads.on_ack(transfer, index, &self.outbox).await
            }
            ClientMessage::StartJob { request, job } => {
                let Ok(id) = JobId::of(&job, &namespace) else {
                    let error = fault::client(
                        code::OVERSIZED,
                        "the job is too large",
                        "Choose a smaller plan.",
                    );
                    return self.reply(Some(request), Err(error)).await;
                };
                let app = self.app.clone();
                let found = self
                    .app
                    .block(move || app.queue.submit(namespace, id, job))
                    .await;
                self.followed.follow(request, id, found).await
            }
            ClientMessage::AttachJob { request, job } => {
                let app = self.app.clone();
                let found = self
                    .app
                    .block(move || {
                        app.queue
                            .attach(&namespace, &job)
                            .ok_or_else(|| unknown_job(&job))
                    })
                    .await;
                self.followed.follow(request, job, found).await
            }
            ClientMessage::CancelJob { request, job } => {
                let app = self.app.clone();
                let found = self
                    .app
                    .block(move || {
                        app.queue
                            .cancel(&namespace, &job)
                            .ok_or_else(|| unknown_job(&job))
                    })
                    .await;
                self.followed.follow(request, job, found).await
            }
            ClientMessage::Delete { request, digests } => {
                let deleted = self.delete(namespace, digests).await;
                self.reply_deleted(request, deleted).await
            }
            ClientMessage::DeleteAll { request } => {
                let deleted = self.delete_all(namespace).await;
                self.reply_deleted(request, deleted).await
            }
            ClientMessage::ListModels { request } => {
                let models = self.app.runner.models();
                self.outbox
                    .send(WorkerMessage::Models { request, models })
                    .await
            }
            ClientMessage::RequestInference {
                request,
                inference_request,
            } => {
                let app = self.app.clone();
                let limits = app.config.limits;
                let plan = self
                    .app
                    .block(move || app.runner.plan_inference(&inference_request, &limits))
                    .await;
                let reply = plan.map(|plan| WorkerMessage::Plan { request, plan });
                self.reply(Some(request), reply).await
            }
            ClientMessage::Ping { nonce } => self.outbox.send(WorkerMessage::Pong { nonce }).await,
        }
    }

    async fn on_hello(&mut self, version: u16, client: &str, token: &Token) -> Result<(), Closed> {
        if version != PROTOCOL_VERSION {
            let error = ProtocolError::Version {
                theirs: version,
                ours: PROTOCOL_VERSION,
            };
            return Err(self
                .refuse(error.to_wire(confide_protocol::Blame::Client))
                .await);
        }
        let namespace = token.namespace();
        self.namespace = Some(namespace);
        let program: String = client.chars().filter(|c| !c.is_control()).collect();
        tracing::info!(client = namespace.short(), program, "connected");
        let store = self.app.store.clone();
        let touched = self.app.block(move || {
            store.touch(&namespace);
            Ok(())
        });
        if let Err(error) = touched.await {
            return self.reply(None, Err(error)).await;
        }
        let config = &self.app.config;
        let welcome = WorkerMessage::Welcome {
            version: PROTOCOL_VERSION,
            worker: format!("{} {}", config.name, env!("CARGO_PKG_VERSION")),
            limits: config.limits,
            threads: config.threads.try_into().unwrap_or(u32::MAX),
            memory_bytes: config.limits.max_memory_bytes,
        };
        self.outbox.send(welcome).await
    }

    async fn delete(
        &self,
        namespace: Namespace,
        digests: Vec<Digest>,
    ) -> Result<(u64, u64), WireError> {
        let in_use = self.app.queue.in_use(&namespace);
        if let Some(digest) = digests.iter().find(|digest| in_use.contains(digest)) {
            return Err(fault::client(
                code::OBJECT_IN_USE,
                format!(
                    "object {} belongs to a job that has not ended",
                    digest.short()
                ),
                "Cancel the job first.",
            ));
        }
        let store = self.app.store.clone();
        self.app
            .block(move || store.delete_objects(&namespace, &digests))
            .await
    }

    async fn delete_all(&mut self, namespace: Namespace) -> Result<(u64, u64), WireError> {
        self.uploads.clear();
        self.downloads.clear();
        for mut job in self.app.queue.cancel_all(&namespace) {
            let ended = timeout(CANCEL_PATIENCE, job.wait_for(JobState::is_final)).await;
            if ended.is_err() {
                return Err(fault::worker(
                    code::OBJECT_IN_USE,
                    "a job has not stopped yet",
                    "Try again in a moment.",
                ));
            }
        }
        tracing::info!(client = namespace.short(), "client deletes all its data");
        let store = self.app.store.clone();
        self.app
            .block(move || store.delete_client(&namespace))
            .await
    }

    async fn reply_deleted(
        &self,
        request: u32,
        deleted: Result<(u64, u64), WireError>,
    ) -> Result<(), Closed> {
        let reply = deleted.map(|(objects, bytes)| WorkerMessage::Deleted {
            request,
            objects,
            bytes,
        });
        self.reply(Some(request), reply).await
    }

    async fn reply(
        &self,
        request: Option<u32>,
        reply: Result<WorkerMessage, WireError>,
    ) -> Result<(), Closed> {
        let message = reply.unwrap_or_else(|error| WorkerMessage::Error {
            request,
            transfer: None,
            error,
        });
        self.outbox.send(message).await
    }
}

fn unknown_job(job: &JobId) -> WireError {
    fault::client(
        code::UNKNOWN_JOB,
        format!("job {} is not known", job.0.short()),
        "Start it again.",
    )
}
