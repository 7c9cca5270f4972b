//! Linear transforms of the slots by their diagonals.
//!
//! `out[s] = sum_k diagonal_k[s] * in[s + k]`, split into baby steps `b` and giant steps `g` with
//! `k = g + b` (Halevi and Shoup, "Faster homomorphic linear transformations in HElib", CRYPTO 2018).
//! [`Evaluator::transform`](crate::evaluator::Evaluator::transform) evaluates it.

#[cfg(all(test, feature = "secret"))]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use confide_ring::RnsPoly;
use num_complex::Complex64;

use crate::ciphertext::memory;
use crate::encoding::Encoder;
use crate::error::CkksError;
use crate::params::Parameters;

/// Cost of a giant rotation against a baby rotation, which is no more than an inner product with its key.
const GIANT_COST: usize = 4;

/// A linear map of the slots, encoded for one level.
///
/// Evaluation consumes one level; from the canonical scale of its level the result has the canonical
/// scale of the next. Diagonals are encoded over the special primes too, because they multiply what has not been
/// divided by `P` yet: `(level + 1 + special primes) / (level + 1)` times the memory of ordinary plaintexts.
pub struct LinearTransform {
    pub(crate) level: usize,
    /// By giant step: the baby steps with their diagonals, rotated back by the giant step.
    pub(crate) groups: BTreeMap<usize, Vec<(usize, RnsPoly)>>,
}

impl LinearTransform {
    /// From non-zero diagonals: `diagonals[k][s]` multiplies input slot `s + k` (cyclic) into output
    /// slot `s`. Each diagonal has as many entries as there are slots.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] for no diagonal, a diagonal of another length or an index that
    /// is not below the number of slots; [`CkksError::LevelTooLow`] at level 0; those of
    /// [`Encoder::encode`].
    pub fn from_diagonals(
        params: &Parameters,
        encoder: &Encoder,
        diagonals: &BTreeMap<usize, Vec<Complex64>>,
        level: usize,
    ) -> Result<Self, CkksError> {
        const OP: &str = "LinearTransform";
        let slots = params.slots();
        params.q_set(OP, level)?;
        if level == 0 {
            return Err(CkksError::LevelTooLow {
                op: OP,
                needed: 1,
                available: 0,
            });
        }
        if diagonals.is_empty() {
            return Err(invalid(
                "number of diagonals",
                "at least 1".into(),
                "0".into(),
            ));
        }
        for (&index, diagonal) in diagonals {
            if index >= slots {
                let needed = format!("below {slots}");
                return Err(invalid("index of a diagonal", needed, index.to_string()));
            }
            if diagonal.len() != slots {
                let available = diagonal.len().to_string();
                return Err(invalid(
                    "length of a diagonal",
                    slots.to_string(),
                    available,
                ));
            }
        }
        let baby = baby_steps(diagonals.keys().copied(), slots);
        // With this scale the rescale leads from canonical scale to canonical scale.
        let scale = params.scale_at(level);
        let mut groups = BTreeMap::<usize, Vec<(usize, RnsPoly)>>::new();
        for (&index, diagonal) in diagonals {
            let (giant, step) = (index - index % baby, index % baby);
            let mut shifted = diagonal.clone();
            shifted.rotate_right(giant);
            let plain = encoder.encode_extended(&shifted, level, scale)?;
            groups.entry(giant).or_default().push((step, plain));
        }
        Ok(Self { level, groups })
    }

    /// From a square matrix given by its rows, `out = matrix * in`, whose size divides the number of
    /// slots: vectors are expected, and given, repeated with the period of that size. Zero diagonals
    /// are left out.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] for a matrix that is empty, not square, zero, or of a size that
    /// does not divide the number of slots; else as [`LinearTransform::from_diagonals`].
    pub fn from_matrix(
        params: &Parameters,
        encoder: &Encoder,
        rows: &[Vec<Complex64>],
        level: usize,
    ) -> Result<Self, CkksError> {
        let (size, slots) = (rows.len(), params.slots());
        if size == 0 || !slots.is_multiple_of(size) {
            let needed = format!("a divisor of {slots}");
            return Err(invalid("size of the matrix", needed, size.to_string()));
        }
        if let Some(row) = rows.iter().find(|row| row.len() != size) {
            let available = row.len().to_string();
            return Err(invalid("length of a row", size.to_string(), available));
        }
        let zero = Complex64::default();
        let diagonals: BTreeMap<usize, Vec<Complex64>> = (0..size)
            .map(|k| {
                (
                    k,
                    (0..slots)
                        .map(|s| rows[s % size][(s + k) % size])
                        .collect::<Vec<_>>(),
                )
            })
            .filter(|(_, diagonal)| diagonal.iter().any(|&x| x != zero))
            .collect();
        Self::from_diagonals(params, encoder, &diagonals, level)
    }

    /// The level for which the diagonals are encoded: inputs must be at this level or above.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The rotations, each once, for which evaluation needs keys at [`LinearTransform::level`].
    pub fn rotations(&self) -> Vec<i64> {
        let babies = self.baby_set();
        let all: BTreeSet<usize> = self.groups.keys().copied().chain(babies).collect();
        all.into_iter()
            .filter(|&k| k != 0)
            .map(|k| k as i64)
            .collect()
    }

    /// Baby steps and giant steps, those by 0 included.
    pub fn steps(&self) -> (usize, usize) {
        (self.baby_set().len(), self.groups.len())
    }

    /// Bytes that the encoded diagonals take in memory.
    pub fn memory(&self) -> usize {
        let diagonals = self.groups.values().flatten();
        diagonals.map(|(_, poly)| memory(poly)).sum()
    }

    pub(crate) fn baby_set(&self) -> BTreeSet<usize> {
        self.groups
            .values()
            .flatten()
            .map(|(step, _)| *step)
            .collect()
    }
}

/// The power of two that gives the cheapest split of `indices` into `giant + step`.
fn baby_steps(indices: impl Iterator<Item = usize> + Clone, slots: usize) -> usize {
    let cost = |log: u32| {
        let baby = 1usize << log;
        let steps: BTreeSet<usize> = indices
            .clone()
            .map(|k| k % baby)
            .filter(|&k| k != 0)
            .collect();
        let giants: BTreeSet<usize> = indices
            .clone()
            .map(|k| k / baby)
            .filter(|&k| k != 0)
            .collect();
        steps.len() + GIANT_COST * giants.len()
    };
    // Ties go to fewer baby steps: all of their results are held at once.
    let best = (0..=slots.ilog2())
        .min_by_key(|&log| cost(log))
        .unwrap_or(0);
    1 << best
}

fn invalid(what: &'static str, needed: String, available: String) -> CkksError {
    CkksError::InvalidArgument {
        op: "LinearTransform",
        what,
        needed,
        available,
    }
}
