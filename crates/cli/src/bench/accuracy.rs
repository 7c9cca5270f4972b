//! `confide bench accuracy`: heads trained by encrypted minibatches beside the converged head on plain numbers, over
//! random splits of a table, at full security.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use confide_client::ClientError;
use confide_client::intake::{Dataset, Selection, read_csv};
use confide_client::prepare::{FitOptions, Matrix, Preprocessing, split};
use confide_tensor::TensorError;
use confide_train::minibatch::{
    Action, LossKind, MinibatchPlan, Recipe, TileLayout, TilePacker, Trainer, TrainingState, guard,
};
use confide_train::plan::TableShape;
use confide_train::{TrainError, train_converged};

use super::train::rig::{LOG_N, Rig, preset};
use crate::failure::Failure;
use crate::output;

/// Options of `bench accuracy`.
#[derive(clap::Args, Debug)]
pub struct AccuracyArgs {
    /// A CSV file with a header
    #[arg(long, value_name = "FILE")]
    table: PathBuf,
    /// Name of the column of labels
    #[arg(long)]
    label: String,
    /// Random splits, with a fifth of the records for testing
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// How often every record is used
    #[arg(long, default_value_t = 8)]
    epochs: usize,
    /// Rows of a minibatch
    #[arg(long, default_value_t = 720)]
    batch: usize,
    /// Penalty on the squared weights
    #[arg(long, default_value_t = Recipe::new(1).l2)]
    l2: f64,
    /// Largest learning rate
    #[arg(long, default_value_t = Recipe::new(1).rate)]
    rate: f64,
    /// Degree of the sigmoid's polynomial: 3, 7 or 15
    #[arg(long, default_value_t = Recipe::new(1).degree)]
    degree: usize,
    /// The polynomial is valid for logits up to this size
    #[arg(long, default_value_t = Recipe::new(1).range)]
    range: f64,
    /// Softmax instead of one-vs-rest (three classes or more)
    #[arg(long)]
    softmax: bool,
    /// Plain numbers only
    #[arg(long)]
    clear: bool,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Runs the study.
pub fn run(args: &AccuracyArgs) -> Result<(), Failure> {
    let bytes = std::fs::read(&args.table).map_err(|error| {
        let message = format!("Cannot read {}: {error}.", args.table.display());
        ClientError::new("CC-6032", message, "Name a CSV file.")
    })?;
    let dataset = read_csv(&bytes)?.select(&Selection::all(&args.label))?;
    let pool = super::pool(args.threads)?;
    pool.install(|| study(args, &dataset))
}

fn refused(error: &TrainError) -> ClientError {
    let message = format!("The engine refused: {error}.");
    ClientError::new("CC-6031", message, "Choose other sizes.")
}

/// One split, ready to be trained on.
struct Case {
    train: Vec<Vec<f64>>,
    labels: Vec<usize>,
    test: Vec<Vec<f64>>,
    test_labels: Vec<usize>,
}

/// Accuracies in percent.
struct Outcome {
    converged: f64,
    polynomial: f64,
    encrypted: Option<f64>,
    difference: f64,
}

fn study(args: &AccuracyArgs, dataset: &Dataset) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut rig = None;
    let mut outcomes = Vec::new();
    for seed in 1..=args.seeds {
        let since = Instant::now();
        let mut case = case(dataset, seed)?;
        let outcome = one(args, dataset.classes.len(), &mut case, &mut rig);
        let outcome = outcome.map_err(|error| refused(&error))?;
        let seconds = since.elapsed().as_secs_f64();
        report(args, &format!("split {seed}"), &outcome, seconds);
        outcomes.push(outcome);
    }
    let mean = |of: &dyn Fn(&Outcome) -> f64| {
        outcomes.iter().map(of).sum::<f64>() / outcomes.len().max(1) as f64
    };
    let all = Outcome {
        converged: mean(&|o| o.converged),
        polynomial: mean(&|o| o.polynomial),
        encrypted: (!args.clear).then(|| mean(&|o| o.encrypted.unwrap_or(0.0))),
        difference: outcomes.iter().map(|o| o.difference).fold(0.0, f64::max),
    };
    report(args, "mean", &all, begun.elapsed().as_secs_f64());
    Ok(())
}

/// Prepares a split as the data party does: whitened by the training rows, these shuffled.
fn case(dataset: &Dataset, seed: u64) -> Result<Case, ClientError> {
    let classes = dataset.classes.len();
    let mut parts = split(&dataset.classes_of_rows, classes, 0.2, seed)?;
    shuffle(&mut parts.train, seed);
    let fitted = Preprocessing::fit(&dataset.records, &parts.train, FitOptions::default())?;
    let rows = |part: &[usize]| -> Result<Vec<Vec<f64>>, ClientError> {
        let (matrix, _): (Matrix, usize) = fitted.transform(&dataset.records, part)?;
        Ok((0..matrix.rows())
            .map(|row| matrix.row(row).to_vec())
            .collect())
    };
    let labels = |part: &[usize]| {
        part.iter()
            .map(|&row| dataset.classes_of_rows[row])
            .collect()
    };
    Ok(Case {
        train: rows(&parts.train)?,
        labels: labels(&parts.train),
        test: rows(&parts.test)?,
        test_labels: labels(&parts.test),
    })
}

fn one(
    args: &AccuracyArgs,
    classes: usize,
    case: &mut Case,
    rig: &mut Option<(MinibatchPlan, Rig)>,
) -> Result<Outcome, TrainError> {
    let sizes = [case.train.len(), case.train[0].len(), classes];
    let table = TableShape {
        rows: sizes[0],
        features: sizes[1],
        classes,
        predict_rows: 1,
    };
    let converged = train_converged(
        &table,
        LossKind::OneVsRest,
        args.l2,
        &case.train,
        &case.labels,
        600,
    )?;
    let converged = accuracy(&case.test, &case.test_labels, &converged.weights);

    let layout = TileLayout::best(LOG_N, sizes, args.batch)?;
    let recipe = Recipe {
        loss: if args.softmax {
            LossKind::Softmax
        } else {
            LossKind::OneVsRest
        },
        degree: args.degree,
        range: args.range,
        rate: args.rate,
        l2: args.l2,
        ..Recipe::new(args.epochs)
    };
    let guarded = guard(&layout, &recipe, &mut case.train, &case.labels)?;
    for value in case.test.iter_mut().flatten() {
        *value *= guarded.factor;
    }
    let (schedule, clear) = (guarded.schedule, guarded.reference);
    let mut outcome = Outcome {
        converged,
        polynomial: accuracy(&case.test, &case.test_labels, &clear.weights),
        encrypted: None,
        difference: 0.0,
    };
    if args.clear {
        return Ok(outcome);
    }

    let (set, levels) = preset(&layout)?;
    let plan = MinibatchPlan::derive(&layout, &schedule, levels)?;
    // Splits of the same sizes share their keys.
    let known = rig.take().filter(|(of, _)| *of == plan);
    let (_, rig) = rig.insert(match known {
        Some(known) => known,
        None => {
            let made = Rig::new(set, &plan)?;
            (plan, made)
        }
    });
    let packer = TilePacker::new(&layout, &schedule);
    let data = (0..layout.batches())
        .map(|batch| rig.batch((&layout, &packer), &case.train, &case.labels, batch))
        .collect::<Result<Vec<_>, _>>()?;
    let ev = rig.evaluator();
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let mut give = |batch: usize| {
        let missing = TensorError::TooFewOperands {
            op: "bench accuracy",
            needed: batch + 1,
            available: data.len(),
        };
        data.get(batch).map(Arc::clone).ok_or(missing)
    };
    let state = trainer.run(
        TrainingState::start(),
        &mut give,
        &mut |_: Action, _| Ok(()),
    )?;
    let test = rig.tiles(&packer, &case.test, "test")?;
    let scores = trainer.scores(&state, &test)?;
    let slots = scores
        .iter()
        .map(|ct| rig.open(ct))
        .collect::<Result<Vec<_>, _>>()?;
    let scores = packer.scores(&slots, case.test.len())?;
    let right = scores.iter().zip(&case.test_labels);
    let right = right
        .filter(|(scores, label)| decide(scores) == **label)
        .count();
    outcome.encrypted = Some(100.0 * right as f64 / case.test.len() as f64);
    let weights = rig.weights(&packer, &state)?;
    let pairs = weights.iter().flatten().zip(clear.weights.iter().flatten());
    outcome.difference = pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    Ok(outcome)
}

fn report(args: &AccuracyArgs, name: &str, outcome: &Outcome, seconds: f64) {
    let Outcome {
        converged,
        polynomial,
        encrypted,
        difference,
    } = outcome;
    if args.json {
        output::line(serde_json::json!({
            "bench": "accuracy", "split": name, "converged": converged, "polynomial": polynomial,
            "encrypted": encrypted, "max_weight_difference": difference, "seconds": seconds, "l2": args.l2,
            "degree": args.degree, "range": args.range, "epochs": args.epochs, "batch": args.batch, "softmax": args.softmax,
        }));
        return;
    }
    let encrypted = encrypted.map_or("not run".to_owned(), |accuracy| format!("{accuracy:.2} %"));
    output::line(format_args!(
        "{name:<8} converged {converged:.2} %, program on plain numbers {polynomial:.2} %, encrypted {encrypted}, largest \
         difference of a weight {difference:.1e}, {seconds:.1} s"
    ));
}

/// The class with the highest score.
fn decide(scores: &[f64]) -> usize {
    if let [score] = scores {
        return usize::from(*score > 0.0);
    }
    (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

fn accuracy(rows: &[Vec<f64>], labels: &[usize], weights: &[Vec<f64>]) -> f64 {
    let scores = |row: &Vec<f64>| -> Vec<f64> {
        let score = |head: &Vec<f64>| head.iter().zip(row).map(|(w, x)| w * x).sum();
        weights.iter().map(score).collect()
    };
    let right = rows
        .iter()
        .zip(labels)
        .filter(|(row, label)| decide(&scores(row)) == **label);
    100.0 * right.count() as f64 / rows.len().max(1) as f64
}

/// Fisher and Yates, with the multiplier of Knuth's MMIX: the same on every run.
fn shuffle(rows: &mut [usize], seed: u64) {
    let mut state = seed;
    for last in (1..rows.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        rows.swap(last, (state >> 33) as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_reaches_the_converged_accuracy_on_plain_numbers() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/wisconsin.csv");
        let table = read_csv(&std::fs::read(path).unwrap()).unwrap();
        let dataset = table.select(&Selection::all("diagnosis")).unwrap();
        let args = AccuracyArgs {
            table: path.into(),
            label: "diagnosis".into(),
            seeds: 1,
            epochs: 16,
            batch: 720,
            l2: 0.002,
            rate: 8.0,
            degree: 15,
            range: 16.0,
            softmax: false,
            clear: true,
            threads: 1,
            json: true,
        };
        let outcome = one(&args, 2, &mut case(&dataset, 1).unwrap(), &mut None).unwrap();
        assert!((outcome.converged - outcome.polynomial).abs() < 1.0);
        assert!(outcome.polynomial > 93.0 && outcome.encrypted.is_none());
    }

    #[test]
    fn shuffling_keeps_every_row() {
        let mut rows: Vec<usize> = (0..100).collect();
        shuffle(&mut rows, 7);
        assert_ne!(rows, (0..100).collect::<Vec<_>>());
        rows.sort_unstable();
        assert_eq!(rows, (0..100).collect::<Vec<_>>());
    }
}
