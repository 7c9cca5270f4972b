//! Errors: what was needed, what was available, what would help.

use confide_ckks::CkksError;
use confide_tensor::TensorError;
use thiserror::Error;

/// Everything that can go wrong around training.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A size that no layout can hold.
    #[error("{what}: {available} given, needed {needed}")]
    Shape {
        /// Which size.
        what: &'static str,
        /// What would do.
        needed: String,
        /// What was given.
        available: String,
    },
    /// No plan stays within the limits.
    #[error("no plan fits: {what} of {needed} needed, {available} allowed; {remedy}")]
    NoPlan {
        /// The limit that the best candidate breaks.
        what: &'static str,
        /// What that candidate needs.
        needed: String,
        /// The limit.
        available: String,
        /// What the data party can change.
        remedy: String,
    },
    /// A plan from the other party is not the one that follows from its choice.
    #[error("the plan was altered: {field} is {available}, it must be {needed}")]
    Deviation {
        /// Which field.
        field: &'static str,
        /// Value that follows from the choice.
        needed: String,
        /// Value found.
        available: String,
    },
    /// The scheme refused parameters.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// A network's chain that features are to come from does not exist.
    #[error("features of a network: {0}")]
    Features(String),
    /// The program could not run.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl From<confide_model::ModelError> for TrainError {
    fn from(error: confide_model::ModelError) -> Self {
        Self::Features(error.to_string())
    }
}

pub(crate) fn shape(
    what: &'static str,
    needed: impl ToString,
    available: impl ToString,
) -> TrainError {
    TrainError::Shape {
        what,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}
