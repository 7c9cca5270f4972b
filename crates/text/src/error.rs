//! What can be wrong with a language model's file.

use thiserror::Error;

/// Everything that can go wrong before a text becomes a vector; texts themselves are never wrong.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextError {
    /// The file is not safetensors.
    #[error("the language model is not valid safetensors: {0}")]
    File(String),
    /// A tensor or an entry of the header is missing or has another shape or type.
    #[error("language model, {name}: needs {needed}, found {available}")]
    Tensor {
        /// Name in the file.
        name: String,
        /// What the model needs.
        needed: String,
        /// What the file has.
        available: String,
    },
    /// The file is another one than this version works with.
    #[error("the language model has BLAKE3 {available}, this version works with {needed}")]
    Digest {
        /// Of the model that this version works with.
        needed: String,
        /// Of the file.
        available: String,
    },
}

impl TextError {
    pub(crate) fn tensor(name: &str, needed: impl ToString, available: impl ToString) -> Self {
        Self::Tensor {
            name: name.to_owned(),
            needed: needed.to_string(),
            available: available.to_string(),
        }
    }
}
