//! How likely it is that a bootstrap fails.
//!
//! `docs/maths/bootstrapping.md` derives both bounds.

/// log2 of a bound on the probability that among `count` coefficients of a ciphertext that was raised from modulo
/// `q_0` under a sparse secret of weight `weight` one is `m + q_0 I` with `|I| >= interval`.
///
/// `I` is the rounded sum of `weight` independent numbers, uniform in `[-1/2, 1/2]` up to sign: the secret's
/// coefficients times those of the ciphertext over `q_0`. The first bound is the volume of the corner of the cube that
/// such a sum leaves, `2 t^h / h!` with `t = h/2 - K + 1/2`; the second is Chernoff's. The smaller one holds.
///
/// Bossuat, Troncoso-Pastoriza and Hubaux, "Bootstrapping for approximate homomorphic encryption with negligible
/// failure-probability by using sparse-secret encapsulation", ACNS 2022, section 3.
pub fn log2_failure(weight: u32, interval: u32, count: usize) -> f64 {
    let terms = f64::from(weight);
    let bound = f64::from(interval) - 0.5;
    let corner = terms / 2.0 - bound;
    if corner < 0.0 {
        return f64::NEG_INFINITY;
    }
    let log2_factorial: f64 = (2..=weight).map(|k| f64::from(k).log2()).sum();
    let volume = terms * corner.log2() - log2_factorial;
    let either_side = 1.0 + (count as f64).log2();
    (volume.min(chernoff(terms, bound)) + either_side).min(0.0)
}

/// log2 of the least `exp(-x bound) (sinh(x/2) / (x/2))^terms` over a grid of `x`.
fn chernoff(terms: f64, bound: f64) -> f64 {
    let exponent = |x: f64| {
        let half = x / 2.0;
        terms * (half.sinh() / half).ln() - x * bound
    };
    let least = (1..=4000).map(|step| exponent(f64::from(step) / 50.0));
    least.fold(0.0, f64::min) / std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exactly the distribution of the sum, by convolution on a grid, against the bounds.
    #[test]
    fn both_bounds_hold_and_one_of_them_is_close() {
        const GRID: usize = 64;
        for (weight, interval) in [(4, 2), (8, 3), (16, 5), (32, 6), (32, 8), (8, 4)] {
            // Midpoints of cells: the sum of `weight` cells is off by a fraction of a cell's width.
            let mut density = vec![1.0];
            for _ in 0..weight {
                let mut next = vec![0.0; density.len() + GRID - 1];
                for (i, &mass) in density.iter().enumerate() {
                    for cell in &mut next[i..i + GRID] {
                        *cell += mass / GRID as f64;
                    }
                }
                density = next;
            }
            let centre = (density.len() - 1) as f64 / 2.0;
            let limit = f64::from(interval) - 0.5;
            let outside = |slack: f64| -> f64 {
                let far = |i: usize| (i as f64 - centre).abs() / GRID as f64 + slack > limit;
                let tail = density.iter().enumerate().filter(|(i, _)| far(*i));
                tail.map(|(_, mass)| mass).sum::<f64>().log2()
            };
            let bound = log2_failure(weight, interval, 1);
            // From below, a cell's width inside.
            assert!(
                outside(-0.05) <= bound,
                "{weight} {interval}: {} {bound}",
                outside(-0.05)
            );
            assert!(
                bound - outside(0.05) < 8.0,
                "{weight} {interval}: {} {bound}",
                outside(0.05)
            );
        }
    }

    #[test]
    fn the_presets_interval_fails_less_often_than_two_to_the_minus_128() {
        let bits = log2_failure(32, 16, 1 << 16);
        assert!((-132.8..-132.6).contains(&bits), "{bits}");
        assert!(log2_failure(32, 15, 1 << 16) > -128.0);
        // A sum of 32 halves cannot reach 16.5.
        assert_eq!(log2_failure(32, 17, 1 << 16), f64::NEG_INFINITY);
        assert_eq!(log2_failure(32, 1, 1 << 16), 0.0);
    }
}
