//! `confide classify`.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::images::{self, Part};
use crate::jobs::{Interrupt, connect, delete, download, run_job};
use crate::keyfile::{PassphraseSource, open_or_ephemeral};
use crate::link::Link;
use crate::models;
use crate::output;
use crate::progress::{Progress, human_bytes, human_seconds};
use crate::train::{forget, threads, to_json, write};
use crate::upload::upload;
use confide_client::ClientError;
use confide_client::vault::Vault;
use confide_client::workflow::classify::{
    Classification, ClassifyOptions, ClassifyRun, ClassifySetup, Guard, NamedImage, ScoreOpener,
    classification_csv,
};
use confide_client::workflow::{Digests, Item, ObjectFactory, WorkerFacts};
use confide_model::Card;
use confide_protocol::{Digest, JobReport};
use std::path::PathBuf;
use std::sync::Arc;

/// Options of `confide classify`.
#[derive(clap::Args, Clone, Debug)]
pub struct ClassifyArgs {
    #[command(flatten)]
    pub worker: WorkerAddress,
    /// Name of a network that the worker has
    #[arg(long, value_name = "NAME")]
    pub model: String,
    /// Folder of PNG and JPEG files, directly in it or in a folder for each class
    #[arg(long, value_name = "DIR")]
    pub images: PathBuf,
    /// Leave out so many images first
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub skip: usize,
    /// Most images
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<usize>,
    /// Images whose scores are known here, to check the worker with: some of the images if the worker offers its
    /// weights, else additional ones
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    pub canaries: usize,
    /// Most gigabytes of memory that the worker may use; as many as it allows when absent
    #[arg(long, value_name = "GB")]
    pub memory: Option<f64>,
    /// Key file; a key for this run only when absent
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: PassphraseSource,
    /// Write the results to this file; to standard output when absent
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Threads that make keys and ciphertexts; all cores, at most 3, when absent
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl ClassifyArgs {
    fn task(&self) -> Task {
        Task {
            worker: self.worker.clone(),
            model: self.model.clone(),
            canaries: self.canaries,
            options: ClassifyOptions {
                max_memory_bytes: self.memory.map(bytes_of),
                batch: None,
            },
            threads: threads(self.threads),
        }
    }
}

/// Bytes of so many gigabytes.
pub fn bytes_of(gigabytes: f64) -> u64 {
    (gigabytes * 1e9) as u64
}

/// What is classified, with what and by whom.
pub struct Task {
    /// Where the worker is.
    pub worker: WorkerAddress,
    /// Name of the model.
    pub model: String,
    /// Images with known scores.
    pub canaries: usize,
    /// Limits.
    pub options: ClassifyOptions,
    /// Threads that make objects.
    pub threads: usize,
}

/// What came of it.
pub struct Classified {
    /// The run: card, images, plan.
    pub run: Arc<ClassifyRun>,
    /// By image.
    pub found: Vec<Classification>,
    /// What was checked.
    pub guard: Guard,
    /// By job.
    pub reports: Vec<JobReport>,
    /// Seconds of this program by phase.
    pub seconds: Vec<(String, f64)>,
    /// Bytes of all frames sent and received.
    pub bytes: [u64; 2],
}

/// Runs the command.
pub async fn run(args: &ClassifyArgs) -> Result<(), Failure> {
    let vault = open_or_ephemeral(args.key.as_deref(), &args.passphrase)?;
    let range = [args.skip, args.count.unwrap_or(usize::MAX)];
    let read = |card: &Card| images::read(&args.images, card, Part::All, range);
    let done = classify(&args.task(), &vault, args.key.is_none(), read).await?;
    let classes = &done.run.card().classes;
    let csv = classification_csv(&done.found, classes)?;
    if let Some(path) = &args.out {
        write(path, &csv)?;
    }
    let worker_seconds: f64 = done
        .reports
        .iter()
        .flat_map(|r| &r.seconds)
        .map(|(_, s)| s)
        .sum();
    if args.json {
        let whole = serde_json::json!({
            "model": done.run.card().name, "classes": classes, "images": done.found, "guard": done.guard,
            "plan": done.run.plan(), "seconds": done.seconds, "worker_seconds": worker_seconds,
            "bytes_up": done.bytes[0], "bytes_down": done.bytes[1],
        });
        output::line(format_args!("{}", to_json(&whole)?));
        return Ok(());
    }
    match &args.out {
        None => output::text(format_args!("{csv}")),
        Some(path) => output::line(format_args!(
            "{} images classified, written to {}. The worker took {}; {} up, {} down.",
            done.found.len(),
            path.display(),
            human_seconds(worker_seconds),
            human_bytes(done.bytes[0]),
            human_bytes(done.bytes[1])
        )),
    }
    eprintln!("{}", words(&done.guard));
    Ok(())
}

/// What the guard found, for people.
fn words(guard: &Guard) -> String {
    let ranges = match guard.out_of_range {
        0 => "All scores are in the model's range.".to_owned(),
        count => format!("{count} images left the model's range and have no class."),
    };
    let percent = 100.0 * guard.worst;
    match guard.canaries {
        0 => format!("No canaries: nothing shows that the worker ran this model. {ranges}"),
        count => format!(
            "{count} canaries have the known scores, within {percent:.2} % of what is allowed. {ranges}"
        ),
    }
}

/// Connects to the worker and asks for the model's card and a plan for images.
pub async fn prepare(
    task: &Task,
    vault: &Vault,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
    read: impl FnOnce(&Card) -> Result<Vec<NamedImage>, Failure>,
) -> Result<(Link, ClassifyRun), Failure> {
    progress.phase("plan", "Asking the worker for a plan", 0, false);
    let (mut link, facts, _) = connect(&task.worker, vault, interrupt).await?;
    let entry = models::find(&mut link, interrupt, &task.model).await?;
    let card = models::fetch(&mut link, progress, interrupt, entry.card, false).await?;
    let parsed = Card::parse(&card).map_err(|error| {
        let message = format!("The model is not valid: {error}.");
        ClientError::new("CC-5040", message, "Choose another model.")
    })?;
    let images = read(&parsed)?;
    let mut setup = ClassifySetup::new(&card, images, task.options.clone(), vault.seed())?;
    if task.canaries > 0 {
        match entry.weights {
            Some(file) => {
                let weights = models::fetch(&mut link, progress, interrupt, file, true).await?;
                if let Some(note) = setup.trial(&weights)? {
                    progress.note(&format!("Note: {note}"));
                }
                setup.canaries_of_images(&weights, task.canaries)?;
            }
            None => {
                let golden =
                    models::fetch(&mut link, progress, interrupt, entry.golden, false).await?;
                setup.canaries_of_answers(&golden, task.canaries)?;
            }
        }
    }
    let plan = models::plan(&mut link, interrupt, setup.request_bytes(&facts)?).await?;
    let run = accept(setup, &plan, &facts)?;
    Ok((link, run))
}

fn accept(setup: ClassifySetup, plan: &[u8], facts: &WorkerFacts) -> Result<ClassifyRun, Failure> {
    Ok(setup.accept(plan, facts)?)
}

/// Classifies images. With an `ephemeral` key, nothing is left at the worker.
pub async fn classify(
    task: &Task,
    vault: &Vault,
    ephemeral: bool,
    read: impl FnOnce(&Card) -> Result<Vec<NamedImage>, Failure>,
) -> Result<Classified, Failure> {
    let (mut progress, mut interrupt) = (Progress::new(), Interrupt::listen());
    let (mut link, run) = prepare(task, vault, &mut progress, &mut interrupt, read).await?;
    let run = Arc::new(run);
    let mut exchange = Exchange {
        run: &run,
        vault,
        threads: task.threads,
        link: &mut link,
        progress: &mut progress,
        interrupt: &mut interrupt,
    };
    let finished = exchange.jobs().await;
    if ephemeral {
        // Nobody can use what is stored under a key that is gone.
        forget(&mut link).await;
    }
    let (slots, reports) = finished?;
    progress.phase("check", "Checking canaries and ranges", 0, false);
    let (found, guard) = run.results(&slots)?;
    Ok(Classified {
        found,
        guard,
        reports,
        seconds: progress.finish(),
        bytes: [link.bytes_up(), link.bytes_down()],
        run,
    })
}

/// Everything between the accepted plan and the decrypted scores.
struct Exchange<'a> {
    run: &'a Arc<ClassifyRun>,
    vault: &'a Vault,
    threads: usize,
    link: &'a mut Link,
    progress: &'a mut Progress,
    interrupt: &'a mut Interrupt,
}

/// Slots `[job][class][slot]`, and the worker's reports.
type Opened = (Vec<Vec<Vec<f64>>>, Vec<JobReport>);

impl Exchange<'_> {
    async fn jobs(&mut self) -> Result<Opened, Failure> {
        let mut digests = Digests::new();
        let keys = self.run.key_items()?;
        self.send("keys", "Making and uploading keys", keys, &mut digests)
            .await?;
        let opener = ScoreOpener::new(self.vault.seed(), self.run.plan())?;
        let (mut slots, mut reports) = (Vec::new(), Vec::new());
        for job in 0..self.run.jobs() {
            let images = self.run.image_items(job)?;
            let text = format!("Encrypting and uploading images {}", job + 1);
            self.send("images", &text, images.clone(), &mut digests)
                .await?;
            self.progress.phase("worker", "Worker: waiting", 1, false);
            let spec = self.run.job(job, &digests)?;
            let report = run_job(self.link, self.progress, self.interrupt, spec, &mut ()).await?;
            self.progress.phase("results", "Fetching scores", 0, false);
            let mut outputs = Vec::with_capacity(report.outputs.len());
            let mut done: Vec<Digest> = images
                .iter()
                .filter_map(|item| digests.get(&item.job))
                .copied()
                .collect();
            for (_, digest, _) in &report.outputs {
                let limit = opener.max_bytes();
                let bytes =
                    download(self.link, self.progress, self.interrupt, *digest, limit).await?;
                outputs.push(opener.open(&bytes)?);
                done.push(*digest);
            }
            // The next job needs the room.
            delete(self.link, done).await?;
            slots.push(outputs);
            reports.push(report);
        }
        Ok((slots, reports))
    }

    async fn send(
        &mut self,
        key: &str,
        text: &str,
        items: Vec<Item>,
        digests: &mut Digests,
    ) -> Result<(), Failure> {
        let total = items.iter().map(|item| item.bytes).sum();
        self.progress.phase(key, text, total, true);
        let factories = (0..self.threads)
            .map(|_| {
                Ok(ObjectFactory::of_inference(
                    self.vault.seed(),
                    self.run.plan(),
                )?)
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let run = self.run.clone();
        let slots = Arc::new(move |job: &_| run.slots(job));
        let made = upload(
            self.link,
            self.progress,
            self.interrupt,
            items,
            factories,
            slots,
        );
        digests.extend(made.await?);
        Ok(())
    }
}
