//! `confide train --setup 1`: a head on features that a network of the worker makes of encrypted images.

mod result;

use crate::classify::bytes_of;
use crate::failure::Failure;
use crate::images;
use crate::jobs::{Interrupt, answer, connect, delete, output_of, run_job, score};
use crate::keyfile::open_or_ephemeral;
use crate::link::Link;
use crate::models;
use crate::output;
use crate::phases::Phases;
use crate::pictures::Pictures;
use crate::progress::Progress;
use crate::train::{TrainArgs, factories, forget, threads, to_json, write};
use crate::upload::{Slots, digests, upload};
use confide_client::ClientError;
use confide_client::intake::read_labels;
use confide_client::session::Event;
use confide_client::vault::Vault;
use confide_client::workflow::classify::{Classification, NamedImage, classification_csv};
use confide_client::workflow::images::{
    ClearHead, ImageOptions, ImageRun, ImageSetup, PlannedHead, SavedImageModel,
};
use confide_client::workflow::{Digests, Item, ObjectFactory, ResultOpener, WorkerFacts};
use confide_model::{Card, Model};
use confide_protocol::{Digest, JobReport, ObjectKind, code};
use result::{ImageResult, print};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `confide train` for images.
#[derive(clap::Args, Clone, Debug)]
pub struct ImageTraining {
    /// 2: records of a table are encrypted, or what a base model made of pictures on this machine; 1: images are, and a network
    /// of the worker makes features of them
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub setup: u8,
    /// Folder of PNG and JPEG files
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// CSV file with a line for each image: its file name in the folder, its class. Setup 2: with a header it may have more columns,
    /// for --label and --group; folders are classes when absent
    #[arg(long, value_name = "FILE", requires = "images")]
    pub labels: Option<PathBuf>,
    /// Setup 2: folder of a base model, or name of one that the worker has; it runs on this machine
    #[arg(long, value_name = "NAME|DIR", requires = "images")]
    pub base_model: Option<String>,
    /// Setup 1: name of a network that the worker has
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Setup 1: folder of model folders; where the model is among them, the same head is trained in the clear beside
    #[arg(long, value_name = "DIR")]
    pub models: Option<PathBuf>,
    /// Setup 1: most gigabytes of memory that the worker may use
    #[arg(long, value_name = "GB")]
    pub memory: Option<f64>,
}

impl TrainArgs {
    /// The pictures of setup 2, where there are any.
    pub fn pictures(&self) -> Result<Option<Pictures<'_>>, Failure> {
        let Some(folder) = &self.images.images else {
            return Ok(None);
        };
        let (records, images) = (&self.records, &self.images);
        let given = [
            ("--csv", records.csv.is_some()),
            ("--text", records.text.is_some()),
            ("--features", records.features.is_some()),
            ("--exclude", !records.exclude.is_empty()),
            ("--model", images.model.is_some()),
            ("--models", images.models.is_some()),
            ("--memory", images.memory.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
            let message = format!("{option} does not go with --images in setup 2.");
            let remedy =
                "Leave it out: the head learns from what the base model makes of the pictures.";
            return Err(ClientError::new("CC-6066", message, remedy).into());
        }
        let base_model = images.base_model.as_deref().ok_or_else(|| {
            let remedy = "Give --base-model NAME|DIR, or --setup 1 with --model NAME.";
            ClientError::new("CC-6067", "--images needs a base model.", remedy)
        })?;
        Ok(Some(Pictures {
            folder,
            labels: images.labels.as_deref(),
            base_model,
            worker: &self.worker,
        }))
    }
}

/// How often every image is used unless the user says otherwise.
const EPOCHS: usize = 16;

/// Runs the command.
pub async fn run(args: &TrainArgs) -> Result<(), Failure> {
    refuse(args)?;
    let (result, found) = train(args).await?;
    if let Some(path) = &args.out {
        write(path, &classification_csv(&found, &result.report.classes)?)?;
    }
    if args.json {
        output::line(format_args!("{}", to_json(&result)?));
    } else {
        print(&result);
    }
    Ok(())
}

/// Options of tables that mean nothing here.
fn refuse(args: &TrainArgs) -> Result<(), Failure> {
    let records = &args.records;
    let wrong = |what: &str, remedy: &str| -> Result<(), Failure> {
        Err(ClientError::new("CC-6066", what, remedy).into())
    };
    if records.hidden.is_some() {
        return wrong(
            "Hidden units cannot be trained on features of encrypted images.",
            "Leave out --hidden: the head is linear in the network's features.",
        );
    }
    let given = [
        ("--csv", records.csv.is_some()),
        ("--label", records.label.is_some()),
        ("--components", records.components.is_some()),
        ("--batch", records.batch.is_some()),
        ("--validate", records.validate.is_some()),
        ("--base-model", args.images.base_model.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((option, _)) => wrong(
            &format!("{option} does not go with --setup 1."),
            "Leave it out, or train on a table.",
        ),
        None => Ok(()),
    }
}

fn wanted<'a, T>(option: &'a Option<T>, name: &str) -> Result<&'a T, Failure> {
    option.as_ref().ok_or_else(|| {
        let message = format!("--setup 1 needs {name}.");
        let remedy = "Give --images DIR --labels FILE --model NAME.";
        ClientError::new("CC-6067", message, remedy).into()
    })
}

/// The images that a file of labels names, with their labels.
fn labelled(
    folder: &Path,
    labels: &[(String, String)],
    card: &Card,
) -> Result<(Vec<NamedImage>, Vec<String>), Failure> {
    let read =
        |(file, _): &(String, String)| images::picture(&folder.join(file), folder, card, None);
    let images = labels.iter().map(read).collect::<Result<_, Failure>>()?;
    let labels = labels.iter().map(|(_, label)| label.clone()).collect();
    Ok((images, labels))
}

/// The model of a name in a folder of models, if it is the one that the worker has.
fn own_model(folder: &Path, name: &str, card: &Card) -> Result<Model, Failure> {
    let wrong = |reason: String| {
        let message = format!(
            "The model in {} cannot be used: {reason}.",
            folder.display()
        );
        let remedy = "Leave out --models, or give the folder that holds the worker's model.";
        Failure::from(ClientError::new("CC-6068", message, remedy))
    };
    let model = Model::read(&folder.join(name)).map_err(|error| wrong(error.to_string()))?;
    if model.card.id == card.id {
        return Ok(model);
    }
    Err(wrong("it is another one than the worker's".to_owned()))
}

async fn train(args: &TrainArgs) -> Result<(ImageResult, Vec<Classification>), Failure> {
    let begun = std::time::Instant::now();
    let vault = open_or_ephemeral(args.key.as_deref(), &args.passphrase)?;
    let folder = wanted(&args.images.images, "--images")?;
    let name = wanted(&args.images.model, "--model")?;
    let path = wanted(&args.images.labels, "--labels")?;
    let labels = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let labels = read_labels(&labels)?;

    let (mut progress, mut interrupt) = (Progress::new(), Interrupt::listen());
    progress.phase("plan", "Asking the worker for plans", 0, false);
    let (mut link, facts, worker) = connect(&args.worker, &vault, &mut interrupt).await?;
    let mut phases = Phases::new();
    let entry = models::find(&mut link, &mut interrupt, name).await?;
    let card = models::fetch(&mut link, &progress, &mut interrupt, entry.card, false).await?;
    let mut setup = {
        let parsed = Card::parse(&card).map_err(|error| {
            let message = format!("The model is not valid: {error}.");
            ClientError::new("CC-5040", message, "Choose another model.")
        })?;
        let (images, labels) = labelled(folder, &labels, &parsed)?;
        ImageSetup::new(&card, images, &labels, options(args))?
    };
    if let Some(file) = entry.weights {
        let weights = models::fetch(&mut link, &progress, &mut interrupt, file, true).await?;
        if let Some(note) = setup.trial(&weights)? {
            setup.remark(note);
        }
    }
    let models = args.images.models.as_ref();
    let own = models.map(|models| own_model(models, name, setup.card()));
    let own = own.transpose()?;
    let run = plan(setup, &facts, &mut link, &mut interrupt).await?;
    let run = Arc::new(run);
    for note in run.notes() {
        progress.note(&format!("Note: {note}"));
    }
    phases.end("plan", &link, 0);

    let mut exchange = Exchange {
        run: &run,
        vault: &vault,
        ephemeral: args.key.is_none(),
        threads: threads(args.threads),
        link: &mut link,
        progress: &mut progress,
        interrupt: &mut interrupt,
        phases: &mut phases,
        reports: Vec::new(),
    };
    let finished = exchange.all(own).await;
    let reports = std::mem::take(&mut exchange.reports);
    if args.key.is_none() {
        // Nobody can use what is stored under a key that is gone.
        forget(&mut link).await;
    }
    let Outcome {
        logits,
        clear,
        head,
        network,
        digests,
    } = finished?;
    progress.finish();
    if let Some(path) = &args.model_out {
        let held_out = run.held_out(&logits, clear.as_ref());
        let model = SavedImageModel::new(&run, head, [&network, &digests], vault.fingerprint())?;
        write(path, &model.with_held_out(held_out).to_json()?)?;
    }
    let report = run.report(&logits, clear.as_ref())?;
    let ledger = link.ask(|session| session.ledger().summary()).await?;
    let training = reports.iter().find(|(phase, _)| *phase == "train");
    let peaks = reports.iter().map(|(_, report)| report.peak_rss_bytes);
    let result = ImageResult {
        report,
        phases: phases.all(),
        seconds_total: begun.elapsed().as_secs_f64(),
        bytes_up: link.bytes_up(),
        bytes_down: link.bytes_down(),
        worker_seconds: training.map_or_else(Vec::new, |(_, report)| report.seconds.clone()),
        worker_peak_rss_bytes: peaks.max().unwrap_or(0),
        worker,
        ledger,
        key_fingerprint: vault.fingerprint(),
    };
    Ok((result, run.predictions(&logits)))
}

fn options(args: &TrainArgs) -> ImageOptions {
    let records = &args.records;
    ImageOptions {
        test_fraction: records.test_fraction,
        seed: records.seed,
        positive: records.positive.clone(),
        epochs: records.epochs.unwrap_or(EPOCHS),
        loss: records.loss.into(),
        l2: records.l2,
        bootstrapped: None,
        max_memory_bytes: args.images.memory.map(bytes_of),
        max_upload_bytes: records.max_upload_bytes(),
        upload_rate: records.upload_rate(),
    }
}

/// Asks for the plan of the training and for those of the features, and accepts them.
async fn plan(
    setup: ImageSetup,
    facts: &WorkerFacts,
    link: &mut Link,
    interrupt: &mut Interrupt,
) -> Result<ImageRun, Failure> {
    let request = setup.request_bytes(facts)?;
    let request = link
        .ask(move |session| session.request_plan(request))
        .await?;
    let training = answer(link, interrupt, request, |event| match event {
        Event::Plan { request, plan } => Ok((request, plan)),
        other => Err(Box::new(other)),
    })
    .await?;
    let mut planned: PlannedHead = setup.accept(&training, facts)?;
    while planned.wants_plan() {
        let plan = models::plan(link, interrupt, planned.request_bytes(facts)?).await?;
        planned.accept(&plan, facts)?;
    }
    Ok(planned.into_run()?)
}

/// Everything between the accepted plans and the decrypted scores.
struct Exchange<'a> {
    run: &'a Arc<ImageRun>,
    vault: &'a Vault,
    /// Whether the key ends with this run.
    ephemeral: bool,
    threads: usize,
    link: &'a mut Link,
    progress: &'a mut Progress,
    interrupt: &'a mut Interrupt,
    phases: &'a mut Phases,
    /// Of the worker, by phase.
    reports: Vec<(&'static str, JobReport)>,
}

/// What came of the exchange.
struct Outcome {
    /// Of the test images.
    logits: Vec<Vec<f64>>,
    /// The head in the clear, where there is the model.
    clear: Option<ClearHead>,
    /// Digest of the head, which stays at the worker.
    head: Digest,
    /// Of objects of the network.
    network: Digests,
    /// Of objects of the training.
    digests: Digests,
}

impl Exchange<'_> {
    async fn all(&mut self, own: Option<Model>) -> Result<Outcome, Failure> {
        let run = self.run.clone();
        let (mut features, network) = self.features().await?;
        let tests = features.split_off(run.jobs()[0]);
        let clear = own.map(|model| {
            let run = run.clone();
            tokio::task::spawn_blocking(move || run.clear(&model.weights))
        });

        let items = run.training_items()?;
        let text = "Making training keys, encrypting labels, uploading";
        let (seed, training) = (self.vault, run.training());
        let made = factories(seed, training, self.threads)?;
        let digests = self.send("training_upload", text, items, made).await?;
        self.phases.end("training_upload", self.link, 0);
        self.progress.phase("train", "Worker: waiting", 1, false);
        let job = run.train_job(&features, &digests)?;
        let trained = run_job(self.link, self.progress, self.interrupt, job, &mut ()).await?;
        // It stays at the worker.
        let head = output_of(&trained, ObjectKind::Head)?;
        self.ended("train", trained);

        self.progress
            .phase("predict", "Worker: predicting test images", 1, false);
        let opener = ResultOpener::new(self.vault.seed(), run.training())?;
        let mut opened = Vec::new();
        for job in run.predict_jobs(head, &tests, &digests)? {
            let by = (&opener, run.score_rows());
            let done = score(self.link, self.progress, self.interrupt, job, by).await?;
            opened.push(done.logits);
            self.ended("predict", done.report);
        }
        let mut outcome = Outcome {
            logits: run.logits(&opened)?,
            clear: None,
            head,
            network,
            digests,
        };
        let Some(clear) = clear else {
            return Ok(outcome);
        };
        self.progress
            .phase("compare", "Comparing with the head in the clear", 0, false);
        let clear = clear.await.map_err(|_| {
            ClientError::new(
                "CC-6042",
                "The comparison in the clear did not end.",
                "Start the command again.",
            )
        })??;
        self.phases.end("compare", self.link, 0);
        outcome.clear = Some(clear);
        Ok(outcome)
    }

    /// The features of all jobs, kept at the worker, and the objects that they were made with.
    async fn features(&mut self) -> Result<(Vec<Digest>, Digests), Failure> {
        let run = self.run.clone();
        let keys = run.feature_keys()?;
        let text = "Making and uploading keys of the network";
        let made = self.feature_factories()?;
        let mut all = self.send("network_keys", text, keys, made).await?;
        self.phases.end("network_keys", self.link, 0);
        let jobs: usize = run.jobs().iter().sum();
        let mut kept = Vec::with_capacity(jobs);
        for job in 0..jobs {
            let items = run.image_items(job)?;
            let report = match self.earlier(job, items.clone(), &all).await? {
                Some(report) => report,
                None => self.made(job, items, &mut all).await?,
            };
            kept.push(output_of(&report, ObjectKind::ImageFeatures)?);
            self.ended("features", report);
        }
        Ok((kept, all))
    }

    /// The end of a job that an earlier start of this command ran with the same key and images: its features are still kept.
    async fn earlier(
        &mut self,
        job: usize,
        items: Vec<Item>,
        keys: &Digests,
    ) -> Result<Option<JobReport>, Failure> {
        if self.ephemeral {
            return Ok(None);
        }
        let text = "Looking for features of an earlier start";
        self.progress.phase("images", text, 0, false);
        let mut all = digests(items, self.feature_factories()?, self.slots()).await?;
        all.extend(keys.iter().map(|(key, digest)| (*key, *digest)));
        let spec = self.run.feature_job(job, &all)?;
        match run_job(self.link, self.progress, self.interrupt, spec, &mut ()).await {
            Ok(report) => Ok(Some(report)),
            Err(Failure::Worker(error)) if error.code == code::UNKNOWN_OBJECT => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Uploads the images of a job and runs it.
    async fn made(
        &mut self,
        job: usize,
        items: Vec<Item>,
        all: &mut Digests,
    ) -> Result<JobReport, Failure> {
        let jobs: usize = self.run.jobs().iter().sum();
        let text = format!(
            "Encrypting and uploading images, part {} of {jobs}",
            job + 1
        );
        let factories = self.feature_factories()?;
        let images = self.send("images", &text, items, factories).await?;
        self.phases.end("images", self.link, 0);
        let sent: Vec<Digest> = images.values().copied().collect();
        all.extend(images);
        self.progress.phase("features", "Worker: waiting", 1, false);
        let spec = self.run.feature_job(job, all)?;
        let report = run_job(self.link, self.progress, self.interrupt, spec, &mut ()).await?;
        // Features stay; images are not needed any more.
        delete(self.link, sent).await?;
        Ok(report)
    }

    fn slots(&self) -> Arc<Slots> {
        let run = self.run.clone();
        Arc::new(move |job: &_| run.slots(job))
    }

    fn feature_factories(&self) -> Result<Vec<ObjectFactory>, Failure> {
        let (seed, training) = (self.vault.seed(), self.run.training());
        let plans = self.run.features().take(1);
        let plans = plans.flat_map(|plan| (0..self.threads).map(move |_| plan));
        plans
            .map(|plan| Ok(ObjectFactory::of_features(seed, plan, training)?))
            .collect()
    }

    async fn send(
        &mut self,
        key: &str,
        text: &str,
        items: Vec<Item>,
        factories: Vec<ObjectFactory>,
    ) -> Result<Digests, Failure> {
        let total = items.iter().map(|item| item.bytes).sum();
        self.progress.phase(key, text, total, true);
        let slots = self.slots();
        let (link, interrupt) = (&mut *self.link, &mut *self.interrupt);
        upload(link, self.progress, interrupt, items, factories, slots).await
    }

    /// A job of a phase has ended.
    fn ended(&mut self, phase: &'static str, report: JobReport) {
        let bootstraps = report.counts.iter().find(|(name, _)| name == "bootstraps");
        let bootstraps = bootstraps.map_or(0, |(_, count)| *count);
        self.phases.end(phase, self.link, bootstraps);
        self.reports.push((phase, report));
    }
}
