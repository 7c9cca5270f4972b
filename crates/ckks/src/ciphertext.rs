//! Ciphertexts, expanded and as they travel.

use confide_ring::{Form, RnsPoly, sampling};

use crate::error::CkksError;
use crate::params::Parameters;

/// Bytes of a polynomial in memory.
pub(crate) fn memory(poly: &RnsPoly) -> usize {
    poly.set().len() * poly.degree() * size_of::<u64>()
}

/// Domain of the uniform half of a seeded ciphertext or public key.
pub(crate) const DOMAIN_CIPHERTEXT: u64 = 1 << 40;

/// An encryption of `N/2` slots: polynomials `c_0, c_1 (, c_2)` in NTT form modulo `q_0 ... q_level` with
/// `c_0 + c_1 s (+ c_2 s^2) = scale * message + noise`.
///
/// Three parts arise from a product and are brought back to two by relinearisation.
#[derive(Clone, PartialEq, Debug)]
pub struct Ciphertext {
    pub(crate) parts: Vec<RnsPoly>,
    pub(crate) level: usize,
    pub(crate) scale: f64,
}

impl Ciphertext {
    /// Wraps two or three polynomials in NTT form over the `level + 1` first primes.
    ///
    /// # Errors
    /// [`CkksError::PartCount`], [`CkksError::ShapeMismatch`] or [`CkksError::InvalidScale`].
    pub fn from_parts(
        params: &Parameters,
        parts: Vec<RnsPoly>,
        level: usize,
        scale: f64,
    ) -> Result<Self, CkksError> {
        const OP: &str = "Ciphertext::from_parts";
        if !(2..=3).contains(&parts.len()) {
            return Err(CkksError::PartCount {
                op: OP,
                needed: 2,
                available: parts.len(),
            });
        }
        let set = params.q_set(OP, level)?;
        for part in &parts {
            params.check_shape(OP, part, set, Form::Ntt)?;
        }
        params.check_scale(OP, scale)?;
        Ok(Self {
            parts,
            level,
            scale,
        })
    }

    /// The polynomials, in NTT form.
    pub fn parts(&self) -> &[RnsPoly] {
        &self.parts
    }

    /// Level: one less than the number of limbs.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Factor by which the encrypted values are multiplied.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Bytes that the residues take in memory (8 a residue).
    pub fn memory(&self) -> usize {
        self.parts.iter().map(memory).sum()
    }
}

/// A fresh secret-key ciphertext whose second polynomial is expanded from a seed: half the bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct SeededCiphertext {
    pub(crate) b: RnsPoly,
    pub(crate) seed: [u8; 32],
    pub(crate) level: usize,
    pub(crate) scale: f64,
}

impl SeededCiphertext {
    /// The full ciphertext.
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if it was made under other parameters.
    pub fn expand(&self, params: &Parameters) -> Result<Ciphertext, CkksError> {
        const OP: &str = "SeededCiphertext::expand";
        let set = params.q_set(OP, self.level)?;
        params.check_shape(OP, &self.b, set, Form::Ntt)?;
        let a = sampling::uniform(params.ring(), &self.seed, DOMAIN_CIPHERTEXT, set);
        Ok(Ciphertext {
            parts: vec![self.b.clone(), a],
            level: self.level,
            scale: self.scale,
        })
    }

    /// Level: one less than the number of limbs.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Factor by which the encrypted values are multiplied.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// The seed of the uniform half; public.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }
}
