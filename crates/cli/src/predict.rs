//! `confide predict`.

use crate::address::WorkerAddress;
use crate::failure::Failure;
use crate::jobs::{Interrupt, connect, lacking, score};
use crate::keyfile::{self, PassphraseSource};
use crate::link::Link;
use crate::output;
use crate::pictures::{self, Pictures};
use crate::predict_images;
use crate::progress::{Progress, human_bytes};
use crate::records::{Missing, read_table, show_problems};
use crate::text::{TextModelFile, read_folder};
use crate::train::{factories, threads, to_json, write};
use crate::upload::upload;
use confide_client::ClientError;
use confide_client::intake::{Table, TextFiles};
use confide_client::vault::Vault;
use confide_client::workflow::images::SavedImageModel;
use confide_client::workflow::{
    HeldOut, Item, Prediction, PredictionRun, ResultOpener, SavedModel, patients_csv, results_csv,
};
use confide_protocol::Digest;
use std::path::PathBuf;
use std::sync::Arc;

/// Risk from which the positive class of two is called.
const THRESHOLD: f64 = 0.5;

/// Options of `confide predict`.
#[derive(clap::Args, Clone, Debug)]
pub struct PredictArgs {
    #[command(flatten)]
    pub worker: WorkerAddress,
    /// Model file written by `confide train --model-out`
    #[arg(long, value_name = "FILE")]
    pub model: PathBuf,
    /// Key file of the training
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    #[command(flatten)]
    pub passphrase: PassphraseSource,
    /// CSV file, or folder of text files, with the feature columns of the training
    #[arg(long, value_name = "FILE", required_unless_present = "images")]
    pub csv: Option<PathBuf>,
    /// Folder of PNG and JPEG files, for a head that was trained on pictures
    #[arg(long, value_name = "DIR", conflicts_with = "csv")]
    pub images: Option<PathBuf>,
    /// Folder of the base model of the training, or name of one that the worker has; the training's name when absent
    #[arg(long, value_name = "NAME|DIR", requires = "images")]
    pub base_model: Option<String>,
    #[command(flatten)]
    pub text: TextModelFile,
    /// What to do with rows that have gaps
    #[arg(long, value_enum, default_value = "report")]
    pub missing: Missing,
    /// Write the predictions to this file; to standard output when absent
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Threads that make ciphertexts; all cores, at most 3, when absent
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl PredictArgs {
    /// The key of the training, by its fingerprint.
    pub fn vault(&self, trained: &str) -> Result<Vault, Failure> {
        let vault = keyfile::open(&self.key, &self.passphrase)?;
        let found = vault.fingerprint();
        match found == trained {
            true => Ok(vault),
            false => Err(ClientError::new(
                "CC-6050",
                format!("The model was trained with key {trained}, the file holds {found}."),
                "Give the key file of the training.",
            )
            .into()),
        }
    }

    /// The new records with all features, and by row the names of the files that hold them, where each has one.
    async fn table(
        &self,
        model: &SavedModel,
        progress: &mut Progress,
        interrupt: &mut Interrupt,
    ) -> Result<(Table, Vec<String>), Failure> {
        let decided = self.missing != Missing::Report;
        match (&model.pictures, &self.images, &self.csv) {
            (Some(source), Some(folder), _) => {
                let pictures = Pictures {
                    folder,
                    labels: None,
                    base_model: self.base_model.as_deref().unwrap_or(&source.name),
                    worker: &self.worker,
                };
                let read = pictures::new_pictures(pictures, source, progress, interrupt).await?;
                show_problems(&read.0, decided);
                Ok(read)
            }
            (None, None, Some(csv)) => {
                let (mut table, names) = match &model.text {
                    Some(source) if csv.is_dir() => {
                        let table = read_folder(csv, &source.column)?;
                        let names = TextFiles::names(&table);
                        (table, names)
                    }
                    _ => (read_table(csv)?, Vec::new()),
                };
                show_problems(&table, decided);
                self.text
                    .embed_as(model.text.as_ref(), &mut table, progress)?;
                Ok((table, names))
            }
            (pictures, ..) => {
                let (reads, option) = match pictures {
                    Some(_) => ("pictures", "--images DIR"),
                    None => ("a table", "--csv FILE"),
                };
                let message = format!("The head was trained on {reads}.");
                let remedy = format!("Give {option}.");
                Err(ClientError::new("CC-6082", message, remedy).into())
            }
        }
    }
}

/// Runs the command.
pub async fn run(args: &PredictArgs) -> Result<(), Failure> {
    let mut progress = Progress::new();
    progress.phase("read", "Reading and preparing records", 0, false);
    let text = std::fs::read_to_string(&args.model)
        .map_err(|error| Failure::file("read", &args.model, &error))?;
    if SavedImageModel::is_one(&text) {
        return predict_images::run(args, SavedImageModel::from_json(&text)?, progress).await;
    }
    let model = SavedModel::from_json(&text)?;
    let vault = args.vault(&model.key_fingerprint)?;
    let mut interrupt = Interrupt::listen();
    let (table, names) = args.table(&model, &mut progress, &mut interrupt).await?;
    let records = table.select_records(&model.preprocessing.features, args.missing.into())?;
    let prediction = Arc::new(PredictionRun::new(&model, &records)?);
    for note in prediction.notes() {
        progress.note(&format!("Note: {note}"));
    }

    progress.phase("upload", "Asking what the worker has", 0, false);
    let (mut link, _, worker) = connect(&args.worker, &vault, &mut interrupt).await?;
    let missing = missing_keys(&mut link, &prediction, &mut interrupt).await?;
    if !missing.is_empty() {
        progress.note(&format!(
            "The worker lacks {} of the keys; they are made and sent again.",
            missing.len()
        ));
    }
    let items: Vec<Item> = prediction.items()?.into_iter().chain(missing).collect();
    progress.phase(
        "upload",
        "Encrypting and uploading",
        items.iter().map(|item| item.bytes).sum(),
        true,
    );
    let slots = {
        let prediction = prediction.clone();
        Arc::new(move |job: &_| prediction.slots(job))
    };
    let factories = factories(&vault, prediction.plan(), threads(args.threads))?;
    let digests = upload(
        &mut link,
        &progress,
        &mut interrupt,
        items,
        factories,
        slots,
    )
    .await?;

    progress.phase("predict", "Worker: predicting", 1, false);
    let opener = ResultOpener::new(vault.seed(), prediction.plan())?;
    let mut logits = Vec::new();
    for (job, rows) in prediction.jobs(&digests)? {
        let done = score(&mut link, &progress, &mut interrupt, job, (&opener, rows)).await?;
        logits.extend(done.logits);
    }
    let answer = Answer {
        predictions: prediction.predictions(&logits),
        classes: prediction.classes(),
        held_out: model.held_out.as_ref(),
        names,
        notes: prediction.notes(),
        seconds: progress.finish(),
        worker,
    };
    answer.tell(args, &mut link).await
}

/// What was predicted.
pub struct Answer<'a> {
    /// In the order of the records.
    pub predictions: Vec<Prediction>,
    /// Names of the classes.
    pub classes: &'a [String],
    /// What the head said of the held-out records, where the model's file has that.
    pub held_out: Option<&'a HeldOut>,
    /// Names of pictures by row.
    pub names: Vec<String>,
    /// What the user should know.
    pub notes: &'a [String],
    /// Seconds of this program by phase.
    pub seconds: Vec<(String, f64)>,
    /// The worker's name.
    pub worker: String,
}

impl Answer<'_> {
    /// Writes and prints it as the options say.
    pub async fn tell(&self, args: &PredictArgs, link: &mut Link) -> Result<(), Failure> {
        let Self {
            predictions,
            classes,
            names,
            ..
        } = self;
        // Beside the held-out records like them, where the model's file has those.
        let judged = self.held_out;
        let judged =
            judged.map(|held| (held.judge(predictions.clone(), THRESHOLD), held.looked_at()));
        let csv = match &judged {
            Some((judged, looked_at)) => patients_csv(judged, &[], classes, looked_at, names)?,
            None => results_csv(predictions, classes, names)?,
        };
        if let Some(path) = &args.out {
            write(path, &csv)?;
        }
        if args.json {
            let ledger = link.ask(|session| session.ledger().summary()).await?;
            let seconds = self.seconds.iter();
            let seconds: serde_json::Map<_, _> = seconds
                .map(|(key, value)| (key.clone(), (*value).into()))
                .collect();
            let whole = serde_json::json!({
                "worker": self.worker, "classes": classes, "predictions": predictions, "seconds": seconds,
                "bytes_up": link.bytes_up(), "bytes_down": link.bytes_down(), "ledger": ledger, "notes": self.notes,
                "files": names, "judged": judged.as_ref().map(|(judged, _)| judged),
            });
            output::line(format_args!("{}", to_json(&whole)?));
        } else if let Some(path) = &args.out {
            output::line(format_args!(
                "{} predictions written to {} ({} sent).",
                predictions.len(),
                path.display(),
                human_bytes(link.bytes_up())
            ));
        } else {
            output::text(format_args!("{csv}"));
        }
        Ok(())
    }
}

/// The keys that the worker does not have any more. Fails early when it has lost the head.
async fn missing_keys(
    link: &mut Link,
    prediction: &PredictionRun,
    interrupt: &mut Interrupt,
) -> Result<Vec<Item>, Failure> {
    let keys = prediction.keys()?;
    let head = prediction.head();
    let asked: Vec<Digest> = keys
        .iter()
        .map(|(_, digest)| *digest)
        .chain([head])
        .collect();
    let missing = lacking(link, interrupt, asked).await?;
    let lacks = |digest: &Digest| missing.contains(digest);
    if lacks(&head) {
        return Err(no_head());
    }
    Ok(keys
        .into_iter()
        .filter(|(_, digest)| lacks(digest))
        .map(|(item, _)| item)
        .collect())
}

/// The worker has lost the trained head.
pub fn no_head() -> Failure {
    let remedy = "Use the worker of the training, or train again.";
    ClientError::new(
        "CC-6051",
        "The worker does not have the trained head.",
        remedy,
    )
    .into()
}
