//! Derivation of independent seeds from the master seed with BLAKE3 (key derivation, then keyed hashing).

use zeroize::Zeroizing;

use crate::params::Parameters;

/// What a seed is for. Public seeds travel in the clear, all others stay secret; they must never coincide.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    /// Coefficients of the secret key.
    SecretKey,
    /// Coefficients of the sparse secret.
    SparseSecret,
    /// Errors of a key.
    KeyError,
    /// Uniform half of a key; public.
    KeyUniform,
    /// Error of a ciphertext.
    CiphertextError,
    /// Uniform half of a ciphertext; public.
    CiphertextUniform,
}

impl Purpose {
    fn context(self) -> &'static str {
        match self {
            Self::SecretKey => "confide 2026 ckks v1 secret key",
            Self::SparseSecret => "confide 2026 ckks v1 sparse secret",
            Self::KeyError => "confide 2026 ckks v1 key error",
            Self::KeyUniform => "confide 2026 ckks v1 key uniform, public",
            Self::CiphertextError => "confide 2026 ckks v1 ciphertext error",
            Self::CiphertextUniform => "confide 2026 ckks v1 ciphertext uniform, public",
        }
    }
}

/// Seeds for one master seed and parameter set.
pub(super) struct Derivation {
    master: Zeroizing<[u8; 32]>,
    digest: [u8; 32],
}

impl Derivation {
    pub(super) fn new(params: &Parameters, master: &[u8; 32]) -> Self {
        Self {
            master: Zeroizing::new(*master),
            digest: *params.digest(),
        }
    }

    /// The seed for a purpose and a label. The fields of the label are hashed with their lengths, so that no two
    /// lists of fields collide; the parameters are part of it.
    pub(super) fn seed(&self, purpose: Purpose, label: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let key = Zeroizing::new(blake3::derive_key(
            purpose.context(),
            self.master.as_slice(),
        ));
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(&self.digest);
        for field in label {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        let seed = Zeroizing::new(*hasher.finalize().as_bytes());
        zeroize::Zeroize::zeroize(&mut hasher);
        seed
    }
}
