//! `confide bench bootstrap`: one full-slot bootstrap, its precision, and what it costs in bytes.

use super::timing::median_ms;
use crate::failure::Failure;
use crate::output;
use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters, Bootstrapper};
use confide_ckks::{
    Ciphertext, CkksError, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator,
};
use confide_client::ClientError;
use std::time::{Duration, Instant};

/// Options of `bench bootstrap`.
#[derive(clap::Args, Debug)]
pub struct BootstrapArgs {
    /// log2 of the ring degree: 15 or 16
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(15..=16))]
    log_n: u32,
    /// log2 of the number of slots; all of them when absent
    #[arg(long)]
    log_slots: Option<u32>,
    /// Threads
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Runs that are timed, after one that is not
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Print the seconds of each part of one run too
    #[arg(long)]
    parts: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the measurement.
pub fn run(args: &BootstrapArgs) -> Result<(), Failure> {
    let pool = super::pool(args.threads)?;
    pool.install(|| measure(args)).map_err(|error| {
        let message = format!("The engine refused: {error}.");
        ClientError::new("CC-6031", message, "Report this as a fault.").into()
    })
}

/// The preset of a degree.
fn literal(log_n: u32) -> BootstrapLiteral {
    match log_n {
        15 => BootstrapLiteral::n15(),
        _ => BootstrapLiteral::n16(),
    }
}

fn measure(args: &BootstrapArgs) -> Result<(), CkksError> {
    let set = BootstrapParameters::new(literal(args.log_n))?;
    let (params, seed) = (set.params(), [1; 32]);
    let encoder = Encoder::new(params);
    let log_slots = args.log_slots.unwrap_or(params.log_slots());
    let boot = Bootstrapper::new(&set, &encoder, log_slots)?;
    let generator = KeyGenerator::new(params, &seed);
    let mut keys = EvaluationKeys::new();
    for (kind, level) in boot.keys() {
        keys.insert(generator.switching_key(kind, level)?.expand(params)?);
    }
    let values = message(params.slots(), boot.slots());
    let plain = encoder.encode(&values, 0, params.scale_at(0))?;
    let secret = generator.secret_key();
    let encryptor = Encryptor::new(params, &seed);
    let ct = encryptor
        .encrypt_seeded(&secret, &plain, b"bench")?
        .expand(params)?;
    let ms = median_ms(args.runs.clamp(1, 100), Duration::ZERO, || {
        boot.bootstrap(&ct, &keys)
    })?;
    if args.parts {
        let begun = Instant::now();
        boot.bootstrap_watched(&ct, &keys, &mut |part| {
            eprintln!(
                "{:>9.1} ms after {part}",
                begun.elapsed().as_secs_f64() * 1e3
            );
        })?;
    }
    let out = boot.bootstrap(&ct, &keys)?;
    let (mean, worst) = precision(
        &encoder.decode(&Decryptor::new(params).decrypt(&secret, &out)?)?,
        &values,
    );
    let (key_bytes, residual, rss) = (boot.key_bytes()?, set.residual_bits(), peak_rss_bytes());
    if args.json {
        let line = serde_json::json!({
            "bench": "bootstrap", "n": params.degree(), "slots": boot.slots(), "threads": args.threads,
            "ms": ms, "residual_bits": residual, "precision_mean_bits": mean, "precision_worst_bits": worst,
            "key_bytes": key_bytes, "peak_rss_bytes": rss, "log_qp": params.log_qp(),
            "log2_failure": set.log2_failure(), "keys": keys.len(), "matrix_bytes": boot.memory(),
            "key_memory_bytes": keys.memory(),
        });
        output::line(format_args!("{line}"));
    } else {
        output::line(format_args!(
            "N = 2^{}, {} slots, {} threads: {ms:.0} ms; {residual:.1} bits left; precision {mean:.1} bits mean, \
             {worst:.1} worst; keys {:.0} MB; log2(QP) {:.1}; failure 2^{:.1}; peak memory {}",
            args.log_n,
            boot.slots(),
            args.threads,
            key_bytes as f64 / 1e6,
            params.log_qp(),
            set.log2_failure(),
            rss.map_or("unknown".to_owned(), |bytes| format!(
                "{:.2} GB",
                bytes as f64 / 1e9
            )),
        ));
    }
    check_level(&out, &set);
    Ok(())
}

fn check_level(out: &Ciphertext, set: &BootstrapParameters) {
    debug_assert_eq!(out.level(), set.output_level());
}

/// Complex numbers of the unit square, the same in every run, with the period of the slots in use.
fn message(slots: usize, period: usize) -> Vec<Complex64> {
    let mut state = 1_u64;
    let mut next = || {
        // The multiplier of Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let one: Vec<Complex64> = (0..period)
        .map(|_| Complex64::new(next(), next()) * std::f64::consts::FRAC_1_SQRT_2)
        .collect();
    one.into_iter().cycle().take(slots).collect()
}

/// Minus log2 of the mean and of the largest error of a slot.
fn precision(found: &[Complex64], expected: &[Complex64]) -> (f64, f64) {
    let errors = found.iter().zip(expected).map(|(x, y)| (x - y).norm());
    let (sum, largest) = errors.fold((0.0, 0.0_f64), |(sum, largest), e| {
        (sum + e, largest.max(e))
    });
    (-(sum / found.len() as f64).log2(), -largest.log2())
}

/// The most memory that this process has held, where the system says it.
pub(super) fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_repeat_and_precision_is_that_of_the_errors() {
        let values = message(64, 16);
        assert!(values.iter().zip(&values[16..]).all(|(x, y)| x == y));
        assert!(values.iter().all(|x| x.norm() <= 1.0) && values[0] != values[1]);
        let mut off = values.clone();
        off[3] += 0.25;
        let (mean, worst) = precision(&off, &values);
        assert!((mean - 8.0).abs() < 1e-9 && (worst - 2.0).abs() < 1e-9);
        if cfg!(target_os = "linux") {
            assert!(peak_rss_bytes().is_some_and(|bytes| bytes > 100_000));
        }
    }

    #[test]
    fn both_presets_are_secure() {
        for log_n in [15, 16] {
            BootstrapParameters::new(literal(log_n)).expect("a secure set");
        }
    }
}
