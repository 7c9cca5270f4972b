//! `confide bench cost`: measures the operations of programs at several rings and levels, and fits the cost model's
//! constants to them.

mod fit;
mod source;
mod sweep;

use std::path::PathBuf;

use confide_ckks::CkksError;
use confide_client::ClientError;
use confide_tensor::{CostModel, RingCost, TensorError};

use crate::failure::Failure;
use crate::output;
use sweep::{Sample, Sweep};

/// Options of `bench cost`.
#[derive(clap::Args, Debug)]
pub struct CostArgs {
    /// log2 of the ring degree, 13 to 16; all of them when absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(13..=16))]
    log_n: Option<u32>,
    /// Seconds for each operation at each level
    #[arg(long, default_value_t = 0.1)]
    seconds: f64,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    /// Write the fitted constants as Rust source (all rings only)
    #[arg(long, value_name = "FILE", conflicts_with = "log_n")]
    write: Option<PathBuf>,
    /// What the source says of the machine
    #[arg(long, default_value = "unnamed machine")]
    machine: String,
}

/// Runs the measurements.
pub fn run(args: &CostArgs) -> Result<(), Failure> {
    let [one, two] = [super::pool(1)?, super::pool(2)?];
    if !args.json {
        output::line(format_args!(
            "{:<20} {:>6} {:>6} {:>7} {:>11} {:>11} {:>11} {:>8}",
            "operation", "log N", "level", "digits", "ms", "model ms", "fitted ms", "speed-up"
        ));
    }
    let present = CostModel::default();
    let (mut rings, mut shares) = (Vec::new(), Vec::new());
    for log_n in args.log_n.map_or(13..=16, |log_n| log_n..=log_n) {
        let sweep = Sweep {
            log_n,
            seconds: args.seconds,
            one: &one,
            two: &two,
        };
        let found = sweep.run().map_err(|error| refused(&error))?;
        let observations: Vec<_> = found.samples.iter().map(|s| (s.terms, s.nanos)).collect();
        let ring = RingCost {
            log_n,
            nanos: fit::fit(&observations),
            key_nanos: found.key_nanos,
            fresh_nanos: found.fresh_nanos,
        };
        for sample in &found.samples {
            print(args, sample, &present, &ring);
        }
        let worst = found
            .samples
            .iter()
            .map(|s| (s.terms.nanos(&ring.nanos) / s.nanos - 1.0).abs())
            .fold(0.0, f64::max);
        shares.extend(found.samples.iter().filter_map(Sample::parallel_share));
        summary(args, &ring, worst);
        rings.push(ring);
    }
    shares.sort_by(f64::total_cmp);
    let share = shares.get(shares.len() / 2).copied().unwrap_or(0.0);
    if args.json {
        let line = serde_json::json!({ "op": "parallel_share", "share": share });
        output::line(format_args!("{line}"));
    } else {
        output::line(format_args!(
            "median share that two threads share: {share:.3}"
        ));
    }
    if let Some(path) = &args.write {
        let rotation = one
            .install(confide_tensor::rotation_seconds)
            .map_err(|error| refused(&error))?;
        let text = source::source(&args.machine, rotation, share, &rings);
        std::fs::write(path, text).map_err(|error| {
            let message = format!("Cannot write {}: {error}.", path.display());
            ClientError::new("CC-6032", message, "Choose another file.")
        })?;
    }
    Ok(())
}

fn print(args: &CostArgs, sample: &Sample, present: &CostModel, ring: &RingCost) {
    let milliseconds = |nanos: f64| nanos / 1e6;
    let (ms, log_n) = (milliseconds(sample.nanos), ring.log_n);
    let model = milliseconds(sample.terms.nanos(&present.ring(log_n).nanos));
    let fitted = milliseconds(sample.terms.nanos(&ring.nanos));
    let (op, level, digits) = (sample.op, sample.level, sample.digits);
    let speed_up = sample.two_threads.map(|nanos| sample.nanos / nanos);
    if args.json {
        let line = serde_json::json!({
            "op": op, "log_n": log_n, "level": level, "digits": digits, "ms": ms, "model_ms": model,
            "fitted_ms": fitted, "two_thread_speed_up": speed_up,
        });
        output::line(format_args!("{line}"));
    } else {
        let speed_up = speed_up.map_or_else(String::new, |factor| format!("{factor:.2}"));
        output::line(format_args!(
            "{op:<20} {log_n:>6} {level:>6} {digits:>7} {ms:>11.4} {model:>11.4} {fitted:>11.4} {speed_up:>8}"
        ));
    }
}

fn summary(args: &CostArgs, ring: &RingCost, worst: f64) {
    let [butterfly, conversion, product, word, far] = ring.nanos;
    if args.json {
        let line = serde_json::json!({
            "op": "fit", "log_n": ring.log_n, "butterfly_ns": butterfly, "conversion_ns": conversion,
            "product_ns": product, "word_ns": word, "far_word_ns": far, "key_ns": ring.key_nanos, "fresh_ns": ring.fresh_nanos,
            "largest_relative_error": worst,
        });
        output::line(format_args!("{line}"));
    } else {
        output::line(format_args!(
            "N = 2^{}: {butterfly:.3} ns a butterfly, {conversion:.3} a conversion, {product:.3} a product, {word:.3} + {far:.3} a word; \
             {:.1} ns a key's residue, {:.1} a ciphertext's; within {:.0} %\n",
            ring.log_n,
            ring.key_nanos,
            ring.fresh_nanos,
            worst * 100.0
        ));
    }
}

fn refused(error: &TensorError) -> Failure {
    let message = format!("The engine refused: {error}.");
    ClientError::new("CC-6031", message, "Report this as a fault.").into()
}

/// So that the engine's own errors pass through the programs' error.
fn engine<T>(result: Result<T, CkksError>) -> Result<T, TensorError> {
    Ok(result?)
}
