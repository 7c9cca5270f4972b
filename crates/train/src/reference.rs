//! The same head trained by direct formulas on plain numbers: what encrypted training is compared with.

use crate::error::{TrainError, shape};
use crate::layout::Layout;
use crate::minibatch::LossKind;
use crate::plan::TableShape;
use crate::schedule::Schedule;
use crate::sigmoid::sigmoid;

/// Which sigmoid a reference run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The schedule's polynomial: what the encrypted run computes.
    Polynomial,
    /// The exact sigmoid.
    Sigmoid,
}

/// Result of a reference run.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Weights `[output][feature]`.
    pub weights: Vec<Vec<f64>>,
    /// Largest absolute logit at which a sigmoid was taken, over all iterations: the polynomial is only valid up to
    /// `schedule.sigmoid.range`.
    pub max_abs_z: f64,
}

/// Runs the schedule on plain `rows x features` numbers (bias column included) and class labels.
///
/// # Errors
/// [`TrainError::Shape`] for sizes other than the layout's or labels that are no class.
pub fn train_reference(
    layout: &Layout,
    schedule: &Schedule,
    rows: &[Vec<f64>],
    labels: &[usize],
    activation: Activation,
) -> Result<Reference, TrainError> {
    let table = TableShape {
        rows: layout.rows,
        features: layout.features,
        classes: layout.classes,
        predict_rows: 0,
    };
    let problem = Problem::new(&table, rows, labels)?;
    let steps: Vec<_> = schedule
        .learning_rates
        .iter()
        .copied()
        .zip(schedule.momentum.iter().copied())
        .collect();
    Ok(match activation {
        Activation::Polynomial => {
            let values = |z: &[f64]| z.iter().map(|&z| schedule.sigmoid.evaluate(z)).collect();
            problem.descend(&steps, schedule.l2, values)
        }
        Activation::Sigmoid => problem.descend(&steps, schedule.l2, sigmoids),
    })
}

/// The head with the exact sigmoid or softmax after `iterations` of the same optimiser: converged for a few hundred on
/// whitened features.
///
/// # Errors
/// As [`train_reference`].
pub fn train_converged(
    table: &TableShape,
    loss: LossKind,
    l2: f64,
    rows: &[Vec<f64>],
    labels: &[usize],
    iterations: usize,
) -> Result<Reference, TrainError> {
    // The curvature of a logistic loss is at most 1/4, that of a softmax 1/2.
    let (rate, values): (f64, Values) = match loss {
        LossKind::OneVsRest => (3.0, sigmoids),
        LossKind::Softmax => (1.5, softmax),
    };
    let steps: Vec<_> = (0..iterations)
        .map(|t| (rate, t as f64 / (t as f64 + 3.0)))
        .collect();
    Ok(Problem::new(table, rows, labels)?.descend(&steps, l2, values))
}

/// From the logits of a record to what is compared with its targets.
type Values = fn(&[f64]) -> Vec<f64>;

/// Sigmoids of the logits of a record, minus one half.
pub(crate) fn sigmoids(logits: &[f64]) -> Vec<f64> {
    logits.iter().map(|&z| sigmoid(z) - 0.5).collect()
}

/// The softmax of the logits of a record, minus one half.
pub(crate) fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|z| (z - most).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|e| e / sum - 0.5).collect()
}

struct Problem<'a> {
    rows: &'a [Vec<f64>],
    labels: &'a [usize],
    features: usize,
    outputs: usize,
}

impl<'a> Problem<'a> {
    fn new(
        table: &TableShape,
        rows: &'a [Vec<f64>],
        labels: &'a [usize],
    ) -> Result<Self, TrainError> {
        if rows.len() != table.rows || labels.len() != table.rows {
            return Err(shape(
                "rows and labels",
                table.rows,
                format!("{} and {}", rows.len(), labels.len()),
            ));
        }
        if let Some(row) = rows.iter().find(|row| row.len() != table.features) {
            return Err(shape("features of a record", table.features, row.len()));
        }
        if let Some(label) = labels.iter().find(|label| **label >= table.classes) {
            return Err(shape("label", format!("below {}", table.classes), label));
        }
        Ok(Self {
            rows,
            labels,
            features: table.features,
            outputs: if table.classes == 2 { 1 } else { table.classes },
        })
    }

    /// Target of a row and output, minus one half.
    fn target(&self, label: usize, output: usize) -> f64 {
        let positive = if self.outputs == 1 {
            label == 1
        } else {
            label == output
        };
        if positive { 0.5 } else { -0.5 }
    }

    /// `values` makes what is compared with the targets of the logits of a record.
    fn descend(
        &self,
        steps: &[(f64, f64)],
        l2: f64,
        values: impl Fn(&[f64]) -> Vec<f64>,
    ) -> Reference {
        let size = self.outputs * self.features;
        let (mut point, mut average) = (vec![0.0; size], vec![0.0; size]);
        let mut max_abs_z = 0.0f64;
        for &(rate, beta) in steps {
            let mut gradient = vec![0.0; size];
            for (row, &label) in self.rows.iter().zip(self.labels) {
                let logit =
                    |head: &[f64]| -> f64 { row.iter().zip(head).map(|(x, w)| x * w).sum() };
                let logits: Vec<f64> = point.chunks_exact(self.features).map(logit).collect();
                max_abs_z = logits.iter().fold(max_abs_z, |most, z| most.max(z.abs()));
                let values = values(&logits).into_iter();
                let heads = values.zip(gradient.chunks_exact_mut(self.features));
                for (output, (value, gradient)) in heads.enumerate() {
                    let residual = value - self.target(label, output);
                    for (g, x) in gradient.iter_mut().zip(row) {
                        *g += residual * x;
                    }
                }
            }
            let m = self.rows.len() as f64;
            for ((v, w), g) in point.iter_mut().zip(&mut average).zip(&gradient) {
                let next = *v - rate * (g / m + l2 * *v);
                *v = next + beta * (next - *w);
                *w = next;
            }
        }
        Reference {
            weights: average
                .chunks_exact(self.features)
                .map(<[f64]>::to_vec)
                .collect(),
            max_abs_z,
        }
    }
}
