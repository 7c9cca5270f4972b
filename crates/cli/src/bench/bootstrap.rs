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
    /// The parameter set of that degree
    #[arg(long, value_enum, default_value_t = Preset::Default)]
    preset: Preset,
    /// What is refreshed
    #[arg(long, value_enum, default_value_t = Kind::Complex)]
    kind: Kind,
    /// Ciphertexts of `--kind many`, side by side
    #[arg(long, default_value_t = 4)]
    count: usize,
    /// log2 of the number of slots; all of them when absent
    #[arg(long)]
    log_slots: Option<u32>,
    /// Baby steps of the matrices, a power of two: more of them need more keys and less time. The set's own when absent
    #[arg(long)]
    baby: Option<usize>,
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

/// Parameter sets.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum Preset {
    /// SlotsToCoeffs first
    Default,
    /// SlotsToCoeffs first, with as many bits left as fit; N = 2^16 only
    Wide,
    /// ModRaise first; N = 2^16 only
    RaiseFirst,
}

/// What one run refreshes.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// One ciphertext of complex numbers
    Complex,
    /// One ciphertext of real numbers
    Real,
    /// Two ciphertexts of real numbers as one
    RealPair,
    /// Several ciphertexts of complex numbers, side by side
    Many,
}

/// Runs the measurement.
pub fn run(args: &BootstrapArgs) -> Result<(), Failure> {
    let pool = super::pool(args.threads)?;
    pool.install(|| measure(args)).map_err(|error| {
        let message = format!("The engine refused: {error}.");
        ClientError::new("CC-6031", message, "Report this as a fault.").into()
    })
}

/// The literal of a preset.
fn literal(log_n: u32, preset: Preset) -> Option<BootstrapLiteral> {
    match (log_n, preset) {
        (15, Preset::Default) => Some(BootstrapLiteral::n15()),
        (16, Preset::Default) => Some(BootstrapLiteral::n16()),
        (16, Preset::Wide) => Some(BootstrapLiteral::n16_wide()),
        (16, Preset::RaiseFirst) => Some(BootstrapLiteral::n16_mod_raise_first()),
        _ => None,
    }
}

/// One run; of several results the last.
fn refresh(
    args: &BootstrapArgs,
    boot: &Bootstrapper,
    ct: &Ciphertext,
    keys: &EvaluationKeys,
) -> Result<Option<Ciphertext>, CkksError> {
    Ok(match args.kind {
        Kind::Complex => Some(boot.bootstrap(ct, keys)?),
        Kind::Real => Some(boot.bootstrap_real(ct, keys)?),
        Kind::RealPair => boot.bootstrap_real_pair([ct, ct], keys)?.into_iter().last(),
        Kind::Many => {
            let cts = vec![ct.clone(); args.count.clamp(1, 64)];
            boot.bootstrap_many(&cts, cts.len(), keys)?.pop()
        }
    })
}

fn measure(args: &BootstrapArgs) -> Result<(), CkksError> {
    let mut literal =
        literal(args.log_n, args.preset).ok_or_else(|| CkksError::InvalidArgument {
            op: "bench bootstrap",
            what: "preset",
            needed: "the default one for N = 2^15".into(),
            available: format!("{:?}", args.preset),
        })?;
    literal.baby = args.baby.unwrap_or(literal.baby);
    let set = BootstrapParameters::new(literal)?;
    let (params, seed) = (set.params(), [1; 32]);
    let encoder = Encoder::new(params);
    let log_slots = args.log_slots.unwrap_or(params.log_slots());
    let begun = Instant::now();
    let boot = Bootstrapper::new(&set, &encoder, log_slots)?;
    let encode_ms = begun.elapsed().as_secs_f64() * 1e3;
    let generator = KeyGenerator::new(params, &seed);
    let mut keys = EvaluationKeys::new();
    for (kind, level) in boot.keys() {
        keys.insert(generator.switching_key(kind, level)?.expand(params)?);
    }
    let mut values = message(params.slots(), boot.slots());
    if matches!(args.kind, Kind::Real | Kind::RealPair) {
        values.iter_mut().for_each(|x| x.im = 0.0);
    }
    let level = boot.input_level();
    let plain = encoder.encode(&values, level, params.scale_at(level))?;
    let secret = generator.secret_key();
    let encryptor = Encryptor::new(params, &seed);
    let ct = encryptor
        .encrypt_seeded(&secret, &plain, b"bench")?
        .expand(params)?;
    let ms = median_ms(args.runs.clamp(1, 100), Duration::ZERO, || {
        refresh(args, &boot, &ct, &keys)
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
    // Every kind of run has a result.
    let Some(out) = refresh(args, &boot, &ct, &keys)? else {
        return Ok(());
    };
    let (mean, worst) = precision(
        &encoder.decode(&Decryptor::new(params).decrypt(&secret, &out)?)?,
        &values,
    );
    let (key_bytes, residual, rss) = (boot.key_bytes()?, set.residual_bits(), peak_rss_bytes());
    if args.json {
        let line = serde_json::json!({
            "bench": "bootstrap", "preset": format!("{:?}", args.preset), "kind": format!("{:?}", args.kind),
            "input_level": boot.input_level(), "output_level": boot.output_level(), "n": params.degree(), "slots": boot.slots(), "threads": args.threads,
            "ms": ms, "residual_bits": residual, "precision_mean_bits": mean, "precision_worst_bits": worst,
            "key_bytes": key_bytes, "peak_rss_bytes": rss, "log_qp": params.log_qp(),
            "log2_failure": set.log2_failure(), "keys": keys.len(), "matrix_bytes": boot.memory(), "matrix_encode_ms": encode_ms,
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
    Ok(())
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
    fn presets_are_secure() {
        for (log_n, preset) in [
            (15, Preset::Default),
            (16, Preset::Default),
            (16, Preset::Wide),
            (16, Preset::RaiseFirst),
        ] {
            let literal = literal(log_n, preset).expect("a preset");
            BootstrapParameters::new(literal).expect("a secure set");
        }
        assert_eq!(literal(15, Preset::Wide), None);
    }
}
