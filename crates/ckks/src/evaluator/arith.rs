//! Sums, differences, plaintext operands, rescaling and level changes.

use super::{Evaluator, has_level, same_scale};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::plaintext::Plaintext;

impl Evaluator {
    /// `a + b` at the lower of the two levels; no level consumed, scale of `a`.
    /// Operands may have two or three parts.
    ///
    /// # Errors
    /// [`CkksError::ScaleMismatch`], or operands of other parameters.
    pub fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        let mut out = self.drop_level(a, a.level.min(b.level))?;
        self.combine(&mut out, b, "add", false)?;
        Ok(out)
    }

    /// `a += b`. Drops `a` to the level of `b` where `b` is lower.
    ///
    /// # Errors
    /// As [`Evaluator::add`].
    pub fn add_assign(&self, a: &mut Ciphertext, b: &Ciphertext) -> Result<(), CkksError> {
        self.combine(a, b, "add", false)
    }

    /// `a - b` at the lower of the two levels; no level consumed, scale of `a`.
    ///
    /// # Errors
    /// As [`Evaluator::add`].
    pub fn sub(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, CkksError> {
        let mut out = self.drop_level(a, a.level.min(b.level))?;
        self.combine(&mut out, b, "sub", true)?;
        Ok(out)
    }

    /// `a -= b`. Drops `a` to the level of `b` where `b` is lower.
    ///
    /// # Errors
    /// As [`Evaluator::add`].
    pub fn sub_assign(&self, a: &mut Ciphertext, b: &Ciphertext) -> Result<(), CkksError> {
        self.combine(a, b, "sub", true)
    }

    fn combine(
        &self,
        a: &mut Ciphertext,
        b: &Ciphertext,
        op: &'static str,
        subtract: bool,
    ) -> Result<(), CkksError> {
        self.check(op, a)?;
        self.check(op, b)?;
        same_scale(op, a.scale, b.scale)?;
        if a.level > b.level {
            *a = self.drop_level(a, b.level)?;
        }
        let ring = self.params.ring();
        for (i, part) in b.parts.iter().enumerate() {
            let part = self.lowered(part, a.level);
            match a.parts.get_mut(i) {
                Some(own) if subtract => ring.sub_assign(own, &part),
                Some(own) => ring.add_assign(own, &part),
                None => {
                    let mut part = part.into_owned();
                    if subtract {
                        ring.neg_assign(&mut part);
                    }
                    a.parts.push(part);
                }
            }
        }
        Ok(())
    }

    /// `-a`; level and scale unchanged.
    ///
    /// # Errors
    /// Operands of other parameters.
    pub fn neg(&self, a: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.check("neg", a)?;
        let mut out = a.clone();
        for part in &mut out.parts {
            self.params.ring().neg_assign(part);
        }
        Ok(out)
    }

    /// `a + p` at the lower of the two levels; no level consumed, scale of `a`.
    ///
    /// # Errors
    /// [`CkksError::ScaleMismatch`], or operands of other parameters.
    pub fn add_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        let mut out = self.with_plain(a, p, "add_plain")?;
        let plain = self.lowered(&p.poly, out.level);
        self.params.ring().add_assign(&mut out.parts[0], &plain);
        Ok(out)
    }

    /// `a - p` at the lower of the two levels; no level consumed, scale of `a`.
    ///
    /// # Errors
    /// As [`Evaluator::add_plain`].
    pub fn sub_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        let mut out = self.with_plain(a, p, "sub_plain")?;
        let plain = self.lowered(&p.poly, out.level);
        self.params.ring().sub_assign(&mut out.parts[0], &plain);
        Ok(out)
    }

    fn with_plain(
        &self,
        a: &Ciphertext,
        p: &Plaintext,
        op: &'static str,
    ) -> Result<Ciphertext, CkksError> {
        self.check_plain(op, p)?;
        same_scale(op, a.scale, p.scale)?;
        self.drop_level(a, a.level.min(p.level))
    }

    /// `a * p`, slot by slot, at the lower of the two levels; the scales multiply, no rescale.
    ///
    /// # Errors
    /// Operands of other parameters; [`CkksError::InvalidScale`] if the scale leaves the range of
    /// 64-bit floating point.
    pub fn mul_plain(&self, a: &Ciphertext, p: &Plaintext) -> Result<Ciphertext, CkksError> {
        const OP: &str = "mul_plain";
        self.check_plain(OP, p)?;
        self.params.check_scale(OP, a.scale * p.scale)?;
        let mut out = self.drop_level(a, a.level.min(p.level))?;
        let plain = self.lowered(&p.poly, out.level);
        for part in &mut out.parts {
            self.params.ring().mul_assign(part, &plain);
        }
        out.scale = a.scale * p.scale;
        Ok(out)
    }

    /// `acc += a * p` where `acc` has the scale `a.scale * p.scale` already; no level consumed.
    ///
    /// # Errors
    /// [`CkksError::ScaleMismatch`], or operands of other parameters; [`CkksError::LevelTooLow`] if
    /// `a` or `p` is below the level of `acc`; [`CkksError::PartCount`] if `acc` has fewer parts.
    pub fn mul_plain_add_assign(
        &self,
        acc: &mut Ciphertext,
        a: &Ciphertext,
        p: &Plaintext,
    ) -> Result<(), CkksError> {
        const OP: &str = "mul_plain_add_assign";
        self.check(OP, acc)?;
        self.check(OP, a)?;
        self.check_plain(OP, p)?;
        same_scale(OP, acc.scale, a.scale * p.scale)?;
        has_level(OP, a.level.min(p.level), acc.level)?;
        if acc.parts.len() < a.parts.len() {
            let (needed, available) = (a.parts.len(), acc.parts.len());
            return Err(CkksError::PartCount {
                op: OP,
                needed,
                available,
            });
        }
        let plain = self.lowered(&p.poly, acc.level);
        for (own, part) in acc.parts.iter_mut().zip(&a.parts) {
            let part = self.lowered(part, acc.level);
            self.params.ring().mul_add_assign(own, &part, &plain);
        }
        Ok(())
    }

    /// Divides by the last prime with rounding: one level lower, scale divided by that prime.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] at level 0, or an operand of other parameters.
    pub fn rescale(&self, ct: &Ciphertext) -> Result<Ciphertext, CkksError> {
        self.rescale_owned(ct.clone())
    }

    /// [`Evaluator::rescale`] of a ciphertext that is no longer needed: saves a copy.
    ///
    /// # Errors
    /// As [`Evaluator::rescale`].
    pub fn rescale_owned(&self, ct: Ciphertext) -> Result<Ciphertext, CkksError> {
        const OP: &str = "rescale";
        self.check(OP, &ct)?;
        has_level(OP, ct.level, 1)?;
        let scale = ct.scale / self.params.q(ct.level) as f64;
        self.params.check_scale(OP, scale)?;
        let ring = self.params.ring();
        let parts = ct
            .parts
            .into_iter()
            .map(|part| ring.rescale(part))
            .collect();
        Ok(Ciphertext {
            parts,
            level: ct.level - 1,
            scale,
        })
    }

    /// Rescales until `level` is reached; nothing to do at that level already.
    pub(crate) fn rescale_to(
        &self,
        mut ct: Ciphertext,
        level: usize,
    ) -> Result<Ciphertext, CkksError> {
        has_level("rescale_to", ct.level, level)?;
        while ct.level > level {
            ct = self.rescale_owned(ct)?;
        }
        Ok(ct)
    }

    /// The same values and scale at a lower level (or the same).
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] if `level` is above the ciphertext's.
    pub fn drop_level(&self, ct: &Ciphertext, level: usize) -> Result<Ciphertext, CkksError> {
        const OP: &str = "drop_level";
        self.check(OP, ct)?;
        has_level(OP, ct.level, level)?;
        let parts = ct
            .parts
            .iter()
            .map(|part| self.lowered(part, level).into_owned())
            .collect();
        Ok(Ciphertext {
            parts,
            level,
            scale: ct.scale,
        })
    }

    /// The same values at a lower level and at exactly the scale `scale`: multiplies by an integer
    /// near `q scale / ct.scale` and rescales. Consumes at least one level where the scale differs.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] if `level` is not below the ciphertext's (or equal to it at equal
    /// scale); [`CkksError::InvalidScale`] if the scales are so far apart that the factor is below
    /// `2^20`, where its rounding would show.
    pub fn set_scale(
        &self,
        ct: &Ciphertext,
        level: usize,
        scale: f64,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "set_scale";
        self.params.check_scale(OP, scale)?;
        if same_scale(OP, ct.scale, scale).is_ok() {
            return self.drop_level(ct, level);
        }
        has_level(OP, ct.level, level + 1)?;
        let factor = (scale * self.params.q(level + 1) as f64 / ct.scale).round();
        if factor < f64::from(1 << 20) {
            return Err(CkksError::InvalidScale { op: OP, scale });
        }
        let mut out = self.drop_level(ct, level + 1)?;
        self.scale_integer(&mut out, factor as i128);
        out.scale = scale * self.params.q(level + 1) as f64;
        let mut out = self.rescale_owned(out)?;
        out.scale = scale;
        Ok(out)
    }
}
