//! The schedule of the optimiser, and the known factors that ciphertexts carry so that constants cost no level.

use serde::{Deserialize, Serialize};

use crate::error::{TrainError, shape};
use crate::layout::Layout;
use crate::sigmoid::OddSigmoid;

/// Penalty on the squared weights, bias included.
const L2: f64 = 0.02;

/// Step sizes for softly whitened features, whose Hessian is at most a quarter: the first step and the later ones. A
/// better fit of the sigmoid keeps larger steps stable. Several classes start larger, their labels are mostly negative.
fn steps(degree: usize, classes: usize) -> (f64, f64) {
    match (degree, classes) {
        (15, _) => (8.0, 8.0),
        (7, 2) => (4.0, 6.0),
        (7, _) => (8.0, 6.0),
        (_, 2) => (4.0, 4.0),
        _ => (8.0, 4.0),
    }
}

/// Everything that the training program does with numbers, fixed before the run. Derivation: `docs/maths/training.md`.
///
/// Iterations are numbered `0 .. iterations`; `lambda[t]` belongs to the point after iteration `t`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The sigmoid and its range: the data party scales its features so that no logit leaves it.
    pub sigmoid: OddSigmoid,
    /// Full-batch iterations; the first one starts at zero and needs no sigmoid.
    pub iterations: usize,
    /// Learning rate of each iteration.
    pub learning_rates: Vec<f64>,
    /// Nesterov momentum after each iteration; zero after the last.
    pub momentum: Vec<f64>,
    /// L2 penalty.
    pub l2: f64,
    /// Features are encrypted times this.
    pub data_scale: f64,
    /// Labels minus one half are encrypted times this.
    pub label_scale: f64,
    /// The dense point after each iteration is encrypted times this.
    pub lambda: Vec<f64>,
    /// Logits inside iteration `t + 1` are encrypted times `z_scale[t]`.
    pub z_scale: Vec<f64>,
    /// `history[t][s]`: weight of the point after iteration `s` in the one after iteration `t + 1`.
    pub history: Vec<Vec<f64>>,
    /// Features of records to predict are encrypted times this.
    pub prediction_scale: f64,
    /// Predicted logits come back times this.
    pub logit_scale: f64,
}

impl Schedule {
    /// The schedule of `iterations` with a polynomial of `degree` 3, 7 or 15 for data in `layout`.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for a degree or number of iterations that is not supported.
    pub fn new(
        layout: &Layout,
        degree: usize,
        range: f64,
        iterations: usize,
    ) -> Result<Self, TrainError> {
        if !(2..=16).contains(&iterations) {
            return Err(shape("iterations", "2 to 16", iterations));
        }
        let sigmoid = OddSigmoid::minimax(degree, range)?;
        let (first, later) = steps(degree, layout.classes);
        let learning_rates: Vec<f64> = (0..iterations)
            .map(|t| if t == 0 { first } else { later })
            .collect();
        let momentum = (0..iterations).map(|t| {
            if t + 1 == iterations {
                0.0
            } else {
                t as f64 / (t as f64 + 3.0)
            }
        });
        Ok(Self::with_rates(
            layout,
            sigmoid,
            learning_rates,
            momentum.collect(),
        ))
    }

    fn with_rates(
        layout: &Layout,
        sigmoid: OddSigmoid,
        learning_rates: Vec<f64>,
        momentum: Vec<f64>,
    ) -> Self {
        let iterations = learning_rates.len();
        let steps: Vec<f64> = learning_rates
            .iter()
            .zip(&momentum)
            .map(|(rate, beta)| (1.0 + beta) * rate)
            .collect();
        let data_scale = best_data_scale(layout, &sigmoid, steps[iterations - 1]);
        let gain = Gain {
            layout,
            sigmoid: &sigmoid,
            data_scale,
        };
        // Backwards from the fixed point of the last step: this direction contracts.
        let mut lambda = vec![gain.fixed_point(steps[iterations - 1]); iterations];
        let mut z_scale = vec![0.0; iterations - 1];
        for t in (0..iterations - 1).rev() {
            z_scale[t] = gain.z_scale_for(lambda[t + 1], steps[t + 1]);
            lambda[t] = z_scale[t] / gain.split();
        }
        let label_scale = lambda[0] * steps[0] / (data_scale * layout.rows as f64);
        let history = history(&learning_rates, &momentum, L2, &lambda);
        let split = f64::from(1u32 << layout.merge_steps());
        let prediction_scale = (1.0 / (split * lambda[iterations - 1])).min(1.0);
        let logit_scale = prediction_scale * split * lambda[iterations - 1];
        Self {
            sigmoid,
            iterations,
            learning_rates,
            momentum,
            l2: L2,
            data_scale,
            label_scale,
            lambda,
            z_scale,
            history,
            prediction_scale,
            logit_scale,
        }
    }

    /// Factor of the dense head that training returns.
    pub fn head_scale(&self) -> f64 {
        self.lambda.last().copied().unwrap_or(1.0)
    }
}

/// How the factor of the weights runs through an iteration.
struct Gain<'a> {
    layout: &'a Layout,
    sigmoid: &'a OddSigmoid,
    data_scale: f64,
}

impl Gain<'_> {
    /// From dense weights to logits: splitting doubles at each step, taking real parts doubles once more.
    fn split(&self) -> f64 {
        self.data_scale * f64::from(2u32 << self.layout.merge_steps())
    }

    /// Logit factor `mu` with `data_scale mu^d / |c_d| = lambda step / m`.
    fn z_scale_for(&self, lambda: f64, step: f64) -> f64 {
        let power = lambda * step * self.sigmoid.leading().abs()
            / (self.layout.rows as f64 * self.data_scale);
        power.powf(1.0 / self.sigmoid.degree() as f64)
    }

    /// The `lambda` that an iteration with this step reproduces.
    fn fixed_point(&self, step: f64) -> f64 {
        let power = step * self.sigmoid.leading().abs()
            / (self.layout.rows as f64 * self.data_scale * self.split());
        power.powf(1.0 / (self.sigmoid.degree() as f64 - 1.0)) / self.split()
    }
}

/// A power of two that keeps features, logits and weights all well above the noise, which is about the same in each.
fn best_data_scale(layout: &Layout, sigmoid: &OddSigmoid, step: f64) -> f64 {
    let summed = ((layout.block_rows * layout.blocks * layout.features) as f64).sqrt();
    let mut best = (f64::INFINITY, 1.0);
    for exponent in 0..=16 {
        let data_scale = f64::from(-exponent).exp2();
        let gain = Gain {
            layout,
            sigmoid,
            data_scale,
        };
        let lambda = gain.fixed_point(step);
        // Features are rounded once a use, logits once a row; a sum over rows adds up the noise of all of them.
        let error = 3.0 / data_scale + 1.0 / (lambda * gain.split()) + summed / lambda;
        if error < best.0 {
            best = (error, data_scale);
        }
    }
    best.1
}

/// Nesterov's recursion unrolled: every point as a combination of the earlier points and the new gradient.
///
/// `w_(t+1) = (1 - rate l2) v_t - rate g(v_t)`, `v_(t+1) = (1 + beta) w_(t+1) - beta w_t`; the part of the gradient
/// that comes from the labels is a multiple of the first point.
fn history(rates: &[f64], momentum: &[f64], l2: f64, lambda: &[f64]) -> Vec<Vec<f64>> {
    let first_step = (1.0 + momentum[0]) * rates[0];
    // w_t as a combination of the points so far.
    let mut average = vec![1.0 / (1.0 + momentum[0])];
    let mut rows = Vec::new();
    for t in 1..rates.len() {
        let (rate, beta) = (rates[t], momentum[t]);
        let mut row: Vec<f64> = average.iter().map(|a| -beta * a).collect();
        row[t - 1] += (1.0 + beta) * (1.0 - rate * l2);
        row[0] += (1.0 + beta) * rate / first_step;
        for a in &mut average {
            *a *= beta / (1.0 + beta);
        }
        average.push(1.0 / (1.0 + beta));
        rows.push(
            row.iter()
                .zip(lambda)
                .map(|(c, from)| c * lambda[t] / from)
                .collect(),
        );
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factors_close_the_loop() {
        for (sizes, degree) in [
            ([455, 31, 2], 7),
            ([1500, 65, 10], 7),
            ([100_000, 500, 2], 7),
            ([60, 5, 3], 3),
            ([455, 31, 2], 15),
            ([1500, 65, 10], 15),
            ([100_000, 500, 2], 15),
        ] {
            let layout = Layout::new(15, sizes, 0, 1).expect("fits");
            let s = Schedule::new(&layout, degree, 12.0, 5).expect("valid");
            let m = layout.rows as f64;
            for t in 1..5 {
                let step = (1.0 + s.momentum[t]) * s.learning_rates[t];
                let mu = s.data_scale * f64::from(2u32 << layout.merge_steps()) * s.lambda[t - 1];
                assert!((mu / s.z_scale[t - 1] - 1.0).abs() < 1e-9);
                let gradient = s.data_scale * mu.powi(degree as i32) / s.sigmoid.leading().abs();
                assert!((gradient * m / (s.lambda[t] * step) - 1.0).abs() < 1e-9);
            }
            // Nothing is tiny beside noise of about 2^-17, nothing overflows a level.
            for value in s
                .lambda
                .iter()
                .chain(&s.z_scale)
                .chain([&s.label_scale, &s.data_scale])
            {
                assert!((1e-4..1e3).contains(value), "{sizes:?}: {s:?}");
            }
            assert!(s.logit_scale <= 1.0 + 1e-9);
        }
    }
}
