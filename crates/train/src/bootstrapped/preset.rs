//! Parameter sets of training with bootstraps.

use confide_ckks::KeyKind;
use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// A set by name: parties do not send each other parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// [`BootstrapLiteral::n16`].
    N16,
}

impl Preset {
    /// log2 of the ring degree.
    pub fn log_n(self) -> u32 {
        match self {
            Self::N16 => 16,
        }
    }

    /// The checked set.
    ///
    /// # Errors
    /// [`TrainError::Ckks`], which does not happen.
    pub fn parameters(self) -> Result<BootstrapParameters, TrainError> {
        Ok(BootstrapParameters::new(match self {
            Self::N16 => BootstrapLiteral::n16(),
        })?)
    }
}

/// The keys of bootstraps of those periods, and the bytes of their matrices.
pub(super) fn bootstrap_needs(
    set: &BootstrapParameters,
    log_periods: &[u32],
) -> Result<(Vec<(KeyKind, usize)>, u64), TrainError> {
    let (mut keys, mut matrices) = (Vec::new(), 0);
    for &log_slots in log_periods {
        keys.extend(set.keys(log_slots)?);
        matrices += set.matrix_bytes(log_slots)?;
    }
    Ok((keys, matrices))
}
