//! Base conversion and division against integers of 128 bits, on every backend.

mod common;

use std::sync::Arc;

use common::{random, sequence};
use confide_ring::{Form, PrimeSet, Ring, RnsPoly, available_backends, ntt_primes};

const LOG_N: u32 = 6;

/// Main primes of 50, 36, 36, 36 bits, special ones of 50, 50.
fn rings() -> Vec<Arc<Ring>> {
    let wide = ntt_primes(LOG_N, 50, 3, &[]).unwrap();
    let mut main = vec![wide[0]];
    main.extend(ntt_primes(LOG_N, 36, 3, &[]).unwrap());
    available_backends()
        .into_iter()
        .map(|b| Ring::with_backend(LOG_N, &main, &wide[1..], b).unwrap())
        .collect()
}

/// Integers of about `bits` bits, either sign.
fn integers(n: usize, bits: u32, seed: u64) -> Vec<i128> {
    let mut next = sequence(seed);
    (0..n)
        .map(|_| ((u128::from(next()) << 64 | u128::from(next())) as i128) >> (127 - bits))
        .collect()
}

fn encode(ring: &Ring, values: &[i128], set: PrimeSet) -> RnsPoly {
    let mut out = ring.zero(set, Form::Coefficient);
    for l in 0..set.len() {
        let q = i128::from(ring.modulus_at(set, l).value());
        out.limb_mut(l)
            .iter_mut()
            .zip(values)
            .for_each(|(x, v)| *x = v.rem_euclid(q) as u64);
    }
    out
}

/// The representatives in [-D/2, D/2) of the residues in the limbs `digit`, by Garner's mixed radix.
fn decode(ring: &Ring, a: &RnsPoly, digit: std::ops::Range<usize>) -> Vec<i128> {
    let product: i128 = digit
        .clone()
        .map(|l| i128::from(ring.q(l).value()))
        .product();
    (0..ring.degree())
        .map(|i| {
            let (mut value, mut radix) = (0i128, 1i128);
            for l in digit.clone() {
                let q = ring.q(l);
                let modulus = i128::from(q.value());
                let have = value.rem_euclid(modulus) as u64;
                let t = q.mul(
                    q.sub(a.limb(l)[i], have),
                    q.inv(radix.rem_euclid(modulus) as u64),
                );
                value += radix * i128::from(t);
                radix *= modulus;
            }
            if value >= product / 2 {
                value - product
            } else {
                value
            }
        })
        .collect()
}

/// floor(v / d + 1/2).
fn round_div(v: i128, d: i128) -> i128 {
    (2 * v + d).div_euclid(2 * d)
}

#[test]
fn mod_up_is_the_centred_representative() {
    for ring in rings() {
        let all = PrimeSet { q: 4, p: 0 };
        for digit in [0..1, 1..2, 0..2, 1..3, 1..4] {
            let a = random(&ring, all, Form::Coefficient, digit.end as u64);
            let expected = decode(&ring, &a, digit.clone());
            let mut values = a.clone();
            ring.ntt(&mut values);
            for target in [
                ring.full_set(),
                PrimeSet { q: 3, p: 2 },
                PrimeSet { q: 4, p: 1 },
            ] {
                let mut wanted = encode(&ring, &expected, target);
                ring.ntt(&mut wanted);
                let what = format!("{} {digit:?} {target:?}", ring.backend().name());
                assert_eq!(ring.mod_up(&a, digit.clone(), target), wanted, "{what}");
                assert_eq!(
                    ring.mod_up_from(&a, Some(&values), digit.clone(), target),
                    wanted,
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn mod_up_keeps_small_numbers_and_the_borders() {
    for ring in rings() {
        let d: i128 = (1..3).map(|l| i128::from(ring.q(l).value())).product();
        // Next to the border only congruence and size are promised.
        let values = [
            0,
            1,
            -1,
            1000,
            -1000,
            d / 2 - (d >> 40),
            -d / 2 + (d >> 40),
            d / 2,
            d / 2 + 1,
        ];
        let a = encode(&ring, &values, PrimeSet { q: 3, p: 0 });
        let mut up = ring.mod_up(&a, 1..3, ring.full_set());
        ring.intt(&mut up);
        let exact = encode(&ring, &values, ring.full_set());
        let other: Vec<i128> = values.iter().map(|v| v - v.signum() * d).collect();
        let other = encode(&ring, &other, ring.full_set());
        for l in 0..ring.full_set().len() {
            for i in 0..values.len() {
                let found = up.limb(l)[i];
                assert!(
                    found == exact.limb(l)[i] || i >= 7 && found == other.limb(l)[i],
                    "{} value {i} limb {l}",
                    ring.backend().name()
                );
            }
        }
    }
}

#[test]
fn mod_down_rounds_to_nearest() {
    for ring in rings() {
        for p in [1, 2] {
            let divisor: i128 = (0..p).map(|j| i128::from(ring.p(j).value())).product();
            let mut values = integers(ring.degree(), 118, p as u64);
            values[..8].copy_from_slice(&[
                0,
                1,
                -1,
                divisor,
                -divisor,
                7 * divisor + 1,
                divisor / 2 - (divisor >> 40),
                -divisor / 2 + (divisor >> 40),
            ]);
            let mut a = encode(&ring, &values, PrimeSet { q: 4, p });
            ring.ntt(&mut a);
            let mut quotient = ring.mod_down(a);
            ring.intt(&mut quotient);
            assert_eq!(quotient.set(), PrimeSet { q: 4, p: 0 });
            let expected: Vec<i128> = values.iter().map(|&v| round_div(v, divisor)).collect();
            assert_eq!(
                quotient,
                encode(&ring, &expected, quotient.set()),
                "{} p={p}",
                ring.backend().name()
            );
        }
    }
}

#[test]
fn rescale_rounds_to_nearest() {
    for ring in rings() {
        for q in [2, 3, 4] {
            let divisor = i128::from(ring.q(q - 1).value());
            let mut values = integers(ring.degree(), 110, q as u64);
            values[..6].copy_from_slice(&[0, 1, -1, divisor / 2, -divisor / 2, -5 * divisor]);
            let mut a = encode(&ring, &values, PrimeSet { q, p: 0 });
            ring.ntt(&mut a);
            let mut quotient = ring.rescale(a);
            ring.intt(&mut quotient);
            let expected: Vec<i128> = values.iter().map(|&v| round_div(v, divisor)).collect();
            assert_eq!(
                quotient,
                encode(&ring, &expected, PrimeSet { q: q - 1, p: 0 }),
                "{} q={q}",
                ring.backend().name()
            );
        }
    }
}

#[test]
fn long_conversions_agree_on_all_backends() {
    let primes = ntt_primes(13, 50, 9, &[]).unwrap();
    let set = PrimeSet { q: 6, p: 3 };
    let mut results = available_backends().into_iter().map(|b| {
        let ring = Ring::with_backend(13, &primes[..6], &primes[6..], b).unwrap();
        let mut down = ring.mod_down(random(&ring, set, Form::Ntt, 1));
        ring.intt(&mut down);
        ring.rescale(ring.drop_limbs(&ring.mod_up(&down, 3..6, set), 6))
    });
    let first = results.next().unwrap();
    for other in results {
        assert!(other == first);
    }
}
