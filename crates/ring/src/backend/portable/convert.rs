//! Sums of products with one reduction for each output: products are below 2^100, so that 2^28 of them fit
//! in 128 bits.

use crate::backend::ROWS;
use crate::{Constant, Modulus};

pub(super) fn dot(q: &Modulus, out: &mut [u64], xs: &[&[u64]], ys: &[&[u64]]) {
    debug_assert!(
        xs.iter()
            .chain(ys)
            .all(|x| x.iter().all(|&x| x < q.value()))
    );
    for (j, o) in out.iter_mut().enumerate() {
        let sum: u128 = xs
            .iter()
            .zip(ys)
            .map(|(x, y)| u128::from(x[j]) * u128::from(y[j]))
            .sum();
        *o = q.reduce_u128(sum);
    }
}

pub(super) fn convert(q: &Modulus, out: &mut [u64], rows: &[u64], weights: &[Constant]) {
    let n = out.len();
    debug_assert!(rows.iter().all(|&x| x < 1 << 50));
    for (j, o) in out.iter_mut().enumerate() {
        let sum: u128 = weights
            .iter()
            .enumerate()
            .map(|(i, w)| u128::from(rows[i * n + j]) * u128::from(w.value))
            .sum();
        *o = q.reduce_u128(sum);
    }
}

pub(crate) fn weighted_rows(
    q: &Modulus,
    out: &mut [&mut [u64]],
    inputs: &[&[u64]],
    weights: &[u64],
) {
    let count = inputs.len();
    assert_eq!(weights.len(), out.len() * count);
    for (block, rows) in out.chunks_mut(ROWS).enumerate() {
        let width = rows.len();
        let own = &weights[block * ROWS * count..][..width * count];
        for (r, row) in rows.iter_mut().enumerate() {
            for (j, word) in row.iter_mut().enumerate() {
                let sum: u128 = inputs
                    .iter()
                    .enumerate()
                    .map(|(i, input)| u128::from(input[j]) * u128::from(own[i * width + r]))
                    .sum();
                *word = q.reduce_u128(sum);
            }
        }
    }
}
