//! The operations that programs are written in.

use crate::error::TensorError;

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

    /// The program enters a phase; for progress and for counts by phase.
    fn phase(&self, _name: &str) {}

    /// Whether independent operations may run on several threads.
    fn parallel(&self) -> bool {
        false
    }
}
