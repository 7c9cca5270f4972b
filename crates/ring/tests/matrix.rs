//! The matrix product of every backend against scalar arithmetic.

mod common;

use common::{prime, residues};
use confide_ring::{Backend, Modulus, available_backends};

fn on_all(suite: impl Fn(&'static dyn Backend)) {
    available_backends().into_iter().for_each(suite);
}

/// `outputs` sums of `terms` products of rows below 2^50 and constants, all at once.
fn check_matrix(backend: &'static dyn Backend, q: Modulus, n: usize, sizes: [usize; 2], seed: u64) {
    let [outputs, terms] = sizes;
    let wide = prime(10, 50);
    let rows: Vec<_> = (0..terms as u64)
        .map(|i| residues(&wide, n, seed + i))
        .collect();
    let inputs: Vec<&[u64]> = rows.iter().map(|row| &row[..]).collect();
    let weights = residues(&q, outputs * terms, seed + 5_000);
    let prepared: Vec<_> = weights.iter().map(|&w| backend.prepare(&q, w)).collect();
    let mut out = vec![vec![u64::MAX; n]; outputs];
    let mut slices: Vec<&mut [u64]> = out.iter_mut().map(|row| &mut row[..]).collect();
    backend.matrix_product(&q, &mut slices, &inputs, &prepared);
    for (o, row) in out.iter().enumerate() {
        let sum = |j: usize| {
            (0..terms).fold(0, |acc, i| {
                q.add(acc, q.mul(q.reduce(rows[i][j]), weights[o * terms + i]))
            })
        };
        let expected: Vec<u64> = (0..n).map(sum).collect();
        let what = format!("{} q={} {sizes:?} output {o}", backend.name(), q.value());
        assert_eq!(row, &expected, "{what}");
    }
}

#[test]
fn matrix_products_match() {
    on_all(|backend| {
        for bits in [21, 36, 50] {
            // More inputs than a sum takes between reductions, and every size of the last block of outputs.
            for sizes in [
                [0, 3],
                [1, 0],
                [1, 1],
                [2, 7],
                [3, 8],
                [4, 15],
                [5, 16],
                [7, 40],
                [9, 129],
            ] {
                for n in [8, 16, 64] {
                    check_matrix(backend, prime(6, bits), n, sizes, 17);
                }
            }
        }
        // Two strips and a part of one.
        check_matrix(backend, prime(11, 45), 2048, [2, 40], 23);
        for seed in 0..40 {
            let sizes = [1 + seed % 6, 1 + seed * 7 % 31];
            check_matrix(
                backend,
                prime(6, 22 + seed as u32 % 29),
                32,
                sizes,
                seed as u64,
            );
        }
    });
}

#[test]
fn matrix_products_of_the_largest_terms_match() {
    on_all(|backend| {
        for bits in [21, 50] {
            let q = prime(5, bits);
            for terms in [50, 4095, 4096, 4097, 8191] {
                let row = [(1 << 50) - 1; 16];
                let inputs = vec![&row[..]; terms];
                let weights = vec![backend.prepare(&q, q.value() - 1); terms];
                let mut out = vec![0; 16];
                backend.matrix_product(&q, &mut [&mut out[..]], &inputs, &weights);
                let expected = q.mul(terms as u64, q.neg(q.reduce((1 << 50) - 1)));
                assert_eq!(out, vec![expected; 16], "{} {terms}", backend.name());
            }
        }
    });
}
