//! Parameter sets of training with bootstraps.

use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters};
use confide_ckks::{KeyKind, Parameters};
use confide_model::features;
use confide_tensor::{CostModel, KeySwitchShape};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// A set by name: parties do not send each other parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// [`BootstrapLiteral::n16`].
    N16,
    /// The same primes at N = 2^10, without any security. For tests only.
    #[cfg(any(test, feature = "insecure-test-parameters"))]
    InsecureForTests,
}

impl Preset {
    /// log2 of the ring degree.
    pub fn log_n(self) -> u32 {
        match self {
            Self::N16 => 16,
            #[cfg(any(test, feature = "insecure-test-parameters"))]
            Self::InsecureForTests => 10,
        }
    }

    /// Baby steps of its matrices unless time and bytes are weighed.
    pub fn baby(self) -> usize {
        self.literal().baby
    }

    /// The checked set with so many baby steps.
    ///
    /// # Errors
    /// [`TrainError::Ckks`] for a number that is no power of two.
    pub fn parameters(self, baby: usize) -> Result<BootstrapParameters, TrainError> {
        let literal = BootstrapLiteral {
            baby,
            ..self.literal()
        };
        #[cfg(any(test, feature = "insecure-test-parameters"))]
        if self == Self::InsecureForTests {
            return Ok(BootstrapParameters::new_insecure_for_tests(literal)?);
        }
        Ok(BootstrapParameters::new(literal)?)
    }

    /// Parameters of a network whose features are trained on, `levels` levels deep, the gathering included.
    ///
    /// # Errors
    /// [`TrainError::Features`] for more levels than are secure.
    pub fn features(self, levels: usize) -> Result<Parameters, TrainError> {
        #[cfg(any(test, feature = "insecure-test-parameters"))]
        if self == Self::InsecureForTests {
            return Ok(features::parameters_insecure_for_tests(
                self.log_n(),
                levels,
            )?);
        }
        Ok(features::parameters(
            self.log_n(),
            levels,
            &CostModel::default(),
        )?)
    }

    fn literal(self) -> BootstrapLiteral {
        match self {
            Self::N16 => BootstrapLiteral::n16(),
            #[cfg(any(test, feature = "insecure-test-parameters"))]
            Self::InsecureForTests => {
                let set = BootstrapLiteral::n16();
                let program = confide_ckks::ParametersLiteral {
                    log_n: self.log_n(),
                    ..set.program.clone()
                };
                BootstrapLiteral { program, ..set }
            }
        }
    }
}

/// What bootstraps need beside the program.
pub(super) struct BootstrapNeeds {
    /// Keys with their levels.
    pub keys: Vec<(KeyKind, usize)>,
    /// Bytes of the matrices.
    pub matrices: u64,
}

impl BootstrapNeeds {
    /// For refreshes of those periods.
    pub fn of(set: &BootstrapParameters, log_periods: &[u32]) -> Result<Self, TrainError> {
        let (mut keys, mut matrices) = (Vec::new(), 0);
        for &log_slots in log_periods {
            keys.extend(set.keys(log_slots)?);
            matrices += set.matrix_bytes(log_slots)?;
        }
        Ok(Self { keys, matrices })
    }
}

/// The cost model with the time of the dearest of those refreshes.
pub(super) fn with_refreshes(
    model: &CostModel,
    set: &BootstrapParameters,
    log_periods: &[u32],
    shape: &KeySwitchShape,
) -> Result<CostModel, TrainError> {
    let mut dearest = model.clone();
    for &log_slots in log_periods {
        let one = model.clone().with_refresh(&set.work(log_slots)?, shape);
        if one.refresh_micros > dearest.refresh_micros {
            dearest = one;
        }
    }
    Ok(dearest)
}
