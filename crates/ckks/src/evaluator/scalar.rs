//! Constants: added to or multiplied into all slots.

use confide_ring::{Modulus, PrimeSet};
use num_complex::Complex64;

use super::Evaluator;
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;

/// Constants times their scale stay below 2^126, so that sums of two fit an `i128`.
const MAX_BITS: f64 = 126.0;

impl Evaluator {
    /// Adds `constant` to every slot; level and scale unchanged. The error is at most half a unit of
    /// `1/scale` in each of the real and the imaginary part.
    ///
    /// The imaginary unit in all slots is `X^(N/2)`.
    ///
    /// # Errors
    /// [`CkksError::NotFinite`], [`CkksError::Overflow`] (2^190 or more), or an operand of other parameters.
    pub fn add_scalar(
        &self,
        ct: &Ciphertext,
        constant: impl Into<Complex64>,
    ) -> Result<Ciphertext, CkksError> {
        let mut out = ct.clone();
        self.add_scalar_assign(&mut out, constant)?;
        Ok(out)
    }

    /// [`Evaluator::add_scalar`] in place.
    ///
    /// # Errors
    /// As [`Evaluator::add_scalar`].
    pub fn add_scalar_assign(
        &self,
        ct: &mut Ciphertext,
        constant: impl Into<Complex64>,
    ) -> Result<(), CkksError> {
        const OP: &str = "add_scalar";
        self.check(OP, ct)?;
        let constant = constant.into();
        let [real, imaginary] =
            [constant.re, constant.im].map(|part| Wide::new(OP, part, ct.scale));
        let (real, imaginary) = (real?, imaginary?);
        let ring = self.params.ring();
        let set = ct.parts[0].set();
        if real.integer != 0 {
            ring.add_scalar_assign(&mut ct.parts[0], &self.wide_residues(set, real));
        }
        if imaginary.integer != 0 {
            let mut unit = ring.zero(set, ct.parts[0].form());
            ring.add_scalar_assign(&mut unit, &self.wide_residues(set, imaginary));
            ring.mul_monomial_assign(&mut unit, self.params.degree() / 2);
            ring.add_assign(&mut ct.parts[0], &unit);
        }
        Ok(())
    }

    /// Multiplies every slot by `constant`, encoded as the integer `round(constant * scalar_scale)`.
    /// The scale is multiplied by `scalar_scale`; level unchanged, no rescale.
    ///
    /// With `scalar_scale = q_level * wanted / ct.scale` the next rescale reaches the scale `wanted`
    /// exactly.
    ///
    /// # Errors
    /// [`CkksError::NotFinite`], [`CkksError::Overflow`], [`CkksError::InvalidScale`], or an operand
    /// of other parameters.
    pub fn mul_scalar(
        &self,
        ct: &Ciphertext,
        constant: f64,
        scalar_scale: f64,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "mul_scalar";
        self.check(OP, ct)?;
        self.params.check_scale(OP, scalar_scale)?;
        self.params.check_scale(OP, ct.scale * scalar_scale)?;
        let integer = to_integer(OP, constant, scalar_scale)?;
        let mut out = ct.clone();
        self.scale_integer(&mut out, integer);
        out.scale = ct.scale * scalar_scale;
        Ok(out)
    }

    /// Multiplies every slot by `constant` and rescales to the canonical scale of the next level
    /// ([`crate::Parameters::scale_at`]). Consumes one level.
    ///
    /// # Errors
    /// As [`Evaluator::mul_scalar`]; [`CkksError::LevelTooLow`] at level 0.
    pub fn mul_scalar_rescale(
        &self,
        ct: &Ciphertext,
        constant: f64,
    ) -> Result<Ciphertext, CkksError> {
        super::has_level("mul_scalar_rescale", ct.level, 1)?;
        let wanted = self.params.scale_at(ct.level - 1);
        let factor = self.params.q(ct.level) as f64 * wanted / ct.scale;
        let mut out = self.rescale_owned(self.mul_scalar(ct, constant, factor)?)?;
        out.scale = wanted;
        Ok(out)
    }

    /// Multiplies every slot by `factor` > 0 by dividing the scale: exact and free, but the scale is not the canonical one
    /// any more, or becomes it.
    ///
    /// # Errors
    /// [`CkksError::InvalidScale`], or an operand of other parameters.
    pub fn mul_by_scale(&self, mut ct: Ciphertext, factor: f64) -> Result<Ciphertext, CkksError> {
        const OP: &str = "mul_by_scale";
        self.check(OP, &ct)?;
        let scale = ct.scale / factor;
        self.params.check_scale(OP, scale)?;
        ct.scale = scale;
        Ok(ct)
    }

    /// Multiplies every slot by an integer; level and scale unchanged. The noise grows by the same
    /// factor.
    ///
    /// # Errors
    /// An operand of other parameters.
    pub fn mul_integer(&self, ct: &Ciphertext, factor: i64) -> Result<Ciphertext, CkksError> {
        self.check("mul_integer", ct)?;
        let mut out = ct.clone();
        self.scale_integer(&mut out, i128::from(factor));
        Ok(out)
    }

    /// Multiplies the polynomial by `X^exponent` (mod 2N): slot `s` by `zeta^(exponent * 5^s)` with
    /// `zeta = exp(i pi / N)`. Level, scale and noise unchanged; `N/2` multiplies by the imaginary unit.
    ///
    /// # Errors
    /// An operand of other parameters.
    pub fn mul_monomial(&self, ct: &Ciphertext, exponent: usize) -> Result<Ciphertext, CkksError> {
        self.check("mul_monomial", ct)?;
        let mut out = ct.clone();
        for part in &mut out.parts {
            self.params
                .ring()
                .mul_monomial_assign(part, exponent % (2 * self.params.degree()));
        }
        Ok(out)
    }

    /// Multiplies all parts by an integer; the scale is left to the caller.
    pub(crate) fn scale_integer(&self, ct: &mut Ciphertext, factor: i128) {
        let residues = self.residues(ct.parts[0].set(), factor);
        for part in &mut ct.parts {
            self.params.ring().mul_scalar_assign(part, &residues);
        }
    }

    /// `sum += sum_i integer_i * ct_i`, over the primes of `sum`; scales are the caller's. Ciphertexts have two parts and
    /// that level or a higher one.
    pub(crate) fn add_combination(
        &self,
        sum: &mut Ciphertext,
        terms: &[(&Ciphertext, i128)],
    ) -> Result<(), CkksError> {
        let set = self.params.q_set("add_combination", sum.level)?;
        for (ct, integer) in terms {
            self.check("add_combination", ct)?;
            super::has_level("add_combination", ct.level, sum.level)?;
            let residues = self.residues(set, *integer);
            for (own, part) in sum.parts.iter_mut().zip(&ct.parts) {
                self.params
                    .ring()
                    .mul_scalar_add_assign(own, part, &residues);
            }
        }
        Ok(())
    }

    /// `sum_i integer_i * ct_i` for ciphertexts of two parts at `level` or above, in one pass; the scale is left to the
    /// caller.
    pub(crate) fn combination(
        &self,
        terms: &[(&Ciphertext, i128)],
        level: usize,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "combination";
        let set = self.params.q_set(OP, level)?;
        for (ct, _) in terms {
            self.check(OP, ct)?;
            super::two_parts(OP, ct)?;
            super::has_level(OP, ct.level, level)?;
        }
        let part = |index: usize| {
            let terms: Vec<_> = terms
                .iter()
                .map(|(ct, integer)| (&ct.parts[index], self.residues(set, *integer)))
                .collect();
            self.params.ring().combination(&terms, level + 1)
        };
        Ok(Ciphertext {
            parts: vec![part(0), part(1)],
            level,
            scale: 1.0,
        })
    }

    fn wide_residues(&self, set: PrimeSet, value: Wide) -> Vec<u64> {
        let ring = self.params.ring();
        let mut residues = self.residues(set, value.integer);
        for (limb, residue) in residues.iter_mut().enumerate() {
            let modulus = ring.modulus_at(set, limb);
            *residue = modulus.mul(*residue, residue_of_power(modulus, value.shift));
        }
        residues
    }

    fn residues(&self, set: PrimeSet, value: i128) -> Vec<u64> {
        let ring = self.params.ring();
        (0..set.q + set.p)
            .map(|limb| residue(ring.modulus_at(set, limb), value))
            .collect()
    }
}

/// `integer * 2^shift`.
#[derive(Clone, Copy)]
struct Wide {
    integer: i128,
    shift: u32,
}

impl Wide {
    /// `round(constant * scale)`. What exceeds an `i128` is a double far above 2^117: it has 64 zero bits.
    fn new(op: &'static str, constant: f64, scale: f64) -> Result<Self, CkksError> {
        let shift = if (constant * scale).abs().log2() < MAX_BITS {
            0
        } else {
            64
        };
        let integer = to_integer(op, constant, scale / f64::from(shift).exp2())?;
        Ok(Self { integer, shift })
    }
}

fn residue(modulus: &Modulus, value: i128) -> u64 {
    // The modulus is below 2^50 and the remainder in [0, q).
    value.rem_euclid(i128::from(modulus.value())) as u64
}

fn residue_of_power(modulus: &Modulus, exponent: u32) -> u64 {
    modulus.pow(2, u64::from(exponent))
}

/// `round(constant * scale)`.
pub(crate) fn to_integer(op: &'static str, constant: f64, scale: f64) -> Result<i128, CkksError> {
    if !constant.is_finite() {
        return Err(CkksError::NotFinite { op, index: 0 });
    }
    let scaled = (constant * scale).round();
    let bits = scaled.abs().log2();
    if bits >= MAX_BITS {
        return Err(CkksError::Overflow {
            op,
            needed: bits,
            available: MAX_BITS,
        });
    }
    Ok(scaled as i128)
}
