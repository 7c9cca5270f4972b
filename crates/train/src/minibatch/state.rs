//! What a run is made of between two actions: enough to go on from, and nothing else.

use std::sync::Arc;

use confide_tensor::TensorError;

/// The state of a run. Stored as its ciphertexts' bytes it is a checkpoint: everything that follows is determined by it.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState<Ct> {
    /// Steps that are done.
    pub step: usize,
    /// Whether a refresh is due: it doubles, so the factor of such a state is half of the usual one.
    pub halved: bool,
    /// Nesterov's point `v_t`, dense; none before the first step, where it is zero, or public with hidden units.
    pub point: Option<Ct>,
    /// The average `w_(t-1)`, dense; none where it is zero: before the second step, without hidden units.
    pub average: Option<Ct>,
}

impl<Ct> Default for TrainingState<Ct> {
    fn default() -> Self {
        Self {
            step: 0,
            halved: false,
            point: None,
            average: None,
        }
    }
}

impl<Ct> TrainingState<Ct> {
    /// The state before the first step.
    pub fn start() -> Self {
        Self::default()
    }

    /// Its ciphertexts in order: none, the point, or the point and the average.
    pub fn parts(&self) -> impl Iterator<Item = &Ct> {
        self.point.iter().chain(&self.average)
    }

    /// A state from what [`TrainingState::parts`] gave.
    ///
    /// # Errors
    /// [`TensorError::TooFewOperands`] for a number of parts that such a state does not have.
    pub fn from_parts(step: usize, halved: bool, parts: Vec<Ct>) -> Result<Self, TensorError> {
        let needed = step.min(2);
        let available = parts.len();
        let mut parts = parts.into_iter();
        let state = Self {
            step,
            halved,
            point: parts.next(),
            average: parts.next(),
        };
        // The first weights of hidden units are not zero.
        if available == needed || (step == 1 && available == 2) {
            return Ok(state);
        }
        Err(TensorError::TooFewOperands {
            op: "TrainingState::from_parts",
            needed,
            available,
        })
    }
}

/// What a run does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Refresh weights and momentum, in one bootstrap.
    Refresh,
    /// A step of the optimiser on that minibatch.
    Step {
        /// Which minibatch.
        batch: usize,
    },
    /// Nothing: all steps are done.
    Done,
}

/// The encrypted records of a minibatch, at the highest level that the program uses.
#[derive(Debug, Clone)]
pub struct Batch<Ct> {
    /// Tiles of features of each row block.
    pub tiles: Vec<Vec<Ct>>,
    /// Labels of each row block.
    pub labels: Vec<Ct>,
}

/// Gives the records of a minibatch, from memory or from disk.
pub type Source<'s, Ct> = dyn FnMut(usize) -> Result<Arc<Batch<Ct>>, TensorError> + 's;

/// Sees the state after every action; an error ends the run.
pub type Watch<'w, Ct> = dyn FnMut(Action, &TrainingState<Ct>) -> Result<(), TensorError> + 'w;
