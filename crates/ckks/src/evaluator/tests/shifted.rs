use num_complex::Complex64;

use super::{Fixture, ramp};
use crate::error::CkksError;
use crate::evaluator::{Mask, PeriodicSums, Shift, WeightedSums};
use crate::keys::EvaluationKeys;

const LEVEL: usize = 4;
const BITS: i32 = 20;

#[test]
fn sums_are_of_rotated_and_masked_slots() {
    let f = Fixture::small();
    let slots = f.params.slots();
    let values: Vec<_> = (0..3).map(|i| ramp(slots, i)).collect();
    let inputs: Vec<_> = values.iter().map(|v| f.encrypt(v, LEVEL)).collect();
    let borrowed: Vec<_> = inputs.iter().collect();
    let keys = f.keys(&[3, -16], LEVEL + 1);
    let period: Vec<f64> = (0..16).map(|i| f64::from(u8::from(i % 3 != 0))).collect();
    // A mask of a higher level than the inputs.
    let mask = Mask::new(&f.encoder, &period, LEVEL + 1, f64::from(BITS).exp2()).unwrap();
    let scale = f.params.q(LEVEL) as f64 * f.params.scale_at(LEVEL - 1);
    let shift = |rotation, masked: bool| Shift {
        rotation,
        mask: masked.then_some(&mask),
    };
    let (rotated, plain) = (
        [shift(0, false), shift(3, true), shift(-16, false)],
        [shift(0, false), shift(0, true)],
    );
    let weights = vec![vec![0.5, -1.25, 2.0, 0.0], vec![1.0, 0.75, -0.5, 3.0]];
    for (shifts, sources) in [
        (&rotated[..], [(0, 0), (0, 1), (1, 2), (2, 1)]),
        (&plain[..], [(0, 0), (1, 1), (1, 0), (2, 1)]),
    ] {
        let (all, two) = ([0, 1, 2, 3], [3, 1]);
        let single = [vec![4.0, -1.0]];
        let sums = [
            WeightedSums {
                sources: &all,
                rows: &weights,
            },
            WeightedSums {
                sources: &two,
                rows: &single,
            },
        ];
        let source = |s: usize, slot: usize| -> Complex64 {
            let (input, shift) = (sources[s].0, &shifts[sources[s].1]);
            let from = (slot as i64 + shift.rotation).rem_euclid(slots as i64) as usize;
            let factor = if shift.mask.is_some() {
                period[slot % 16]
            } else {
                1.0
            };
            values[input][from] * factor
        };
        let run = |before| {
            let reads = (&borrowed[..], shifts, &sources[..]);
            f.evaluator.shifted_sums(before, reads, &sums, scale, &keys)
        };
        let once = run(None).unwrap();
        let twice = run(Some(once)).unwrap();
        assert_eq!(twice.len(), 3);
        let rows = [
            (&all[..], &weights[0]),
            (&all, &weights[1]),
            (&two, &single[0]),
        ];
        for (sum, (sources, row)) in twice.into_iter().zip(rows) {
            let ct = f.evaluator.finish_sum(sum).unwrap();
            assert_eq!(ct.level(), LEVEL - 1);
            assert!((ct.scale() / f.params.scale_at(LEVEL - 1) - 1.0).abs() < 1e-14);
            let expected = |slot| {
                let terms = sources.iter().zip(row);
                terms.map(|(&s, w)| source(s, slot) * w * 2.0).sum()
            };
            f.assert_slots(&ct, expected, 1e-4);
        }
    }
}

#[test]
fn periodic_weights_differ_from_slot_to_slot() {
    let f = Fixture::small();
    let slots = f.params.slots();
    let values: Vec<_> = (0..2).map(|i| ramp(slots, i)).collect();
    let inputs: Vec<_> = values.iter().map(|v| f.encrypt(v, LEVEL)).collect();
    let borrowed: Vec<_> = inputs.iter().collect();
    let keys = f.keys(&[5], LEVEL);
    let scale = f.params.q(LEVEL) as f64 * f.params.scale_at(LEVEL - 1);
    let shift = |rotation| Shift {
        rotation,
        mask: None,
    };
    let shifts = [shift(0), shift(5)];
    let sources = [(0, 0), (0, 1), (1, 1)];
    // A weight for each sum, source and slot of a period.
    let weight = |row: usize, source: usize, slot: usize| {
        (row + 1) as f64 * 0.25 - source as f64 + (slot % 3) as f64 * 0.5
    };
    for period in [4, 16, slots] {
        let fill = |row: usize, source: usize, out: &mut [f64]| {
            for (slot, out) in out.iter_mut().enumerate() {
                *out = weight(row, source, slot);
            }
        };
        let one = |sources, rows| PeriodicSums {
            sources,
            rows,
            period,
            weights: &fill,
        };
        let sums = [one(&[0, 1, 2], 5), one(&[2, 0], 1)];
        let reads = (&borrowed[..], &shifts[..], &sources[..]);
        let sums = f
            .evaluator
            .periodic_sums(reads, &sums, scale, &keys)
            .unwrap();
        assert_eq!(sums.len(), 6);
        for (i, sum) in sums.into_iter().enumerate() {
            let (row, own) = if i < 5 {
                (i, &[0, 1, 2][..])
            } else {
                (0, &[2, 0][..])
            };
            let ct = f.evaluator.finish_sum(sum).unwrap();
            let expected = |slot: usize| {
                let term = |(place, &s): (usize, &usize)| {
                    let (input, shift) = sources[s];
                    let from = (slot as i64 + shifts[shift].rotation) as usize % slots;
                    values[input][from] * weight(row, place, slot % period)
                };
                own.iter().enumerate().map(term).sum()
            };
            f.assert_slots(&ct, expected, 1e-4);
        }
    }
    let nothing = |_: usize, _: usize, _: &mut [f64]| ();
    let wild = |_: usize, _: usize, out: &mut [f64]| out[1] = f64::NAN;
    let run = |rows, period, weights: &(dyn Fn(usize, usize, &mut [f64]) + Sync)| {
        let sums = [PeriodicSums {
            sources: &[0, 1],
            rows,
            period,
            weights,
        }];
        let reads = (&borrowed[..], &shifts[..], &sources[..]);
        let sums = f.evaluator.periodic_sums(reads, &sums, scale, &keys);
        sums.map(|sums| sums.len())
    };
    assert!(matches!(
        run(1, 6, &nothing),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        run(0, 8, &nothing),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        run(1, 2 * slots, &nothing),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        run(1, 8, &wild),
        Err(CkksError::NotFinite { index: 1, .. })
    ));
}

#[test]
fn what_does_not_fit_is_refused() {
    let f = Fixture::small();
    let ct = f.encrypt(&ramp(f.params.slots(), 1), LEVEL);
    let lower = f.encrypt(&ramp(f.params.slots(), 1), LEVEL - 1);
    let scale = f.params.q(LEVEL) as f64 * f.params.scale_at(LEVEL - 1);
    let low = Mask::new(&f.encoder, &[1.0, 0.0], LEVEL - 1, 1e6).unwrap();
    let shift = |rotation, mask| [Shift { rotation, mask }];
    let none = EvaluationKeys::new();
    let run = |inputs: &[&_], shifts: &[Shift<'_>], sources: &[_], rows: &[Vec<f64>]| {
        let sums = [WeightedSums {
            sources: &[0],
            rows,
        }];
        let reads = (inputs, shifts, sources);
        let sums = f.evaluator.shifted_sums(None, reads, &sums, scale, &none);
        sums.map(|sums| sums.len())
    };
    let (still, one) = (shift(0, None), [vec![1.0]]);
    assert_eq!(run(&[&ct], &still, &[(0, 0)], &one), Ok(1));
    assert!(matches!(
        run(&[&ct], &shift(1, None), &[(0, 0)], &one),
        Err(CkksError::MissingKey { .. })
    ));
    assert!(matches!(
        run(&[&ct], &shift(0, Some(&low)), &[(0, 0)], &one),
        Err(CkksError::LevelTooLow { .. })
    ));
    assert!(matches!(
        run(&[&ct, &lower], &still, &[(0, 0)], &one),
        Err(CkksError::LevelTooLow { .. })
    ));
    for (inputs, sources, rows) in [
        (&[][..], [(0, 0)], &one[..]),
        (&[&ct], [(1, 0)], &one),
        (&[&ct], [(0, 1)], &one),
        (&[&ct], [(0, 0)], &[vec![1.0, 2.0]]),
    ] {
        assert!(matches!(
            run(inputs, &still, &sources, rows),
            Err(CkksError::InvalidArgument { .. })
        ));
    }
    assert!(matches!(
        run(&[&ct], &still, &[(0, 0)], &[vec![f64::MAX]]),
        Err(CkksError::Overflow { .. } | CkksError::NotFinite { .. })
    ));
    assert!(Mask::new(&f.encoder, &[1.0; 3], LEVEL, 1e6).is_err());
}
