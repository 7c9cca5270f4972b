//! Rotations and conjugation of the slots, one by one, hoisted and summed.

use confide_ring::{Form, PrimeSet, RnsPoly, Switch};

use super::{Evaluator, has_level, same_scale, two_parts};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;

impl Evaluator {
    /// Moves slot `i + k` to slot `i` (cyclic, `k` may be negative). Level and scale unchanged.
    ///
    /// # Errors
    /// [`CkksError::MissingKey`] or [`CkksError::KeyLevelTooLow`] for the Galois element
    /// `5^k mod 2N`; [`CkksError::PartCount`]; an operand of other parameters.
    pub fn rotate(
        &self,
        ct: &Ciphertext,
        k: i64,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.galois(
            "rotate",
            ct,
            self.params.ring().galois_for_rotation(k),
            keys,
        )
    }

    /// Complex conjugation of every slot. Level and scale unchanged.
    ///
    /// # Errors
    /// As [`Evaluator::rotate`], for the element `2N - 1`.
    pub fn conjugate(
        &self,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.galois(
            "conjugate",
            ct,
            self.params.ring().galois_for_conjugation(),
            keys,
        )
    }

    /// The automorphism `X -> X^element` on the encrypted polynomial. Level and scale unchanged.
    ///
    /// # Errors
    /// [`CkksError::InvalidGaloisElement`], and as [`Evaluator::rotate`].
    pub fn apply_galois(
        &self,
        ct: &Ciphertext,
        element: u64,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let bound = 2 * self.params.degree() as u64;
        if element.is_multiple_of(2) || element >= bound {
            return Err(CkksError::InvalidGaloisElement {
                op: "apply_galois",
                element,
                bound,
            });
        }
        self.galois("apply_galois", ct, element, keys)
    }

    /// All rotations of one ciphertext, in the order of `ks`: its decomposition is made once.
    /// Each result equals that of [`Evaluator::rotate`] to the bit.
    ///
    /// # Errors
    /// As [`Evaluator::rotate`]; checked before any work is done.
    pub fn rotate_hoisted(
        &self,
        ct: &Ciphertext,
        ks: &[i64],
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let ring = self.params.ring();
        let elements: Vec<u64> = ks.iter().map(|&k| ring.galois_for_rotation(k)).collect();
        self.galois_hoisted("rotate_hoisted", ct, &elements, keys)
    }

    /// `sum_j rotate(ct_j, k_j)`: one division by `P` for all of them. Levels are dropped to the
    /// lowest, scales must agree. No level consumed.
    ///
    /// # Errors
    /// As [`Evaluator::rotate`]; [`CkksError::ScaleMismatch`]; [`CkksError::InvalidArgument`] for
    /// an empty sum.
    pub fn rotate_sum(
        &self,
        terms: &[(&Ciphertext, i64)],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let sum = self.summed("rotate_sum", terms, keys)?;
        let mut parts = Vec::with_capacity(2);
        for (plain, switched) in sum.parts {
            parts.push(match switched {
                Some(mut switched) => {
                    if let Some(plain) = plain {
                        self.params.ring().add_times_p_assign(&mut switched, &plain);
                    }
                    self.params.ring().mod_down(switched)
                }
                None => plain.unwrap_or_else(|| self.zero(sum.level)),
            });
        }
        Ok(Ciphertext {
            parts,
            level: sum.level,
            scale: sum.scale,
        })
    }

    /// [`Evaluator::rotate_sum`] and a rescale, both divisions in one. Consumes one level.
    ///
    /// # Errors
    /// As [`Evaluator::rotate_sum`] and [`Evaluator::rescale`].
    pub fn rotate_sum_rescale(
        &self,
        terms: &[(&Ciphertext, i64)],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "rotate_sum_rescale";
        for (ct, _) in terms {
            has_level(OP, ct.level, 1)?;
        }
        let sum = self.summed(OP, terms, keys)?;
        let scale = sum.scale / self.params.q(sum.level) as f64;
        self.params.check_scale(OP, scale)?;
        let mut parts = Vec::with_capacity(2);
        for (plain, switched) in sum.parts {
            let plain = plain.unwrap_or_else(|| self.zero(sum.level));
            parts.push(match switched {
                Some(switched) => self.add_switched_rescaled(&plain, switched),
                None => self.params.ring().rescale(plain),
            });
        }
        Ok(Ciphertext {
            parts,
            level: sum.level - 1,
            scale,
        })
    }

    fn summed(
        &self,
        op: &'static str,
        terms: &[(&Ciphertext, i64)],
        keys: &EvaluationKeys,
    ) -> Result<Summed, CkksError> {
        let Some(((first, _), _)) = terms.split_first() else {
            let (needed, available) = ("at least 1".to_owned(), "0".to_owned());
            let what = "number of terms";
            return Err(CkksError::InvalidArgument {
                op,
                what,
                needed,
                available,
            });
        };
        let ring = self.params.ring();
        let level = terms.iter().map(|(ct, _)| ct.level).min().unwrap_or(0);
        // All checks before any work.
        for (ct, k) in terms {
            self.check(op, ct)?;
            two_parts(op, ct)?;
            same_scale(op, first.scale, ct.scale)?;
            let element = ring.galois_for_rotation(*k);
            if element != 1 {
                self.galois_key(op, keys, element, level)?;
            }
        }
        let mut parts = [(None, None), (None, None)];
        for (ct, k) in terms {
            let element = ring.galois_for_rotation(*k);
            let halves = [0, 1].map(|i| self.lowered(&ct.parts[i], level));
            if element == 1 {
                for ((plain, _), half) in parts.iter_mut().zip(halves) {
                    accumulate(self, plain, half.into_owned());
                }
                continue;
            }
            let key = self.galois_key(op, keys, element, level)?;
            let mut product = self.inner_product(&self.decompose(&halves[1], level), key);
            ring.add_times_p_assign(&mut product[0], &halves[0]);
            for ((_, switched), poly) in parts.iter_mut().zip(&product) {
                accumulate(self, switched, ring.automorphism(poly, element));
            }
        }
        Ok(Summed {
            parts,
            level,
            scale: first.scale,
        })
    }

    fn zero(&self, level: usize) -> RnsPoly {
        self.params
            .ring()
            .zero(PrimeSet { q: level + 1, p: 0 }, Form::Ntt)
    }

    /// `sum_{i < count} rotate(ct, i * stride)` in about `log2(count)` rotations, plus one for each
    /// further bit set in `count`. Level and scale unchanged; needs the keys of
    /// [`Evaluator::inner_sum_rotations`].
    ///
    /// # Errors
    /// As [`Evaluator::rotate`]; [`CkksError::InvalidArgument`] if `count` is 0 or `count * stride`
    /// rotates around more than once.
    pub fn inner_sum(
        &self,
        ct: &Ciphertext,
        stride: i64,
        count: usize,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "inner_sum";
        self.check(OP, ct)?;
        two_parts(OP, ct)?;
        let within = (count as u64).saturating_mul(stride.unsigned_abs());
        if count == 0 || within > self.params.slots() as u64 {
            return Err(CkksError::InvalidArgument {
                op: OP,
                what: "count times stride",
                needed: format!("1 to {}", self.params.slots()),
                available: format!("{count} times {stride}"),
            });
        }
        let mut sum = ct.clone();
        for step in Self::inner_sum_steps(count) {
            match step {
                Step::Double(done) => {
                    let rotated = self.rotate(&sum, stride.wrapping_mul(done as i64), keys)?;
                    self.add_assign(&mut sum, &rotated)?;
                }
                Step::Append => {
                    sum = self.rotate(&sum, stride, keys)?;
                    self.add_assign(&mut sum, ct)?;
                }
            }
        }
        Ok(sum)
    }

    /// The rotations, each once, for which [`Evaluator::inner_sum`] needs keys.
    pub fn inner_sum_rotations(stride: i64, count: usize) -> Vec<i64> {
        let mut rotations: Vec<i64> = Self::inner_sum_steps(count)
            .map(|step| match step {
                Step::Double(done) => stride.wrapping_mul(done as i64),
                Step::Append => stride,
            })
            .collect();
        rotations.sort_unstable();
        rotations.dedup();
        rotations
    }

    /// From the second highest bit of `count` down: double the sum, then append one if the bit is set.
    fn inner_sum_steps(count: usize) -> impl Iterator<Item = Step> {
        let bits = count.checked_ilog2().unwrap_or(0);
        (0..bits).rev().flat_map(move |bit| {
            let append = (count >> bit) & 1 == 1;
            [
                Some(Step::Double(count >> (bit + 1))),
                append.then_some(Step::Append),
            ]
            .into_iter()
            .flatten()
        })
    }

    fn galois(
        &self,
        op: &'static str,
        ct: &Ciphertext,
        element: u64,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let mut out = self.galois_hoisted(op, ct, &[element], keys)?;
        // One element gives one ciphertext.
        Ok(out.swap_remove(0))
    }

    fn galois_hoisted(
        &self,
        op: &'static str,
        ct: &Ciphertext,
        elements: &[u64],
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        self.check(op, ct)?;
        two_parts(op, ct)?;
        let mut uses = Vec::with_capacity(elements.len());
        for &element in elements.iter().filter(|&&g| g != 1) {
            let key = self.galois_key(op, keys, element, ct.level)?;
            // The key leads from s to s(X^(1/element)): the automorphism comes last, on two polynomials
            // instead of on all digits.
            uses.push(Switch {
                key: &key.digits,
                addends: [Some(&ct.parts[0]), None],
                galois: element,
            });
        }
        let mut switched = if uses.is_empty() {
            Vec::new()
        } else {
            self.switch(&ct.parts[1], ct.level, &uses, false)
        }
        .into_iter();
        let rotated = |&element: &u64| match element {
            1 => Some(ct.clone()),
            _ => switched.next().map(|parts| Ciphertext {
                parts: Vec::from(parts),
                level: ct.level,
                scale: ct.scale,
            }),
        };
        Ok(elements.iter().filter_map(rotated).collect())
    }
}

/// A sum of rotations before its division by `P`: of each part the terms that were not rotated, and
/// the others times `P`.
struct Summed {
    parts: [(Option<RnsPoly>, Option<RnsPoly>); 2],
    level: usize,
    scale: f64,
}

/// One step of an inner sum over `done` terms so far.
enum Step {
    Double(usize),
    Append,
}

fn accumulate(evaluator: &Evaluator, sum: &mut Option<RnsPoly>, term: RnsPoly) {
    match sum {
        Some(sum) => evaluator.params.ring().add_assign(sum, &term),
        None => *sum = Some(term),
    }
}
