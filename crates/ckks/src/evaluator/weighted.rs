//! Sums of products with weights at scales of their own, and masks in place: what layers with borders are made of.

use super::Evaluator;
use super::scalar::to_integer;
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::plaintext::Plaintext;

/// Largest weight times its scale.
const MAX_BITS: f64 = 62.0;

impl Evaluator {
    /// `a *= p`, slot by slot, at the level of `a`, which must not be above that of `p`; the scales multiply, no
    /// rescale.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`]; [`CkksError::InvalidScale`]; operands of other parameters.
    pub fn mul_plain_assign(&self, a: &mut Ciphertext, p: &Plaintext) -> Result<(), CkksError> {
        const OP: &str = "mul_plain_assign";
        self.check(OP, a)?;
        self.check_plain(OP, p)?;
        super::has_level(OP, p.level, a.level)?;
        self.params.check_scale(OP, a.scale * p.scale)?;
        let plain = self.lowered(&p.poly, a.level);
        for part in &mut a.parts {
            self.params.ring().mul_assign(part, &plain);
        }
        a.scale *= p.scale;
        Ok(())
    }

    /// `out[o] = sum_i rows[o][i] * inputs[i]` at the scale `scale`: inputs are of one level and may have scales of
    /// their own, and weight `i` is rounded at `scale / inputs[i].scale`. No level consumed, no rescale.
    ///
    /// As [`Evaluator::matrix_product`], whose inputs share one scale.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] without inputs or for rows of another length, [`CkksError::LevelTooLow`] for
    /// inputs of different levels, [`CkksError::PartCount`], [`CkksError::InvalidScale`], [`CkksError::NotFinite`],
    /// [`CkksError::Overflow`] for a weight that reaches 2^62, or operands of other parameters.
    pub fn weighted_sums(
        &self,
        inputs: &[&Ciphertext],
        rows: &[Vec<f64>],
        scale: f64,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        const OP: &str = "weighted_sums";
        let wrong = |what, needed: usize, available: usize| CkksError::InvalidArgument {
            op: OP,
            what,
            needed: needed.to_string(),
            available: available.to_string(),
        };
        self.params.check_scale(OP, scale)?;
        let first = *inputs
            .first()
            .ok_or_else(|| wrong("number of inputs", 1, 0))?;
        let parts = first.parts.len();
        for ct in inputs {
            self.check(OP, ct)?;
            super::has_level(OP, ct.level.min(first.level), ct.level.max(first.level))?;
            if ct.parts.len() != parts {
                return Err(CkksError::PartCount {
                    op: OP,
                    needed: parts,
                    available: ct.parts.len(),
                });
            }
        }
        let mut integers = Vec::with_capacity(rows.len() * inputs.len());
        for row in rows {
            if row.len() != inputs.len() {
                return Err(wrong("length of a row", inputs.len(), row.len()));
            }
            for (&weight, ct) in row.iter().zip(inputs) {
                integers.push(small_integer(OP, weight, scale / ct.scale)?);
            }
        }
        let mut out: Vec<Ciphertext> = rows
            .iter()
            .map(|_| Ciphertext {
                parts: Vec::with_capacity(parts),
                level: first.level,
                scale,
            })
            .collect();
        for part in 0..parts {
            let polys: Vec<_> = inputs.iter().map(|ct| &ct.parts[part]).collect();
            let products = self.params.ring().matrix_product(&polys, &integers);
            for (ct, poly) in out.iter_mut().zip(products) {
                ct.parts.push(poly);
            }
        }
        Ok(out)
    }
}

fn small_integer(op: &'static str, weight: f64, scale: f64) -> Result<i64, CkksError> {
    let integer = to_integer(op, weight, scale)?;
    let bits = (integer as f64).abs().log2();
    let fits = i64::try_from(integer).ok().filter(|_| bits < MAX_BITS);
    fits.ok_or(CkksError::Overflow {
        op,
        needed: bits,
        available: MAX_BITS,
    })
}
