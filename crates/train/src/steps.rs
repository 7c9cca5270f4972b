//! Splitting and merging: the packing that costs key switches but no masks and no levels.
//!
//! After Chen, Dai, Kim and Song, "Efficient homomorphic conversion between (ring) LWE ciphertexts" (ACNS 2021), with
//! the rotations of CKKS as the tower of automorphisms. Derivation: `docs/maths/packing.md`.

use confide_tensor::{Evaluator, TensorError};

/// Applies `f` to every item, on the thread pool if the evaluator and the build allow it; results keep their order.
pub(crate) fn map<E, T, R>(
    ev: &E,
    items: Vec<T>,
    f: impl Fn(T) -> Result<R, TensorError> + Sync + Send,
) -> Result<Vec<R>, TensorError>
where
    E: Evaluator,
    T: Send,
    R: Send,
{
    #[cfg(feature = "parallel")]
    if ev.parallel() {
        use rayon::iter::{IntoParallelIterator, ParallelIterator};
        return items.into_par_iter().map(f).collect();
    }
    let _ = ev;
    items.into_iter().map(f).collect()
}

/// The rotations along the rows of a layout, in ascending steps: what splitting and merging climb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tower {
    /// Slots of a ciphertext.
    pub(crate) slots: usize,
    /// Slots of a row, a power of two.
    pub(crate) columns: usize,
    /// Steps that sum over the rows of a block.
    pub(crate) row_steps: u32,
    /// Keys exist for every such step.
    pub(crate) key_stride: u32,
}

impl Tower {
    /// Rotation of step `t`: by `2^t` rows.
    pub(crate) fn rotation(&self, step: u32) -> i64 {
        (self.columns as i64) << step
    }

    /// Exponent `k` of step `t`: its rotation takes `X^k` to `-X^k`, the rotations of later steps leave it.
    pub(crate) fn exponent(&self, step: u32) -> i64 {
        (self.slots as i64 / 2 / self.columns as i64) >> step
    }

    /// The step whose key serves step `t`, and how often its rotation is applied.
    pub(crate) fn keyed(&self, step: u32) -> (u32, u32) {
        let base = step - step % self.key_stride.max(1);
        (base, 1 << (step - base))
    }
}

/// The rotation of a step, through the key that serves it.
fn rotate<E: Evaluator>(
    ev: &E,
    tower: &Tower,
    ct: &E::Ct,
    step: u32,
) -> Result<E::Ct, TensorError> {
    let (base, times) = tower.keyed(step);
    let mut result = ev.rotate(ct, tower.rotation(base))?;
    for _ in 1..times {
        result = ev.rotate(&result, tower.rotation(base))?;
    }
    Ok(result)
}

/// Which way the monomials of a packed ciphertext turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// `sum_p X^(e_p) A_p`.
    Forward,
    /// `sum_p X^(-e_p) A_p`, as conjugation leaves it.
    Backward,
}

/// Takes `count` leaves out of a ciphertext packed by `steps` (leaf bit `b` belongs to step `steps.start + b`). Each leaf
/// comes out times `2^steps.len()`. Same level; `count - 1` key switches (times repetitions for missing keys).
pub(crate) fn split<E: Evaluator>(
    ev: &E,
    tower: &Tower,
    ct: E::Ct,
    steps: std::ops::Range<u32>,
    count: usize,
    turn: Turn,
) -> Result<Vec<E::Ct>, TensorError> {
    let mut nodes = vec![(ct, count)];
    for step in steps.clone().rev() {
        let half = 1usize << (step - steps.start);
        let exponent = match turn {
            Turn::Forward => -tower.exponent(step),
            Turn::Backward => tower.exponent(step),
        };
        let children = map(ev, nodes, |(node, count)| {
            if count <= half {
                return Ok(vec![(ev.add(&node, &node)?, count)]);
            }
            let rotated = rotate(ev, tower, &node, step)?;
            let low = ev.add(&node, &rotated)?;
            let high = ev.mul_monomial(&ev.sub(&node, &rotated)?, exponent)?;
            Ok(vec![(low, half), (high, count - half)])
        })?;
        nodes = children.into_iter().flatten().collect();
    }
    Ok(nodes.into_iter().map(|(node, _)| node).collect())
}

/// Sums every leaf over the rows of its block and merges all leaves into one ciphertext `sum_p X^(e_p) S_p` on the
/// way. Same level.
pub(crate) fn merge<E: Evaluator>(
    ev: &E,
    tower: &Tower,
    mut leaves: Vec<E::Ct>,
) -> Result<E::Ct, TensorError> {
    for step in 0..tower.row_steps {
        let exponent = tower.exponent(step);
        let mut pairs = Vec::with_capacity(leaves.len().div_ceil(2));
        let mut rest = leaves.into_iter();
        while let Some(first) = rest.next() {
            pairs.push((first, rest.next()));
        }
        leaves = map(ev, pairs, |(first, second)| match second {
            None => ev.add(&first, &rotate(ev, tower, &first, step)?),
            Some(second) => {
                let second = ev.mul_monomial(&second, exponent)?;
                let difference = ev.sub(&first, &second)?;
                ev.add(
                    &ev.add(&first, &second)?,
                    &rotate(ev, tower, &difference, step)?,
                )
            }
        })?;
    }
    let mut leaves = leaves.into_iter();
    leaves.next().ok_or(TensorError::TooFewOperands {
        op: "merge",
        needed: 1,
        available: 0,
    })
}

#[cfg(test)]
mod tests {
    use confide_tensor::{ClearEvaluator, SlotRing};
    use num_complex::Complex64;

    use super::*;
    use crate::layout::Layout;

    fn value(p: usize, slot: usize) -> Complex64 {
        Complex64::new(
            (1 + p * 7 + slot * 3) as f64 % 11.0,
            (p * 5 + slot) as f64 % 13.0,
        )
    }

    #[test]
    fn merging_sums_rows_and_splitting_brings_the_sums_back() {
        for (sizes, stride) in [
            ([16, 9, 2], 1),
            ([16, 13, 2], 3),
            ([8, 12, 3], 2),
            ([300, 31, 2], 4),
        ] {
            let layout = Layout::new(8, sizes, 0, stride).expect("fits");
            let ev = ClearEvaluator::new(8, 0);
            let period = layout.block_rows * layout.columns;
            let leaf = |p| {
                (0..ev.slots())
                    .map(|s| value(p, s % period))
                    .collect::<Vec<_>>()
            };
            let leaves = (0..layout.pairs)
                .map(|p| ev.encrypt(&leaf(p), 0))
                .collect::<Result<Vec<_>, _>>()
                .expect("fits");
            let dense = merge(&ev, &layout.tower(), leaves).expect("clear");
            let steps = 0..layout.merge_steps();
            let factor = f64::from(1u32 << layout.merge_steps());
            let check = |split: Vec<confide_tensor::ClearCt>, conjugate: bool| {
                assert_eq!(split.len(), layout.pairs);
                for (p, ct) in split.iter().enumerate() {
                    for (slot, found) in ct.values().iter().enumerate() {
                        let column = slot % layout.columns;
                        let sum: Complex64 = (0..layout.block_rows)
                            .map(|i| value(p, i * layout.columns + column))
                            .sum();
                        let expected = if conjugate { sum.conj() } else { sum } * factor;
                        assert!(
                            (found - expected).norm() < 1e-6,
                            "pair {p} slot {slot}: {found} {expected}"
                        );
                    }
                }
            };
            let conjugated = ev.conjugate(&dense).expect("clear");
            check(
                split(
                    &ev,
                    &layout.tower(),
                    dense,
                    steps.clone(),
                    layout.pairs,
                    Turn::Forward,
                )
                .expect("clear"),
                false,
            );
            check(
                split(
                    &ev,
                    &layout.tower(),
                    conjugated,
                    steps,
                    layout.pairs,
                    Turn::Backward,
                )
                .expect("clear"),
                true,
            );
        }
    }

    #[test]
    fn the_exponents_are_those_of_the_ring() {
        assert_eq!(SlotRing::new(8).slots(), 128);
        let layout = Layout::new(8, [16, 9, 2], 0, 1).expect("fits");
        assert_eq!(layout.exponent(0), 64);
        assert_eq!(layout.exponent(6), 1);
    }
}
