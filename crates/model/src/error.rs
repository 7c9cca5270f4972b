//! What can be wrong with a model's files, its layout or its evaluation.

use confide_ckks::CkksError;
use confide_tensor::TensorError;
use thiserror::Error;

/// Everything that can go wrong between a model's folder and its encrypted output.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The card is no card.
    #[error("the card is not valid: {0}")]
    Card(String),
    /// A file is not the one that the card was written for.
    #[error("{file}: the card says {what} {needed}, the file has {available}")]
    Checksum {
        /// The file.
        file: String,
        /// Bytes or SHA-256.
        what: &'static str,
        /// By the card.
        needed: String,
        /// Of the file.
        available: String,
    },
    /// The weights cannot be read as safetensors.
    #[error("the weights are not valid safetensors: {0}")]
    Weights(String),
    /// A tensor is missing, superfluous, or of another shape or type.
    #[error("tensor {name}: needs {needed}, found {available}")]
    Tensor {
        /// Name in the file.
        name: String,
        /// By the architecture.
        needed: String,
        /// In the file.
        available: String,
    },
    /// A layer does not fit its inputs or cannot be evaluated.
    #[error("layer {layer}: {what} needs {needed}, found {available}")]
    Layer {
        /// Name of the layer.
        layer: String,
        /// What is wrong.
        what: &'static str,
        /// What would do.
        needed: String,
        /// What is there.
        available: String,
    },
    /// A batch, an image or a map does not fit the slots.
    #[error("{what}: needs {needed}, found {available}")]
    Layout {
        /// What is wrong.
        what: &'static str,
        /// What would do.
        needed: String,
        /// What is there.
        available: String,
    },
    /// No plan fits the limits of a request.
    #[error("no plan fits: {what} needs {needed}, {available} is allowed")]
    NoPlan {
        /// What is short.
        what: &'static str,
        /// The least that would do.
        needed: String,
        /// What is allowed.
        available: String,
    },
    /// A plan does not follow from its own choices, or not from this card.
    #[error("the plan's {field} must be {needed}, it is {available}")]
    Deviation {
        /// Which field.
        field: &'static str,
        /// Value that follows from the choice.
        needed: String,
        /// Value found.
        available: String,
    },
    /// The evaluator refused an operation.
    #[error(transparent)]
    Evaluation(#[from] TensorError),
}

impl From<CkksError> for ModelError {
    fn from(error: CkksError) -> Self {
        Self::Evaluation(error.into())
    }
}

/// A [`ModelError::Layer`].
pub(crate) fn layer(
    name: &str,
    what: &'static str,
    needed: impl ToString,
    available: impl ToString,
) -> ModelError {
    ModelError::Layer {
        layer: name.to_owned(),
        what,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}

/// A [`ModelError::Layout`].
pub(crate) fn layout(
    what: &'static str,
    needed: impl ToString,
    available: impl ToString,
) -> ModelError {
    ModelError::Layout {
        what,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}
