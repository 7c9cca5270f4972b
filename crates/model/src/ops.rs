//! The operations of layers, beyond those of every program.

mod ckks;
mod clear;
mod count;

use confide_tensor::{Evaluator, TensorError};

pub use ckks::CkksLayers;
pub use count::{CountCt, CountEvaluator, Counts, LayerOp, LevelCounts};

/// Evaluates the linear parts of layers: hoisted rotations, masks, and products of weights with many vectors.
///
/// # Errors
/// As for [`Evaluator`].
pub trait LayerEvaluator: Evaluator {
    /// A pattern of zeros and ones, ready for vectors up to a level.
    type Mask: Send + Sync;
    /// A sum of products with weights before its rescale.
    type Sum: Send;

    /// A mask that repeats `cells` over all slots, for vectors up to `level`.
    fn mask(&self, cells: &[bool], level: usize) -> Result<Self::Mask, TensorError>;

    /// All rotations of one vector in the order of `ks`; its decomposition is shared.
    fn rotations(&self, a: &Self::Ct, ks: &[i64]) -> Result<Vec<Self::Ct>, TensorError>;

    /// The vector times a mask; no level consumed. What comes out is good for [`LayerEvaluator::combine`] only.
    fn masked(&self, a: Self::Ct, mask: &Self::Mask) -> Result<Self::Ct, TensorError>;

    /// `out[o] = sum_i rows[o][i] * terms[i]`, added to `sums` if there are some. All terms are of one level.
    fn combine(
        &self,
        sums: Option<Vec<Self::Sum>>,
        terms: &[&Self::Ct],
        rows: &[Vec<f64>],
    ) -> Result<Vec<Self::Sum>, TensorError>;

    /// The vector of a sum plus a constant in every slot; one level below its terms.
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

    /// Vectors at `level` that may be alive at once beside those that a layer reads and makes.
    fn working_set(&self, level: usize) -> usize;
}
