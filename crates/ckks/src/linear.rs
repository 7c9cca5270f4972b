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
use crate::par;
use crate::params::Parameters;

const OP: &str = "LinearTransform";

/// Cost of a giant rotation against a baby rotation, which is no more than an inner product with its key.
const GIANT_COST: usize = 4;

/// A linear map of the slots, encoded for one level.
///
/// Evaluation consumes one level (inside of bootstrapping also none or two); from the canonical scale of its level the result has the canonical
/// scale of the next. Diagonals are encoded over the special primes too, because they multiply what has not been
/// divided by `P` yet: `(level + 1 + special primes) / (level + 1)` times the memory of ordinary plaintexts.
pub struct LinearTransform {
    pub(crate) level: usize,
    /// Levels that evaluation consumes.
    pub(crate) drop: usize,
    /// Scale of the diagonals.
    pub(crate) scale: f64,
    /// By giant step: the baby steps with their diagonals, rotated back by the giant step; as
    /// [`Ring::blocks`](confide_ring::Ring::blocks) where they repeat.
    pub(crate) groups: BTreeMap<usize, Vec<(usize, RnsPoly)>>,
    /// Giant steps are multiples of this one, taken one after another by Horner's rule with a single key.
    pub(crate) horner: Option<usize>,
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
        diagonals: &Diagonals,
        level: usize,
    ) -> Result<Self, CkksError> {
        params.q_set(OP, level)?;
        let baby = baby_steps(diagonals.keys().copied(), params.slots());
        let split = |index: usize| (index - index % baby, index % baby);
        // With this scale the rescale leads from canonical scale to canonical scale.
        let scale = params.scale_at(level);
        Self::build(params, encoder, diagonals, (level, 1, scale), split, None)
    }

    /// [`LinearTransform::from_diagonals`] for diagonals at multiples of `stride`, with `baby` baby steps of that size
    /// and giant steps of `giant = baby * stride` by Horner's rule: one key serves all giant steps, with as many key
    /// switches as other giant steps need. Evaluation consumes `drop` levels. Diagonals have the scale `scale`.
    ///
    /// # Errors
    /// As [`LinearTransform::from_diagonals`]; [`CkksError::InvalidArgument`] for an index between the multiples.
    pub(crate) fn with_horner(
        params: &Parameters,
        encoder: &Encoder,
        diagonals: &Diagonals,
        (level, drop, scale): (usize, usize, f64),
        stride: usize,
        baby: usize,
    ) -> Result<Self, CkksError> {
        if let Some(index) = diagonals.keys().find(|index| *index % stride != 0) {
            let needed = format!("a multiple of {stride}");
            return Err(invalid("index of a diagonal", needed, index.to_string()));
        }
        let giant = baby * stride;
        let split = |index: usize| (index - index % giant, index % giant);
        let place = (level, drop, scale);
        Self::build(params, encoder, diagonals, place, split, Some(giant))
    }

    fn build(
        params: &Parameters,
        encoder: &Encoder,
        diagonals: &Diagonals,
        (level, drop, scale): (usize, usize, f64),
        split: impl Fn(usize) -> (usize, usize) + Sync,
        horner: Option<usize>,
    ) -> Result<Self, CkksError> {
        let slots = params.slots();
        params.q_set(OP, level)?;
        if level < drop {
            return Err(CkksError::LevelTooLow {
                op: OP,
                needed: drop,
                available: level,
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
        let encode = |&(&index, diagonal): &(&usize, &Vec<Complex64>)| {
            let mut shifted = diagonal.clone();
            shifted.rotate_right(split(index).0);
            let plain = encoder.encode_extended(&shifted, level, scale)?;
            // Slots of period p make a polynomial in X^(N / 2p): 2p values say it all.
            let blocks = params.ring().blocks(&plain, 2 * period(&shifted));
            Ok(blocks.unwrap_or(plain))
        };
        let all: Vec<_> = diagonals.iter().collect();
        let encoded = par::map(&all, encode)?;
        let mut groups = BTreeMap::<usize, Vec<(usize, RnsPoly)>>::new();
        for (&index, plain) in diagonals.keys().zip(encoded) {
            let (giant, step) = split(index);
            groups.entry(giant).or_default().push((step, plain));
        }
        Ok(Self {
            level,
            drop,
            scale,
            groups,
            horner,
        })
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
        let diagonals: Diagonals = (0..size)
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
        let giants: Vec<usize> = match self.horner {
            Some(giant) if self.groups.keys().any(|&step| step != 0) => vec![giant],
            _ => self.groups.keys().copied().collect(),
        };
        let all: BTreeSet<usize> = giants.into_iter().chain(babies).collect();
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

/// The least power of two after which `values`, a power of two of them, repeat.
fn period(values: &[Complex64]) -> usize {
    let mut period = values.len();
    while period > 1 && values[..period / 2] == values[period / 2..period] {
        period /= 2;
    }
    period
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

type Diagonals = BTreeMap<usize, Vec<Complex64>>;

fn invalid(what: &'static str, needed: String, available: String) -> CkksError {
    CkksError::InvalidArgument {
        op: OP,
        what,
        needed,
        available,
    }
}
