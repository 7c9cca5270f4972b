//! Talking to a worker: greeting, plans, jobs, results, interruption.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::link::{Link, News};
use crate::progress::Progress;
use confide_client::ClientError;
use confide_client::session::{Event, Session};
use confide_client::vault::Vault;
use confide_client::workflow::{ResultOpener, TrainingRun, TrainingSetup, WorkerFacts};
use confide_protocol::{Digest, JobId, JobReport, JobSpec, JobState, ObjectKind, Output, code};
use std::time::Duration;

/// Ctrl-C, seen once.
pub struct Interrupt {
    seen: tokio::sync::watch::Receiver<bool>,
}

impl Interrupt {
    /// Starts to listen.
    pub fn listen() -> Self {
        let (sender, seen) = tokio::sync::watch::channel(false);
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                let _ = sender.send(true);
                // Keeps the channel open: a second wait sees it, too.
                std::future::pending::<()>().await;
            }
        });
        Self { seen }
    }

    /// Whether the user has pressed Ctrl-C.
    pub fn is_seen(&self) -> bool {
        *self.seen.borrow()
    }

    /// Returns when the user has pressed Ctrl-C.
    pub async fn wait(&mut self) {
        if self.seen.wait_for(|seen| *seen).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Connects and waits for the greeting.
pub async fn connect(
    address: &WorkerAddress,
    vault: &Vault,
    interrupt: &mut Interrupt,
) -> Result<(Link, WorkerFacts, String), Failure> {
    let name = concat!("confide ", env!("CARGO_PKG_VERSION"));
    if address.is_exposed() {
        eprintln!(
            "Note: without TLS the network between can disturb this work and see which objects belong to it; use wss://. \
             What is encrypted stays so."
        );
    }
    let mut link = Link::start(address, Session::new(*vault.token(), name))?;
    loop {
        let news = tokio::select! {
            news = link.next() => news,
            () = interrupt.wait() => return Err(Failure::Cancelled),
        };
        match news {
            News::Event(Event::Connected {
                worker,
                limits,
                threads,
                memory_bytes,
            }) => {
                let facts = WorkerFacts {
                    threads: threads as usize,
                    memory_bytes: memory_bytes.min(limits.max_memory_bytes),
                    max_client_bytes: limits.max_client_bytes,
                };
                return Ok((link, facts, worker));
            }
            News::Event(event) => failed(event)?,
            News::Lost(_) => {}
            News::Ended(error) => return Err(error.into()),
        }
    }
}

/// Turns a failure among the events into an error; others are of no interest to the caller.
pub fn failed(event: Event) -> Result<(), Failure> {
    match event {
        Event::Failed { error, .. } => Err(error.into()),
        _ => Ok(()),
    }
}

/// Asks for a plan, for less until the worker has one, and accepts it.
pub async fn plan(
    link: &mut Link,
    facts: &WorkerFacts,
    setup: &mut TrainingSetup,
    interrupt: &mut Interrupt,
) -> Result<TrainingRun, Failure> {
    loop {
        let request = setup.request_bytes(facts)?;
        link.tell(move |session| {
            session.request_plan(request);
        });
        let answer = loop {
            let news = tokio::select! {
                news = link.next() => news,
                () = interrupt.wait() => return Err(Failure::Cancelled),
            };
            match news {
                News::Event(Event::Plan { plan, .. }) => break Ok(plan),
                News::Event(Event::Failed { error, .. }) => break Err(error),
                News::Event(_) | News::Lost(_) => {}
                News::Ended(error) => return Err(error.into()),
            }
        };
        match answer {
            Ok(plan) => return Ok(setup.accept(&plan, facts)?),
            Err(error) if error.code == code::NO_PLAN && setup.ask_for_less(facts) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sees what a job makes while it goes on. It may fetch objects; nothing of what is in them reaches the job.
pub trait Spectator {
    /// All objects that the job has made so far.
    fn made(&mut self, link: &Link, outputs: &[Output]) -> Result<(), Failure>;

    /// An object that was fetched.
    fn arrived(
        &mut self,
        progress: &Progress,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), Failure>;

    /// Whether all that was to come has come, once the job is done.
    fn ended(&self) -> Result<bool, Failure>;
}

/// Nobody watches.
impl Spectator for () {
    fn made(&mut self, _: &Link, _: &[Output]) -> Result<(), Failure> {
        Ok(())
    }

    fn arrived(&mut self, _: &Progress, _: &Digest, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    fn ended(&self) -> Result<bool, Failure> {
        Ok(true)
    }
}

/// Runs a job to its end, with progress. An interruption cancels it at the worker.
pub async fn run_job(
    link: &mut Link,
    progress: &Progress,
    interrupt: &mut Interrupt,
    spec: JobSpec,
    spectator: &mut impl Spectator,
) -> Result<JobReport, Failure> {
    let mut done = None;
    let job = link.ask(move |session| session.start_job(spec)).await??;
    loop {
        if done.is_some() && spectator.ended()? {
            return Ok(done.unwrap_or_default());
        }
        let news = tokio::select! {
            news = link.next() => news,
            () = interrupt.wait() => {
                progress.note("Cancelling the job at the worker.");
                cancel(link, job).await;
                return Err(Failure::Cancelled);
            }
        };
        match news {
            News::Event(Event::Job { job: id, state }) if id == job => match state {
                JobState::Queued { position } => {
                    progress.say(&format!("Waiting for {} other job(s)", position.max(1)))
                }
                JobState::Running {
                    phase,
                    done,
                    total,
                    remaining_ms,
                    outputs,
                    ..
                } => {
                    spectator.made(link, &outputs)?;
                    progress.say(&format!("Worker: {phase}"));
                    progress.set(done, total, remaining_ms);
                }
                JobState::Done(report) => {
                    spectator.made(link, &report.outputs)?;
                    done = Some(report);
                }
                JobState::Failed(error) => return Err(error.into()),
                JobState::Cancelled => return Err(Failure::Cancelled),
            },
            News::Event(Event::Downloaded { digest, bytes }) => {
                spectator.arrived(progress, &digest, &bytes)?;
            }
            News::Event(event) => failed(event)?,
            News::Lost(reason) => progress.note(&format!(
                "Connection lost ({reason}); the job goes on, connecting again."
            )),
            News::Ended(error) => return Err(error.into()),
        }
    }
}

/// Asks the worker to end a job, and gives it a few seconds to say that it has.
async fn cancel(link: &mut Link, job: JobId) {
    link.tell(move |session| {
        session.cancel_job(job);
    });
    let ended = async {
        loop {
            match link.next().await {
                News::Event(Event::Job { job: id, state }) if id == job && state.is_final() => {
                    return;
                }
                News::Event(Event::Failed { .. }) | News::Ended(_) => return,
                _ => {}
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), ended).await;
}

/// What came of a job that scores records.
pub struct Scored {
    /// The worker's report.
    pub report: JobReport,
    /// Digest of the encrypted scores.
    pub scores: Digest,
    /// Logits `[row][output]`.
    pub logits: Vec<Vec<f64>>,
}

/// Runs a job that scores records, and decrypts the logits of its first `rows`.
pub async fn score(
    link: &mut Link,
    progress: &Progress,
    interrupt: &mut Interrupt,
    job: JobSpec,
    (opener, rows): (&ResultOpener, usize),
) -> Result<Scored, Failure> {
    let report = run_job(link, progress, interrupt, job, &mut ()).await?;
    let (kind, limit) = (ObjectKind::Scores, opener.max_bytes());
    let (scores, bytes) = fetch(link, progress, interrupt, &report, kind, limit).await?;
    Ok(Scored {
        logits: opener.open_scores(&bytes, rows)?,
        report,
        scores,
    })
}

/// Fetches the output of a kind from a finished job.
pub async fn fetch(
    link: &mut Link,
    progress: &Progress,
    interrupt: &mut Interrupt,
    report: &JobReport,
    kind: ObjectKind,
    limit: u64,
) -> Result<(Digest, Vec<u8>), Failure> {
    let wanted = output_of(report, kind)?;
    let bytes = download(link, progress, interrupt, wanted, limit).await?;
    Ok((wanted, bytes))
}

/// The first output of a kind that a finished job has.
pub fn output_of(report: &JobReport, kind: ObjectKind) -> Result<Digest, Failure> {
    let mut outputs = report.outputs.iter();
    let wanted = outputs.find(|(output, _, _)| *output == kind);
    wanted.map(|(_, digest, _)| *digest).ok_or_else(|| {
        ClientError::new(
            "CC-6041",
            "The job ended without its result.",
            "Start the command again; report this if it goes on.",
        )
        .into()
    })
}

/// Fetches an object of at most `limit` bytes.
pub async fn download(
    link: &mut Link,
    progress: &Progress,
    interrupt: &mut Interrupt,
    wanted: Digest,
    limit: u64,
) -> Result<Vec<u8>, Failure> {
    link.tell(move |session| session.download(wanted, limit));
    loop {
        let news = tokio::select! {
            news = link.next() => news,
            () = interrupt.wait() => return Err(Failure::Cancelled),
        };
        match news {
            News::Event(Event::Downloaded { digest, bytes }) if digest == wanted => {
                return Ok(bytes);
            }
            News::Event(event) => failed(event)?,
            News::Lost(reason) => {
                progress.note(&format!("Connection lost ({reason}); connecting again."))
            }
            News::Ended(error) => return Err(error.into()),
        }
    }
}

/// The answer to a request: `take` gives its number and content, or the event back if it is another one.
pub async fn answer<T>(
    link: &mut Link,
    interrupt: &mut Interrupt,
    request: u32,
    take: impl Fn(Event) -> Result<(u32, T), Box<Event>>,
) -> Result<T, Failure> {
    loop {
        let news = tokio::select! {
            news = link.next() => news,
            () = interrupt.wait() => return Err(Failure::Cancelled),
        };
        match news {
            News::Event(event) => match take(event) {
                Ok((number, content)) if number == request => return Ok(content),
                Ok(_) => {}
                Err(event) => failed(*event)?,
            },
            News::Lost(_) => {}
            News::Ended(error) => return Err(error.into()),
        }
    }
}

/// Deletes objects at the worker. Its answer is of no interest.
pub async fn delete(link: &mut Link, digests: Vec<Digest>) -> Result<(), Failure> {
    link.ask(move |session| {
        digests
            .chunks(confide_protocol::MAX_DIGESTS)
            .try_for_each(|some| session.delete(some.to_vec()).map(drop))
    })
    .await??;
    Ok(())
}

/// Which of the objects the worker does not have.
pub async fn lacking(
    link: &mut Link,
    interrupt: &mut Interrupt,
    digests: Vec<Digest>,
) -> Result<Vec<Digest>, Failure> {
    link.ask(move |session| session.have(digests)).await??;
    loop {
        let news = tokio::select! {
            news = link.next() => news,
            () = interrupt.wait() => return Err(Failure::Cancelled),
        };
        match news {
            News::Event(Event::Have { missing, .. }) => {
                return Ok(missing.into_iter().map(|(digest, _)| digest).collect());
            }
            News::Event(event) => failed(event)?,
            News::Lost(_) => {}
            News::Ended(error) => return Err(error.into()),
        }
    }
}
