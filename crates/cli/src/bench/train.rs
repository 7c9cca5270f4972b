//! `confide bench train`: a whole training in this process, without a worker: both parties' times, phase by phase.

mod minibatch;
pub mod rig;

use crate::failure::Failure;
use crate::output;
use confide_ckks::{Ciphertext, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator};
use confide_client::ClientError;
use confide_tensor::{CkksEvaluator, Evaluator};
use confide_train::{
    Activation, Packer, Plan, PlanRequest, TrainError, TrainingInputs, predict, train,
    train_reference,
};
use std::time::Instant;

/// Options of `bench train`.
#[derive(clap::Args, Debug)]
pub struct TrainBenchArgs {
    /// Training records, made up
    #[arg(long, default_value_t = 456)]
    rows: usize,
    /// Features of a record, made up
    #[arg(long, default_value_t = 30)]
    features: usize,
    /// Classes
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=16))]
    classes: u32,
    /// Records to predict
    #[arg(long, default_value_t = 113)]
    predict: usize,
    /// Which program: the whole table a step without bootstraps, minibatches with them, or what suits the sizes
    #[arg(long, value_enum, default_value = "auto")]
    program: Program,
    /// Rows of a minibatch
    #[arg(long, default_value_t = 1024)]
    batch: usize,
    /// Steps to run with minibatches
    #[arg(long, default_value_t = 6)]
    steps: usize,
    /// Degree of the sigmoid's polynomial with minibatches: 3, 7 or 15
    #[arg(long, default_value_t = 15)]
    degree: usize,
    /// Softmax instead of one-vs-rest, with minibatches
    #[arg(long)]
    softmax: bool,
    /// Hidden units with minibatches; a linear head when absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=32))]
    hidden: Option<u32>,
    /// Columns of a tile, if the layout is to be fixed
    #[arg(long)]
    columns: Option<usize>,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// The two programs.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Minibatches where the other one would need more than its default upload
    Auto,
    /// The whole table in every iteration, a few iterations
    FullBatch,
    /// Minibatches with bootstraps
    Minibatch,
}

/// Runs the measurements.
pub fn run(args: &TrainBenchArgs) -> Result<(), Failure> {
    let pool = super::pool(args.threads)?;
    let measured = pool.install(|| match args.program {
        Program::FullBatch => measure(args),
        Program::Minibatch => minibatch::measure(args),
        Program::Auto => {
            let sizes = [args.rows, args.features + 1, args.classes as usize];
            match confide_train::plan(&PlanRequest::new(sizes[0], sizes[1], sizes[2])) {
                Ok(_) => measure(args),
                Err(_) => minibatch::measure(args),
            }
        }
    });
    measured.map_err(|error| {
        let message = format!("The engine refused: {error}.");
        ClientError::new("CC-6031", message, "Choose other sizes.").into()
    })
}

/// Prints times as they come.
struct Report<'a> {
    args: &'a TrainBenchArgs,
    since: Instant,
}

impl Report<'_> {
    fn phase(&mut self, name: &str) {
        let seconds = self.since.elapsed().as_secs_f64();
        if self.args.json {
            let line = serde_json::json!({
                "op": name, "rows": self.args.rows, "features": self.args.features, "classes": self.args.classes,
                "threads": self.args.threads, "seconds": seconds,
            });
            output::line(format_args!("{line}"));
        } else {
            output::line(format_args!("{name:<16} {seconds:>9.3} s"));
        }
        self.since = Instant::now();
    }
}

fn measure(args: &TrainBenchArgs) -> Result<(), TrainError> {
    let (rows, labels) = records(args.rows, args);
    let (new, _) = records(args.predict.max(1), args);
    let mut report = Report {
        args,
        since: Instant::now(),
    };
    let mut request = PlanRequest::new(args.rows, args.features + 1, args.classes as usize);
    request.predict_rows_hint = args.predict.max(1);
    request.max_upload_bytes = 4 << 30;
    request.max_memory_bytes = 64 << 30;
    request.threads = args.threads;
    let plan = confide_train::plan(&request)?;
    report.phase("plan");

    let params = plan.parameters()?;
    let seed = [1; 32];
    let generator = KeyGenerator::new(&params, &seed);
    let mut keys = EvaluationKeys::new();
    for (kind, level) in plan.switching_keys() {
        let key = generator.switching_key(kind, level)?;
        keys.insert(key.expand(&params)?);
    }
    report.phase("keys");

    let (encoder, encryptor) = (Encoder::new(&params), Encryptor::new(&params, &seed));
    let secret = generator.secret_key();
    let packer = Packer::new(&plan.layout, &plan.schedule);
    let encrypt = |slots: Vec<_>, level: usize, label: String| -> Result<Ciphertext, TrainError> {
        let plain = encoder.encode(&slots, level, params.scale_at(level))?;
        Ok(encryptor
            .encrypt_seeded(&secret, &plain, label.as_bytes())?
            .expand(&params)?)
    };
    let features = (0..packer.feature_vectors())
        .map(|i| {
            encrypt(
                packer.pack_features(&rows, i)?,
                plan.data_level,
                format!("features {i}"),
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    let encrypted_labels = (0..plan.layout.blocks)
        .map(|i| {
            encrypt(
                packer.pack_labels(&labels, i)?,
                plan.data_level,
                format!("labels {i}"),
            )
        })
        .collect::<Result<Vec<_>, _>>()?;
    let packed = packer.pack_prediction(&new)?.into_iter().enumerate();
    let records = packed
        .map(|(i, slots)| encrypt(slots, plan.prediction_level, format!("records {i}")))
        .collect::<Result<Vec<_>, _>>()?;
    report.phase("encrypt");

    let ev = CkksEvaluator::new(&params, &keys);
    let inputs = TrainingInputs {
        features,
        labels: encrypted_labels,
    };
    let head = train(&ev, &plan.layout, &plan.schedule, inputs)?;
    report.phase("train");
    let batch = plan.layout.prediction(new.len())?;
    let scores = predict(&ev, &plan.layout, &batch, &head, records)?;
    report.phase("predict");

    let decryptor = Decryptor::new(&params);
    let open = |ct: &Ciphertext| -> Result<Vec<_>, TrainError> {
        Ok(encoder.decode(&decryptor.decrypt(&secret, ct)?)?)
    };
    let weights = packer.weights_from_dense(&open(&head)?)?;
    let logits = packer.unpack_logits(&open(&scores)?, new.len())?;
    report.phase("decrypt");
    check(
        &plan,
        &rows,
        &labels,
        &weights,
        ev.level(&head),
        logits.len(),
        args.json,
    )
}

/// The largest difference to the same program on plain numbers: a bench of a wrong result would be worth nothing.
fn check(
    plan: &Plan,
    rows: &[Vec<f64>],
    labels: &[usize],
    weights: &[Vec<f64>],
    level: usize,
    predicted: usize,
    json: bool,
) -> Result<(), TrainError> {
    let clear = train_reference(
        &plan.layout,
        &plan.schedule,
        rows,
        labels,
        Activation::Polynomial,
    )?;
    let pairs = weights.iter().flatten().zip(clear.weights.iter().flatten());
    let difference = pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    if json {
        let line = serde_json::json!({
            "op": "check", "max_weight_difference": difference, "head_level": level, "predicted": predicted,
            "log_n": plan.params.log_n, "iterations": plan.schedule.iterations, "upload_bytes": plan.upload.total(),
        });
        output::line(format_args!("{line}"));
    } else {
        output::line(format_args!(
            "\n{plan}\n\nlargest difference of a weight to the program in the clear: {difference:.1e}"
        ));
    }
    Ok(())
}

/// Made-up records, spread like whitened ones, with a last column of ones; the same on every run.
fn records(rows: usize, args: &TrainBenchArgs) -> (Vec<Vec<f64>>, Vec<usize>) {
    let mut state = 1u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    let width = 1.0 / (args.features as f64).sqrt();
    let mut values = Vec::with_capacity(rows);
    let mut labels = Vec::with_capacity(rows);
    for row in 0..rows {
        let label = row % args.classes as usize;
        let mut record: Vec<f64> = (0..args.features).map(|_| 4.0 * width * random()).collect();
        if let Some(value) = record.get_mut(label) {
            *value += 0.5;
        }
        record.push(1.0);
        values.push(record);
        labels.push(label);
    }
    (values, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_training_runs_to_its_end() {
        run(&TrainBenchArgs {
            rows: 8,
            features: 2,
            classes: 2,
            predict: 3,
            program: Program::Auto,
            batch: 8,
            steps: 1,
            degree: 7,
            softmax: false,
            hidden: None,
            columns: None,
            threads: 1,
            json: true,
        })
        .unwrap();
    }
}
