//! Decryption.

use confide_ring::Form;

use super::key::{SecretKey, Wiped};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::params::Parameters;
use crate::plaintext::Plaintext;

/// Decrypts under the secret key.
///
/// The result carries the noise, from which the key can be computed if the ciphertext is known (Li and
/// Micciancio, EUROCRYPT 2021): a decrypted plaintext must never go back to the compute party.
#[derive(Clone, Debug)]
pub struct Decryptor {
    params: Parameters,
}

impl Decryptor {
    /// For one parameter set.
    pub fn new(params: &Parameters) -> Self {
        Self {
            params: params.clone(),
        }
    }

    /// `c_0 + c_1 s (+ c_2 s^2)`, at the ciphertext's level and scale. Takes two or three parts.
    ///
    /// # Errors
    /// [`CkksError::PartCount`], [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if key or ciphertext
    /// belong to other parameters.
    pub fn decrypt(
        &self,
        key: &SecretKey,
        ciphertext: &Ciphertext,
    ) -> Result<Plaintext, CkksError> {
        const OP: &str = "decrypt";
        let params = &self.params;
        let set = params.q_set(OP, ciphertext.level)?;
        for part in &ciphertext.parts {
            params.check_shape(OP, part, set, Form::Ntt)?;
        }
        let s = key.full(params)?;
        let ring = params.ring();
        let poly = match ciphertext.parts.as_slice() {
            [c0, c1] => ring.phase(c0, c1, s),
            [c0, c1, c2] => {
                let inner = Wiped(ring.phase(c1, c2, s));
                ring.phase(c0, &inner.0, s)
            }
            parts => {
                return Err(CkksError::PartCount {
                    op: OP,
                    needed: 2,
                    available: parts.len(),
                });
            }
        };
        Ok(Plaintext {
            poly,
            level: ciphertext.level,
            scale: ciphertext.scale,
        })
    }
}
