//! Sums over neighbouring columns.

use confide_tensor::{Evaluator, TensorError};

/// `sum_(m < count) rotate(ct, m stride)`, with `log2 count` rotations and one for each further bit of `count`.
pub(super) fn window<E: Evaluator>(
    ev: &E,
    ct: E::Ct,
    stride: i64,
    count: usize,
) -> Result<E::Ct, TensorError> {
    // `power` is the sum of `size` terms, `sum` that of the low bits of `count`.
    let (mut power, mut size) = (ct, 1usize);
    let (mut sum, mut summed): (Option<E::Ct>, usize) = (None, 0);
    loop {
        if count & size != 0 {
            sum = Some(match sum {
                None => power.clone(),
                Some(sum) => ev.add(&sum, &ev.rotate(&power, stride * summed as i64)?)?,
            });
            summed += size;
        }
        if summed >= count {
            break;
        }
        power = ev.add(&power, &ev.rotate(&power, stride * size as i64)?)?;
        size *= 2;
    }
    Ok(sum.unwrap_or(power))
}

#[cfg(test)]
mod tests {
    use confide_tensor::{ClearEvaluator, Op, PlanEvaluator};
    use num_complex::Complex64;

    use super::*;

    #[test]
    fn windows_of_any_length_are_summed() {
        let ev = ClearEvaluator::new(6, 0);
        let values: Vec<Complex64> = (0..32)
            .map(|i| Complex64::new(f64::from(i * i), 1.0))
            .collect();
        for (stride, count) in [(1, 1), (3, 2), (-3, 5), (2, 12), (-1, 32), (5, 7)] {
            let ct = ev.encrypt(&values, 0).expect("fits");
            let found = window(&ev, ct, stride, count).expect("clear");
            for (slot, found) in found.values().iter().enumerate() {
                let expected: Complex64 = (0..count as i64)
                    .map(|m| values[(slot as i64 + m * stride).rem_euclid(32) as usize])
                    .sum();
                assert!((found - expected).norm() < 1e-9, "{stride} {count} {slot}");
            }
        }
    }

    #[test]
    fn rotations_are_few() {
        for (count, rotations) in [(1, 0), (2, 1), (8, 3), (12, 4), (7, 4)] {
            let ev = PlanEvaluator::new(6, 0);
            let ct = ev.fresh(0).expect("level 0");
            window(&ev, ct, 1, count).expect("plan");
            assert_eq!(ev.report().count(Op::KeySwitch), rotations, "{count}");
        }
    }
}
