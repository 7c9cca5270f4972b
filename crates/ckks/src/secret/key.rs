//! The secret key.

use confide_ring::RnsPoly;
use confide_ring::sampling::{Prng, ternary};

use crate::encrypt::small_poly;
use crate::error::CkksError;
use crate::params::Parameters;

/// A uniform ternary secret `s`. It cannot be cloned, printed or serialised, and is wiped when dropped: what
/// is kept and backed up is the master seed.
pub struct SecretKey {
    /// `s` in NTT form over all primes.
    poly: RnsPoly,
}

impl SecretKey {
    pub(super) fn generate(params: &Parameters, rng: &mut Prng) -> Self {
        let ring = params.ring();
        Self {
            poly: small_poly(params, ternary(params.degree(), rng), ring.full_set()),
        }
    }

    /// The secret over all primes, in NTT form.
    pub(crate) fn full(&self, params: &Parameters) -> Result<&RnsPoly, CkksError> {
        let own = self.poly.set();
        let ring = params.ring();
        if self.poly.degree() != params.degree() || own != ring.full_set() {
            return Err(CkksError::ShapeMismatch {
                op: "SecretKey",
                needed: format!(
                    "degree {}, {}+{} limbs",
                    params.degree(),
                    ring.q_len(),
                    ring.p_len()
                ),
                available: format!("degree {}, {}+{} limbs", self.poly.degree(), own.q, own.p),
            });
        }
        Ok(&self.poly)
    }
}

impl SecretKey {
    pub(super) fn wipe(&mut self) {
        self.poly.zeroize();
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

/// A secret polynomial that is wiped when dropped.
pub(super) struct Wiped(pub RnsPoly);

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
