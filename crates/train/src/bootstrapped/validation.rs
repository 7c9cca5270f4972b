//! Encrypted scores of held-out records on the way. They go to the data party and nowhere else: states and schedule are
//! read here and not changed, so a run with validation ends in the same head as one without.

use confide_tensor::{Evaluator, TensorError};
use serde::{Deserialize, Serialize};

use super::head;
use crate::error::{TrainError, shape};
use crate::minibatch::{Action, MinibatchSchedule, TileLayout, Trainer, TrainingState};

/// Most points of a curve.
pub const MAX_POINTS: usize = 64;
/// Most blocks of records: with [`MAX_POINTS`] it bounds what a worker stores and a client fetches.
const MAX_BLOCKS: usize = 4;

/// Which records are scored, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// Records; 0 without validation.
    pub rows: usize,
    /// Steps after which they are scored, ascending.
    pub points: Vec<usize>,
}

impl Validation {
    /// After every epoch; where that is more than [`MAX_POINTS`] times, after every second or third, ..., and after the
    /// last step.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for more records than some blocks hold.
    pub fn new(
        layout: &TileLayout,
        schedule: &MinibatchSchedule,
        rows: usize,
    ) -> Result<Self, TrainError> {
        let most = MAX_BLOCKS * layout.block_rows();
        if rows > most {
            return Err(shape("validation records", format!("at most {most}"), rows));
        }
        if rows == 0 {
            return Ok(Self::default());
        }
        let (steps, batches) = (schedule.steps.len(), layout.batches());
        let every = batches * (steps / batches).div_ceil(MAX_POINTS).max(1);
        let mut points: Vec<usize> = (1..=steps / every).map(|point| point * every).collect();
        if points.last() != Some(&steps) {
            points.truncate(MAX_POINTS - 1);
            points.push(steps);
        }
        Ok(Self { rows, points })
    }

    /// Whether records are scored now.
    pub fn is_due(&self, action: Action, step: usize) -> bool {
        matches!(action, Action::Step { .. }) && self.points.binary_search(&step).is_ok()
    }

    /// Row blocks of the records: ciphertexts of scores at each point.
    pub fn blocks(&self, layout: &TileLayout) -> usize {
        self.rows.div_ceil(layout.block_rows())
    }

    /// Ciphertexts of scores of all points.
    pub fn outputs(&self, layout: &TileLayout) -> usize {
        self.points.len() * self.blocks(layout)
    }

    /// Ciphertexts of the records.
    pub fn vectors(&self, layout: &TileLayout) -> usize {
        self.blocks(layout) * layout.tiles()
    }
}

/// Encrypted logits of blocks of records (tiles at [`TileLayout::prediction_level`]) with the point of a state, as [`predict_block`](super::predict_block) gives them with a head. Directly after a step, where the
/// state is as low as it gets, and with the keys of predictions.
///
/// # Errors
/// [`TensorError`] of the evaluator; `TooFewOperands` before the first step or for another number of tiles.
pub fn scores<E: Evaluator>(
    ev: &E,
    trainer: &Trainer<'_, E>,
    state: &TrainingState<E::Ct>,
    records: &[Vec<E::Ct>],
) -> Result<Vec<E::Ct>, TensorError> {
    let head = TrainingState {
        step: state.step,
        halved: false,
        point: Some(head(ev, trainer, state)?),
        average: None,
    };
    let scores = trainer.scores(&head, records)?;
    scores.iter().map(|ct| ev.at_level(ct, 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minibatch::Recipe;

    fn points(epochs: usize, batch: usize) -> Vec<usize> {
        let layout = TileLayout::new(10, [40, 9, 3], batch, 8).expect("fits");
        let schedule = MinibatchSchedule::new(&layout, &Recipe::new(epochs)).expect("valid");
        Validation::new(&layout, &schedule, 9).expect("fits").points
    }

    #[test]
    fn a_point_an_epoch_and_not_too_many() {
        assert_eq!(points(3, 16), [3, 6, 9]);
        assert_eq!(points(1, 40), [1]);
        for epochs in [63, 64, 65, 127, 128, 129, 200, 1000] {
            let points = points(epochs, 16);
            assert!(points.len() <= MAX_POINTS && points.len() > MAX_POINTS / 2);
            assert_eq!(points.last(), Some(&(3 * epochs)), "{points:?}");
            assert!(points.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn too_many_records_are_refused() {
        let layout = TileLayout::new(10, [40, 9, 3], 16, 8).expect("fits");
        let schedule = MinibatchSchedule::new(&layout, &Recipe::new(2)).expect("valid");
        let most = MAX_BLOCKS * layout.block_rows();
        assert!(Validation::new(&layout, &schedule, most).is_ok());
        assert!(Validation::new(&layout, &schedule, most + 1).is_err());
        let none = Validation::new(&layout, &schedule, 0).expect("none");
        assert_eq!((none.vectors(&layout), none.points.len()), (0, 0));
    }
}
