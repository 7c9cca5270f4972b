//! Products of ciphertexts.

use confide_ring::{RnsPoly, Switch};

use super::{Evaluator, has_level, same_scale, two_parts};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;

impl Evaluator {
    /// The tensor product of two ciphertexts of two parts: three parts at the lower of the two
    /// levels; the scales multiply, no rescale.
    ///
    /// # Errors
    /// [`CkksError::PartCount`], [`CkksError::InvalidScale`], or operands of other parameters.
    pub fn mul(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.tensor_sum("mul", &[(a, b)], 1)
    }

    /// `a * a` with three parts.
    ///
    /// # Errors
    /// As [`Evaluator::mul`].
    pub fn square(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.tensor_sum("square", &[(a, a)], 1)
    }

    /// Sum of the tensor products of all pairs times `factor`, three parts, at the lowest level among them.
    pub(crate) fn tensor_sum(
        &self,
        op: &'static str,
        pairs: &[(&Ciphertext, &Ciphertext)],
        factor: usize,
    ) -> Result<Ciphertext, CkksError> {
        let operands = || pairs.iter().flat_map(|(a, b)| [*a, *b]);
        let mut level = self.params.max_level();
        for ct in operands() {
            self.check(op, ct)?;
            two_parts(op, ct)?;
            level = level.min(ct.level);
        }
        let Some(((first_a, first_b), rest)) = pairs.split_first() else {
            let (needed, available) = ("at least 1".to_owned(), "0".to_owned());
            return Err(CkksError::InvalidArgument {
                op,
                what: "number of pairs",
                needed,
                available,
            });
        };
        let scale = first_a.scale * first_b.scale;
        self.params.check_scale(op, scale)?;
        for (a, b) in rest {
            same_scale(op, scale, a.scale * b.scale)?;
        }
        let parts = |ct| -> [&RnsPoly; 2] {
            let ct: &Ciphertext = ct;
            [&ct.parts[0], &ct.parts[1]]
        };
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| [parts(*a), parts(*b)]).collect();
        let parts = self.params.ring().tensor(&pairs, factor, level + 1).into();
        Ok(Ciphertext {
            parts,
            level,
            scale,
        })
    }

    /// Brings three parts back to two with the relinearisation key; level and scale unchanged.
    /// Two parts are returned as they are.
    ///
    /// # Errors
    /// [`CkksError::MissingKey`], [`CkksError::KeyLevelTooLow`], or an operand of other parameters.
    pub fn relinearize(
        &self,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.relinearize_owned(ct.clone(), keys)
    }

    /// [`Evaluator::relinearize`] of a ciphertext that is no longer needed: saves a copy.
    ///
    /// # Errors
    /// As [`Evaluator::relinearize`].
    pub fn relinearize_owned(
        &self,
        mut ct: Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "relinearize";
        self.check(OP, &ct)?;
        if ct.parts.len() < 3 {
            return Ok(ct);
        }
        ct.parts = self.switch_square(OP, &ct, keys, false)?;
        Ok(ct)
    }

    /// Relinearises, if there are three parts, and rescales: both divisions in one.
    ///
    /// # Errors
    /// Those of [`Evaluator::relinearize`] and [`Evaluator::rescale`].
    pub fn relinearize_rescale(
        &self,
        ct: Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "relinearize_rescale";
        if ct.parts.len() < 3 {
            return self.rescale_owned(ct);
        }
        self.check(OP, &ct)?;
        has_level(OP, ct.level, 1)?;
        let scale = ct.scale / self.params.q(ct.level) as f64;
        self.params.check_scale(OP, scale)?;
        Ok(Ciphertext {
            parts: self.switch_square(OP, &ct, keys, true)?,
            level: ct.level - 1,
            scale,
        })
    }

    /// The first two parts plus the third one switched from `s^2` to `s`, rescaled on demand.
    fn switch_square(
        &self,
        op: &'static str,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
        rescale: bool,
    ) -> Result<Vec<RnsPoly>, CkksError> {
        let key = self.relin_key(op, keys, ct.level)?;
        let uses = [Switch {
            key: &key.digits,
            addends: [Some(&ct.parts[0]), Some(&ct.parts[1])],
            galois: 1,
        }];
        let pairs = self.switch(&ct.parts[2], ct.level, &uses, rescale);
        Ok(pairs.into_iter().flatten().collect())
    }

    /// Product, relinearisation and rescale. One level consumed; scale `a.scale * b.scale / q`,
    /// which is the canonical scale of the result's level when both have that of their own level.
    ///
    /// # Errors
    /// Those of [`Evaluator::mul`], [`Evaluator::relinearize`] and [`Evaluator::rescale`].
    pub fn mul_relin_rescale(
        &self,
        a: &Ciphertext,
        b: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.sum_relin_rescale("mul_relin_rescale", &[(a, b)], keys)
    }

    /// Sum of the products of all pairs with one relinearisation and one rescale. One level
    /// consumed from the lowest operand; scale as for [`Evaluator::mul_relin_rescale`]; all products
    /// must have the same scale.
    ///
    /// # Errors
    /// As [`Evaluator::mul_relin_rescale`]; [`CkksError::ScaleMismatch`];
    /// [`CkksError::InvalidArgument`] without pairs.
    pub fn dot(
        &self,
        pairs: &[(&Ciphertext, &Ciphertext)],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.sum_relin_rescale("dot", pairs, keys)
    }

    fn sum_relin_rescale(
        &self,
        op: &'static str,
        pairs: &[(&Ciphertext, &Ciphertext)],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        for (a, b) in pairs {
            has_level(op, a.level.min(b.level), 1)?;
        }
        let product = self.tensor_sum(op, pairs, 1)?;
        self.relinearize_rescale(product, keys)
    }
}
