//! The fused key switch against its steps, on every backend.

mod common;

use std::ops::Range;
use std::sync::Arc;

use common::random;
use confide_ring::{Form, PrimeSet, Ring, RnsPoly, Switch, available_backends, ntt_primes};

/// Rings over primes of `bits`, the first main one and the special ones of 50 bits, on every backend.
fn rings(log_n: u32, q: usize, p: usize, bits: u32) -> Vec<Arc<Ring>> {
    let wide = ntt_primes(log_n, 50, 1 + p, &[]).unwrap();
    let mut main = vec![wide[0]];
    main.extend(ntt_primes(log_n, bits, q - 1, &wide).unwrap());
    available_backends()
        .into_iter()
        .map(|b| Ring::with_backend(log_n, &main, &wide[1..], b).unwrap())
        .collect()
}

/// What [`Ring::switch`] replaces.
fn steps(
    ring: &Ring,
    a: &RnsPoly,
    digits: &[Range<usize>],
    one: &Switch<'_, RnsPoly>,
    rescale: bool,
) -> [RnsPoly; 2] {
    let full = PrimeSet {
        q: a.set().q,
        p: ring.full_set().p,
    };
    let mut coefficients = a.clone();
    ring.intt(&mut coefficients);
    let raised: Vec<_> = digits
        .iter()
        .map(|d| ring.mod_up_from(&coefficients, Some(a), d.clone(), full))
        .collect();
    let sums = ring.inner_product(&raised, &one.key[..digits.len()]);
    let mut k = 0;
    sums.map(|mut sum| {
        if let Some(addend) = one.addends[k] {
            ring.add_times_p_assign(&mut sum, addend);
        }
        k += 1;
        let divided = if rescale {
            ring.mod_down_rescale(sum)
        } else {
            ring.mod_down(sum)
        };
        ring.automorphism(&divided, one.galois)
    })
}

/// A ring of `q` + `p` primes, a polynomial over `level` main ones, with digits of `digit` primes: alone and
/// hoisted, with and without addends and automorphisms, divided by P and by one prime more.
fn fused_is_steps(log_n: u32, (q, p, bits): (usize, usize, u32), level: usize, digit: usize) {
    for ring in rings(log_n, q, p, bits) {
        let main = PrimeSet { q: level, p: 0 };
        let a = random(&ring, main, Form::Ntt, 1);
        let addends = [2, 3].map(|seed| random(&ring, main, Form::Ntt, seed));
        let digits: Vec<_> = (0..level)
            .step_by(digit)
            .map(|s| s..(s + digit).min(level))
            .collect();
        let keys: Vec<Vec<[RnsPoly; 2]>> = (0..3)
            .map(|use_| {
                // One digit more than is used, over primes that the polynomial has lost.
                (0..=digits.len() as u64)
                    .map(|d| {
                        [0, 1].map(|half| {
                            random(
                                &ring,
                                ring.full_set(),
                                Form::Ntt,
                                100 + 50 * use_ + 2 * d + half,
                            )
                        })
                    })
                    .collect()
            })
            .collect();
        let [x, y] = &addends;
        let uses = [
            (&keys[0], [Some(x), None], 1),
            (&keys[1], [Some(x), Some(y)], 5),
            (&keys[2], [None, None], 2 * ring.degree() as u64 - 1),
        ]
        .map(|(key, addends, galois)| Switch {
            key: &key[..],
            addends,
            galois,
        });
        for rescale in [false, true] {
            if rescale && level < 2 {
                continue;
            }
            let fused = ring.switch(&a, &digits, &uses, rescale);
            assert_eq!(fused.len(), uses.len());
            for (k, (fused, one)) in fused.iter().zip(&uses).enumerate() {
                assert!(
                    *fused == steps(&ring, &a, &digits, one, rescale),
                    "use {k}, N = 2^{log_n}, {level} of {q} + {p} primes, digits of {digit}, rescale {rescale}, {}",
                    ring.backend().name()
                );
            }
        }
    }
}

#[test]
fn short_polynomials_are_switched_as_by_steps() {
    for log_n in 3..=10 {
        fused_is_steps(log_n, (4, 2, 36), 4, 2);
    }
}

#[test]
fn every_shape_of_digits_is_switched_as_by_steps() {
    for level in 1..=5 {
        for digit in 1..=3 {
            fused_is_steps(6, (5, 3, 45), level, digit);
            fused_is_steps(6, (5, 3, 50), level, digit);
        }
    }
}

#[test]
fn more_limbs_than_a_group_are_switched_as_by_steps() {
    fused_is_steps(5, (19, 2, 46), 18, 2);
    fused_is_steps(5, (40, 1, 47), 39, 1);
}

#[test]
fn polynomials_of_several_blocks_are_switched_as_by_steps() {
    fused_is_steps(13, (3, 2, 45), 3, 2);
    fused_is_steps(14, (3, 1, 50), 2, 1);
}

#[test]
#[should_panic(expected = "digits")]
fn digits_that_leave_a_prime_out_are_refused() {
    let ring = &rings(4, 3, 1, 36)[0];
    let a = random(ring, PrimeSet { q: 3, p: 0 }, Form::Ntt, 1);
    ring.switch::<RnsPoly>(&a, &[0..1, 2..3], &[], false);
}

#[test]
#[should_panic(expected = "switch of")]
fn keys_without_special_primes_are_refused() {
    let ring = &rings(4, 2, 1, 36)[0];
    let main = PrimeSet { q: 2, p: 0 };
    let a = random(ring, main, Form::Ntt, 1);
    let key = [[a.clone(), a.clone()], [a.clone(), a.clone()]];
    let one = Switch {
        key: &key,
        addends: [None, None],
        galois: 1,
    };
    ring.switch(&a, &[0..1, 1..2], &[one], false);
}
