//! Jobs that one connection follows.

use std::{collections::HashMap, time::Duration};

use confide_protocol::{JobId, JobState, WireError, WorkerMessage, code};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::timeout,
};

use super::{Closed, outbox::Outbox};
use crate::fault;

/// Jobs that a connection may follow.
const MAX_FOLLOWED: usize = 64;
/// Least time between two news of a job, but for its end.
const PACE: Duration = Duration::from_millis(200);

pub(super) struct Followed {
    outbox: Outbox,
    tasks: JoinSet<()>,
    by_job: HashMap<JobId, AbortHandle>,
}

impl Followed {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self {
            outbox,
            tasks: JoinSet::new(),
            by_job: HashMap::new(),
        }
    }

    /// Answers where a job stands, and sends news until it ends.
    pub(super) async fn follow(
        &mut self,
        request: u32,
        job: JobId,
        found: Result<watch::Receiver<JobState>, WireError>,
    ) -> Result<(), Closed> {
        self.by_job.retain(|_, task| !task.is_finished());
        while self.tasks.try_join_next().is_some() {}
        let mut receiver = match found {
            Ok(receiver) => receiver,
            Err(error) => return self.refuse(request, error).await,
        };
        if self.by_job.len() >= MAX_FOLLOWED && !self.by_job.contains_key(&job) {
            let error = fault::client(
                code::TOO_MANY_JOBS,
                format!("this connection follows {MAX_FOLLOWED} jobs, as many as it may"),
                "Use another connection.",
            );
            return self.refuse(request, error).await;
        }
        let state = receiver.borrow_and_update().clone();
        let ended = state.is_final();
        self.outbox
            .send(WorkerMessage::JobUpdate {
                request: Some(request),
                job,
                state,
            })
            .await?;
        if !ended {
            let outbox = self.outbox.clone();
            let task = self.tasks.spawn(send_news(outbox, job, receiver));
            if let Some(former) = self.by_job.insert(job, task) {
                former.abort();
            }
        }
        Ok(())
    }

    async fn refuse(&self, request: u32, error: WireError) -> Result<(), Closed> {
        self.outbox
            .send(WorkerMessage::Error {
                request: Some(request),
                transfer: None,
                error,
            })
            .await
    }
}

async fn send_news(outbox: Outbox, job: JobId, mut receiver: watch::Receiver<JobState>) {
    // An error means that the worker stops; the session says so itself.
    while receiver.changed().await.is_ok() {
        let state = receiver.borrow_and_update().clone();
        let ended = state.is_final();
        let message = WorkerMessage::JobUpdate {
            request: None,
            job,
            state,
        };
        if outbox.send(message).await.is_err() || ended {
            return;
        }
        // Only the latest of what happens meanwhile is told, and an end at once.
        let mut other = receiver.clone();
        let end = async move {
            let _ = other.wait_for(JobState::is_final).await;
        };
        let _ = timeout(PACE, end).await;
    }
}
