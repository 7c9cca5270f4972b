//! Sums of products with weights at scales of their own, and masks in place: what layers with borders are made of.

use super::scalar::to_integer;
use super::{Evaluator, has_level, same_scale};
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
        has_level(OP, p.level, a.level)?;
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
        let (first, integers) = self.weight_integers("weighted_sums", inputs, rows, scale)?;
        let (level, parts) = (first.level, first.parts.len());
        let mut out: Vec<Ciphertext> = rows
            .iter()
            .map(|_| Ciphertext {
                parts: Vec::with_capacity(parts),
                level,
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

    /// `sums[o] += sum_i rows[o][i] * inputs[i]`, at the scale of the sums; otherwise [`Evaluator::weighted_sums`].
    ///
    /// # Errors
    /// As [`Evaluator::weighted_sums`], and [`CkksError::ScaleMismatch`] for sums of different scales.
    pub fn weighted_sums_add(
        &self,
        sums: &mut [Ciphertext],
        inputs: &[&Ciphertext],
        rows: &[Vec<f64>],
    ) -> Result<(), CkksError> {
        const OP: &str = "weighted_sums_add";
        let scale = sums.first().map_or(1.0, |sum| sum.scale);
        let (first, integers) = self.weight_integers(OP, inputs, rows, scale)?;
        let (level, parts) = (first.level, first.parts.len());
        if sums.len() != rows.len() {
            return Err(invalid(OP, "number of sums", rows.len(), sums.len()));
        }
        for sum in &*sums {
            self.check(OP, sum)?;
            same_scale(OP, sum.scale, scale)?;
            same_shape(OP, sum, level, parts)?;
        }
        for part in 0..parts {
            let polys: Vec<_> = inputs.iter().map(|ct| &ct.parts[part]).collect();
            let out = sums.iter_mut().map(|sum| &mut sum.parts[part]).collect();
            self.params
                .ring()
                .matrix_product_add(out, &polys, &integers);
        }
        Ok(())
    }

    /// The first input, for its level and number of parts, and the weights as integers.
    fn weight_integers<'a>(
        &self,
        op: &'static str,
        inputs: &[&'a Ciphertext],
        rows: &[Vec<f64>],
        scale: f64,
    ) -> Result<(&'a Ciphertext, Vec<i64>), CkksError> {
        self.params.check_scale(op, scale)?;
        let first = *inputs
            .first()
            .ok_or_else(|| invalid(op, "number of inputs", 1, 0))?;
        for ct in inputs {
            self.check(op, ct)?;
            same_shape(op, ct, first.level, first.parts.len())?;
        }
        let mut integers = Vec::with_capacity(rows.len() * inputs.len());
        for row in rows {
            if row.len() != inputs.len() {
                return Err(invalid(op, "length of a row", inputs.len(), row.len()));
            }
            for (&weight, ct) in row.iter().zip(inputs) {
                integers.push(small_integer(op, weight, scale / ct.scale)?);
            }
        }
        Ok((first, integers))
    }
}

fn same_shape(
    op: &'static str,
    ct: &Ciphertext,
    level: usize,
    parts: usize,
) -> Result<(), CkksError> {
    has_level(op, ct.level.min(level), ct.level.max(level))?;
    if ct.parts.len() == parts {
        return Ok(());
    }
    Err(CkksError::PartCount {
        op,
        needed: parts,
        available: ct.parts.len(),
    })
}

fn invalid(op: &'static str, what: &'static str, needed: usize, available: usize) -> CkksError {
    CkksError::InvalidArgument {
        op,
        what,
        needed: needed.to_string(),
        available: available.to_string(),
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
