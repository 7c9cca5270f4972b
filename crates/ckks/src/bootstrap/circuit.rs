//! The parts of a bootstrap on ciphertexts, in either order.

use super::{Bootstrapper, OP, Order, mod_raise};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;
use crate::linear::LinearTransform;

impl Bootstrapper {
    /// The input at the level that is read.
    pub(super) fn entered(&self, ct: &Ciphertext) -> Result<Ciphertext, CkksError> {
        let level = self.input_level();
        if ct.scale > self.set.params().scale_at(level) * 1.01 {
            return Err(CkksError::InvalidScale {
                op: OP,
                scale: ct.scale,
            });
        }
        self.evaluator.drop_level(ct, level)
    }

    /// From an input to the ciphertexts that EvalMod leaves: real and imaginary parts of what came to ModRaise in
    /// coefficients, only the first with `real`, or both in the two halves of one ciphertext for fewer slots.
    pub(super) fn reduced(
        &self,
        input: &Ciphertext,
        keys: &EvaluationKeys,
        real: bool,
        done: &mut dyn FnMut(&'static str),
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let bottom = match self.set.literal().order {
            Order::SlotsToCoeffs => {
                let bottom = self.transformed(input, &self.slots_to_coeffs, keys)?;
                done("SlotsToCoeffs");
                bottom
            }
            Order::ModRaise => input.clone(),
        };
        let raised = self.raised(&bottom, keys)?;
        done("ModRaise");
        let coefficients = self.coefficients(raised, keys, real)?;
        done("CoeffsToSlots");
        let reduced = self
            .eval_mod
            .evaluate(&self.evaluator, &coefficients, keys)?;
        done("EvalMod");
        Ok(reduced)
    }

    fn transformed(
        &self,
        ct: &Ciphertext,
        transforms: &[LinearTransform],
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let mut out: Option<Ciphertext> = None;
        for transform in transforms {
            let input = out.as_ref().unwrap_or(ct);
            out = Some(self.evaluator.transform(input, transform, keys)?);
        }
        Ok(out.unwrap_or_else(|| ct.clone()))
    }

    /// ModRaise from level 0, and for fewer slots the projection to polynomials in `X^(N / 2 slots)`.
    pub(super) fn raised(
        &self,
        bottom: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let weight = self.set.literal().weight;
        let mut raised = mod_raise::raise(&self.evaluator, bottom, weight, keys)?;
        for rotation in self.trace_rotations() {
            let rotated = self.evaluator.rotate(&raised, rotation, keys)?;
            self.evaluator.add_assign(&mut raised, &rotated)?;
        }
        Ok(raised)
    }

    /// CoeffsToSlots: real slots `x / K` with `x = I + c / q_0`, in two ciphertexts, or in one for fewer slots or where
    /// only those of real parts are wanted.
    pub(super) fn coefficients(
        &self,
        raised: Ciphertext,
        keys: &EvaluationKeys,
        real: bool,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let ct = self.transformed(&raised, &self.coeffs_to_slots, keys)?;
        self.split(ct, keys, real)
    }

    /// What the matrices of CoeffsToSlots leave, as ciphertexts of real slots.
    pub(super) fn split(
        &self,
        mut ct: Ciphertext,
        keys: &EvaluationKeys,
        real: bool,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        ct.scale = self.eval_mod.input_scale();
        if self.is_sparse() || real {
            let conjugate = self.evaluator.conjugate(&ct, keys)?;
            self.evaluator.add_assign(&mut ct, &conjugate)?;
            return Ok(vec![ct]);
        }
        Ok(self.parts(ct, keys)?.into())
    }

    /// Twice the real and twice the imaginary parts.
    pub(super) fn parts(
        &self,
        ct: Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<[Ciphertext; 2], CkksError> {
        let conjugate = self.evaluator.conjugate(&ct, keys)?;
        let imaginary = self.evaluator.sub(&ct, &conjugate)?;
        let mut real = ct;
        self.evaluator.add_assign(&mut real, &conjugate)?;
        // Times -i.
        let turn = 3 * self.set.params().degree() / 2;
        Ok([real, self.evaluator.mul_monomial(&imaginary, turn)?])
    }

    /// The result from what EvalMod leaves, SlotsToCoeffs included where it comes last; the scale is left to the caller.
    pub(super) fn completed(
        &self,
        reduced: Vec<Ciphertext>,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let evaluator = &self.evaluator;
        if let Some(joins) = &self.joins {
            return self.joined(&reduced, &joins.complex, keys);
        }
        let mut reduced = reduced.into_iter();
        let (Some(mut ct), second) = (reduced.next(), reduced.next()) else {
            return Err(no_ciphertext());
        };
        let period = self.slots() as i64;
        let imaginary = match second {
            Some(imaginary) => imaginary,
            None => evaluator.rotate(&ct, period, keys)?,
        };
        let quarter = self.set.params().degree() / 2;
        evaluator.add_assign(&mut ct, &evaluator.mul_monomial(&imaginary, quarter)?)?;
        if self.set.literal().order == Order::SlotsToCoeffs {
            return Ok(ct);
        }
        for (index, transform) in self.slots_to_coeffs.iter().enumerate() {
            ct = evaluator.transform(&ct, transform, keys)?;
            if index == 0 && self.is_sparse() {
                let rotated = evaluator.rotate(&ct, period, keys)?;
                evaluator.add_assign(&mut ct, &rotated)?;
            }
        }
        Ok(ct)
    }

    /// The result for an input of scale `scale`.
    pub(super) fn finished(
        &self,
        reduced: Vec<Ciphertext>,
        scale: f64,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let mut out = self.completed(reduced, keys)?;
        if self.set.literal().order == Order::ModRaise {
            self.evaluator.scale_integer(&mut out, 2);
        }
        out.scale = self.output_scale(scale);
        Ok(out)
    }

    /// The two halves of what EvalMod leaves for fewer slots, brought together.
    pub(super) fn joined(
        &self,
        reduced: &[Ciphertext],
        join: &LinearTransform,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let ct = reduced.first().ok_or_else(no_ciphertext)?;
        self.evaluator.transform(ct, join, keys)
    }
}

fn no_ciphertext() -> CkksError {
    CkksError::InvalidArgument {
        op: OP,
        what: "number of ciphertexts",
        needed: "1 or 2".into(),
        available: "0".into(),
    }
}
