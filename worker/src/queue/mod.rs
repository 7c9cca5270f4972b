//! The queue of jobs: one runs at a time on all compute threads, clients take turns.

mod execute;
mod turns;

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    thread::JoinHandle,
};

use confide_protocol::{Digest, JobId, JobSpec, JobState, Limits, WireError, code};
use tokio::sync::watch;

use crate::{
    fault,
    jobs::JobRunner,
    store::{JobRecord, Namespace, Store},
};
use turns::Turns;

/// Jobs of all clients that may wait.
const MAX_WAITING: usize = 256;

/// What a job has been told.
const GO: u8 = 0;
const CANCEL: u8 = 1;
const INTERRUPT: u8 = 2;

/// A job that has not ended.
#[derive(Debug)]
struct Job {
    id: JobId,
    namespace: Namespace,
    spec: JobSpec,
    /// Times that it was begun and not ended, by workers before this one.
    starts: u32,
    told: AtomicU8,
    state: watch::Sender<JobState>,
}

/// The queue, and the thread that works through it.
pub struct JobQueue {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    store: Arc<Store>,
    runner: Arc<dyn JobRunner>,
    limits: Limits,
    inner: Mutex<Inner>,
    wake: Condvar,
}

#[derive(Default)]
struct Inner {
    /// Waiting and running jobs.
    active: HashMap<JobId, Arc<Job>>,
    waiting: Turns<Arc<Job>>,
    running: Option<Arc<Job>>,
    closing: bool,
}

impl JobQueue {
    /// Starts the queue with the jobs that an earlier worker left without an end.
    ///
    /// # Errors
    /// The records cannot be read, or the threads not be made.
    pub fn start(
        store: Arc<Store>,
        runner: Arc<dyn JobRunner>,
        limits: Limits,
        threads: usize,
    ) -> io::Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("compute-{index}"))
            .build()
            .map_err(io::Error::other)?;
        let unfinished = store.unfinished_jobs()?;
        let shared = Arc::new(Shared {
            store,
            runner,
            limits,
            inner: Mutex::default(),
            wake: Condvar::new(),
        });
        for job in unfinished {
            tracing::info!(
                job = job.id.0.short(),
                client = job.namespace.short(),
                starts = job.starts,
                "job of an earlier run is queued again"
            );
            shared.enqueue(
                &mut shared.lock(),
                job.namespace,
                job.id,
                job.spec,
                job.starts,
            );
        }
        let thread = std::thread::Builder::new().name("jobs".to_owned()).spawn({
            let shared = shared.clone();
            move || shared.work(&pool)
        })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Takes a job in, and gives where it stands from now on. A job that waits or runs is
    /// attached to; one that is done and whose results are still stored gives its recorded end;
    /// one that failed or was cancelled runs again.
    ///
    /// # Errors
    /// The job is not valid, lacks objects, or is one too many.
    pub fn submit(
        &self,
        namespace: Namespace,
        id: JobId,
        spec: JobSpec,
    ) -> Result<watch::Receiver<JobState>, WireError> {
        if let Some(receiver) = self.attach_active(&namespace, &id) {
            return Ok(receiver);
        }
        if let Some(JobState::Done(report)) = self.shared.store.ended_job(&namespace, &id) {
            let stored = |digest| self.shared.store.size_of(&namespace, digest).is_some();
            if report.outputs.iter().all(|(_, digest, _)| stored(digest)) {
                return Ok(watch::channel(JobState::Done(report)).1);
            }
        }
        self.shared.runner.check(&spec, &self.shared.limits)?;
        let missing = self.shared.store.missing(&namespace, &spec.inputs());
        if let Some((digest, _)) = missing.first() {
            return Err(fault::client(
                code::UNKNOWN_OBJECT,
                format!(
                    "the job needs {} objects that are not in your store, such as {}",
                    missing.len(),
                    digest.short()
                ),
                "Upload them first.",
            ));
        }
        let mut inner = self.shared.lock();
        if let Some(job) = inner.active.get(&id) {
            return Ok(job.state.subscribe());
        }
        self.shared.admit(&inner, &namespace)?;
        self.shared.room(&namespace, &spec)?;
        // Written down before it is promised.
        self.shared.store.record_job(&namespace, &id, &spec)?;
        let receiver = self.shared.enqueue(&mut inner, namespace, id, spec, 0);
        self.shared.wake.notify_all();
        Ok(receiver)
    }

    /// Where a job of this client stands from now on, if it is known.
    #[must_use]
    pub fn attach(&self, namespace: &Namespace, id: &JobId) -> Option<watch::Receiver<JobState>> {
        self.attach_active(namespace, id).or_else(|| {
            let state = self.shared.store.ended_job(namespace, id)?;
            Some(watch::channel(state).1)
        })
    }

    fn attach_active(
        &self,
        namespace: &Namespace,
        id: &JobId,
    ) -> Option<watch::Receiver<JobState>> {
        let inner = self.shared.lock();
        let job = inner.active.get(id)?;
        (job.namespace == *namespace).then(|| job.state.subscribe())
    }

    /// Ends a job of this client, if it is known: a waiting one now, a running one soon.
    #[must_use]
    pub fn cancel(&self, namespace: &Namespace, id: &JobId) -> Option<watch::Receiver<JobState>> {
        let receiver = self.attach(namespace, id)?;
        let mut inner = self.shared.lock();
        if let Some(job) = inner.active.get(id).cloned() {
            self.shared.cancel(&mut inner, &job);
        }
        Some(receiver)
    }

    /// Ends all jobs of a client; whoever waits for the receivers knows that they have ended.
    #[must_use]
    pub fn cancel_all(&self, namespace: &Namespace) -> Vec<watch::Receiver<JobState>> {
        let mut inner = self.shared.lock();
        let jobs: Vec<_> = inner
            .active
            .values()
            .filter(|job| job.namespace == *namespace)
            .cloned()
            .collect();
        jobs.iter()
            .map(|job| {
                self.shared.cancel(&mut inner, job);
                job.state.subscribe()
            })
            .collect()
    }

    /// Whether a client has jobs that have not ended.
    #[must_use]
    pub fn has_jobs(&self, namespace: &Namespace) -> bool {
        let inner = self.shared.lock();
        inner.active.values().any(|job| job.namespace == *namespace)
    }

    /// Objects that this client's waiting and running jobs read.
    #[must_use]
    pub fn in_use(&self, namespace: &Namespace) -> HashSet<Digest> {
        let inner = self.shared.lock();
        inner
            .active
            .values()
            .filter(|job| job.namespace == *namespace)
            .flat_map(|job| job.spec.inputs())
            .collect()
    }

    /// Stops: the running job is interrupted and stays recorded, to run again at the next start.
    /// Blocks until the thread has ended.
    pub fn close(&self) {
        {
            let mut inner = self.shared.lock();
            inner.closing = true;
            if let Some(job) = &inner.running {
                // A cancel that came before stays one.
                let _ =
                    job.told
                        .compare_exchange(GO, INTERRUPT, Ordering::Relaxed, Ordering::Relaxed);
            }
            self.shared.wake.notify_all();
        }
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the job thread panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this client may have one job more.
    fn admit(&self, inner: &Inner, namespace: &Namespace) -> Result<(), WireError> {
        let mine = inner
            .active
            .values()
            .filter(|job| job.namespace == *namespace)
            .count();
        if mine >= self.limits.max_jobs as usize {
            return Err(fault::client(
                code::TOO_MANY_JOBS,
                format!(
                    "you have {mine} jobs running or waiting, {} are allowed",
                    self.limits.max_jobs
                ),
                "Wait for one to end, or cancel one.",
            ));
        }
        if inner.active.len() >= MAX_WAITING || inner.closing {
            return Err(fault::worker(
                code::BUSY,
                "the worker takes no more jobs now",
                "Try again later.",
            ));
        }
        Ok(())
    }

    /// Whether the job's outputs will fit into the client's part of the store, as it is now.
    fn room(&self, namespace: &Namespace, spec: &JobSpec) -> Result<(), WireError> {
        let need = self
            .store
            .stored_bytes(namespace)
            .saturating_add(self.runner.output_bytes(spec));
        if need > self.limits.max_client_bytes {
            return Err(fault::limit(
                code::QUOTA,
                "your part of the store with what the job will add",
                need,
                self.limits.max_client_bytes,
                "Delete objects that you no longer need.",
            ));
        }
        Ok(())
    }

    fn enqueue(
        &self,
        inner: &mut Inner,
        namespace: Namespace,
        id: JobId,
        spec: JobSpec,
        starts: u32,
    ) -> watch::Receiver<JobState> {
        let (state, receiver) = watch::channel(JobState::Queued { position: 0 });
        let job = Arc::new(Job {
            id,
            namespace,
            spec,
            starts,
            told: AtomicU8::new(GO),
            state,
        });
        inner.active.insert(id, job.clone());
        inner.waiting.push(namespace, job);
        inner.announce_positions();
        receiver
    }

    fn cancel(&self, inner: &mut Inner, job: &Arc<Job>) {
        job.told.store(CANCEL, Ordering::Relaxed);
        if inner
            .waiting
            .remove(&job.namespace, |other| other.id == job.id)
        {
            self.end(inner, job, JobState::Cancelled);
            inner.announce_positions();
        }
    }

    /// Records the end of a job, then tells whoever waits.
    fn end(&self, inner: &mut Inner, job: &Job, state: JobState) {
        let record = JobRecord::Ended(state.clone());
        if let Err(error) = self.store.record_state(&job.namespace, &job.id, &record) {
            tracing::error!(job = job.id.0.short(), %error, "the end of a job is not on disk");
        }
        inner.active.remove(&job.id);
        job.state.send_replace(state);
    }
}

impl Inner {
    fn announce_positions(&self) {
        let first = u32::from(self.running.is_some());
        for (position, job) in (first..).zip(self.waiting.in_order()) {
            job.state.send_if_modified(|state| {
                let now = JobState::Queued { position };
                let changed = *state != now;
                *state = now;
                changed
            });
        }
    }
}
