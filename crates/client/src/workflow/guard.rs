//! The range guard: no logit of the training program may leave the range on which its sigmoid holds.

use super::from_train;
use crate::ClientError;
use crate::intake::Records;
use crate::prepare::{Matrix, Preprocessing};
use confide_train::{PlainRun, TrainingPlan};

/// Part of the range that is used: the rest is for noise.
const MARGIN: f64 = 0.98;
/// Attempts at a smaller scale.
const ATTEMPTS: usize = 40;
/// Lengths at which outlying rows are cut before everything is scaled down, in root mean squares.
const CLIPS: [f64; 2] = [4.0, 3.0];

/// What the guard found.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    pub preprocessing: Preprocessing,
    /// Training rows as they are encrypted, bias column included.
    pub rows: Vec<Vec<f64>>,
    /// The program on plain numbers.
    pub reference: PlainRun,
    pub notes: Vec<String>,
}

/// Runs the training program on plain numbers and shortens outlying rows, then scales all features down, until the
/// largest logit stays in range.
pub(super) fn guard(
    plan: &TrainingPlan,
    records: &Records,
    train: &[usize],
    labels: &[usize],
    preprocessing: &Preprocessing,
) -> Result<Guarded, ClientError> {
    let limit = plan.range() * MARGIN;
    let mut preprocessing = preprocessing.clone();
    preprocessing.set_scale(1.0);
    let run =
        |preprocessing: &Preprocessing| -> Result<(Vec<Vec<f64>>, usize, PlainRun), ClientError> {
            let (matrix, shortened) = preprocessing.transform(records, train)?;
            let rows = to_rows(&matrix);
            let reference = plan.reference(&rows, labels).map_err(from_train)?;
            Ok((rows, shortened, reference))
        };
    let mut result = run(&preprocessing)?;
    let rms = root_mean_square(&result.0);
    for clip in CLIPS {
        if in_range(&result.2, limit) {
            break;
        }
        let mut clipped = preprocessing.clone();
        clipped.set_norm_limit(Some(clip * rms));
        let attempt = run(&clipped)?;
        // Cutting is worth it only where a few rows are the cause.
        if attempt.1 * 50 > train.len() {
            break;
        }
        preprocessing = clipped;
        result = attempt;
    }
    let mut attempts = 0;
    while !in_range(&result.2, limit) {
        attempts += 1;
        if attempts > ATTEMPTS {
            return Err(ClientError::new(
                "CC-5012",
                "The features cannot be scaled into the range of the plan.",
                match plan.hidden() {
                    0 => "Leave out columns with extreme values.",
                    _ => {
                        "Train for fewer epochs, with fewer hidden units, or leave out columns with extreme values."
                    }
                },
            ));
        }
        // Logits grow with the square of the features' scale, or faster; a run that left its range far behind says
        // little about how far to go.
        let excess = result.2.largest / limit;
        let factor = if excess.is_finite() {
            excess.sqrt().recip().clamp(0.7, 0.98)
        } else {
            0.7
        };
        preprocessing.set_scale(preprocessing.scale() * factor);
        result = run(&preprocessing)?;
    }
    let (rows, shortened, reference) = result;
    let mut notes = Vec::new();
    if shortened > 0 {
        notes.push(format!(
            "{shortened} outlying training records are shortened to stay in the sigmoid's range."
        ));
    }
    if preprocessing.scale() < 1.0 {
        let percent = 100.0 * preprocessing.scale();
        notes.push(format!(
            "Features are scaled to {percent:.0} % to stay in the sigmoid's range."
        ));
    }
    Ok(Guarded {
        preprocessing,
        rows,
        reference,
        notes,
    })
}

fn in_range(reference: &PlainRun, limit: f64) -> bool {
    // A NaN is not in range.
    reference.largest <= limit
        && reference
            .weights
            .iter()
            .flatten()
            .all(|weight| weight.is_finite())
}

/// Root mean square of the rows' lengths without the bias column.
fn root_mean_square(rows: &[Vec<f64>]) -> f64 {
    let square = |row: &Vec<f64>| {
        row[..row.len().saturating_sub(1)]
            .iter()
            .map(|v| v * v)
            .sum::<f64>()
    };
    (rows.iter().map(square).sum::<f64>() / rows.len().max(1) as f64).sqrt()
}

pub(super) fn to_rows(matrix: &Matrix) -> Vec<Vec<f64>> {
    (0..matrix.rows())
        .map(|row| matrix.row(row).to_vec())
        .collect()
}
