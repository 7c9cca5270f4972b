use num_complex::Complex64;

use super::{Fixture, ramp};
use crate::ciphertext::Ciphertext;

const FRESH: f64 = 1e-8;

/// Two ciphertexts of the vectors `ramp(0)` and `ramp(1)`.
fn pair(
    f: &Fixture,
    level_a: usize,
    level_b: usize,
) -> (Vec<Complex64>, Vec<Complex64>, Ciphertext, Ciphertext) {
    let (a, b) = (ramp(f.params.slots(), 0), ramp(f.params.slots(), 1));
    // One scale for both levels, so that sums of different levels are defined.
    let scale = f.params.scale_at(level_a);
    let (ca, cb) = (
        f.encrypt_at(&a, level_a, scale),
        f.encrypt_at(&b, level_b, scale),
    );
    (a, b, ca, cb)
}

#[test]
fn sums_and_differences_at_every_level() {
    let f = Fixture::small();
    for (level_a, level_b) in [(6, 6), (3, 3), (0, 0), (5, 2), (1, 4)] {
        let (a, b, ca, cb) = pair(&f, level_a, level_b);
        let level = level_a.min(level_b);
        let sum = f.evaluator.add(&ca, &cb).unwrap();
        f.assert_slots(&sum, |s| a[s] + b[s], FRESH);
        let difference = f.evaluator.sub(&ca, &cb).unwrap();
        f.assert_slots(&difference, |s| a[s] - b[s], FRESH);
        assert_eq!((sum.level(), difference.level()), (level, level));
        assert_eq!((sum.scale(), difference.scale()), (ca.scale(), ca.scale()));
        let mut in_place = ca.clone();
        f.evaluator.add_assign(&mut in_place, &cb).unwrap();
        assert_eq!(in_place, sum);
        f.evaluator.sub_assign(&mut in_place, &cb).unwrap();
        f.assert_slots(&in_place, |s| a[s], FRESH);
        f.assert_slots(&f.evaluator.neg(&ca).unwrap(), |s| -a[s], FRESH);
    }
}

#[test]
fn sums_of_two_and_three_parts() {
    let f = Fixture::small();
    let (a, b, ca, cb) = pair(&f, 4, 4);
    let product = f.evaluator.mul(&ca, &cb).unwrap();
    let wide = f.encrypt_at(&a, 4, product.scale());
    for (left, right, sign) in [(&product, &wide, 1.0), (&wide, &product, -1.0)] {
        let sum = f.evaluator.add(left, right).unwrap();
        assert_eq!(sum.parts().len(), 3);
        f.assert_slots(&sum, |s| a[s] * b[s] + a[s], FRESH);
        let difference = f.evaluator.sub(left, right).unwrap();
        f.assert_slots(&difference, |s| (a[s] * b[s] - a[s]) * sign, FRESH);
    }
}

#[test]
fn plaintext_operands() {
    let f = Fixture::small();
    for (level, plain_level) in [(6, 6), (4, 2), (2, 5), (1, 1)] {
        let (a, b, ca, _) = pair(&f, level, level);
        let plain = f.encoder.encode(&b, plain_level, ca.scale()).unwrap();
        let low = level.min(plain_level);
        let sum = f.evaluator.add_plain(&ca, &plain).unwrap();
        f.assert_slots(&sum, |s| a[s] + b[s], FRESH);
        let difference = f.evaluator.sub_plain(&ca, &plain).unwrap();
        f.assert_slots(&difference, |s| a[s] - b[s], FRESH);
        let mut product = f.evaluator.mul_plain(&ca, &plain).unwrap();
        assert_eq!(
            (sum.level(), difference.level(), product.level()),
            (low, low, low)
        );
        assert_eq!(product.scale(), ca.scale() * plain.scale());
        f.assert_slots(&product, |s| a[s] * b[s], FRESH);
        f.evaluator
            .mul_plain_add_assign(&mut product, &ca, &plain)
            .unwrap();
        f.assert_slots(&product, |s| 2.0 * a[s] * b[s], FRESH);
        let rescaled = f.evaluator.rescale(&product).unwrap();
        assert_eq!(rescaled.level(), low - 1);
        assert_eq!(rescaled.scale(), product.scale() / f.params.q(low) as f64);
        f.assert_slots(&rescaled, |s| 2.0 * a[s] * b[s], FRESH);
    }
}

#[test]
fn constants_are_added_to_every_slot() {
    let f = Fixture::small();
    let a = ramp(f.params.slots(), 0);
    for level in [0, 3, 6] {
        let ct = f.encrypt(&a, level);
        for c in [
            Complex64::new(1.5, 0.0),
            Complex64::new(0.0, -0.25),
            Complex64::new(-2.0, 0.125),
        ] {
            let sum = f.evaluator.add_scalar(&ct, c).unwrap();
            f.assert_slots(&sum, |s| a[s] + c, FRESH);
            assert_eq!((sum.level(), sum.scale()), (ct.level(), ct.scale()));
        }
    }
}

#[test]
fn constants_are_multiplied_into_every_slot() {
    let f = Fixture::small();
    let a = ramp(f.params.slots(), 0);
    for level in [1, 4] {
        let ct = f.encrypt(&a, level);
        for c in [0.7, -1.25, 1e-3] {
            let scaled = f
                .evaluator
                .mul_scalar(&ct, c, f.params.q(level) as f64)
                .unwrap();
            assert_eq!(scaled.scale(), ct.scale() * f.params.q(level) as f64);
            f.assert_slots(&scaled, |s| a[s] * c, FRESH);
            let canonical = f.evaluator.mul_scalar_rescale(&ct, c).unwrap();
            assert_eq!(
                (canonical.level(), canonical.scale()),
                (level - 1, f.params.scale_at(level - 1))
            );
            f.assert_slots(&canonical, |s| a[s] * c, FRESH);
        }
        let tripled = f.evaluator.mul_integer(&ct, -3).unwrap();
        assert_eq!((tripled.level(), tripled.scale()), (level, ct.scale()));
        f.assert_slots(&tripled, |s| a[s] * -3.0, FRESH);
    }
}

#[test]
fn monomials_turn_each_slot_by_its_root() {
    let f = Fixture::small();
    let (a, n) = (ramp(f.params.slots(), 0), f.params.degree());
    let ct = f.encrypt(&a, 3);
    for k in [0, 1, 7, n / 2, n, 2 * n - 1, 2 * n + 3] {
        let turned = f.evaluator.mul_monomial(&ct, k).unwrap();
        let root = |s: usize| {
            let power = (0..s).fold(1, |p, _| p * 5 % (2 * n));
            Complex64::from_polar(
                1.0,
                std::f64::consts::PI * (k * power % (2 * n)) as f64 / n as f64,
            )
        };
        f.assert_slots(&turned, |s| a[s] * root(s), FRESH);
    }
    let turned = f.evaluator.mul_monomial(&ct, n / 2).unwrap();
    f.assert_slots(&turned, |s| a[s] * Complex64::i(), FRESH);
}

#[test]
fn levels_drop_and_scales_are_set_exactly() {
    let f = Fixture::small();
    let a = ramp(f.params.slots(), 0);
    let ct = f.encrypt(&a, 6);
    for level in 0..=6 {
        let dropped = f.evaluator.drop_level(&ct, level).unwrap();
        assert_eq!((dropped.level(), dropped.scale()), (level, ct.scale()));
        f.assert_slots(&dropped, |s| a[s], FRESH);
    }
    for level in [5, 2, 0] {
        let wanted = f.params.scale_at(level) * 1.01;
        let set = f.evaluator.set_scale(&ct, level, wanted).unwrap();
        assert_eq!((set.level(), set.scale()), (level, wanted));
        f.assert_slots(&set, |s| a[s], FRESH);
    }
}
