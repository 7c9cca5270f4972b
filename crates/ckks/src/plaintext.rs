//! Encoded plaintexts.

use confide_ring::{Form, RnsPoly};

use crate::error::CkksError;
use crate::params::Parameters;

/// A vector encoded as a polynomial in NTT form modulo `q_0 ... q_level`, every slot multiplied by `scale`.
#[derive(Clone, PartialEq)]
pub struct Plaintext {
    pub(crate) poly: RnsPoly,
    pub(crate) level: usize,
    pub(crate) scale: f64,
}

impl Plaintext {
    /// Wraps a polynomial in NTT form over the `level + 1` first primes.
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] if the polynomial has other limbs or is in coefficient form,
    /// [`CkksError::InvalidScale`] for a scale that is not positive and finite.
    pub fn from_poly(
        params: &Parameters,
        poly: RnsPoly,
        level: usize,
        scale: f64,
    ) -> Result<Self, CkksError> {
        params.check_shape(
            "Plaintext::from_poly",
            &poly,
            params.q_set("Plaintext::from_poly", level)?,
            Form::Ntt,
        )?;
        params.check_scale("Plaintext::from_poly", scale)?;
        Ok(Self { poly, level, scale })
    }

    /// The polynomial, in NTT form.
    pub fn poly(&self) -> &RnsPoly {
        &self.poly
    }

    /// Level: one less than the number of limbs.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Factor by which the encoded values are multiplied.
    pub fn scale(&self) -> f64 {
        self.scale
    }
}

/// Shows sizes only: a plaintext may be a patient's record.
impl std::fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plaintext")
            .field("level", &self.level)
            .field("scale", &self.scale)
            .finish_non_exhaustive()
    }
}
