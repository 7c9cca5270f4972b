//! The same run by direct formulas on plain numbers: what encrypted training is compared with, and the data party's check
//! that no number leaves its range.

use num_complex::Complex64;

use super::layout::TileLayout;
use super::pack::{TilePacker, target};
use super::schedule::MinibatchSchedule;
use crate::error::{TrainError, shape};
use crate::reference::Activation;
use crate::sigmoid::sigmoid;

/// Result of a reference run.
#[derive(Debug, Clone, PartialEq)]
pub struct MinibatchReference {
    /// Weights `[output][feature]`.
    pub weights: Vec<Vec<f64>>,
    /// Largest absolute logit at which the activation was taken: at most the sigmoid's range, or features must be scaled
    /// down.
    pub max_abs_z: f64,
    /// Largest absolute sum over part of a row and part of the next one, which share slots with the logits and go
    /// through the polynomial before they are masked: at most a few times the range.
    pub max_partial: f64,
    /// Largest slot of the dense weights and momentum without their factor, after any step: at most the recipe's
    /// `weight_bound`.
    pub max_dense: f64,
}

impl MinibatchReference {
    /// Whether a run on ciphertexts stays within the ranges of `schedule`.
    pub fn within(&self, schedule: &MinibatchSchedule) -> bool {
        self.share_of_range(schedule) <= 1.0
    }

    /// The largest share that any number of the run has of its own range: the sigmoid's for logits, one and a half times
    /// that for partial sums, 1 for the slots of refreshed ciphertexts. A run on ciphertexts needs at most 1; infinite
    /// where a number is none.
    pub fn share_of_range(&self, schedule: &MinibatchSchedule) -> f64 {
        let range = schedule.sigmoid.range;
        let shares = [
            self.max_abs_z / range,
            self.max_partial / (1.5 * range),
            self.max_dense * schedule.point_scale,
        ];
        // Maxima pass over what is not a number: ask the weights.
        let finite = self
            .weights
            .iter()
            .flatten()
            .all(|weight| weight.is_finite());
        match finite {
            true => shares.into_iter().fold(0.0, f64::max),
            false => f64::INFINITY,
        }
    }
}

/// Runs a schedule on plain `rows x features` numbers (bias column included) and class labels. `watch` sees the point
/// `[output][feature]` after every step.
///
/// # Errors
/// [`TrainError::Shape`] for sizes other than the layout's or labels that are no class.
pub fn minibatch_reference(
    layout: &TileLayout,
    schedule: &MinibatchSchedule,
    rows: &[Vec<f64>],
    labels: &[usize],
    activation: Activation,
    watch: &mut dyn FnMut(usize, &[Vec<f64>]),
) -> Result<MinibatchReference, TrainError> {
    if rows.len() != layout.rows || labels.len() != layout.rows {
        let found = format!("{} and {}", rows.len(), labels.len());
        return Err(shape("rows and labels", layout.rows, found));
    }
    if let Some(row) = rows.iter().find(|row| row.len() != layout.features) {
        return Err(shape("features of a record", layout.features, row.len()));
    }
    if let Some(label) = labels.iter().find(|label| **label >= layout.classes) {
        return Err(shape("label", format!("below {}", layout.classes), label));
    }
    let packer = TilePacker::new(layout, schedule);
    let zero = vec![vec![0.0; layout.features]; layout.outputs()];
    let (mut point, mut average) = (zero.clone(), zero.clone());
    let mut found = MinibatchReference {
        weights: Vec::new(),
        max_abs_z: 0.0,
        max_partial: 0.0,
        max_dense: 0.0,
    };
    for (t, step) in schedule.steps.iter().enumerate() {
        let range = layout.batch_rows(step.batch);
        let mut gradient = zero.clone();
        let mut last = vec![vec![0.0; layout.groups() + 1]; layout.outputs()];
        for (row, &label) in rows[range.clone()].iter().zip(&labels[range.clone()]) {
            for (output, (head, gradient)) in point.iter().zip(&mut gradient).enumerate() {
                let heads = partial(layout, row, head, output);
                let z = heads[layout.groups()];
                found.max_abs_z = found.max_abs_z.max(z.abs());
                // The end of the row before and the beginning of this one.
                let total = last[output][layout.groups()];
                for (before, now) in last[output].iter().zip(&heads) {
                    found.max_partial = found.max_partial.max((total - before + now).abs());
                    found.max_partial = found.max_partial.max((z - now).abs());
                }
                last[output] = heads;
                let value = match activation {
                    Activation::Polynomial => schedule.sigmoid.evaluate(z),
                    Activation::Sigmoid => sigmoid(z) - 0.5,
                };
                let residual = value - target(layout, label, output);
                for (g, x) in gradient.iter_mut().zip(row) {
                    *g += residual * x;
                }
            }
        }
        let rows = range.len().max(1) as f64;
        for ((points, averages), gradients) in point.iter_mut().zip(&mut average).zip(&gradient) {
            for ((v, w), g) in points.iter_mut().zip(averages).zip(gradients) {
                let next = *v - step.rate * (g / rows + schedule.l2 * *v);
                *v = next + step.momentum * (next - *w);
                *w = next;
            }
        }
        found.max_dense = found
            .max_dense
            .max(largest(&packer, layout, &point, &average)?);
        watch(t, &point);
    }
    found.weights = point;
    Ok(found)
}

/// Sums of the logit over the first groups of columns: of none, one, ... all of them.
fn partial(layout: &TileLayout, row: &[f64], head: &[f64], output: usize) -> Vec<f64> {
    let (outputs, usable) = (layout.outputs(), layout.usable());
    let mut sums = vec![0.0; layout.groups() + 1];
    for (feature, (x, w)) in row.iter().zip(head).enumerate() {
        let column = feature / 2 % usable;
        // The product moves to the next column of its output.
        let moved = column + (output + outputs - column % outputs) % outputs;
        sums[moved / outputs + 1] += x * w;
    }
    for group in 0..layout.groups() {
        sums[group + 1] += sums[group];
    }
    sums
}

/// Largest slot of point and average in one ciphertext: of their sum in the worst case.
fn largest(
    packer: &TilePacker,
    layout: &TileLayout,
    point: &[Vec<f64>],
    average: &[Vec<f64>],
) -> Result<f64, TrainError> {
    // They repeat with this period, each.
    let period = layout.columns << layout.merge_steps();
    let [point, average] = [packer.dense(point)?, packer.dense(average)?];
    let pairs = point.iter().zip(&average).take(period);
    Ok(
        pairs.fold(0.0, |most: f64, (v, w): (&Complex64, &Complex64)| {
            most.max(v.norm() + w.norm())
        }),
    )
}
