//! Full-slot bootstraps of poulpy-ckks by its own presets, over its backend for AVX-512 IFMA.
//!
//! Prints one JSON object a line and preset. What a program may consume between two bootstraps is the
//! width of the output less that of the input, which for presets that go to coefficients first includes
//! what that transform takes: these are the residual bits. Limbs are as wide as poulpy's own selection
//! makes them for a failure probability of 2^-128.

use std::error::Error;

use clap::Parser;
use confide_peers::{median, times};
use poulpy_ckks::layouts::EvalModRing;
use poulpy_ckks::presets::bootstrapping::{BootstrappingPreset, all};
use poulpy_ckks::test_suite::presets::{BootstrappingPresetRun, CIBackend, preset_for_backend};
use poulpy_cpu_avx512::{NTT3x42Ifma, NTT3x42IfmaRayon};

/// Full-slot bootstraps of poulpy-ckks
#[derive(Parser)]
struct Options {
    /// log2 of the degree
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(15..=16))]
    log_n: u32,
    /// Threads; beyond one, RAYON_NUM_THREADS has to say the same
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Only presets whose name contains this
    #[arg(long, default_value = "")]
    preset: String,
    /// Keys of power-of-two rotations only, half as many
    #[arg(long)]
    few_keys: bool,
    /// Real slots, for presets that refresh them faster
    #[arg(long)]
    real: bool,
    /// Timed runs
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let told = std::env::var("RAYON_NUM_THREADS").unwrap_or_default();
    if options.threads > 1 && told != options.threads.to_string() {
        return Err(format!("RAYON_NUM_THREADS is not {}", options.threads).into());
    }
    let presets = all()?.into_iter().filter(|preset| {
        preset.log_n() == options.log_n as usize && preset.name().contains(&options.preset)
    });
    for mut preset in presets {
        if options.few_keys {
            preset = preset.with_power_of_two_keys()?;
        }
        let ci = preset.plan().eval_mod_ring() != EvalModRing::Standard;
        // A macro, as the bounds of a generic function would fill pages.
        macro_rules! measure {
            ($backend:ty) => {{
                let preset = preset_for_backend::<$backend, CIBackend<$backend>>(&preset)?;
                let mut run = if ci {
                    BootstrappingPresetRun::<$backend>::setup_ci(preset.clone())
                } else {
                    BootstrappingPresetRun::<$backend>::setup(preset.clone())
                };
                if options.real {
                    run = run.with_real_slots();
                }
                let ms = median(&mut times(options.rounds.max(1), || run.bootstrap()));
                let (re, im) = run.precision();
                let mean = re.avg_log2_prec.min(im.avg_log2_prec);
                report(&options, &preset, ms, mean, re.min_log2_prec.min(im.min_log2_prec));
            }};
        }
        if options.threads == 1 {
            measure!(NTT3x42Ifma);
        } else {
            measure!(NTT3x42IfmaRayon);
        }
    }
    Ok(())
}

fn report(options: &Options, preset: &BootstrappingPreset, ms: f64, mean: f64, worst: f64) {
    let keys = preset.keys_layout().rotation_keys.len();
    let line = serde_json::json!({
        "op": "bootstrap", "n": preset.n(), "threads": options.threads,
        "peer": "poulpy-ckks 0.10", "peer_ms": ms, "preset": preset.name(), "real": options.real,
        "residual_bits": preset.output_k() - preset.input_k(),
        "precision_mean_bits": mean, "precision_worst_bits": worst,
        "rotation_keys": keys, "peak_rss_bytes": peak_rss(),
    });
    println!("{line}");
}

/// The most memory that this process held, in bytes; 0 where the system does not say.
fn peak_rss() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
