//! A network on encrypted images by a worker that is started for it: keys and ciphertexts over the socket, and the
//! worker's memory its own.

use super::ModelBenchArgs;
use crate::address::WorkerAddress;
use crate::classify::{Classified, Task, bytes_of, classify};
use crate::failure::Failure;
use crate::images::{self, Part};
use crate::output;
use crate::train::{threads, to_json};
use confide_client::ClientError;
use confide_client::vault::Vault;
use confide_client::workflow::classify::{ClassifyOptions, NamedImage};
use confide_model::inference::stage;
use confide_model::{CARD, Model, ModelError, reference};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// What the worker may store: keys and images of the largest networks.
const STORE: &str = "16GiB";

/// Runs the measurement.
pub async fn run(args: &ModelBenchArgs) -> Result<(), Failure> {
    let folder = model_folder(&args.model)?;
    let model = Model::read(&folder).map_err(|error| broken(&error))?;
    let data = args.data.clone().unwrap_or_default();
    let (worker, address) = Worker::start(args, &folder).await?;
    let task = Task {
        worker: WorkerAddress::plain(address),
        model: model.card.name.clone(),
        canaries: args.canaries,
        options: ClassifyOptions::default(),
        threads: threads(Some(args.threads)),
    };
    let vault = Vault::generate("")?;
    let range = [args.skip, args.batch];
    let done = classify(&task, &vault, true, |card| {
        images::read(&data, card, Part::Test, range)
    });
    let done = done.await?;
    drop(worker);
    let clear = clear_scores(&model, done.run.images()).map_err(|error| broken(&error))?;
    let line = report(args, &done, &clear);
    if args.json {
        output::line(format_args!("{}", to_json(&line)?));
    } else {
        output::line(format_args!("{}\n{line:#}", done.run.plan()));
    }
    Ok(())
}

/// A folder with a card, given itself or by its name in `models`.
pub fn model_folder(name: &str) -> Result<PathBuf, Failure> {
    let candidates = [PathBuf::from(name), Path::new("models").join(name)];
    let found = candidates
        .into_iter()
        .find(|path| path.join(CARD).is_file());
    found.ok_or_else(|| {
        let message = format!("There is no model in {name} or models/{name}.");
        ClientError::new("CC-6062", message, "Give a folder with a card.json.").into()
    })
}

fn broken(error: &ModelError) -> Failure {
    let message = format!("Cannot evaluate the network: {error}.");
    ClientError::new("CC-6032", message, "Check the model and the images.").into()
}

/// The worker's process. Dropped, it is killed and its store removed.
struct Worker {
    _child: Child,
    store: PathBuf,
    own_store: bool,
}

impl Worker {
    async fn start(args: &ModelBenchArgs, folder: &Path) -> Result<(Self, String), Failure> {
        let failed = |what: String| -> Failure {
            let message = format!("Cannot start the worker: {what}.");
            let remedy = "Build confide-worker, too, or name it with --worker-bin.";
            ClientError::new("CC-6063", message, remedy).into()
        };
        let beside = std::env::current_exe()
            .ok()
            .map(|this| this.with_file_name("confide-worker"));
        let program = args.worker_bin.clone().or(beside);
        let program = program.ok_or_else(|| failed("this program has no path".into()))?;
        let store = args.store.clone().unwrap_or_else(|| {
            std::env::temp_dir().join(format!("confide-bench-{}", std::process::id()))
        });
        let models = folder
            .canonicalize()
            .ok()
            .and_then(|path| Some(path.parent()?.to_owned()));
        let memory = format!("{}B", bytes_of(args.memory));
        let mut child = tokio::process::Command::new(&program)
            .args(["--listen", "127.0.0.1:0", "--log", "warn"])
            .args(["--threads", &args.threads.to_string()])
            .args(["--max-memory", memory.trim_end_matches('B')])
            .args(["--max-client-bytes", STORE, "--max-store-bytes", STORE])
            .arg("--data")
            .arg(&store)
            .arg("--models")
            .arg(models.unwrap_or_else(|| folder.to_owned()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(format!("{}: {error}", program.display())))?;
        let own_store = args.store.is_none();
        let output = child.stdout.take();
        let worker = Self {
            _child: child,
            store,
            own_store,
        };
        let output = output.ok_or_else(|| failed("it has no output".into()))?;
        let line = BufReader::new(output).lines().next_line().await;
        let line = line.ok().flatten().unwrap_or_default();
        match line.strip_prefix("listening on http://") {
            Some(address) => Ok((worker, format!("ws://{address}"))),
            None => Err(failed("it does not listen".into())),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.own_store {
            // What is left lies in a folder for temporary files.
            let _ = std::fs::remove_dir_all(&self.store);
        }
    }
}

/// Outputs of the direct evaluation in the clear, by image.
fn clear_scores(model: &Model, images: &[NamedImage]) -> Result<Vec<Vec<f64>>, ModelError> {
    let network = &model.card.architecture;
    let one = |image: &NamedImage| {
        let input = model.card.normalise(&image.pixels)?;
        let maps = reference::run(network, &model.weights, &input)?;
        let output = maps.get(network.output());
        Ok(output.map_or_else(Vec::new, |map| {
            map.values.iter().flatten().copied().collect()
        }))
    };
    images.par_iter().map(one).collect()
}

fn report(args: &ModelBenchArgs, done: &Classified, clear: &[Vec<f64>]) -> serde_json::Value {
    let plan = done.run.plan();
    let count = done.found.len();
    let mut stages = serde_json::Map::new();
    let (mut seconds, mut peak) = (0.0, 0);
    for report in &done.reports {
        peak = peak.max(report.peak_rss_bytes);
        for (name, taken) in &report.seconds {
            seconds += taken;
            let sum = stages.get(stage(name)).and_then(serde_json::Value::as_f64);
            stages.insert(stage(name).to_owned(), (sum.unwrap_or(0.0) + taken).into());
        }
    }
    let mut counts = serde_json::Map::new();
    for (name, value) in done.reports.iter().flat_map(|report| &report.counts) {
        let sum = counts.get(name).and_then(serde_json::Value::as_u64);
        counts.insert(name.clone(), (sum.unwrap_or(0) + value).into());
    }
    let best = |scores: &[f64]| (0..scores.len()).max_by(|&i, &j| scores[i].total_cmp(&scores[j]));
    let (mut same, mut right, mut right_clear, mut known) = (0, 0, 0, 0);
    let mut worst = 0.0_f64;
    for (found, clear) in done.found.iter().zip(clear) {
        let expected = best(clear);
        same += usize::from(found.predicted == expected);
        for (found, clear) in found.scores.iter().zip(clear) {
            worst = worst.max((found - clear).abs());
        }
        if found.truth.is_some() {
            known += 1;
            right += usize::from(found.predicted == found.truth);
            right_clear += usize::from(expected == found.truth);
        }
    }
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    let client: serde_json::Map<_, _> = done
        .seconds
        .iter()
        .map(|(name, seconds)| (name.clone(), (*seconds).into()))
        .collect();
    serde_json::json!({
        "bench": "model", "model": done.run.card().name, "images": count, "skip": args.skip, "threads": args.threads,
        "n": 1_u64 << plan.choice.log_n, "levels": plan.params.log_q.len() - 1, "jobs": done.reports.len(),
        "images_in_a_ciphertext": plan.choice.batch,
        "seconds": seconds, "seconds_per_image": seconds / count.max(1) as f64,
        "peak_rss_bytes": peak, "memory_limit_bytes": bytes_of(args.memory),
        "key_bytes": plan.bytes.keys, "image_bytes": plan.bytes.images * done.reports.len() as u64,
        "bytes_up": done.bytes[0], "bytes_down": done.bytes[1],
        "label_agreement": share(same, count), "largest_score_error": worst,
        "accuracy_encrypted": share(right, known), "accuracy_clear": share(right_clear, known),
        "canaries": done.guard.canaries, "out_of_range": done.guard.out_of_range,
        "seconds_by_stage": stages, "counts": counts, "client_seconds": client,
        "planned_seconds": plan.costs.worker_seconds(), "planned_peak_bytes": plan.costs.memory_bytes,
        "planned_by_stage": plan.costs.phases.iter().map(|p| (p.name.clone(), p.seconds)).collect::<std::collections::BTreeMap<_, _>>(),
    })
}
