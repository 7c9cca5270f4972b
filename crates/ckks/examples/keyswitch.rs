//! Times a rotation, hoisted rotations, and a product with relinearisation and rescale on one thread
//! at N = 2^15 with 16 + 4 primes. Prints one JSON object a line; the median and the minimum of a
//! number of runs (first argument, 51 by default) in milliseconds.

use std::time::Instant;

use confide_ckks::evaluator::Evaluator;
use confide_ckks::{
    CkksError, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, KeyKind,
    Parameters, ParametersLiteral,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs = std::env::args()
        .nth(1)
        .map_or(Ok(51), |text| text.parse())?;
    let mut log_q = vec![50];
    log_q.resize(16, 41);
    let params = Parameters::new(ParametersLiteral {
        log_n: 15,
        log_q,
        log_p: vec![48; 4],
        log_scale: 41,
        dnum_alpha: 4,
    })?;
    let ring = params.ring();
    let (level, seed) = (params.max_level(), [1; 32]);
    let generator = KeyGenerator::new(&params, &seed);
    let shifts: Vec<i64> = (1..=4).collect();
    let mut keys = EvaluationKeys::new();
    let galois = shifts
        .iter()
        .map(|&k| KeyKind::Galois(ring.galois_for_rotation(k)));
    for kind in galois.chain([KeyKind::Relin]) {
        keys.insert(generator.switching_key(kind, level)?.expand(&params)?);
    }
    let encoder = Encoder::new(&params);
    let values: Vec<Complex64> = (0..params.slots())
        .map(|s| Complex64::from_polar(0.9, s as f64))
        .collect();
    let plain = encoder.encode(&values, level, params.scale_at(level))?;
    let secret = generator.secret_key();
    let ct = Encryptor::new(&params, &seed)
        .encrypt_seeded(&secret, &plain, b"time")?
        .expand(&params)?;
    let evaluator = Evaluator::new(&params);

    let timer = Timer {
        runs,
        setting: format!(
            "\"backend\":\"{}\",\"log_n\":15,\"q\":16,\"p\":4,\"log_qp\":{:.0}",
            ring.backend().name(),
            params.log_qp()
        ),
    };
    let other = evaluator.neg(&ct)?;
    timer.run("rotate", || evaluator.rotate(&ct, 1, &keys))?;
    timer.run("rotate_hoisted_4", || {
        evaluator.rotate_hoisted(&ct, &shifts, &keys)
    })?;
    timer.run("mul_relin_rescale", || {
        evaluator.mul_relin_rescale(&ct, &other, &keys)
    })?;
    timer.run("square_relin_rescale", || {
        evaluator.mul_relin_rescale(&ct, &ct, &keys)
    })?;
    timer.run("mul", || evaluator.mul(&ct, &other))?;
    timer.run("rescale", || evaluator.rescale(&ct))?;
    timer.run("mul_plain", || evaluator.mul_plain(&ct, &plain))?;
    timer.run("add", || evaluator.add(&ct, &other))?;

    let rotated = evaluator.rotate(&ct, 1, &keys)?;
    let decoded = encoder.decode(&Decryptor::new(&params).decrypt(&secret, &rotated)?)?;
    let error = (0..values.len())
        .map(|s| (decoded[s] - values[(s + 1) % values.len()]).norm())
        .fold(0.0, f64::max);
    println!(
        "{{\"check\":\"rotate\",\"largest_error_log2\":{:.1}}}",
        error.log2()
    );
    Ok(())
}

struct Timer {
    runs: usize,
    setting: String,
}

impl Timer {
    /// Runs once to fill tables, then times each run.
    fn run<T>(&self, op: &str, f: impl Fn() -> Result<T, CkksError>) -> Result<(), CkksError> {
        f()?;
        let mut times = Vec::with_capacity(self.runs);
        let mut cpu_times = Vec::with_capacity(self.runs);
        for _ in 0..self.runs.max(1) {
            let (start, cpu) = (Instant::now(), cpu_ms());
            f()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
            cpu_times.extend(cpu.zip(cpu_ms()).map(|(before, after)| after - before));
        }
        times.sort_by(f64::total_cmp);
        let (median, least) = (times[times.len() / 2], times[0]);
        let setting = &self.setting;
        // The mean: Linux updates the figure only at its ticks.
        let cpu = if cpu_times.is_empty() {
            String::new()
        } else {
            let mean = cpu_times.iter().sum::<f64>() / cpu_times.len() as f64;
            format!(",\"cpu_mean_ms\":{mean:.3}")
        };
        println!(
            "{{\"op\":\"{op}\",{setting},\"median_ms\":{median:.3},\"min_ms\":{least:.3}{cpu}}}"
        );
        Ok(())
    }
}

/// Time that this thread has spent on a processor, where Linux tells: immune to other load.
fn cpu_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}
