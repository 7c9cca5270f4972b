//! Secret-key encryption.

use confide_ring::Form;
use confide_ring::sampling::Prng;

use super::derive::{Derivation, Purpose};
use super::key::SecretKey;
use super::keygen::encrypt_zero;
use crate::ciphertext::{DOMAIN_CIPHERTEXT, SeededCiphertext};
use crate::error::CkksError;
use crate::params::Parameters;
use crate::plaintext::Plaintext;

/// Encrypts under the secret key, deterministically.
pub struct Encryptor {
    params: Parameters,
    derivation: Derivation,
}

impl Encryptor {
    /// With the master seed of the [`KeyGenerator`](super::KeyGenerator).
    pub fn new(params: &Parameters, master_seed: &[u8; 32]) -> Self {
        Self {
            params: params.clone(),
            derivation: Derivation::new(params, master_seed),
        }
    }

    /// `b = -a s + e + m` with `a` from a seed, at the plaintext's level and scale; noise of standard deviation 3.19.
    ///
    /// The randomness is derived from the master seed, the parameters, `label` and a hash of the plaintext with its
    /// level and scale: the same input gives the same bytes, so that an upload can resume, and different inputs
    /// never share randomness. Equal plaintexts under equal labels are seen to be equal: give each position of
    /// an upload a label of its own.
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if key or plaintext belong to other parameters.
    pub fn encrypt_seeded(
        &self,
        key: &SecretKey,
        plaintext: &Plaintext,
        label: &[u8],
    ) -> Result<SeededCiphertext, CkksError> {
        const OP: &str = "encrypt_seeded";
        let params = &self.params;
        let set = params.q_set(OP, plaintext.level)?;
        params.check_shape(OP, &plaintext.poly, set, Form::Ntt)?;
        let level = (plaintext.level as u64).to_le_bytes();
        let scale = plaintext.scale.to_bits().to_le_bytes();
        let message = hash_plaintext(plaintext);
        let label: [&[u8]; 4] = [label, &level, &scale, message.as_slice()];
        let seed = *self.derivation.seed(Purpose::CiphertextUniform, &label);
        let mut rng = Prng::from_seed(*self.derivation.seed(Purpose::CiphertextError, &label), 0);
        let s = key.full(params)?;
        let mut b = encrypt_zero(params, s, &seed, DOMAIN_CIPHERTEXT, &mut rng, set);
        params.ring().add_assign(&mut b, &plaintext.poly);
        Ok(SeededCiphertext {
            b,
            seed,
            level: plaintext.level,
            scale: plaintext.scale,
        })
    }
}

impl std::fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encryptor")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

fn hash_plaintext(plaintext: &Plaintext) -> zeroize::Zeroizing<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = zeroize::Zeroizing::new(Vec::with_capacity(plaintext.poly.degree() * 8));
    for limb in plaintext.poly.limbs() {
        buffer.clear();
        buffer.extend(limb.iter().flat_map(|residue| residue.to_le_bytes()));
        hasher.update(&buffer);
    }
    zeroize::Zeroizing::new(*hasher.finalize().as_bytes())
}
