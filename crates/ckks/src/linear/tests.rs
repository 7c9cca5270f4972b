use std::collections::BTreeMap;

use num_complex::Complex64;

use super::LinearTransform;
use crate::error::CkksError;
use crate::evaluator::tests::{Fixture, ramp};

#[test]
fn matrices_multiply_periodic_vectors() {
    let f = Fixture::new(7, 3, 2, 9);
    let slots = f.params.slots();
    for (size, level) in [(1, 3), (4, 1), (16, 2), (slots, 3)] {
        let rows: Vec<Vec<Complex64>> = (0..size).map(|r| ramp(size, r as u32)).collect();
        let transform = LinearTransform::from_matrix(&f.params, &f.encoder, &rows, level).unwrap();
        let keys = f.keys(&transform.rotations(), level);
        let vector = ramp(size, 3);
        let periodic: Vec<_> = (0..slots).map(|s| vector[s % size]).collect();
        let ct = f.encrypt(&periodic, level);
        let out = f.evaluator.transform(&ct, &transform, &keys).unwrap();
        assert_eq!(
            (out.level(), out.scale()),
            (level - 1, f.params.scale_at(level - 1))
        );
        let row = |s: usize| rows[s % size].iter().zip(&vector).map(|(m, x)| m * x).sum();
        f.assert_slots(&out, row, 1e-7);
        let (baby, giant) = transform.steps();
        assert!(
            baby * giant >= size && baby + giant <= 4 * (size as f64).sqrt() as usize,
            "{baby} + {giant}"
        );
    }
}

#[test]
fn sparse_diagonals_need_few_rotations() {
    let f = Fixture::new(8, 2, 1, 9);
    let slots = f.params.slots();
    let indices = [0, 1, slots / 2, slots - 1];
    let diagonals: BTreeMap<usize, Vec<Complex64>> = indices
        .iter()
        .map(|&k| (k, ramp(slots, k as u32)))
        .collect();
    let transform = LinearTransform::from_diagonals(&f.params, &f.encoder, &diagonals, 2).unwrap();
    assert!(
        transform.rotations().len() <= 3,
        "{:?}",
        transform.rotations()
    );
    // Keys of a higher level than the transform, and an input above its level.
    let keys = f.keys(&transform.rotations(), 2);
    let input = ramp(slots, 7);
    let out = f
        .evaluator
        .transform(&f.encrypt(&input, 2), &transform, &keys)
        .unwrap();
    f.assert_slots(
        &out,
        |s| {
            diagonals
                .iter()
                .map(|(k, d)| d[s] * input[(s + k) % slots])
                .sum()
        },
        1e-7,
    );
    let low = LinearTransform::from_diagonals(&f.params, &f.encoder, &diagonals, 1).unwrap();
    let ct = f.encrypt_at(&input, 2, f.params.scale_at(1));
    let out = f.evaluator.transform(&ct, &low, &keys).unwrap();
    assert_eq!((out.level(), out.scale()), (0, f.params.scale_at(0)));
    f.assert_slots(
        &out,
        |s| {
            diagonals
                .iter()
                .map(|(k, d)| d[s] * input[(s + k) % slots])
                .sum()
        },
        1e-7,
    );
}

/// Coefficients of more than 62 bits take another way through the encoder.
#[test]
fn large_entries_fit_the_special_primes_too() {
    let f = Fixture::new(6, 3, 2, 9);
    let slots = f.params.slots();
    let big = 30_f64.exp2();
    let diagonals = [0, 1, 9].map(|k| (k, vec![Complex64::new(big, -big); slots]));
    let transform =
        LinearTransform::from_diagonals(&f.params, &f.encoder, &diagonals.into(), 3).unwrap();
    let keys = f.keys(&transform.rotations(), 3);
    let input = ramp(slots, 1);
    let out = f
        .evaluator
        .transform(&f.encrypt(&input, 3), &transform, &keys)
        .unwrap();
    let sum = |s: usize| -> Complex64 { [0, 1, 9].map(|k| input[(s + k) % slots]).iter().sum() };
    f.assert_slots(&out, |s| sum(s) * Complex64::new(big, -big), big * 1e-6);
}

#[test]
fn misuse_is_refused() {
    let f = Fixture::new(6, 2, 1, 9);
    let slots = f.params.slots();
    let of = |entries: Vec<(usize, Vec<Complex64>)>, level| {
        LinearTransform::from_diagonals(
            &f.params,
            &f.encoder,
            &entries.into_iter().collect(),
            level,
        )
        .map(|_| ())
    };
    assert!(matches!(
        of(vec![], 1),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        of(vec![(slots, ramp(slots, 0))], 1),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        of(vec![(0, ramp(slots - 1, 0))], 1),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        of(vec![(0, ramp(slots, 0))], 0),
        Err(CkksError::LevelTooLow { .. })
    ));
    assert!(matches!(
        of(vec![(0, ramp(slots, 0))], 3),
        Err(CkksError::LevelTooHigh { .. })
    ));
    for rows in [
        vec![],
        vec![ramp(3, 0); 3],
        vec![ramp(4, 0), ramp(3, 0)],
        vec![vec![Complex64::default(); 2]; 2],
    ] {
        let result = LinearTransform::from_matrix(&f.params, &f.encoder, &rows, 1).map(|_| ());
        assert!(
            matches!(result, Err(CkksError::InvalidArgument { .. })),
            "{result:?}"
        );
    }
    let transform =
        LinearTransform::from_matrix(&f.params, &f.encoder, &vec![ramp(4, 0); 4], 2).unwrap();
    let result = f
        .evaluator
        .transform(&f.encrypt(&[], 1), &transform, &f.keys(&[], 2));
    assert!(matches!(
        result,
        Err(CkksError::LevelTooLow {
            needed: 2,
            available: 1,
            ..
        })
    ));
    let result = f
        .evaluator
        .transform(&f.encrypt(&[], 2), &transform, &f.keys(&[], 2));
    assert!(matches!(result, Err(CkksError::MissingKey { .. })));
    let keys = f.keys(&transform.rotations(), 2);
    let square = f.evaluator.square(&f.encrypt(&[], 2)).unwrap();
    let result = f.evaluator.transform(&square, &transform, &keys);
    assert!(matches!(result, Err(CkksError::PartCount { .. })));
    // A transform of another ring.
    let other = Fixture::new(7, 2, 1, 9);
    let result = other
        .evaluator
        .transform(&other.encrypt(&[], 2), &transform, &keys);
    assert!(matches!(result, Err(CkksError::ShapeMismatch { .. })));
}
