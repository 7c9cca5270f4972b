//! The operations that programs are written in.

use confide_ckks::bootstrap::{BootstrapParameters, Order};
use serde::{Deserialize, Serialize};

use crate::error::TensorError;

/// Levels of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshLevels {
    /// Lowest level of a vector that can still be refreshed.
    pub input: usize,
    /// Level of a refreshed vector.
    pub output: usize,
}

impl RefreshLevels {
    /// Those of a set for vectors of the period `2^log_period`: fewer slots than all cost a level where SlotsToCoeffs comes
    /// first.
    pub fn of(set: &BootstrapParameters, log_period: u32) -> Self {
        let joined =
            set.literal().order == Order::SlotsToCoeffs && log_period < set.params().log_slots();
        Self {
            input: set.input_level(),
            output: set.output_level() - usize::from(joined),
        }
    }
}

/// Evaluates operations on vectors of complex slots.
///
/// Slot `s` of `N/2` is the value of a real polynomial modulo `X^N + 1` at `zeta^(5^s)`, `zeta = exp(i pi / N)`. Every
/// vector has a level; operands at different levels are first brought down to the lower one with [`Evaluator::at_level`].
/// Two vectors at the same level always carry the same scale, so programs never see scales.
///
/// # Errors
/// Every operation may return [`TensorError::LevelTooLow`] when an operand has not the levels that it consumes,
/// [`TensorError::Cancelled`] when an observer asked to stop, and [`TensorError::Ckks`] for a missing key.
pub trait Evaluator: Sync {
    /// An encrypted, plain or imagined vector.
    type Ct: Clone + Send + Sync;

    /// Number of slots, `N/2`.
    fn slots(&self) -> usize;

    /// Highest level.
    fn max_level(&self) -> usize;

    /// Level of `a`.
    fn level(&self, a: &Self::Ct) -> usize;

    /// `a + b`; level: the lower one.
    fn add(&self, a: &Self::Ct, b: &Self::Ct) -> Result<Self::Ct, TensorError>;

    /// `a - b`; level: the lower one.
    fn sub(&self, a: &Self::Ct, b: &Self::Ct) -> Result<Self::Ct, TensorError>;

    /// `a + c` in every slot; same level.
    fn add_const(&self, a: &Self::Ct, c: f64) -> Result<Self::Ct, TensorError>;

    /// `a * b` slot by slot, relinearised; one level below the lower operand.
    fn mul(&self, a: &Self::Ct, b: &Self::Ct) -> Result<Self::Ct, TensorError>;

    /// Sum of the products of all pairs with a single relinearisation; one level below the lowest operand.
    fn dot(&self, pairs: &[(&Self::Ct, &Self::Ct)]) -> Result<Self::Ct, TensorError>;

    /// `c * a` at `level`, which must be below the level of `a`. Costs the same whatever the distance.
    fn mul_const_to(&self, a: &Self::Ct, c: f64, level: usize) -> Result<Self::Ct, TensorError>;

    /// `c * a`; one level lower.
    fn mul_const(&self, a: &Self::Ct, c: f64) -> Result<Self::Ct, TensorError> {
        let level = self.level(a);
        crate::error::need_level("mul_const", 1, level)?;
        self.mul_const_to(a, c, level - 1)
    }

    /// The same values at `level`, which must not be above the level of `a`.
    fn at_level(&self, a: &Self::Ct, level: usize) -> Result<Self::Ct, TensorError> {
        if self.level(a) == level {
            return Ok(a.clone());
        }
        self.mul_const_to(a, 1.0, level)
    }

    /// Slot `s` of the result is slot `s + k` of `a`, modulo the number of slots; same level.
    fn rotate(&self, a: &Self::Ct, k: i64) -> Result<Self::Ct, TensorError>;

    /// Complex conjugate of every slot; same level.
    fn conjugate(&self, a: &Self::Ct) -> Result<Self::Ct, TensorError>;

    /// `X^k * a` for any `k` modulo `2N`: slot `s` is multiplied by `zeta^(k 5^s)`; same level, exact.
    fn mul_monomial(&self, a: &Self::Ct, k: i64) -> Result<Self::Ct, TensorError>;

    /// Slot `s` of `a` times `values[s mod values.len()]`, at `level`, which must be below the level of `a`. Costs one
    /// level whatever the distance, as [`Evaluator::mul_const_to`] does.
    ///
    /// # Errors
    /// [`TensorError::Period`] for a number of values that does not divide the number of slots.
    fn mul_periodic_to(
        &self,
        a: &Self::Ct,
        values: &[f64],
        level: usize,
    ) -> Result<Self::Ct, TensorError>;

    /// Between which levels [`Evaluator::refresh`] works; none where the evaluator cannot refresh.
    fn refresh_levels(&self) -> Option<RefreshLevels> {
        None
    }

    /// The same values at the refreshed level, for a vector whose slots repeat with the period `2^log_period` and are at
    /// most about 1 in size. Adds the error of a bootstrap.
    ///
    /// # Errors
    /// [`TensorError::NoRefresh`] where the evaluator is not set up for that period;
    /// [`TensorError::LevelTooLow`] below [`RefreshLevels::input`].
    fn refresh(&self, a: &Self::Ct, log_period: u32) -> Result<Self::Ct, TensorError> {
        let _ = a;
        Err(TensorError::NoRefresh { log_period })
    }

    /// The program enters a phase; for progress and for counts by phase.
    fn phase(&self, _name: &str) {}

    /// Whether independent operations may run on several threads.
    fn parallel(&self) -> bool {
        false
    }
}
