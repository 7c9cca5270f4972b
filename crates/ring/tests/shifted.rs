//! Sums of shifted inputs against their steps, on every backend.

mod common;

use common::random;
use confide_ring::{
    Form, PrimeSet, Ring, RnsPoly, Shift, ShiftedSums, Weights, available_backends, ntt_primes,
};

/// A key, a Galois element and a factor.
type Step<'a> = (Option<&'a Vec<[RnsPoly; 2]>>, u64, Option<&'a RnsPoly>);

/// The polynomial in X^(N / len) with these coefficients.
fn polynomial(ring: &Ring, coefficients: &[i64], set: PrimeSet) -> RnsPoly {
    let mut all = vec![0; ring.degree()];
    let every = ring.degree() / coefficients.len();
    for (c, &value) in all.iter_mut().step_by(every).zip(coefficients) {
        *c = value;
    }
    let mut poly = ring.from_i64(&all, set);
    ring.ntt(&mut poly);
    poly
}

/// Source after source, term after term; `factors` are whole polynomials.
fn steps(
    ring: &Ring,
    inputs: &[[&RnsPoly; 2]],
    shifts: &[Step<'_>],
    sources: &[(usize, usize)],
    sums: &[ShiftedSums<'_>],
    set: PrimeSet,
) -> Vec<[RnsPoly; 2]> {
    let digits = [0..2, 2..3];
    let source = |&(input, shift): &(usize, usize)| {
        let (key, galois, factor) = shifts[shift];
        let mut pair = match key {
            None => inputs[input].map(|a| {
                let mut lifted = ring.zero(set, Form::Ntt);
                match set.p {
                    0 => lifted = a.clone(),
                    _ => ring.add_times_p_assign(&mut lifted, a),
                }
                lifted
            }),
            Some(key) => {
                let mut coefficients = inputs[input][1].clone();
                ring.intt(&mut coefficients);
                let raised: Vec<_> = digits
                    .iter()
                    .map(|d| {
                        ring.mod_up_from(&coefficients, Some(inputs[input][1]), d.clone(), set)
                    })
                    .collect();
                let mut sum = ring.inner_product(&raised, &key[..2]);
                ring.add_times_p_assign(&mut sum[0], inputs[input][0]);
                sum.map(|half| ring.automorphism(&half, galois))
            }
        };
        if let Some(factor) = factor {
            for half in &mut pair {
                for limb in 0..set.len() {
                    let own = match limb.checked_sub(set.q) {
                        None => factor.limb_q(limb),
                        Some(special) => factor.limb_p(special),
                    };
                    let q = *ring.modulus_at(set, limb);
                    for (x, &f) in half.limb_mut(limb).iter_mut().zip(own) {
                        *x = q.mul(*x, f);
                    }
                }
            }
        }
        pair
    };
    let made: Vec<_> = sources.iter().map(source).collect();
    let mut out = Vec::new();
    for one in sums {
        let whole: Vec<RnsPoly> = match one.weights {
            Weights::Integers(weights) => weights
                .iter()
                .map(|&w| polynomial(ring, &[w], set))
                .collect(),
            Weights::Polynomials {
                period,
                coefficients,
            } => {
                let integers: Vec<i64> = coefficients.iter().map(|&c| c as i64).collect();
                let whole = |half: &[i64]| {
                    let mut all = half.to_vec();
                    all.push(0);
                    all.extend(half[1..].iter().rev().map(|c| -c));
                    polynomial(ring, &all, set)
                };
                integers.chunks(period / 2).map(whole).collect()
            }
        };
        for row in whole.chunks(one.sources.len()) {
            out.push([0, 1].map(|half| {
                let mut sum = ring.zero(set, Form::Ntt);
                for (&s, weight) in one.sources.iter().zip(row) {
                    ring.mul_add_assign(&mut sum, &made[s][half], weight);
                }
                sum
            }));
        }
    }
    out
}

#[test]
fn sums_are_those_of_the_steps() {
    for log_n in [4, 9, 14] {
        let wide = ntt_primes(log_n, 50, 3, &[]).unwrap();
        let mut main = vec![wide[0]];
        main.extend(ntt_primes(log_n, 36, 3, &wide).unwrap());
        for backend in available_backends() {
            let ring = Ring::with_backend(log_n, &main, &wide[1..], backend).unwrap();
            // Keys and factors are of a level more than the inputs.
            let (full, q) = (ring.full_set(), PrimeSet { q: 3, p: 0 });
            let polys: Vec<_> = (0..6).map(|i| random(&ring, q, Form::Ntt, i)).collect();
            let inputs: Vec<[&RnsPoly; 2]> = polys.chunks(2).map(|p| [&p[0], &p[1]]).collect();
            let key = |seed: u64| -> Vec<[RnsPoly; 2]> {
                let part = |i| random(&ring, full, Form::Ntt, seed + i);
                (0..2).map(|d| [part(2 * d), part(2 * d + 1)]).collect()
            };
            let keys = [key(100), key(200)];
            let mut integers = vec![0; ring.degree()];
            for (i, c) in integers.iter_mut().step_by(ring.degree() / 8).enumerate() {
                *c = 5 * i as i64 - 11;
            }
            let mut factor = ring.from_i64(&integers, full);
            ring.ntt(&mut factor);
            let blocks = ring.blocks(&factor, 8).unwrap();
            // Five sources, three sums each.
            let coefficients: Vec<f64> = (0..15 * 32_i64)
                .map(|i| ((i * i * 1_000_003 + i) % (1 << 50) - (1 << 49)) as f64)
                .collect();
            let weights = [5, -7, 0, 1 << 40, -(1 << 50), -1, 3, 2, 9, -4];
            let (all, some) = ([0, 1, 2, 3, 4], [4, 3, 0, 1, 2]);
            let extended = PrimeSet { p: 2, ..q };
            let whole = [
                (None, 1, None),
                (Some(&keys[0]), 5, Some(&factor)),
                (Some(&keys[1]), 2 * ring.degree() as u64 - 1, None),
                (None, 1, Some(&factor)),
            ];
            // With rotations, and without.
            for (set, sources) in [
                (extended, [(0, 0), (0, 1), (1, 2), (2, 3), (1, 1)]),
                (q, [(0, 0), (0, 3), (1, 0), (2, 3), (1, 3)]),
            ] {
                let own = if set.p == 0 {
                    [0, 3, 3, 3]
                } else {
                    [0, 1, 2, 3]
                };
                let whole = own.map(|i| whole[i]);
                let shifts = whole.map(|(key, galois, factor)| Shift {
                    key: key.map(|key| &key[..]),
                    galois,
                    factor: factor.map(|_| &blocks),
                });
                let polynomials = |period: usize| Weights::Polynomials {
                    period,
                    coefficients: &coefficients[..15 * period / 2],
                };
                let sums = [
                    (&all, Weights::Integers(&weights)),
                    (&some, polynomials(8)),
                    (&some, Weights::Integers(&weights[5..])),
                    (&all, polynomials(ring.degree().min(64))),
                ]
                .map(|(sources, weights)| ShiftedSums {
                    sources: &sources[..],
                    weights,
                });
                let expected = steps(&ring, &inputs, &whole, &sources, &sums, set);
                let digits = [0..2, 2..3];
                let run = |before| {
                    let reads = (&inputs[..], &digits[..]);
                    ring.shifted_sums(reads, &shifts, &sources, &sums, set, before)
                };
                let found = run(None);
                assert!(
                    found == expected,
                    "N = 2^{log_n}, {}",
                    ring.backend().name()
                );
                let twice = run(Some(found));
                for (twice, once) in twice.iter().flatten().zip(expected.iter().flatten()) {
                    let mut sum = once.clone();
                    ring.add_assign(&mut sum, once);
                    assert!(*twice == sum, "N = 2^{log_n}, {}", ring.backend().name());
                }
            }
        }
    }
}
