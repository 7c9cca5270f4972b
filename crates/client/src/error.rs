//! The one error type of the data party: a stable code, one plain sentence, and what to do about it.

use serde::{Deserialize, Serialize};

/// An error that a person can act on.
///
/// The code is stable across versions (`CC-1xxx` intake, `CC-2xxx` key vault, `CC-3xxx` preparation,
/// `CC-4xxx` session, `CC-5xxx` workflow, `CF-…` sent by the worker). Neither text ever contains a cell of
/// the table, apart from names of columns and classes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} [{code}] {remedy}")]
pub struct ClientError {
    /// Stable code, for example `CC-1004`.
    pub code: String,
    /// One plain sentence: what is wrong.
    pub message: String,
    /// One plain sentence: what to do.
    pub remedy: String,
}

impl ClientError {
    /// An error from its three parts.
    pub fn new(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}
