//! Arithmetic on ciphertexts.
//!
//! Operations on two operands at different levels first drop the higher one to the lower level,
//! which keeps its scale. Sums need equal scales (to a relative 2^-30); products multiply them.
//! Only [`Evaluator::rescale`] and the fused operations named after it consume a level.

mod arith;

mod keyswitch;
mod matrix;
mod periodic;
mod product;
mod rotate;
mod scalar;
mod shifted;
#[cfg(all(test, feature = "secret"))]
pub(crate) mod tests;
mod transform;

use confide_ring::{Form, RnsPoly};

pub use matrix::WeightMatrix;
pub use periodic::PeriodicSums;
pub(crate) use scalar::to_integer;
pub use shifted::{LazySum, Mask, Reads, Shift, WeightedSums};

use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::params::Parameters;
use crate::plaintext::Plaintext;

/// Largest relative difference between scales that are treated as equal.
pub const SCALE_TOLERANCE: f64 = 1.0 / (1u64 << 30) as f64;

/// Evaluates on ciphertexts of one parameter set. Holds no keys and no state: share it freely.
#[derive(Clone)]
pub struct Evaluator {
    params: Parameters,
}

impl Evaluator {
    /// An evaluator for `params`.
    pub fn new(params: &Parameters) -> Self {
        Self {
            params: params.clone(),
        }
    }

    /// The parameters.
    pub fn params(&self) -> &Parameters {
        &self.params
    }

    /// Refuses ciphertexts whose shape belongs to other parameters.
    fn check(&self, op: &'static str, ct: &Ciphertext) -> Result<(), CkksError> {
        let set = self.params.q_set(op, ct.level)?;
        for part in &ct.parts {
            self.params.check_shape(op, part, set, Form::Ntt)?;
        }
        Ok(())
    }

    fn check_plain(&self, op: &'static str, pt: &Plaintext) -> Result<(), CkksError> {
        let set = self.params.q_set(op, pt.level)?;
        self.params.check_shape(op, &pt.poly, set, Form::Ntt)
    }

    /// `poly` without its limbs above `level`, borrowed if there are none.
    fn lowered<'a>(&self, poly: &'a RnsPoly, level: usize) -> std::borrow::Cow<'a, RnsPoly> {
        if poly.set().q == level + 1 {
            std::borrow::Cow::Borrowed(poly)
        } else {
            std::borrow::Cow::Owned(self.params.ring().drop_limbs(poly, level + 1))
        }
    }
}

/// Refuses ciphertexts that have not been relinearised.
fn two_parts(op: &'static str, ct: &Ciphertext) -> Result<(), CkksError> {
    if ct.parts.len() == 2 {
        return Ok(());
    }
    Err(CkksError::PartCount {
        op,
        needed: 2,
        available: ct.parts.len(),
    })
}

/// Refuses scales that differ by more than [`SCALE_TOLERANCE`].
fn same_scale(op: &'static str, left: f64, right: f64) -> Result<(), CkksError> {
    if (left / right - 1.0).abs() <= SCALE_TOLERANCE {
        return Ok(());
    }
    Err(CkksError::ScaleMismatch { op, left, right })
}

/// Refuses operands without a level to spend.
fn has_level(op: &'static str, level: usize, needed: usize) -> Result<(), CkksError> {
    if level >= needed {
        return Ok(());
    }
    Err(CkksError::LevelTooLow {
        op,
        needed,
        available: level,
    })
}
