//! Every backend of this machine against naive references, on random and on extreme residues.

mod common;

use common::{naive_ntt, naive_product, prime, residues};
use confide_ring::{Backend, Modulus, NttTable, available_backends, ntt_primes};
use proptest::prelude::*;

/// Runs a suite on every backend.
fn on_all(suite: impl Fn(&'static dyn Backend)) {
    let all = available_backends();
    assert!(all.iter().any(|b| b.name() == "portable"));
    for backend in all {
        suite(backend);
    }
}

/// Inputs that push lazy ranges: random with edges, all zero, all q - 1, alternating, impulse.
fn inputs(q: &Modulus, n: usize, seed: u64) -> Vec<Vec<u64>> {
    let top = q.value() - 1;
    let impulse = |at: usize| {
        (0..n)
            .map(|i| if i == at { top } else { 0 })
            .collect::<Vec<_>>()
    };
    vec![
        residues(q, n, seed),
        vec![0; n],
        vec![top; n],
        (0..n).map(|i| if i % 2 == 0 { 0 } else { top }).collect(),
        (0..n).map(|i| if i < n / 2 { top } else { 1 }).collect(),
        impulse(0),
        impulse(n - 1),
        vec![q.value() / 2; n],
        (0..n).map(|i| q.value() / 2 + (i as u64 & 1)).collect(),
    ]
}

fn check_transform(backend: &'static dyn Backend, q: Modulus, a: &[u64], expected: &[u64]) {
    let what = format!("{} N={} q={}", backend.name(), a.len(), q.value());
    let table = NttTable::new(q, a.len().ilog2(), backend).unwrap();
    let mut x = a.to_vec();
    backend.ntt(&table, &mut x);
    assert_eq!(x, expected, "forward {what}");
    backend.intt(&table, &mut x, table.inverse_degree());
    assert_eq!(x, a, "inverse {what}");
    // Another scale than 1/N.
    let factor = q.value() - 2;
    let scale = backend.prepare(&q, q.mul(q.inv(a.len() as u64), factor));
    backend.ntt(&table, &mut x);
    backend.intt(&table, &mut x, scale);
    let scaled: Vec<u64> = a.iter().map(|&c| q.mul(c, factor)).collect();
    assert_eq!(x, scaled, "scaled inverse {what}");
}

#[test]
fn transforms_match_evaluation() {
    on_all(|backend| {
        for log_n in 3..=10 {
            for bits in [22, 36, 46, 47, 50] {
                let q = prime(log_n, bits);
                let table = NttTable::new(q, log_n, backend).unwrap();
                for (i, a) in inputs(&q, 1 << log_n, u64::from(log_n * bits))
                    .iter()
                    .enumerate()
                {
                    if log_n < 8 || i == 0 || bits == 50 && i == 2 {
                        check_transform(backend, q, a, &naive_ntt(&table, a));
                    }
                }
            }
        }
    });
}

#[test]
fn long_transforms_match_the_portable_ones() {
    on_all(|backend| {
        for log_n in 11..=17 {
            for bits in [30, 46, 49, 50] {
                let q = prime(log_n, bits);
                for a in inputs(&q, 1 << log_n, 7) {
                    let expected = common::transformed(q, &a);
                    check_transform(backend, q, &a, &expected);
                }
            }
        }
    });
}

/// All element-wise kernels against scalar arithmetic.
fn check_pointwise(backend: &'static dyn Backend, q: Modulus, a: &[u64], b: &[u64], c: &[u64]) {
    let what = format!("{} q={}", backend.name(), q.value());
    let each = |f: &dyn Fn(usize) -> u64| (0..a.len()).map(f).collect::<Vec<_>>();
    let s = c[0];
    let constant = backend.prepare(&q, s);
    let mut x = a.to_vec();
    backend.add(&q, &mut x, b);
    assert_eq!(x, each(&|i| q.add(a[i], b[i])), "add {what}");
    backend.sub(&q, &mut x, b);
    assert_eq!(x, a, "sub {what}");
    backend.neg(&q, &mut x);
    assert_eq!(x, each(&|i| q.neg(a[i])), "neg {what}");
    backend.mul(&q, &mut x, a, b);
    let product = each(&|i| q.mul(a[i], b[i]));
    assert_eq!(x, product, "mul {what}");
    x.copy_from_slice(a);
    backend.mul_assign(&q, &mut x, b);
    assert_eq!(x, product, "mul_assign {what}");
    x.copy_from_slice(c);
    backend.mul_add(&q, &mut x, a, b);
    assert_eq!(x, each(&|i| q.add(c[i], product[i])), "mul_add {what}");
    x.copy_from_slice(a);
    backend.mul_scalar(&q, &mut x, constant);
    assert_eq!(x, each(&|i| q.mul(a[i], s)), "mul_scalar {what}");
    x.copy_from_slice(b);
    backend.mul_scalar_add(&q, &mut x, a, constant);
    assert_eq!(
        x,
        each(&|i| q.add(b[i], q.mul(a[i], s))),
        "mul_scalar_add {what}"
    );
    x.copy_from_slice(a);
    backend.sub_from_mul_scalar(&q, &mut x, b, constant);
    assert_eq!(
        x,
        each(&|i| q.mul(q.sub(b[i], a[i]), s)),
        "sub_from_mul_scalar {what}"
    );
}

/// Sums of `terms` products, with rows below 2^50 that are not residues of q.
fn check_sums(backend: &'static dyn Backend, q: Modulus, n: usize, terms: usize, seed: u64) {
    let what = format!("{} q={} terms={terms}", backend.name(), q.value());
    let xs: Vec<_> = (0..terms as u64)
        .map(|d| residues(&q, n, seed + d))
        .collect();
    let ys: Vec<_> = (0..terms as u64)
        .map(|d| residues(&q, n, seed + 100 + d))
        .collect();
    let xr: Vec<&[u64]> = xs.iter().map(|v| &v[..]).collect();
    let yr: Vec<&[u64]> = ys.iter().map(|v| &v[..]).collect();
    let mut out = vec![0; n];
    backend.dot(&q, &mut out, &xr, &yr);
    let sum = |j: usize| (0..terms).fold(0, |acc, d| q.add(acc, q.mul(xs[d][j], ys[d][j])));
    assert_eq!(out, (0..n).map(sum).collect::<Vec<_>>(), "dot {what}");

    let wide = prime(10, 50);
    let rows: Vec<u64> = (0..terms as u64)
        .flat_map(|d| residues(&wide, n, seed + 200 + d))
        .collect();
    let weights = residues(&q, terms, seed + 300);
    let prepared: Vec<_> = weights.iter().map(|&w| backend.prepare(&q, w)).collect();
    backend.convert(&q, &mut out, &rows, &prepared);
    let sum = |j: usize| {
        (0..terms).fold(0, |acc, i| {
            q.add(acc, q.mul(q.reduce(rows[i * n + j]), weights[i]))
        })
    };
    assert_eq!(out, (0..n).map(sum).collect::<Vec<_>>(), "convert {what}");

    let inverses: Vec<f64> = (0..terms)
        .map(|i| 1.0 / (wide.value() - i as u64 * 12_345) as f64)
        .collect();
    backend.overflow(&mut out, 0, &rows, &inverses);
    let count = |j: usize| {
        inverses
            .iter()
            .enumerate()
            .fold(0.5, |acc, (i, v)| acc + rows[i * n + j] as f64 * v) as u64
    };
    assert_eq!(
        out,
        (0..n).map(count).collect::<Vec<_>>(),
        "overflow {what}"
    );
}

#[test]
fn extreme_residues_survive_all_pointwise_kernels() {
    on_all(|backend| {
        for bits in [21, 22, 37, 49, 50] {
            let q = prime(5, bits);
            let all = inputs(&q, 32, 3);
            for a in &all {
                for b in &all {
                    for c in &all {
                        check_pointwise(backend, q, a, b, c);
                    }
                }
            }
        }
    });
}

#[test]
fn sums_of_many_products_match() {
    on_all(|backend| {
        for bits in [21, 36, 50] {
            for terms in [1, 2, 3, 6, 7, 8, 9, 14, 15, 22, 40] {
                check_sums(backend, prime(5, bits), 32, terms, 11);
            }
        }
    });
}

#[test]
fn sums_of_the_largest_products_match() {
    on_all(|backend| {
        let q = prime(5, 50);
        let top = vec![q.value() - 1; 32];
        let many = vec![&top[..]; 50];
        let mut out = vec![0; 32];
        backend.dot(&q, &mut out, &many, &many);
        assert_eq!(out, vec![50; 32], "{}", backend.name());
        let rows = vec![(1 << 50) - 1; 32 * 50];
        let weights = vec![backend.prepare(&q, q.value() - 1); 50];
        backend.convert(&q, &mut out, &rows, &weights);
        let expected = q.mul(50, q.neg(q.reduce((1 << 50) - 1)));
        assert_eq!(out, vec![expected; 32], "{}", backend.name());
    });
}

#[test]
fn gather_follows_its_index() {
    on_all(|backend| {
        let source: Vec<u64> = (100..164).collect();
        let index: Vec<u32> = (0..64).map(|i| i * 13 % 64).collect();
        let mut out = vec![0; 64];
        backend.gather(&mut out, &source, &index);
        assert!(
            out.iter()
                .zip(&index)
                .all(|(&o, &i)| o == 100 + u64::from(i))
        );
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn backends_agree(log_n in 3u32..=10, bits in 22u32..=50, skip in 0usize..3, seed in any::<u64>()) {
        let primes = ntt_primes(log_n, bits, skip + 1, &[]);
        prop_assume!(primes.is_ok());
        let q = Modulus::new(primes.unwrap()[skip]).unwrap();
        let n = 1 << log_n;
        let [a, b, c] = [0, 1, 2].map(|i| residues(&q, n, seed.wrapping_add(i)));
        let expected = common::transformed(q, &a);
        on_all(|backend| {
            check_transform(backend, q, &a, &expected);
            check_pointwise(backend, q, &a, &b, &c);
            check_sums(backend, q, n, 1 + (seed % 20) as usize, seed);
        });
    }

    #[test]
    fn products_are_negacyclic(log_n in 3u32..=7, bits in 22u32..=50, seed in any::<u64>()) {
        let primes = ntt_primes(log_n, bits, 1, &[]);
        prop_assume!(primes.is_ok());
        let q = Modulus::new(primes.unwrap()[0]).unwrap();
        let (a, b) = (residues(&q, 1 << log_n, seed), residues(&q, 1 << log_n, !seed));
        let expected = naive_product(&q, &a, &b);
        on_all(|backend| {
            let table = NttTable::new(q, log_n, backend).unwrap();
            let (mut x, mut y) = (a.clone(), b.clone());
            backend.ntt(&table, &mut x);
            backend.ntt(&table, &mut y);
            backend.mul_assign(&q, &mut x, &y);
            backend.intt(&table, &mut x, table.inverse_degree());
            assert_eq!(x, expected, "{}", backend.name());
        });
    }
}
