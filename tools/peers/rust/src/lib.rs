//! Timing that the benches of Rust libraries share.

use std::time::Instant;

/// The middle of some samples.
pub fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// Milliseconds of each of `count` runs.
pub fn times(count: usize, mut run: impl FnMut()) -> Vec<f64> {
    (0..count)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect()
}

/// A slice of `len` words that starts at a cache line inside `storage`.
pub fn aligned(storage: &mut Vec<u64>, len: usize) -> &mut [u64] {
    storage.resize(len + 8, 0);
    let start = storage.as_ptr().align_offset(64).min(8);
    &mut storage[start..start + len]
}
