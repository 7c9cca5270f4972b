//! Linear transforms of the slots, double-hoisted.
//!
//! Bossuat, Mouchet, Troncoso-Pastoriza and Hubaux, "Efficient bootstrapping for approximate homomorphic
//! encryption with non-sparse keys", EUROCRYPT 2021, section 4.3: all baby rotations share one decomposition and stay
//! over `Q P`, where the diagonals multiply them; each giant step divides one of its two polynomials by `P`, and the
//! sum of all giant steps is divided once, together with the rescale.

use confide_ring::{Baby, RnsPoly, Switch};

use super::{Evaluator, has_level, two_parts};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;
use crate::linear::LinearTransform;

impl Evaluator {
    /// Applies a linear transform to the slots. Consumes one level from that of the transform, to
    /// which the input is dropped first; the scale is that of the input times that of the
    /// diagonals, `scale_at(level)` unless chosen, over `q_level`.
    ///
    /// Holds as many ciphertexts over `Q P` as there are giant steps.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] for an input below the level of the transform; those of
    /// [`Evaluator::rotate`] for its rotations; [`CkksError::PartCount`]; an operand of other parameters.
    pub fn transform(
        &self,
        ct: &Ciphertext,
        transform: &LinearTransform,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "transform";
        let (params, ring, level) = (&self.params, self.params.ring(), transform.level);
        self.check(OP, ct)?;
        two_parts(OP, ct)?;
        has_level(OP, ct.level, level)?;
        let set = params.qp_set(OP, level)?;
        for (_, diagonal) in transform.groups.values().flatten() {
            params.check_blocks(OP, diagonal, set)?;
        }
        for k in transform.rotations() {
            self.galois_key(OP, keys, ring.galois_for_rotation(k), level)?;
        }
        let canonical = params.scale_at(level);
        let below = level - transform.drop;
        let scale = if ct.scale == canonical && transform.scale == canonical && transform.drop == 1
        {
            params.scale_at(below)
        } else {
            let product = ct.scale * transform.scale;
            (below + 1..=level).fold(product, |scale, level| scale / params.q(level) as f64)
        };
        params.check_scale(OP, scale)?;
        let mut sums = self.giant_sums(ct, transform, keys)?;
        let mut total: Option<[RnsPoly; 2]> = None;
        let mut reached = 0;
        // From the largest giant step down, as Horner's rule needs.
        for &giant in transform.groups.keys().rev() {
            if let Some(step) = transform.horner {
                total = self.horner_steps(total, reached, giant, step, level, keys)?;
                reached = giant;
            }
            // One sum for each giant step.
            let Some(mut sum) = sums.pop() else { continue };
            if giant != 0 && transform.horner.is_none() {
                sum = self.giant_rotation(sum, giant, level, keys)?;
            }
            match &mut total {
                Some(total) => {
                    for (acc, poly) in total.iter_mut().zip(&sum) {
                        ring.add_assign(acc, poly);
                    }
                }
                None => total = Some(sum),
            }
        }
        if let Some(step) = transform.horner {
            total = self.horner_steps(total, reached, 0, step, level, keys)?;
        }
        // A transform has at least one diagonal.
        let parts = total
            .into_iter()
            .flatten()
            .map(|poly| match transform.drop {
                0 => ring.mod_down(poly),
                drop => (1..drop).fold(ring.mod_down_rescale(poly), |poly, _| ring.rescale(poly)),
            })
            .collect();
        Ok(Ciphertext {
            parts,
            level: below,
            scale,
        })
    }

    /// For each giant step the sum of the baby rotations times its diagonals, times `P`, over `Q P`.
    fn giant_sums(
        &self,
        ct: &Ciphertext,
        transform: &LinearTransform,
        keys: &EvaluationKeys,
    ) -> Result<Vec<[RnsPoly; 2]>, CkksError> {
        const OP: &str = "transform";
        let (ring, level) = (self.params.ring(), transform.level);
        let set = self.params.qp_set(OP, level)?;
        let [first, second] = [0, 1].map(|part| self.lowered(&ct.parts[part], level));
        let steps: Vec<usize> = transform.baby_set().into_iter().collect();
        let mut babies = Vec::with_capacity(steps.len());
        for &step in &steps {
            let galois = ring.galois_for_rotation(step as i64);
            let key = match step {
                0 => None,
                _ => Some(&self.galois_key(OP, keys, galois, level)?.digits[..]),
            };
            babies.push(Baby { key, galois });
        }
        let digits = match steps.last() {
            Some(0) | None => Vec::new(),
            Some(_) => self.decompose(&second, level).0,
        };
        // Every step of a group is in the set of baby steps.
        let groups: Vec<Vec<(usize, &RnsPoly)>> = transform
            .groups
            .values()
            .map(|diagonals| {
                let place = |step: &usize| steps.binary_search(step).ok();
                let terms = diagonals.iter();
                terms
                    .filter_map(|(step, diagonal)| Some((place(step)?, diagonal)))
                    .collect()
            })
            .collect();
        Ok(ring.rotated_products([&first, &second], &digits, &babies, &groups, set))
    }

    /// Rotations of `sum / P`, times `P` again, by `step` as often as leads from `from` down to `to`.
    fn horner_steps(
        &self,
        sum: Option<[RnsPoly; 2]>,
        from: usize,
        to: usize,
        step: usize,
        level: usize,
        keys: &EvaluationKeys,
    ) -> Result<Option<[RnsPoly; 2]>, CkksError> {
        let Some(mut sum) = sum else { return Ok(None) };
        for _ in 0..from.saturating_sub(to) / step {
            sum = self.giant_rotation(sum, step, level, keys)?;
        }
        Ok(Some(sum))
    }

    /// The rotation of `sum / P` by `giant`, times `P` again: only the second half is divided, for its digits.
    fn giant_rotation(
        &self,
        [first, second]: [RnsPoly; 2],
        giant: usize,
        level: usize,
        keys: &EvaluationKeys,
    ) -> Result<[RnsPoly; 2], CkksError> {
        let ring = self.params.ring();
        let element = ring.galois_for_rotation(giant as i64);
        let key = self.galois_key("transform", keys, element, level)?;
        let digits: Vec<_> = (0..self.params.digits(level))
            .map(|digit| self.params.digit_range(digit, level))
            .collect();
        let one = Switch {
            key: &key.digits,
            addends: [Some(&first), None],
            galois: element,
        };
        Ok(ring.switch_extended(&ring.mod_down(second), &digits, &one))
    }
}
