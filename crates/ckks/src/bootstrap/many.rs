//! Many ciphertexts: refreshed side by side, or several of few slots as one.

use super::{Bootstrapper, OP, Order};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::{EvaluationKeys, KeyKind};

impl Bootstrapper {
    /// [`Bootstrapper::bootstrap`] of each, `at_once` of them side by side: each matrix is applied to all of them before
    /// the next one, in the order in which a worker that holds keys on disk would read them. On one machine that takes as long
    /// as single bootstraps: a key is larger than the cache. The results are those of single bootstraps, to the bit.
    ///
    /// Memory beyond inputs and results: that of a single bootstrap, and for each ciphertext at once two of the level
    /// after CoeffsToSlots.
    ///
    /// # Errors
    /// As [`Bootstrapper::bootstrap`].
    pub fn bootstrap_many(
        &self,
        cts: &[Ciphertext],
        at_once: usize,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let mut out = Vec::with_capacity(cts.len());
        for some in cts.chunks(at_once.max(1)) {
            let entered: Vec<_> = some
                .iter()
                .map(|ct| self.entered(ct))
                .collect::<Result<_, _>>()?;
            for (reduced, ct) in self.all_reduced(entered, keys)?.into_iter().zip(some) {
                out.push(self.finished(reduced, ct.scale, keys)?);
            }
        }
        Ok(out)
    }

    /// From inputs to what EvalMod leaves of each, matrix by matrix.
    fn all_reduced(
        &self,
        inputs: Vec<Ciphertext>,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Vec<Ciphertext>>, CkksError> {
        let mut cts = inputs;
        if self.set.literal().order == Order::SlotsToCoeffs {
            for transform in &self.slots_to_coeffs {
                for ct in &mut cts {
                    *ct = self.evaluator.transform(ct, transform, keys)?;
                }
            }
        }
        for ct in &mut cts {
            *ct = self.raised(ct, keys)?;
        }
        for transform in &self.coeffs_to_slots {
            for ct in &mut cts {
                *ct = self.evaluator.transform(ct, transform, keys)?;
            }
        }
        let split = cts.into_iter().map(|ct| self.split(ct, keys, false));
        let coefficients: Vec<Vec<Ciphertext>> = split.collect::<Result<_, _>>()?;
        let evaluate = |cts| self.eval_mod.evaluate(&self.evaluator, cts, keys);
        coefficients.iter().map(|cts| evaluate(cts)).collect()
    }

    /// Keys that [`Bootstrapper::bootstrap_packed`] needs beyond those of [`Bootstrapper::keys`].
    pub fn packing_keys(&self, log_slots: u32) -> Vec<(KeyKind, usize)> {
        let ring = self.set.params().ring();
        (log_slots..self.log_slots)
            .map(|log| KeyKind::Galois(ring.galois_for_rotation(1 << log)))
            .map(|kind| (kind, self.output_level()))
            .collect()
    }

    /// Refreshes up to `2^k` ciphertexts whose slots repeat with the period `2^log_slots`, where `2^(log_slots + k)` is
    /// [`Bootstrapper::slots`], with one bootstrap: as `sum_i Y^i ct_i` for the least power `Y` of `X` that such a
    /// bootstrap keeps (the packing of ring elements of Chen, Dai, Kim and Song, "Efficient homomorphic conversion
    /// between (ring) LWE ciphertexts", ACNS 2021).
    ///
    /// That sum has slots of up to `2^k` times the size, so it is divided by `2^k` first: inputs must be one level above
    /// [`Bootstrapper::input_level`], and lose `k / 2` bits of precision. Results are at [`Bootstrapper::output_level`]
    /// with the canonical scale.
    ///
    /// # Errors
    /// As [`Bootstrapper::bootstrap`], for keys of [`Bootstrapper::packing_keys`] too; [`CkksError::InvalidArgument`] for
    /// no ciphertext or too many, or a period that is not below the number of slots.
    pub fn bootstrap_packed(
        &self,
        cts: &[Ciphertext],
        log_slots: u32,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let (params, evaluator) = (self.set.params(), &self.evaluator);
        let log_count = self.log_slots.saturating_sub(log_slots);
        let count = 1_usize << log_count;
        if log_slots >= self.log_slots || cts.is_empty() || cts.len() > count {
            return Err(CkksError::InvalidArgument {
                op: OP,
                what: "number of ciphertexts",
                needed: format!("1 to {count}, with fewer slots than 2^{}", self.log_slots),
                available: format!("{} with 2^{log_slots} slots", cts.len()),
            });
        }
        let (level, order) = (self.input_level(), 2 * params.degree());
        let step = order / (4 * self.slots());
        let scale = params.scale_at(level);
        let mut joint: Option<Ciphertext> = None;
        for (index, ct) in cts.iter().enumerate() {
            let mut small = evaluator.set_scale(ct, level, scale / count as f64)?;
            small.scale = scale;
            let turned = evaluator.mul_monomial(&small, index * step)?;
            match &mut joint {
                Some(joint) => evaluator.add_assign(joint, &turned)?,
                None => joint = Some(turned),
            }
        }
        let mut parts: Vec<Ciphertext> = match &joint {
            Some(joint) => vec![self.bootstrap(joint, keys)?],
            None => Vec::new(),
        };
        // Rotation by half of the period negates odd powers of Y: their sum and difference, then the same for Y^2.
        for level in 0..log_count {
            let half = 1 << (self.log_slots - 1 - level);
            let back = order - (step << level);
            let mut halves = [Vec::new(), Vec::new()];
            for part in &parts {
                let rotated = evaluator.rotate(part, half, keys)?;
                halves[0].push(evaluator.add(part, &rotated)?);
                halves[1].push(evaluator.mul_monomial(&evaluator.sub(part, &rotated)?, back)?);
            }
            // Index bits are found from the lowest up.
            parts = halves.into_iter().flatten().collect();
        }
        parts.truncate(cts.len());
        Ok(parts)
    }
}
