//! `confide train`.

use crate::address::WorkerAddress;
use crate::curve::Curve;
use crate::failure::Failure;
use crate::jobs::{Interrupt, connect, fetch, plan, run_job, score};
use crate::keyfile::{PassphraseSource, open_or_ephemeral};
use crate::link::{Link, News};
use crate::output;
use crate::progress::{Progress, human_bytes, human_seconds};
use crate::records::TrainingRecords;
use crate::train_images::{self, ImageTraining};
use crate::upload::upload;
use confide_client::ClientError;
use confide_client::ledger::LedgerSummary;
use confide_client::metrics::{Assessment, Interval, Metrics, Proportion};
use confide_client::session::Event;
use confide_client::vault::Vault;
use confide_client::workflow::{
    ObjectFactory, Outcome, Prediction, ResultOpener, SavedModel, TrainingReport, TrainingRun,
    Validation, results_csv,
};
use confide_protocol::{JobReport, ObjectKind};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Options of `confide train`.
#[derive(clap::Args, Clone, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    pub worker: WorkerAddress,
    #[command(flatten)]
    pub images: ImageTraining,
    #[command(flatten)]
    pub records: TrainingRecords,
    /// Key file; a key for this run only when absent
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: PassphraseSource,
    /// Write what `confide predict` needs to this file (needs --key)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub model_out: Option<PathBuf>,
    /// Write the predictions of the test records to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Threads that make keys and ciphertexts; all cores, at most 3, when absent
    #[arg(long, value_name = "NUMBER")]
    pub threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints: the report, and what the run took.
#[derive(Clone, Debug, Serialize)]
pub struct TrainResult {
    /// Figures and plan.
    #[serde(flatten)]
    pub report: TrainingReport,
    /// Of the encrypted head, positive class.
    pub sensitivity: Option<Proportion>,
    /// Of the encrypted head, positive class.
    pub specificity: Option<Proportion>,
    /// Of the encrypted head.
    pub brier: Option<f64>,
    /// Of the encrypted head, `[true class][predicted class]`.
    pub confusion: Vec<Vec<usize>>,
    /// From the start of the command to its report.
    pub seconds_total: f64,
    /// By phase.
    pub seconds: serde_json::Map<String, serde_json::Value>,
    /// Of the worker, by phase of the training job.
    pub worker_seconds: Vec<(String, f64)>,
    /// Of the worker, operations of the training job.
    pub worker_counts: Vec<(String, u64)>,
    /// Bytes of all frames sent.
    pub bytes_up: u64,
    /// Bytes of all frames received.
    pub bytes_down: u64,
    /// Most memory of the worker during training.
    pub worker_peak_rss_bytes: u64,
    /// Name and release of the worker.
    pub worker: String,
    /// What left this machine, by form.
    pub ledger: LedgerSummary,
    /// Fingerprint of the key.
    pub key_fingerprint: String,
}

/// Runs the command.
pub async fn run(args: &TrainArgs) -> Result<(), Failure> {
    if args.images.setup == 1 {
        return train_images::run(args).await;
    }
    let (result, predictions) = train(args).await?;
    if let Some(path) = &args.out {
        write(
            path,
            &results_csv(&predictions, &result.report.classes, &[])?,
        )?;
    }
    if args.json {
        output::line(format_args!("{}", to_json(&result)?));
    } else {
        print(&result);
    }
    Ok(())
}

/// A value as one line of JSON.
pub fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| {
        ClientError::new(
            "CC-6004",
            format!("The result cannot be written: {error}."),
            "Report this.",
        )
        .into()
    })
}

/// Writes a text file, replacing an older one.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::file("write", path, &error))
}

/// Trains and tests a head.
pub async fn train(args: &TrainArgs) -> Result<(TrainResult, Vec<Prediction>), Failure> {
    let begun = Instant::now();
    let mut progress = Progress::new();
    progress.phase("read", "Reading and preparing records", 0, false);
    let vault = open_or_ephemeral(args.key.as_deref(), &args.passphrase)?;
    let mut interrupt = Interrupt::listen();
    let pictures = match args.pictures()? {
        Some(pictures) => Some(pictures.table(&mut progress, &mut interrupt).await?),
        None => None,
    };
    let mut setup = args.records.prepare(&mut progress, pictures)?;
    progress.phase("plan", "Asking the worker for a plan", 0, false);
    let (mut link, facts, worker) = connect(&args.worker, &vault, &mut interrupt).await?;
    let run = plan(&mut link, &facts, &mut setup, &mut interrupt).await?;
    let run = Arc::new(run);
    for note in run.notes() {
        progress.note(&format!("Note: {note}"));
    }
    let finished = exchange(args, &vault, &run, &mut link, &mut progress, &mut interrupt).await;
    if args.key.is_none() {
        // Nobody can use what is stored under a key that is gone.
        forget(&mut link).await;
    }
    let (outcome, clear, trained) = finished?;
    let report = run.report(&outcome, &clear)?;
    let predictions = run.held_out(&outcome, &clear)?.predictions(0.5);
    let ledger = link.ask(|session| session.ledger().summary()).await?;
    let seconds = progress
        .finish()
        .into_iter()
        .map(|(key, value)| (key, round(value).into()))
        .collect();
    let encrypted = report.encrypted.clone();
    let result = TrainResult {
        sensitivity: encrypted.sensitivity,
        specificity: encrypted.specificity,
        brier: encrypted.brier,
        confusion: encrypted.confusion,
        report,
        seconds_total: round(begun.elapsed().as_secs_f64()),
        seconds,
        worker_seconds: trained.seconds.clone(),
        worker_counts: trained.counts.clone(),
        bytes_up: link.bytes_up(),
        bytes_down: link.bytes_down(),
        worker_peak_rss_bytes: trained.peak_rss_bytes,
        worker,
        ledger,
        key_fingerprint: vault.fingerprint(),
    };
    Ok((result, predictions))
}

/// Everything between the accepted plan and the decrypted results.
async fn exchange(
    args: &TrainArgs,
    vault: &Vault,
    run: &Arc<TrainingRun>,
    link: &mut Link,
    progress: &mut Progress,
    interrupt: &mut Interrupt,
) -> Result<(Outcome, confide_client::workflow::ClearHeads, JobReport), Failure> {
    let items = run.items()?;
    let total = items.iter().map(|item| item.bytes).sum();
    progress.phase(
        "keys_and_upload",
        "Making keys, encrypting, uploading",
        total,
        true,
    );
    let factories = factories(vault, run.plan(), threads(args.threads))?;
    let slots = {
        let run = run.clone();
        Arc::new(move |job: &_| run.slots(job))
    };
    let digests = upload(link, progress, interrupt, items, factories, slots).await?;

    let clear = {
        let run = run.clone();
        tokio::task::spawn_blocking(move || run.clear_heads())
    };
    progress.phase("train", "Worker: waiting", 1, false);
    let opener = ResultOpener::new(vault.seed(), run.plan())?;
    let mut curve = Curve::new(Validation::new(run), &opener);
    let job = run.train_job(&digests)?;
    let trained = run_job(link, progress, interrupt, job, &mut curve).await?;
    let (head, head_bytes) = fetch(
        link,
        progress,
        interrupt,
        &trained,
        ObjectKind::Head,
        opener.max_bytes(),
    )
    .await?;

    progress.phase("predict", "Worker: predicting test records", 1, false);
    let mut logits = Vec::new();
    for (job, rows) in run.predict_jobs(head, &digests)? {
        let done = score(link, progress, interrupt, job, (&opener, rows)).await?;
        logits.extend(done.logits);
    }
    progress.phase("compare", "Comparing with the head in the clear", 0, false);
    let outcome = Outcome {
        weights: opener.open_head(&head_bytes)?,
        logits,
        curve: curve.points(),
    };
    let clear = clear.await.map_err(|_| {
        ClientError::new(
            "CC-6042",
            "The comparison in the clear did not end.",
            "Start the command again.",
        )
    })??;
    if let Some(path) = &args.model_out {
        let held_out = run.held_out(&outcome, &clear)?;
        let model = SavedModel::new(run, head, &digests, vault.fingerprint());
        write(path, &model.with_held_out(held_out).to_json()?)?;
    }
    Ok((outcome, clear, trained))
}

/// One factory a thread.
pub fn factories(
    vault: &Vault,
    plan: &confide_train::TrainingPlan,
    threads: usize,
) -> Result<Vec<ObjectFactory>, Failure> {
    (0..threads)
        .map(|_| Ok(ObjectFactory::new(vault.seed(), plan)?))
        .collect()
}

/// Threads that make objects.
pub fn threads(wanted: Option<usize>) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    wanted.unwrap_or(cores.min(3)).clamp(1, 64)
}

/// Deletes everything that the worker stores of this client, if it answers soon.
pub async fn forget(link: &mut Link) {
    link.tell(|session| {
        session.drop_uploads();
        session.delete_all();
    });
    let deleted = async {
        loop {
            match link.next().await {
                News::Event(Event::Deleted { .. } | Event::Failed { .. }) | News::Ended(_) => {
                    return;
                }
                _ => {}
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), deleted).await;
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Words one figure of a head.
type Figure = fn(&Metrics) -> String;

fn print(result: &TrainResult) {
    let report = &result.report;
    output::line(format_args!("{}", report.plan.text));
    output::line("");
    output::line(format_args!(
        "Test records: {} of {}",
        report.test_rows,
        report.train_rows + report.test_rows
    ));
    if let Some((class, reason)) = &report.positive {
        output::line(format_args!("Positive class: \"{class}\" ({reason})"));
    }
    output::line("");
    output::line(format_args!(
        "{:<14} {:>24} {:>24}",
        "", "trained encrypted", "trained in the clear"
    ));
    let both = |figure: Figure| (figure(&report.encrypted), figure(&report.clear));
    let rows: [(&str, Figure); 5] = [
        ("accuracy", |m| proportion(m.accuracy)),
        ("AUC", |m| {
            m.auc.map_or_else(none, |auc| {
                format!("{:.4} ({:.3}-{:.3})", auc.value, auc.low, auc.high)
            })
        }),
        ("sensitivity", |m| proportion(m.sensitivity)),
        ("specificity", |m| proportion(m.specificity)),
        ("Brier score", |m| {
            m.brier.map_or_else(none, |brier| format!("{brier:.4}"))
        }),
    ];
    for (name, figure) in rows {
        let (encrypted, clear) = both(figure);
        output::line(format_args!("{name:<14} {encrypted:>24} {clear:>24}"));
    }
    for assessment in &report.assessments {
        print_assessment(assessment);
    }
    output::line("");
    output::line(format_args!(
        "Confusion (rows: true class, columns: predicted):"
    ));
    output::line(format_args!(
        "{:>16} {}",
        "",
        report
            .classes
            .iter()
            .map(|class| format!("{class:>10}"))
            .collect::<String>()
    ));
    for (class, row) in report.classes.iter().zip(&result.confusion) {
        output::line(format_args!(
            "{class:>16} {}",
            row.iter()
                .map(|count| format!("{count:>10}"))
                .collect::<String>()
        ));
    }
    output::line("");
    output::line(format_args!(
        "Largest difference to the same program in the clear: weights {:.1e} (of {:.2}), logits {:.1e}",
        report.max_weight_difference, report.max_weight, report.max_logit_difference
    ));
    print_run(result);
    output::line(format_args!(
        "Left this machine: {} of ciphertexts, {} of evaluation keys, {} readable (sizes, digests, plan)",
        human_bytes(result.ledger.ciphertext_bytes),
        human_bytes(result.ledger.evaluation_key_bytes),
        human_bytes(result.ledger.plain_bytes)
    ));
    print_totals(
        result.seconds_total,
        [result.bytes_up, result.bytes_down],
        result.worker_peak_rss_bytes,
    );
}

/// Precision and calibration of the encrypted head for a class, and what a threshold of one half does.
fn print_assessment(assessment: &Assessment) {
    let interval = |figure: Option<Interval>| {
        figure.map_or_else(none, |f| {
            format!("{:.3} ({:.3} to {:.3})", f.value, f.low, f.high)
        })
    };
    let calibration = &assessment.calibration;
    let decision = &assessment.decision;
    output::line("");
    output::line(format_args!(
        "\"{}\", {} of {} test records, trained encrypted:",
        assessment.class, assessment.events, assessment.records
    ));
    let rows = [
        (
            "average precision",
            interval(Some(assessment.average_precision)),
        ),
        ("calibration slope", interval(calibration.slope)),
        ("calibration in the large", interval(calibration.intercept)),
        (
            "positive predictive value",
            proportion(decision.positive_predictive_value),
        ),
        (
            "negative predictive value",
            proportion(decision.negative_predictive_value),
        ),
    ];
    for (name, figure) in rows {
        output::line(format_args!("  {name:<26} {figure}"));
    }
}

/// What a whole training took: seconds, bytes up and down, most memory of the worker in bytes.
pub fn print_totals(seconds: f64, [up, down]: [u64; 2], peak: u64) {
    output::line(format_args!(
        "Took {}; {} up, {} down; the worker used {} of memory",
        human_seconds(seconds),
        human_bytes(up),
        human_bytes(down),
        human_bytes(peak)
    ));
}

/// The ledger of the worker's run: operations, and seconds by phase.
fn print_run(result: &TrainResult) {
    let counts = |(name, count): &(String, u64)| format!("{count} {name}");
    let counts: Vec<String> = result.worker_counts.iter().map(counts).collect();
    output::line(format_args!("The worker's run: {}", counts.join(", ")));
    let mut seconds: Vec<(&str, f64)> = Vec::new();
    for (phase, taken) in &result.worker_seconds {
        match seconds.iter_mut().find(|(name, _)| name == phase) {
            Some((_, sum)) => *sum += taken,
            None => seconds.push((phase, *taken)),
        }
    }
    let seconds = seconds
        .iter()
        .map(|(phase, taken)| format!("{phase} {taken:.1}"));
    let seconds: Vec<String> = seconds.collect();
    output::line(format_args!("Its seconds: {}", seconds.join(", ")));
}

fn none() -> String {
    "-".to_owned()
}

fn proportion(proportion: Option<Proportion>) -> String {
    proportion.map_or_else(none, |p| {
        format!(
            "{:.2} % ({:.1}-{:.1})",
            100.0 * p.value,
            100.0 * p.low,
            100.0 * p.high
        )
    })
}
