//! Times of the ring's kernels on every backend of this machine: one JSON object a line, microseconds.
//!
//! `cargo run --release -p confide-ring --example ntt [log2 N ...]`

use std::hint::black_box;
use std::time::Instant;

use confide_ring::{Backend, Modulus, NttTable, available_backends, ntt_primes};

/// Fastest of many batches of runs, in microseconds a run.
fn fastest(mut f: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..40 {
        let start = Instant::now();
        for _ in 0..10 {
            f();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e5);
    }
    best
}

fn measure(
    backend: &'static dyn Backend,
    log_n: u32,
    bits: u32,
) -> Result<(), confide_ring::RingError> {
    const ROWS: usize = 4;
    let n = 1usize << log_n;
    let q = Modulus::new(ntt_primes(log_n, bits, 1, &[])?[0])?;
    let start = Instant::now();
    let table = NttTable::new(q, log_n, backend)?;
    let build = start.elapsed().as_secs_f64() * 1e6;
    let residues = |seed: u64| -> Vec<u64> {
        (0..n as u64)
            .map(|i| q.reduce((i + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
            .collect()
    };
    let (mut a, b, c) = (residues(1), residues(2), residues(3));
    let rows: Vec<u64> = (0..ROWS as u64).flat_map(residues).collect();
    let index: Vec<u32> = (0..n as u32)
        .map(|i| i.wrapping_mul(5) & (n as u32 - 1))
        .collect();
    let weights: Vec<_> = (1..=ROWS as u64)
        .map(|w| backend.prepare(&q, q.reduce(w << 47)))
        .collect();
    let limbs = [&b[..], &c[..], &b[..], &c[..]];
    let report = |kernel: &str, micros: f64| {
        println!(
            r#"{{"bench":"{kernel}","backend":"{}","log_n":{log_n},"bits":{bits},"us":{micros:.2}}}"#,
            backend.name()
        );
    };
    report("table", build);
    report("ntt", fastest(|| backend.ntt(&table, black_box(&mut a))));
    report(
        "intt",
        fastest(|| backend.intt(&table, black_box(&mut a), table.inverse_degree())),
    );
    report(
        "mul",
        fastest(|| backend.mul_assign(&q, black_box(&mut a), &b)),
    );
    report(
        "mul_add",
        fastest(|| backend.mul_add(&q, black_box(&mut a), &b, &c)),
    );
    report(
        "mul_scalar",
        fastest(|| backend.mul_scalar(&q, black_box(&mut a), weights[0])),
    );
    report("add", fastest(|| backend.add(&q, black_box(&mut a), &b)));
    report(
        "gather",
        fastest(|| backend.gather(black_box(&mut a), &b, &index)),
    );
    report(
        "dot4",
        fastest(|| backend.dot(&q, black_box(&mut a), &limbs, &limbs)),
    );
    report(
        "convert4",
        fastest(|| backend.convert(&q, black_box(&mut a), &rows, &weights)),
    );
    report(
        "overflow4",
        fastest(|| backend.overflow(black_box(&mut a), 0, &rows, &[1e-15; ROWS])),
    );
    Ok(())
}

fn main() -> Result<(), confide_ring::RingError> {
    let sizes: Vec<u32> = std::env::args()
        .skip(1)
        .filter_map(|s| s.parse().ok())
        .collect();
    for &log_n in if sizes.is_empty() {
        &[13, 15, 16]
    } else {
        &sizes[..]
    } {
        for backend in available_backends() {
            for bits in [50, 46] {
                measure(backend, log_n, bits)?;
            }
        }
    }
    Ok(())
}
