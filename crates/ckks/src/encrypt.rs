//! Public-key encryption, for a party without the secret key.

use confide_ring::sampling::{Prng, gaussian, ternary};
use zeroize::Zeroize;

use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::PublicKey;
use crate::params::Parameters;
use crate::plaintext::Plaintext;
use confide_ring::{Form, PrimeSet, RnsPoly};

/// Encrypts under a [`PublicKey`].
#[derive(Clone, Debug)]
pub struct PublicEncryptor {
    params: Parameters,
}

impl PublicEncryptor {
    /// For one parameter set.
    pub fn new(params: &Parameters) -> Self {
        Self {
            params: params.clone(),
        }
    }

    /// `(v b + e_0 + m, v a + e_1)` with a uniform ternary `v`, at the plaintext's level and scale.
    ///
    /// The standard deviation of the noise is about `sigma sqrt(4N/3 + 1)`, larger than a secret-key encryption's
    /// `sigma`. `rng` must be seeded by the operating system (`confide_ring::sampling::os_seed`) and must not be
    /// used for anything else with the same seed and stream.
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if key or plaintext belong to other parameters.
    pub fn encrypt(
        &self,
        key: &PublicKey,
        plaintext: &Plaintext,
        rng: &mut Prng,
    ) -> Result<Ciphertext, CkksError> {
        const OP: &str = "PublicEncryptor::encrypt";
        let params = &self.params;
        let set = params.q_set(OP, plaintext.level)?;
        let all = params.q_set(OP, params.max_level())?;
        params.check_shape(OP, &plaintext.poly, set, Form::Ntt)?;
        params.check_shape(OP, &key.b, all, Form::Ntt)?;
        params.check_shape(OP, &key.a, all, Form::Ntt)?;

        let ring = params.ring();
        let mut mask = small_poly(params, ternary(params.degree(), rng), set);
        let mut parts = Vec::with_capacity(2);
        for half in [&key.b, &key.a] {
            let mut part = small_poly(params, gaussian(params.degree(), rng), set);
            if set == all {
                ring.mul_add_assign(&mut part, half, &mask);
            } else {
                ring.mul_add_assign(&mut part, &ring.drop_limbs(half, set.q), &mask);
            }
            parts.push(part);
        }
        mask.zeroize();
        ring.add_assign(&mut parts[0], &plaintext.poly);
        Ok(Ciphertext {
            parts,
            level: plaintext.level,
            scale: plaintext.scale,
        })
    }
}

/// A polynomial with small secret coefficients in NTT form; the coefficients are wiped.
pub(crate) fn small_poly(params: &Parameters, mut small: Vec<i8>, set: PrimeSet) -> RnsPoly {
    let poly = params.ring().lift_small(&small, set);
    small.zeroize();
    poly
}
