//! Integer combinations of many ciphertexts against one scalar product at a time: one JSON object a line, with the
//! median of a number of runs (first argument, 5 by default) on one thread and on two.
//!
//! `cargo run --release -p confide-ckks --features secret,parallel --example matrix_product [runs]`

use std::time::Instant;

use confide_ckks::evaluator::{Evaluator, WeightMatrix};
use confide_ckks::{
    Ciphertext, CkksError, Complex64, Encoder, Encryptor, KeyGenerator, Parameters,
    ParametersLiteral,
};

/// Limbs of the inputs.
const LIMBS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs = std::env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let mut log_q = vec![50];
    log_q.resize(28, 45);
    let params = Parameters::new(ParametersLiteral {
        log_n: 16,
        log_q,
        log_p: vec![50; 7],
        log_scale: 45,
        dnum_alpha: 7,
    })?;
    let level = LIMBS - 1;
    let seed = [1; 32];
    let secret = KeyGenerator::new(&params, &seed).secret_key();
    let (encoder, encryptor) = (Encoder::new(&params), Encryptor::new(&params, &seed));
    let evaluator = Evaluator::new(&params);
    for size in [16_i32, 64] {
        let inputs = (0..size)
            .map(|i: i32| {
                let values = [Complex64::from_polar(0.9, f64::from(i))];
                let plain = encoder.encode(&values, level, params.scale_at(level))?;
                let label = i.to_le_bytes();
                encryptor
                    .encrypt_seeded(&secret, &plain, &label)?
                    .expand(&params)
            })
            .collect::<Result<Vec<_>, CkksError>>()?;
        let inputs: Vec<&Ciphertext> = inputs.iter().collect();
        let weight = |o: i32, i: i32| f64::from(o * size + i).sin();
        let rows: Vec<Vec<f64>> = (0..size)
            .map(|o| (0..size).map(|i| weight(o, i)).collect())
            .collect();
        let scale = evaluator.weight_scale(level, params.scale_at(level))?;
        let matrix = WeightMatrix::new(&rows, scale)?;
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()?;
            let report = |op: &str, seconds: f64, outputs: i32| {
                let words = (2 * LIMBS * params.degree()) as f64;
                let products = words * f64::from(size) * f64::from(outputs);
                let bytes = 8.0 * words * f64::from(size + outputs);
                println!(
                    "{{\"op\":\"{op}\",\"n\":{},\"limbs\":{LIMBS},\"inputs\":{size},\"outputs\":{outputs},\
                     \"threads\":{threads},\"ms\":{:.1},\"products_per_ns\":{:.2},\"gb_per_s\":{:.2}}}",
                    params.degree(),
                    seconds * 1e3,
                    products / seconds / 1e9,
                    bytes / seconds / 1e9
                );
            };
            let product = || evaluator.matrix_product(&inputs, &matrix).map(drop);
            report("matrix_product", median(&pool, runs, product)?, size);
            // A single output: the others cost the same.
            let one = || {
                let mut sum = evaluator.mul_scalar(inputs[0], rows[0][0], scale)?;
                for (input, weight) in inputs.iter().zip(&rows[0]).skip(1) {
                    let term = evaluator.mul_scalar(input, *weight, scale)?;
                    evaluator.add_assign(&mut sum, &term)?;
                }
                Ok(())
            };
            report("one_by_one", median(&pool, runs, one)?, 1);
        }
    }
    Ok(())
}

/// Seconds of the median run.
fn median(
    pool: &rayon::ThreadPool,
    runs: usize,
    run: impl Fn() -> Result<(), CkksError> + Sync,
) -> Result<f64, CkksError> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        pool.install(&run)?;
        times.push(start.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}
