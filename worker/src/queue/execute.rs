//! The thread that runs jobs, and keeps whatever happens inside them from the rest.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use confide_protocol::{Digest, JobId, JobState, ObjectKind, Output, WireError, code};

use super::{CANCEL, GO, Inner, Job, Shared};
use crate::{
    fault,
    jobs::{Objects, Stopped, Watch},
    memory,
    store::{JobRecord, Namespace, Store},
};

/// A job that took the worker down so many times is not begun again.
const MAX_STARTS: u32 = 3;

impl Shared {
    /// Runs jobs until the queue closes.
    pub(super) fn work(&self, pool: &rayon::ThreadPool) {
        while let Some(job) = self.next() {
            let began = Instant::now();
            let (id, client) = (job.id.0.short(), job.namespace.short());
            tracing::info!(job = id, client, "job starts");
            let end = self.run(pool, &job);
            let seconds = began.elapsed().as_secs_f64();
            let mut inner = self.lock();
            inner.running = None;
            match end {
                Some(state) => {
                    match &state {
                        JobState::Failed(error) => {
                            tracing::warn!(
                                job = id,
                                client,
                                seconds,
                                code = error.code,
                                "job failed"
                            );
                        }
                        state => {
                            let cancelled = *state == JobState::Cancelled;
                            tracing::info!(job = id, client, seconds, cancelled, "job ended");
                        }
                    }
                    self.end(&mut inner, &job, state);
                }
                None => {
                    tracing::info!(job = id, client, seconds, "job interrupted, goes on later");
                    // This stop was not the job's doing.
                    let record = match job.starts {
                        0 => JobRecord::Waiting,
                        starts => JobRecord::Running { starts },
                    };
                    // A failure is logged; the record then counts one start more.
                    let _ = self.store.record_state(&job.namespace, &job.id, &record);
                }
            }
        }
    }

    /// Waits for a job; `None` once the queue closes.
    fn next(&self) -> Option<Arc<Job>> {
        let mut inner = self.lock();
        loop {
            if inner.closing {
                return None;
            }
            if let Some(job) = inner.waiting.pop() {
                Inner::begin(&mut inner, &job);
                return Some(job);
            }
            inner = self
                .wake
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Runs one job; `None` when the worker's stop interrupted it.
    fn run(&self, pool: &rayon::ThreadPool, job: &Job) -> Option<JobState> {
        let starts = job.starts + 1;
        if starts > MAX_STARTS {
            return Some(JobState::Failed(fault::worker(
                code::INTERNAL,
                format!("the worker stopped {MAX_STARTS} times while it ran this job"),
                "Choose a smaller plan, or ask the worker's operator to look at its log.",
            )));
        }
        let record = JobRecord::Running { starts };
        if let Err(error) = self.store.record_state(&job.namespace, &job.id, &record) {
            return Some(JobState::Failed(error));
        }
        let watch = JobWatch::new(job);
        let objects = JobObjects {
            store: &self.store,
            namespace: job.namespace,
            job: job.id,
        };
        memory::reset_peak();
        // The limits may be others than when the job was taken in, by another worker.
        let outcome = self
            .runner
            .check(&job.spec, &self.limits)
            .map_err(Stopped::Failed)
            .and_then(|()| {
                catch_unwind(AssertUnwindSafe(|| {
                    pool.install(|| self.runner.run(&job.spec, &objects, &watch))
                }))
                .unwrap_or_else(|_| {
                    // The panic hook has logged where.
                    Err(Stopped::Failed(fault::worker(
                        code::INTERNAL,
                        "the computation hit a fault in the worker",
                        "Report this with the time and the job's number.",
                    )))
                })
            });
        match outcome {
            Ok(mut report) => {
                report.peak_rss_bytes = memory::peak().unwrap_or(0);
                Some(JobState::Done(report))
            }
            Err(Stopped::Failed(error)) => Some(JobState::Failed(error)),
            Err(Stopped::Asked) => {
                (job.told.load(Ordering::Relaxed) == CANCEL).then_some(JobState::Cancelled)
            }
        }
    }
}

impl Inner {
    fn begin(&mut self, job: &Arc<Job>) {
        self.running = Some(job.clone());
        job.state.send_replace(JobState::Running {
            phase: "starting".to_owned(),
            done: 0,
            total: 0,
            elapsed_ms: 0,
            remaining_ms: None,
            outputs: Vec::new(),
        });
        self.announce_positions();
    }
}

/// The store, narrowed to the owner of the job.
struct JobObjects<'a> {
    store: &'a Store,
    namespace: Namespace,
    job: JobId,
}

impl Objects for JobObjects<'_> {
    fn size(&self, digest: &Digest) -> Option<u64> {
        self.store.size_of(&self.namespace, digest)
    }

    fn read(&self, digest: &Digest) -> Result<Vec<u8>, WireError> {
        self.store.read_object(&self.namespace, digest)
    }

    fn write(&self, _kind: ObjectKind, bytes: &[u8]) -> Result<Digest, WireError> {
        self.store.put_object(&self.namespace, bytes)
    }

    fn checkpoint(&self) -> Option<Vec<u8>> {
        self.store.checkpoint(&self.namespace, &self.job)
    }

    fn save_checkpoint(&self, bytes: &[u8]) -> Result<(), WireError> {
        self.store
            .save_checkpoint(&self.namespace, &self.job, bytes)
    }
}

/// Passes progress on to whoever is attached.
struct JobWatch<'a> {
    job: &'a Job,
    began: Instant,
    /// The most units of work that were reported: progress of parallel parts may come out of turn.
    furthest: AtomicU64,
    /// What can be fetched already.
    outputs: Mutex<Vec<Output>>,
}

impl<'a> JobWatch<'a> {
    fn new(job: &'a Job) -> Self {
        Self {
            job,
            began: Instant::now(),
            furthest: AtomicU64::new(0),
            outputs: Mutex::default(),
        }
    }
}

impl JobWatch<'_> {
    fn outputs(&self) -> MutexGuard<'_, Vec<Output>> {
        self.outputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for JobWatch<'_> {
    fn progress(&self, phase: &str, done: u64, total: u64) {
        if self.furthest.fetch_max(done, Ordering::Relaxed) > done {
            return;
        }
        let elapsed = self.began.elapsed();
        let remaining = (done > 0 && total >= done).then(|| {
            elapsed
                .mul_f64((total - done) as f64 / done as f64)
                .as_millis() as u64
        });
        self.job.state.send_replace(JobState::Running {
            phase: phase.to_owned(),
            done,
            total,
            elapsed_ms: elapsed.as_millis() as u64,
            remaining_ms: remaining,
            outputs: self.outputs().clone(),
        });
    }

    fn made(&self, outputs: &[Output]) {
        *self.outputs() = outputs.to_vec();
        self.job.state.send_if_modified(|state| match state {
            JobState::Running { outputs: told, .. } => {
                *told = outputs.to_vec();
                true
            }
            _ => false,
        });
    }

    fn stop_wanted(&self) -> bool {
        self.job.told.load(Ordering::Relaxed) != GO
    }
}
