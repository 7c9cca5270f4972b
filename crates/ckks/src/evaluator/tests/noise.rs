//! Measured noise against its estimates.
//!
//! The standard deviation of `n` independent samples of one distribution lies within
//! `z / sqrt(2 n)` (relative) of the true one with the confidence of `z` standard normal deviations.
//! Noise terms that share a key or a secret vary more: each such factor of `N` (or `N` times the
//! number of digits) coefficients adds its own `1 / sqrt(2 N)`. The tests allow z = 5 on both:
//! a false alarm in less than one run of a million, were the seeds not fixed.

use num_complex::Complex64;

use super::{Fixture, ramp, rms};
use crate::ciphertext::Ciphertext;
use crate::encrypt::PublicEncryptor;
use crate::noise::{NoiseEstimate, NoiseModel};
use confide_ring::sampling::Prng;

const DEVIATIONS: f64 = 5.0;

struct Measured<'a> {
    f: &'a Fixture,
    model: NoiseModel,
}

impl<'a> Measured<'a> {
    fn new(f: &'a Fixture) -> Self {
        Self {
            f,
            model: NoiseModel::new(&f.params),
        }
    }

    /// Compares the slot errors of `ct` with the estimate, in both average and bound.
    #[track_caller]
    fn check(&self, ct: &Ciphertext, expected: &[Complex64], estimate: NoiseEstimate) {
        let errors: Vec<Complex64> = self
            .f
            .decrypt(ct)
            .iter()
            .zip(expected)
            .map(|(x, y)| x - y)
            .collect();
        let n = self.f.params.degree() as f64;
        // N real samples in N/2 complex slots; the same again for the fixed secret and key errors.
        let allowed = 2.0 * DEVIATIONS / (2.0 * n).sqrt();
        let ratio = rms(&errors) / estimate.std_slot();
        assert!(
            (ratio - 1.0).abs() < allowed,
            "measured / predicted = {ratio:.4}, allowed 1 +- {allowed:.4}"
        );
        assert!((ct.scale() / estimate.scale - 1.0).abs() < 1e-12);
        let largest = errors.iter().map(|e| e.norm()).fold(0.0, f64::max);
        let bound = estimate.slot_bound(1e-9);
        assert!(
            largest < bound,
            "largest error {largest:e}, bound {bound:e}"
        );
        assert!(
            largest > bound / 15.0,
            "the bound {bound:e} says nothing of {largest:e}"
        );
    }
}

fn all_operations(f: &Fixture) {
    let m = Measured::new(f);
    let (top, slots) = (f.params.max_level(), f.params.slots());
    let (scale, q) = (f.params.scale_at(top), f.params.q(top) as f64);
    let (a, b) = (ramp(slots, 0), ramp(slots, 1));
    let (rms_a, rms_b) = (rms(&a), rms(&b));
    let keys = f.keys(&[1], top);
    let (ca, cb) = (f.encrypt(&a, top), f.encrypt(&b, top));
    let fresh = m.model.fresh_secret(scale);
    let of = |g: &dyn Fn(usize) -> Complex64| (0..slots).map(g).collect::<Vec<_>>();

    m.check(&ca, &a, fresh);
    let public = f.generator.public_key().unwrap();
    let plain = f.encoder.encode(&a, top, scale).unwrap();
    let mut rng = Prng::from_seed([7; 32], 0);
    let ct = PublicEncryptor::new(&f.params)
        .encrypt(&public, &plain, &mut rng)
        .unwrap();
    m.check(&ct, &a, m.model.fresh_public(scale));

    let sum = f.evaluator.add(&ca, &cb).unwrap();
    m.check(&sum, &of(&|s| a[s] + b[s]), m.model.add(&fresh, &fresh));
    let tripled = f.evaluator.mul_integer(&ca, 3).unwrap();
    m.check(
        &tripled,
        &of(&|s| a[s] * 3.0),
        m.model.mul_integer(&fresh, 3),
    );

    // A constant of few bits, so that its rounding dominates; one of many, so that the noise does.
    for (constant, scalar_scale) in [(0.3, 1024.0), (0.3, q)] {
        let ct = f.evaluator.mul_scalar(&ca, constant, scalar_scale).unwrap();
        let estimate = m.model.mul_scalar(&fresh, rms_a, constant, scalar_scale);
        m.check(&ct, &of(&|s| a[s] * constant), estimate);
    }

    let encoded = m.model.encoded(scale);
    let plain_b = f.encoder.encode(&b, top, scale).unwrap();
    let ct = f.evaluator.mul_plain(&ca, &plain_b).unwrap();
    let plain_product = m.model.mul(&fresh, rms_a, &encoded, rms_b);
    m.check(&ct, &of(&|s| a[s] * b[s]), plain_product);
    let rescaled = m.model.rescale(&plain_product, top);
    m.check(
        &f.evaluator.rescale(&ct).unwrap(),
        &of(&|s| a[s] * b[s]),
        rescaled,
    );

    let product = f.evaluator.mul(&ca, &cb).unwrap();
    m.check(
        &product,
        &of(&|s| a[s] * b[s]),
        m.model.mul(&fresh, rms_a, &fresh, rms_b),
    );
    let full = f.evaluator.mul_relin_rescale(&ca, &cb, &keys).unwrap();
    let estimate = m.model.mul_relin_rescale(&fresh, rms_a, &fresh, rms_b, top);
    m.check(&full, &of(&|s| a[s] * b[s]), estimate);

    // With full digits, and at a level where the last digit is short.
    for level in [top, top - 1] {
        let ct = f
            .evaluator
            .rotate(&f.evaluator.drop_level(&ca, level).unwrap(), 1, &keys)
            .unwrap();
        m.check(
            &ct,
            &of(&|s| a[(s + 1) % slots]),
            m.model.key_switch(&fresh, level),
        );
    }
}

#[test]
fn estimates_hold_at_a_small_ring() {
    all_operations(&Fixture::new(10, 5, 2, 11));
}

#[test]
fn estimates_hold_at_2_to_the_13() {
    all_operations(&Fixture::new(13, 3, 1, 12));
}

#[test]
fn key_switching_noise_dominated_by_the_digits_is_predicted() {
    // Digits as large as P: their noise exceeds that of the rounding, unlike with the fixture's.
    let f = Fixture::with_special(12, 3, 1, 13, 49, vec![50]);
    let m = Measured::new(&f);
    let a = ramp(f.params.slots(), 0);
    let level = 3;
    let scale = f.params.scale_at(level);
    let fresh = m.model.fresh_secret(scale);
    let rounding_only = (1.0 + 2.0 / 3.0 * f.params.degree() as f64) / 12.0;
    assert!(m.model.key_switch_variance(level) > 3.0 * rounding_only);
    let ct = f
        .evaluator
        .rotate(&f.encrypt(&a, level), 1, &f.keys(&[1], level))
        .unwrap();
    let expected: Vec<_> = (0..a.len()).map(|s| a[(s + 1) % a.len()]).collect();
    m.check(&ct, &expected, m.model.key_switch(&fresh, level));
}

#[test]
fn a_deep_chain_keeps_the_predicted_precision() {
    let f = Fixture::new(10, 8, 3, 14);
    let m = Measured::new(&f);
    let keys = f.keys(&[], 8);
    let mut clear = ramp(f.params.slots(), 0);
    // Unit modulus: the message neither dies out nor grows.
    clear.iter_mut().for_each(|x| *x /= x.norm());
    let mut ct = f.encrypt(&clear, 8);
    let mut estimate = m.model.fresh_secret(ct.scale());
    for level in (1..=8).rev() {
        ct = f.evaluator.mul_relin_rescale(&ct, &ct, &keys).unwrap();
        // A square: the error 2 m e has twice the root mean square of one term, not sqrt 2 times.
        let product = m.model.mul(
            &estimate,
            std::f64::consts::SQRT_2,
            &estimate,
            std::f64::consts::SQRT_2,
        );
        estimate = m.model.rescale(&m.model.key_switch(&product, level), level);
        clear.iter_mut().for_each(|x| *x *= *x);
        m.check(&ct, &clear, estimate);
    }
}
