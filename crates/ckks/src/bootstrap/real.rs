//! Real messages: two of them in one bootstrap, or one in half of a bootstrap.

use super::{Bootstrapper, Order};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;

impl Bootstrapper {
    /// Refreshes a ciphertext of a real message. Where SlotsToCoeffs comes first and all slots are in use, imaginary parts
    /// are coefficients of their own, and EvalMod is spared for them: an imaginary part of the input is lost. Else as
    /// [`Bootstrapper::bootstrap`]. Levels and scales are the same.
    ///
    /// # Errors
    /// As [`Bootstrapper::bootstrap`].
    pub fn bootstrap_real(
        &self,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        if self.set.literal().order == Order::ModRaise || self.is_sparse() {
            return self.bootstrap(ct, keys);
        }
        let input = self.entered(ct)?;
        let mut reduced = self.reduced(&input, keys, true, &mut |_| ())?;
        match reduced.pop() {
            Some(mut out) => {
                out.scale = self.output_scale(ct.scale);
                Ok(out)
            }
            None => self.completed(reduced, keys),
        }
    }

    /// Refreshes two ciphertexts of real messages with one bootstrap, as real and imaginary part of one ciphertext.
    /// Levels and scales as [`Bootstrapper::bootstrap`]; what imaginary parts there were is lost.
    ///
    /// # Errors
    /// As [`Bootstrapper::bootstrap`].
    pub fn bootstrap_real_pair(
        &self,
        [first, second]: [&Ciphertext; 2],
        keys: &EvaluationKeys,
    ) -> Result<[Ciphertext; 2], CkksError> {
        let evaluator = &self.evaluator;
        let quarter = self.set.params().degree() / 2;
        let scales = [first.scale, second.scale];
        let mut joint = self.entered(first)?;
        let mut imaginary = evaluator.mul_monomial(&self.entered(second)?, quarter)?;
        // Each part keeps its own scale: nothing here depends on them.
        imaginary.scale = joint.scale;
        evaluator.add_assign(&mut joint, &imaginary)?;
        let reduced = self.reduced(&joint, keys, false, &mut |_| ())?;
        let mut parts = match (<[Ciphertext; 2]>::try_from(reduced), &self.joins) {
            // They have come back as two ciphertexts.
            (Ok(parts), _) if self.set.literal().order == Order::SlotsToCoeffs => parts,
            (Ok(parts), _) => self.parts(self.completed(parts.into(), keys)?, keys)?,
            (Err(halves), Some(joins)) => {
                let [real, imaginary] =
                    [&joins.real, &joins.imaginary].map(|join| self.joined(&halves, join, keys));
                [real?, imaginary?]
            }
            (Err(halves), None) => self.parts(self.completed(halves, keys)?, keys)?,
        };
        for (part, scale) in parts.iter_mut().zip(scales) {
            part.scale = self.output_scale(scale);
        }
        Ok(parts)
    }
}
