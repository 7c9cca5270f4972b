//! What all connections share.

use std::sync::Arc;

use confide_protocol::{WireError, code};
use tokio::sync::{Semaphore, watch};

use crate::{config::Config, fault, jobs::JobRunner, queue::JobQueue, store::Store};

/// The worker's parts.
pub struct App {
    /// Settings.
    pub config: Config,
    /// Objects and records on disk.
    pub store: Arc<Store>,
    /// Jobs.
    pub queue: JobQueue,
    /// Plans and computation.
    pub runner: Arc<dyn JobRunner>,
    /// Turns true when the worker is told to stop.
    pub stopping: watch::Receiver<bool>,
    /// One permit a connection.
    pub connections: Arc<Semaphore>,
}

impl App {
    /// Runs something that blocks, on a thread made for that.
    ///
    /// # Errors
    /// The work's own, or an internal error when it panicked.
    pub async fn block<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, WireError> + Send + 'static,
    ) -> Result<T, WireError> {
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
            Err(fault::worker(
                code::INTERNAL,
                "the worker failed to answer",
                "Try again; if it happens again, report it.",
            ))
        })
    }
}
