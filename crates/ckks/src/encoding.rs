//! Encoding: vectors of complex or real numbers to polynomials and back.
//!
//! Slot `s` of a polynomial `m` is its value at `zeta^(5^s)` with `zeta = exp(i pi / N)`; the canonical embedding
//! of the CKKS paper, section 3.2. Encoding multiplies by the scale and rounds each coefficient, so a decoded
//! value differs by about `sqrt(N/12) / scale`, and by some 2^-50 of the largest value from double precision.

mod crt;
mod fft;

use std::sync::Arc;

use confide_ring::{Form, PrimeSet, Ring, RnsPoly};
use num_complex::Complex64;
use zeroize::Zeroize;

use crate::error::CkksError;
use crate::params::Parameters;
use crate::plaintext::Plaintext;
#[cfg(all(test, feature = "secret"))]
pub(crate) use crt::centred;
use fft::SlotTransform;

/// log2 of the largest coefficient that the encoder handles: what an `i128` holds with room for sums.
const MAX_COEFFICIENT_BITS: f64 = 120.0;

/// Encodes and decodes for one parameter set; holds the tables of the transform. Cheap to clone.
#[derive(Clone)]
pub struct Encoder {
    params: Parameters,
    transform: Arc<SlotTransform>,
}

impl Encoder {
    /// Computes the tables: `O(N)` sines and cosines.
    pub fn new(params: &Parameters) -> Self {
        Self {
            params: params.clone(),
            transform: Arc::new(SlotTransform::new(params.slots())),
        }
    }

    pub(crate) fn params(&self) -> &Parameters {
        &self.params
    }

    /// Encodes complex values; missing slots are zero.
    ///
    /// # Errors
    /// [`CkksError::TooManyValues`], [`CkksError::NotFinite`], [`CkksError::LevelTooHigh`],
    /// [`CkksError::InvalidScale`], or [`CkksError::Overflow`] if a value times the scale exceeds half the
    /// modulus at that level.
    pub fn encode(
        &self,
        values: &[Complex64],
        level: usize,
        scale: f64,
    ) -> Result<Plaintext, CkksError> {
        self.encode_with(values.len(), |slot| values[slot], level, scale)
    }

    /// Encodes real values; missing slots are zero.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_real(
        &self,
        values: &[f64],
        level: usize,
        scale: f64,
    ) -> Result<Plaintext, CkksError> {
        self.encode_with(
            values.len(),
            |slot| Complex64::new(values[slot], 0.0),
            level,
            scale,
        )
    }

    /// As [`Encoder::encode`], over the special primes too: a factor for what has not been divided by `P` yet.
    pub(crate) fn encode_extended(
        &self,
        values: &[Complex64],
        level: usize,
        scale: f64,
    ) -> Result<RnsPoly, CkksError> {
        let set = self.params.qp_set("encode", level)?;
        self.encode_over(set, values.len(), |slot| values[slot], scale)
    }

    fn encode_with(
        &self,
        len: usize,
        value: impl Fn(usize) -> Complex64,
        level: usize,
        scale: f64,
    ) -> Result<Plaintext, CkksError> {
        let set = self.params.q_set("encode", level)?;
        let poly = self.encode_over(set, len, value, scale)?;
        Ok(Plaintext { poly, level, scale })
    }

    fn encode_over(
        &self,
        set: PrimeSet,
        len: usize,
        value: impl Fn(usize) -> Complex64,
        scale: f64,
    ) -> Result<RnsPoly, CkksError> {
        const OP: &str = "encode";
        let params = &self.params;
        params.check_scale(OP, scale)?;
        if len > params.slots() {
            return Err(CkksError::TooManyValues {
                op: OP,
                needed: len,
                available: params.slots(),
            });
        }
        let mut work = vec![Complex64::ZERO; params.slots()];
        for (slot, entry) in work.iter_mut().enumerate().take(len) {
            *entry = value(slot);
            if !entry.is_finite() {
                return Err(CkksError::NotFinite {
                    op: OP,
                    index: slot,
                });
            }
        }
        self.transform.slots_to_coefficients(&mut work);
        // Real parts are the lower half of the coefficients, imaginary parts the upper half.
        let mut coefficients = vec![0.0; params.degree()];
        let (lower, upper) = coefficients.split_at_mut(params.slots());
        for ((entry, low), high) in work.iter_mut().zip(lower).zip(upper) {
            *low = (entry.re * scale).round();
            *high = (entry.im * scale).round();
            *entry = Complex64::ZERO;
        }
        let poly = self.reduce(&coefficients, set);
        coefficients.zeroize();
        poly
    }

    /// Residues of integral coefficients in NTT form, after the check that they fit.
    fn reduce(&self, coefficients: &[f64], set: PrimeSet) -> Result<RnsPoly, CkksError> {
        let params = &self.params;
        let largest = coefficients.iter().fold(0.0_f64, |max, c| max.max(c.abs()));
        let available = (params.log_q_at(set.q - 1) - 1.0).min(MAX_COEFFICIENT_BITS);
        // Negated so that a sum that overflowed to infinity or NaN is refused too.
        let fits = largest.is_finite()
            && coefficients.iter().all(|c| c.is_finite())
            && largest.log2() < available;
        if !fits {
            return Err(CkksError::Overflow {
                op: "encode",
                needed: largest.log2(),
                available,
            });
        }
        if largest < Ring::INTEGER_BOUND {
            return Ok(params.ring().lift_integers(coefficients, set));
        }
        let mut poly = params.ring().zero(set, Form::Coefficient);
        for limb in 0..set.len() {
            let modulus = *params.ring().modulus_at(set, limb);
            for (residue, &c) in poly.limb_mut(limb).iter_mut().zip(coefficients) {
                let magnitude = modulus.reduce_u128(c.abs() as u128);
                *residue = if c < 0.0 {
                    modulus.neg(magnitude)
                } else {
                    magnitude
                };
            }
        }
        params.ring().ntt(&mut poly);
        Ok(poly)
    }

    /// All slots of a plaintext.
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if it was made under other parameters.
    pub fn decode(&self, plaintext: &Plaintext) -> Result<Vec<Complex64>, CkksError> {
        const OP: &str = "decode";
        let params = &self.params;
        params.check_shape(
            OP,
            &plaintext.poly,
            params.q_set(OP, plaintext.level)?,
            Form::Ntt,
        )?;
        let mut poly = plaintext.poly.clone();
        params.ring().intt(&mut poly);
        let mut coefficients = crt::centred(params.ring(), &poly);
        poly.zeroize();
        let (lower, upper) = coefficients.split_at(params.slots());
        let mut slots: Vec<Complex64> = lower
            .iter()
            .zip(upper)
            .map(|(&re, &im)| Complex64::new(re / plaintext.scale, im / plaintext.scale))
            .collect();
        coefficients.zeroize();
        self.transform.coefficients_to_slots(&mut slots);
        Ok(slots)
    }

    /// The real parts of all slots of a plaintext.
    ///
    /// # Errors
    /// As [`Encoder::decode`].
    pub fn decode_real(&self, plaintext: &Plaintext) -> Result<Vec<f64>, CkksError> {
        Ok(self
            .decode(plaintext)?
            .into_iter()
            .map(|slot| slot.re)
            .collect())
    }
}

/// Encodes real values that repeat over all slots, as polynomials in a power of X.
pub(crate) struct PeriodicEncoder(SlotTransform);

impl PeriodicEncoder {
    /// For a period that is a power of two. Slot `s` of a polynomial in `X^k` is its value at `zeta^(k 5^s)`: what slot
    /// `s` is to a ring of degree `N/k`.
    pub(crate) fn new(period: usize) -> Self {
        Self(SlotTransform::new(period))
    }

    /// Writes the first `period` coefficients of `values` at a scale, rounded. As the values are real, coefficient
    /// `2 period - j` is minus coefficient `j`.
    ///
    /// # Errors
    /// [`CkksError::NotFinite`], and [`CkksError::Overflow`] for coefficients that reach 2^62.
    pub(crate) fn coefficients(
        &self,
        op: &'static str,
        values: &[f64],
        scale: f64,
        coefficients: &mut [f64],
    ) -> Result<(), CkksError> {
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(CkksError::NotFinite { op, index });
        }
        let mut work: Vec<Complex64> = values.iter().map(|&x| x.into()).collect();
        self.0.slots_to_coefficients(&mut work);
        for (entry, c) in work.iter().zip(&mut *coefficients) {
            *c = (entry.re * scale).round();
        }
        let largest = coefficients.iter().fold(0.0_f64, |max, c| max.max(c.abs()));
        if largest < Ring::INTEGER_BOUND {
            return Ok(());
        }
        Err(CkksError::Overflow {
            op,
            needed: largest.log2(),
            available: Ring::INTEGER_BOUND.log2(),
        })
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}
