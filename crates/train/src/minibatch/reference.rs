//! The same run by direct formulas on plain numbers: what encrypted training is compared with, and the data party's check
//! that no number leaves its range.

use num_complex::Complex64;

use super::hidden;
use super::layout::TileLayout;
use super::pack::{TilePacker, target};
use super::schedule::{Loss, MinibatchSchedule, Recipe};
use crate::error::{TrainError, shape};
use crate::reference::{Activation, sigmoids, softmax};

/// How much features are scaled down at a time.
const SCALE_DOWN: f64 = 0.9;

/// Result of a reference run.
#[derive(Debug, Clone, PartialEq)]
pub struct MinibatchReference {
    /// Weights, in rows of [`TileLayout::weight_rows`].
    pub weights: Vec<Vec<f64>>,
    /// Largest absolute logit at which the activation was taken, or hidden unit before its square: at most the sigmoid's
    /// range, or features must be scaled down.
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

    /// The largest share that any number of the run has of its own range: the loss's for logits, one and a half times that
    /// for the partial sums that go through a sigmoid's polynomial, 1 for the slots of refreshed ciphertexts. A run on
    /// ciphertexts needs at most 1; infinite where a number is none.
    pub fn share_of_range(&self, schedule: &MinibatchSchedule) -> f64 {
        let range = schedule.loss.range();
        // The softmax masks its logits first.
        let partial = match schedule.loss {
            Loss::OneVsRest(_) => self.max_partial / (1.5 * range),
            Loss::Softmax(_) => 0.0,
        };
        let dense = self.max_dense * schedule.point_scale;
        // Maxima pass over what is not a number: ask the weights.
        let mut weights = self.weights.iter().flatten();
        match weights.all(|weight| weight.is_finite()) {
            true => (self.max_abs_z / range).max(partial).max(dense),
            false => f64::INFINITY,
        }
    }

    fn logits_within(&self, schedule: &MinibatchSchedule) -> bool {
        let logits = Self {
            max_dense: 0.0,
            ..self.clone()
        };
        logits.share_of_range(schedule) <= 1.0
    }
}

/// Runs a schedule on plain `rows x features` numbers (bias column included) and class labels. `watch` sees the point
/// after every step, in rows of [`TileLayout::weight_rows`].
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
    let zero = hidden::zeros(layout);
    let mut point = hidden::initial(layout, schedule.seed);
    let mut average = point.clone();
    let units = layout.units();
    let mut found = MinibatchReference {
        weights: Vec::new(),
        max_abs_z: 0.0,
        max_partial: 0.0,
        max_dense: 0.0,
    };
    for (t, step) in schedule.steps.iter().enumerate() {
        let range = layout.batch_rows(step.batch);
        let mut gradient = zero.clone();
        let mut last = vec![vec![0.0; layout.groups() + 1]; units];
        for (row, &label) in rows[range.clone()].iter().zip(&labels[range.clone()]) {
            let mut logits = Vec::with_capacity(units);
            for (output, head) in point[..units].iter().enumerate() {
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
                logits.push(z);
            }
            let residuals = |logits: &[f64]| -> Vec<f64> {
                let values = activated(&schedule.loss, activation, logits);
                let values = values.into_iter().enumerate();
                let apart = values.map(|(output, value)| value - target(layout, label, output));
                apart.collect()
            };
            let (own, second) = gradient.split_at_mut(units);
            let residuals = if layout.hidden == 0 {
                residuals(&logits)
            } else {
                let (z, back) = hidden::backward(&logits, &point[units..], second, residuals);
                found.max_abs_z = found.max_abs_z.max(z);
                back
            };
            for (residual, gradient) in residuals.iter().zip(own) {
                for (g, x) in gradient.iter_mut().zip(row) {
                    *g += residual * x;
                }
            }
        }
        if layout.hidden > 0 && range.len() < layout.blocks() * layout.block_rows() {
            // Rows without a record go through the polynomial too.
            let logits = hidden::outputs(&vec![0.0; units], &point[units..]);
            found.max_abs_z = logits
                .iter()
                .fold(found.max_abs_z, |most, z| most.max(z.abs()));
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

/// A run that stays within its ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct Guarded {
    /// The schedule, for a `weight_bound` that holds.
    pub schedule: MinibatchSchedule,
    /// Factor by which features were scaled down, the constant of the bias too; records to predict take the same.
    pub factor: f64,
    /// The run on plain numbers.
    pub reference: MinibatchReference,
}

/// Runs a recipe on plain numbers and scales features down until logits stay within their range. A recipe whose weights
/// exceed its `weight_bound` gets the power of two above them: that number, and nothing else, tells the compute party
/// something of the data.
///
/// # Errors
/// Those of [`MinibatchSchedule::new`] and [`minibatch_reference`]; [`TrainError::Shape`] where logits of a tenth of the
/// features are still too large.
pub fn guard(
    layout: &TileLayout,
    recipe: &Recipe,
    rows: &mut [Vec<f64>],
    labels: &[usize],
) -> Result<Guarded, TrainError> {
    let (mut recipe, mut factor) = (recipe.clone(), 1.0);
    loop {
        let schedule = MinibatchSchedule::new(layout, &recipe)?;
        let activation = Activation::Polynomial;
        let reference =
            minibatch_reference(layout, &schedule, rows, labels, activation, &mut |_, _| ())?;
        if reference.within(&schedule) {
            return Ok(Guarded {
                schedule,
                factor,
                reference,
            });
        }
        if reference.logits_within(&schedule) {
            recipe.weight_bound = reference.max_dense.log2().ceil().exp2();
            continue;
        }
        if factor < 0.1 {
            let needed = format!("at most {}", schedule.loss.range());
            return Err(shape(
                "logits",
                needed,
                format!("{:.1}", reference.max_abs_z),
            ));
        }
        factor *= SCALE_DOWN;
        for value in rows.iter_mut().flatten() {
            *value *= SCALE_DOWN;
        }
    }
}

/// Logits `[row][output]` of records with weights in rows of [`TileLayout::weight_rows`].
pub(crate) fn plain_logits(
    layout: &TileLayout,
    weights: &[Vec<f64>],
    rows: &[Vec<f64>],
) -> Vec<Vec<f64>> {
    let (first, second) = weights.split_at(layout.units().min(weights.len()));
    let logits = |row: &Vec<f64>| -> Vec<f64> {
        let product = |head: &Vec<f64>| -> f64 { row.iter().zip(head).map(|(x, w)| x * w).sum() };
        let units: Vec<f64> = first.iter().map(product).collect();
        match layout.hidden {
            0 => units,
            _ => hidden::outputs(&units, second),
        }
    };
    rows.iter().map(logits).collect()
}

/// Activations of the logits of a record, minus one half.
fn activated(loss: &Loss, activation: Activation, logits: &[f64]) -> Vec<f64> {
    match (loss, activation) {
        (Loss::OneVsRest(polynomial), Activation::Polynomial) => {
            logits.iter().map(|&z| polynomial.evaluate(z)).collect()
        }
        (Loss::OneVsRest(_), Activation::Sigmoid) => sigmoids(logits),
        // Its polynomials are exact to a few thousandths.
        (Loss::Softmax(_), _) => softmax(logits),
    }
}

/// Sums of the logit over the first groups of columns: of none, one, ... all of them.
fn partial(layout: &TileLayout, row: &[f64], head: &[f64], output: usize) -> Vec<f64> {
    let (outputs, usable) = (layout.units(), layout.usable());
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
