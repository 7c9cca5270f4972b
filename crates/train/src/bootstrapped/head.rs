//! What is left of a finished run, and predictions with it.

use confide_tensor::{Evaluator, TensorError};

use crate::minibatch::{MinibatchSchedule, TileLayout, Trainer, TrainingState};

/// The point of a finished run at [`Trainer::prediction_level`], times the schedule's `point_scale`; refreshed
/// first where it has not enough levels left.
///
/// # Errors
/// [`TensorError`] of the evaluator; `TooFewOperands` before the first step.
pub fn head<E: Evaluator>(
    ev: &E,
    trainer: &Trainer<'_, E>,
    state: &TrainingState<E::Ct>,
) -> Result<E::Ct, TensorError> {
    let point = state.point.as_ref().ok_or(TensorError::TooFewOperands {
        op: "head",
        needed: 1,
        available: 0,
    })?;
    let level = trainer.prediction_level();
    if ev.level(point) >= level {
        let low = ev.at_level(point, level)?;
        return if state.halved {
            ev.add(&low, &low)
        } else {
            Ok(low)
        };
    }
    let refreshed = trainer.refresh(&TrainingState {
        average: None,
        ..state.clone()
    })?;
    if state.halved {
        return head(ev, trainer, &refreshed);
    }
    // A refresh doubles.
    let point = refreshed.point.as_ref().unwrap_or(point);
    ev.mul_const_to(point, 0.5, level)
}

/// Encrypted logits of a block of records with a trained head, both at [`TileLayout::prediction_level`]; at level
/// 0. In the first columns of each row, times the schedule's `logit_factor`.
///
/// # Errors
/// [`TensorError`] of the evaluator; `TooFewOperands` for another number of tiles than the layout's.
pub fn predict_block<E: Evaluator>(
    ev: &E,
    layout: &TileLayout,
    schedule: &MinibatchSchedule,
    head: E::Ct,
    tiles: Vec<E::Ct>,
) -> Result<E::Ct, TensorError> {
    let state = TrainingState {
        step: schedule.steps.len(),
        halved: false,
        point: Some(head),
        average: None,
    };
    let scores = Trainer::new(ev, layout, schedule).scores(&state, &[tiles])?;
    let scores = scores
        .into_iter()
        .next()
        .ok_or(TensorError::TooFewOperands {
            op: "predict",
            needed: 1,
            available: 0,
        })?;
    ev.at_level(&scores, 0)
}
