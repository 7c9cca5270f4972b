//! The operations of layers, beyond those of every program.

mod ckks;
mod clear;
mod count;

use std::sync::Arc;

use confide_ckks::evaluator::Evaluator as Scheme;
use confide_tensor::{Evaluator, TensorError};

pub use ckks::CkksLayers;
pub use count::{CountCt, CountEvaluator, Counts, LayerOp, LevelCounts};

/// What is done with a vector before it is weighted: a rotation, then a mask.
#[derive(Debug, Clone)]
pub struct Shift<M> {
    /// Slot `i + rotation` goes to slot `i`.
    pub rotation: i64,
    /// What is kept.
    pub mask: Option<M>,
}

/// Sums over the same sources.
#[derive(Debug, Clone)]
pub struct Sums {
    /// Numbers of the sources.
    pub sources: Vec<usize>,
    /// For each sum the weight of each source.
    pub rows: Vec<Vec<f64>>,
}

/// Sums of the same sources times weights that differ from slot to slot and repeat.
pub struct PeriodicSums<'a> {
    /// Numbers of the sources.
    pub sources: Vec<usize>,
    /// Number of sums.
    pub rows: usize,
    /// Slots after which weights repeat.
    pub period: usize,
    /// Writes the weights of a source (second, by number) in a sum (first) over zeros, one for each slot of a period.
    pub weights: &'a (dyn Fn(usize, usize, &mut [f64]) + Sync),
}

/// What one layer reads: each source is a vector, by number, after a shift, by number.
pub struct Reads<'a, C, M> {
    /// Vectors of one level.
    pub inputs: Vec<&'a C>,
    /// Shifts.
    pub shifts: &'a [Shift<M>],
    /// Vector and shift of each source.
    pub sources: Vec<(usize, usize)>,
}

/// Evaluates the linear parts of layers: sums of products of weights with vectors that are rotated and masked.
///
/// # Errors
/// As for [`Evaluator`].
pub trait LayerEvaluator: Evaluator {
    /// A pattern of zeros and ones, ready for vectors of a level.
    type Mask: Send + Sync;
    /// A sum of products with weights before its rescale.
    type Sum: Send;

    /// A mask that repeats `cells` over all slots, for vectors of `level`.
    fn mask(&self, cells: &[bool], level: usize) -> Result<Self::Mask, TensorError>;

    /// For each of `sums`, for each of its rows, the sum of its sources times their weights, added to `before` if there
    /// are some. The same shifts must have led to those.
    fn shifted_sums(
        &self,
        before: Option<Vec<Self::Sum>>,
        reads: &Reads<'_, Self::Ct, Self::Mask>,
        sums: &[Sums],
    ) -> Result<Vec<Self::Sum>, TensorError>;

    /// For each of `sums`, for each of its rows, the sum of its sources times periodic weights.
    fn periodic_sums(
        &self,
        reads: &Reads<'_, Self::Ct, Self::Mask>,
        sums: &[PeriodicSums<'_>],
    ) -> Result<Vec<Self::Sum>, TensorError>;

    /// Slot `s` of `a` plus `values[s mod values.len()]`; same level.
    fn add_periodic(&self, a: &Self::Ct, values: &[f64]) -> Result<Self::Ct, TensorError>;

    /// The sum of vectors of one level, each after a rotation; same level.
    fn rotated_sum(&self, terms: &[(&Self::Ct, i64)]) -> Result<Self::Ct, TensorError>;

    /// The vector of a sum plus a constant in every slot; one level below its sources.
    fn finish(&self, sum: Self::Sum, constant: f64) -> Result<Self::Ct, TensorError>;

    /// `a * a + constant`, relinearised; one level lower.
    fn square(&self, a: Self::Ct, constant: f64) -> Result<Self::Ct, TensorError> {
        let square = self.mul(&a, &a)?;
        drop(a);
        if constant == 0.0 {
            Ok(square)
        } else {
            self.add_const(&square, constant)
        }
    }

    /// The same values at the refreshed level, for real vectors that are at most about 1 in size.
    fn refresh_real(&self, vectors: Vec<Arc<Self::Ct>>) -> Result<Vec<Self::Ct>, TensorError> {
        let log_period = self.slots().ilog2();
        let one = |vector: Arc<Self::Ct>| self.refresh(&vector, log_period);
        vectors.into_iter().map(one).collect()
    }

    /// How many groups of `inputs` vectors at `level` from which `sources` are made one product should take at once.
    fn group(&self, level: usize, inputs: usize, sources: usize) -> usize;
}

/// Threads for whose memory there is to be room: the same everywhere, so that a plan does not depend on who makes it.
const THREADS: usize = 2;

/// Bytes that a sum needs for so many rotated inputs and the sources made of them, at a level with so many digits.
fn scratch(degree: usize, level: (usize, usize), vectors: (usize, usize)) -> u64 {
    // A browser plans for workers that have more memory than it can address.
    Scheme::shifted_sums_memory(1, level, vectors, THREADS) as u64 * degree as u64
}

/// How often `one` fits into `bytes`, at least once.
fn fitting(bytes: u64, one: u64) -> usize {
    usize::try_from((bytes / one.max(1)).max(1)).unwrap_or(usize::MAX)
}
