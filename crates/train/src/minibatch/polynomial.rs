//! Polynomials of one vector at the least depth.

use confide_tensor::{Evaluator, TensorError};

/// Chebyshev's interpolation of `f` on `[-1, 1]` as coefficients of powers, for degree `2^depth - 1`.
pub(super) fn interpolate(depth: u32, f: impl Fn(f64) -> f64) -> Vec<f64> {
    let n = 1usize << depth;
    let node = |i: usize| (std::f64::consts::PI * (i as f64 + 0.5) / n as f64).cos();
    let values: Vec<f64> = (0..n).map(|i| f(node(i))).collect();
    // T_k in powers, by its recursion.
    let (mut before, mut now) = (vec![0.0; n], vec![0.0; n]);
    now[0] = 1.0;
    let mut sum = vec![0.0; n];
    for k in 0..n {
        let angle = |i: usize| std::f64::consts::PI * k as f64 * (i as f64 + 0.5) / n as f64;
        let inner: f64 = values
            .iter()
            .enumerate()
            .map(|(i, v)| v * angle(i).cos())
            .sum();
        let weight = inner * if k == 0 { 1.0 } else { 2.0 } / n as f64;
        for (s, t) in sum.iter_mut().zip(&now) {
            *s += weight * t;
        }
        // T_1 = x T_0, and later T_(k+1) = 2 x T_k - T_(k-1).
        let factor = if k == 0 { 1.0 } else { 2.0 };
        let mut next: Vec<f64> = before.iter().map(|b: &f64| -b).collect();
        for (i, t) in now.iter().enumerate().take(n - 1) {
            next[i + 1] += factor * t;
        }
        before = now;
        now = next;
    }
    sum
}

/// `sum_i coefficients[i] x^i` for `2^depth` coefficients; consumes `depth` levels (at least one).
pub(super) fn evaluate<E: Evaluator>(
    ev: &E,
    x: &E::Ct,
    coefficients: &[f64],
) -> Result<E::Ct, TensorError> {
    let depth = coefficients.len().next_power_of_two().ilog2().max(1);
    let mut powers = vec![x.clone()];
    for i in 1..depth as usize {
        powers.push(ev.mul(&powers[i - 1], &powers[i - 1])?);
    }
    part(ev, &powers, coefficients)
}

/// The part with these coefficients, whose number is at most `2^powers.len()`.
fn part<E: Evaluator>(
    ev: &E,
    powers: &[E::Ct],
    coefficients: &[f64],
) -> Result<E::Ct, TensorError> {
    let at = |i: usize| coefficients.get(i).copied().unwrap_or(0.0);
    let [lower @ .., power] = powers else {
        return Err(TensorError::TooFewOperands {
            op: "polynomial",
            needed: 1,
            available: 0,
        });
    };
    if lower.is_empty() {
        return ev.add_const(&ev.mul_const(power, at(1))?, at(0));
    }
    let half = (1usize << lower.len()).min(coefficients.len());
    let (low, high) = coefficients.split_at(half);
    let low = part(ev, lower, low)?;
    if high.is_empty() {
        return Ok(low);
    }
    ev.add(&ev.mul(&part(ev, lower, high)?, power)?, &low)
}

#[cfg(test)]
mod tests {
    use confide_tensor::ClearEvaluator;
    use num_complex::Complex64;

    use super::*;

    #[test]
    fn interpolation_and_evaluation_agree_with_the_function() {
        for (depth, error) in [(1, 0.5), (2, 0.02), (3, 2e-6), (4, 1e-12)] {
            let ev = ClearEvaluator::new(6, 5);
            let xs: Vec<f64> = (0..32).map(|i| f64::from(i) / 15.5 - 1.0).collect();
            let slots: Vec<_> = xs.iter().map(|&x| Complex64::new(x, 0.0)).collect();
            let ct = ev.encrypt(&slots, 5).expect("fits");
            let coefficients = interpolate(depth, f64::exp);
            let found = evaluate(&ev, &ct, &coefficients).expect("clear");
            assert_eq!(ev.level(&found), 5 - depth as usize);
            for (x, y) in xs.iter().zip(found.values()) {
                assert!((y.re - x.exp()).abs() < error, "{depth}: {x} {}", y.re);
            }
        }
    }
}
