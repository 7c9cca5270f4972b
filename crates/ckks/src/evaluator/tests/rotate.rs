use num_complex::Complex64;

use super::{Fixture, ramp};
use crate::evaluator::Evaluator;
use crate::keys::KeyKind;

const WITHIN: f64 = 1e-7;

#[test]
fn rotations_move_slots_at_every_level() {
    let f = Fixture::small();
    let slots = f.params.slots();
    let a = ramp(slots, 0);
    let shifts = [0, 1, -1, 7, 100, slots as i64 / 2];
    let keys = f.keys(&shifts, 6);
    for level in 0..=6 {
        let ct = f.encrypt(&a, level);
        for k in shifts {
            let rotated = f.evaluator.rotate(&ct, k, &keys).unwrap();
            assert_eq!((rotated.level(), rotated.scale()), (ct.level(), ct.scale()));
            f.assert_slots(
                &rotated,
                |s| a[(s as i64 + k).rem_euclid(slots as i64) as usize],
                WITHIN,
            );
        }
    }
    // A whole turn needs no key.
    let ct = f.encrypt(&a, 2);
    assert_eq!(f.evaluator.rotate(&ct, slots as i64, &keys).unwrap(), ct);
}

#[test]
fn hoisted_rotations_equal_single_ones_to_the_bit() {
    let f = Fixture::small();
    let a = ramp(f.params.slots(), 0);
    let shifts = [3, 0, -5, 64, 3];
    let keys = f.keys(&shifts, 5);
    let ct = f.encrypt(&a, 4);
    let hoisted = f.evaluator.rotate_hoisted(&ct, &shifts, &keys).unwrap();
    assert_eq!(hoisted.len(), shifts.len());
    for (k, rotated) in shifts.into_iter().zip(hoisted) {
        assert_eq!(rotated, f.evaluator.rotate(&ct, k, &keys).unwrap());
    }
    assert!(
        f.evaluator
            .rotate_hoisted(&ct, &[], &keys)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn conjugation_and_general_galois_elements() {
    let f = Fixture::small();
    let ring = f.params.ring();
    let a = ramp(f.params.slots(), 1);
    let conjugate = ring.galois_for_conjugation();
    let both = conjugate * ring.galois_for_rotation(2) % (2 * f.params.degree() as u64);
    let keys = f.keys_for([KeyKind::Galois(conjugate), KeyKind::Galois(both)], 6);
    for level in [0, 3, 6] {
        let ct = f.encrypt(&a, level);
        f.assert_slots(
            &f.evaluator.conjugate(&ct, &keys).unwrap(),
            |s| a[s].conj(),
            WITHIN,
        );
        let turned = f.evaluator.apply_galois(&ct, both, &keys).unwrap();
        f.assert_slots(&turned, |s| a[(s + 2) % a.len()].conj(), WITHIN);
    }
}

#[test]
fn sums_of_rotations_drop_to_the_lowest_level() {
    let f = Fixture::small();
    let slots = f.params.slots();
    let (a, b, c) = (ramp(slots, 0), ramp(slots, 1), ramp(slots, 2));
    let keys = f.keys(&[1, -9], 6);
    let scale = f.params.scale_at(6);
    let [ca, cb, cc] = [(&a, 5), (&b, 3), (&c, 6)].map(|(x, level)| f.encrypt_at(x, level, scale));
    let sum = f
        .evaluator
        .rotate_sum(&[(&ca, 1), (&cb, 0), (&cc, -9)], &keys)
        .unwrap();
    assert_eq!((sum.level(), sum.scale()), (3, scale));
    f.assert_slots(
        &sum,
        |s| a[(s + 1) % slots] + b[s] + c[(s + slots - 9) % slots],
        WITHIN,
    );
    // A larger scale, so that something is left after the rescale.
    let large = scale * f.params.q(3) as f64;
    let [ca, cb, cc] = [(&a, 5), (&b, 3), (&c, 6)].map(|(x, level)| f.encrypt_at(x, level, large));
    let terms = [(&ca, 1), (&cb, 0), (&cc, -9)];
    let rescaled = f.evaluator.rotate_sum_rescale(&terms, &keys).unwrap();
    assert_eq!((rescaled.level(), rescaled.scale()), (2, scale));
    let expected = |s: usize| a[(s + 1) % slots] + b[s] + c[(s + slots - 9) % slots];
    f.assert_slots(&rescaled, expected, WITHIN);
    let unrotated = f.evaluator.rotate_sum_rescale(&[(&cb, 0)], &keys).unwrap();
    assert_eq!(unrotated, f.evaluator.rescale(&cb).unwrap());
    let alone = f.evaluator.rotate_sum(&[(&cb, 0)], &keys).unwrap();
    assert_eq!(alone, cb);
}

#[test]
fn inner_sums_of_any_count_and_stride() {
    let f = Fixture::new(7, 2, 1, 3);
    let slots = f.params.slots();
    let a = ramp(slots, 0);
    let ct = f.encrypt(&a, 2);
    for (stride, count) in [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 7),
        (4, 16),
        (-1, 11),
        (3, 21),
        (1, slots),
    ] {
        let rotations = Evaluator::inner_sum_rotations(stride, count);
        assert!(rotations.len() <= 2 * count.ilog2() as usize);
        if count.is_power_of_two() {
            assert_eq!(rotations.len(), count.ilog2() as usize);
        }
        let keys = f.keys(&rotations, 2);
        let sum = f.evaluator.inner_sum(&ct, stride, count, &keys).unwrap();
        assert_eq!((sum.level(), sum.scale()), (ct.level(), ct.scale()));
        let expected = |s: usize| -> Complex64 {
            let slot = |i: usize| (s as i64 + i as i64 * stride).rem_euclid(slots as i64) as usize;
            (0..count).map(|i| a[slot(i)]).sum()
        };
        f.assert_slots(&sum, expected, 1e-6);
    }
}
