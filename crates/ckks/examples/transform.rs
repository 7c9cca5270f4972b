//! Times a linear transform of the slots by its diagonals at N = 2^15 with 16 + 4 primes: one JSON object a line,
//! with the median of a number of runs (first argument, 9 by default) on one thread and on two, and the largest error.
//!
//! `cargo run --release -p confide-ckks --features secret,parallel --example transform [runs]`

use std::collections::BTreeMap;
use std::time::Instant;

use confide_ckks::evaluator::Evaluator;
use confide_ckks::linear::LinearTransform;
use confide_ckks::{
    Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, KeyKind, Parameters,
    ParametersLiteral,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(9), |text| text.parse())?;
    let mut log_q = vec![50];
    log_q.resize(16, 41);
    let params = Parameters::new(ParametersLiteral {
        log_n: 15,
        log_q,
        log_p: vec![48; 4],
        log_scale: 41,
        dnum_alpha: 4,
    })?;
    let (level, seed, slots) = (params.max_level(), [1; 32], params.slots());
    let generator = KeyGenerator::new(&params, &seed);
    let secret = generator.secret_key();
    let encoder = Encoder::new(&params);
    let values: Vec<Complex64> = (0..slots)
        .map(|s| Complex64::from_polar(0.9, s as f64))
        .collect();
    let plain = encoder.encode(&values, level, params.scale_at(level))?;
    let ct = Encryptor::new(&params, &seed)
        .encrypt_seeded(&secret, &plain, b"time")?
        .expand(&params)?;
    let evaluator = Evaluator::new(&params);
    for count in [16, 64] {
        let entry = |k: usize, s: usize| Complex64::from_polar(0.3, (k * slots + s) as f64);
        let diagonals: BTreeMap<usize, Vec<Complex64>> = (0..count)
            .map(|k| (k, (0..slots).map(|s| entry(k, s)).collect()))
            .collect();
        let transform = LinearTransform::from_diagonals(&params, &encoder, &diagonals, level)?;
        let mut keys = EvaluationKeys::new();
        for k in transform.rotations() {
            let element = params.ring().galois_for_rotation(k);
            let key = generator.switching_key(KeyKind::Galois(element), level)?;
            keys.insert(key.expand(&params)?);
        }
        let out = evaluator.transform(&ct, &transform, &keys)?;
        let decoded = encoder.decode(&Decryptor::new(&params).decrypt(&secret, &out)?)?;
        let expected = |s: usize| -> Complex64 {
            (0..count)
                .map(|k| entry(k, s) * values[(s + k) % slots])
                .sum()
        };
        let error = (0..slots)
            .map(|s| (decoded[s] - expected(s)).norm())
            .fold(0.0, f64::max);
        let (babies, giants) = transform.steps();
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?;
            let mut times = Vec::with_capacity(runs);
            for _ in 0..runs.max(1) {
                let start = Instant::now();
                drop(pool.install(|| evaluator.transform(&ct, &transform, &keys))?);
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            println!(
                "{{\"op\":\"transform\",\"n\":{},\"q\":16,\"p\":4,\"diagonals\":{count},\"babies\":{babies},\
                 \"giants\":{giants},\"threads\":{threads},\"median_ms\":{:.1},\"min_ms\":{:.1},\
                 \"diagonals_mib\":{:.0},\"keys\":{},\"largest_error_log2\":{:.1}}}",
                params.degree(),
                times[times.len() / 2],
                times[0],
                transform.memory() as f64 / f64::from(1 << 20),
                transform.rotations().len(),
                error.log2()
            );
        }
    }
    Ok(())
}
