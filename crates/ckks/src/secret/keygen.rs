//! Generation of all keys from one master seed.

use confide_ring::sampling::{Prng, gaussian, uniform};
use confide_ring::{PrimeSet, RnsPoly};

use super::derive::{Derivation, Purpose};
use super::key::{SecretKey, Wiped};
use crate::ciphertext::DOMAIN_CIPHERTEXT;
use crate::encrypt::small_poly;
use crate::error::CkksError;
use crate::keys::{KeyKind, PublicKey, SeededSwitchingKey};
use crate::params::Parameters;

/// Generates the keys of one data party. The same master seed and parameters give the same keys, to the bit.
///
/// The key of a kind for a lower level is the restriction of the one for a higher level: asking for both reveals
/// nothing beyond the higher one.
pub struct KeyGenerator {
    params: Parameters,
    derivation: Derivation,
    secret: SecretKey,
}

impl KeyGenerator {
    /// `master_seed` must come from the operating system or browser (`confide_ring::sampling::os_seed`), or from
    /// the backup of an earlier one.
    pub fn new(params: &Parameters, master_seed: &[u8; 32]) -> Self {
        let derivation = Derivation::new(params, master_seed);
        let secret = secret_key(params, &derivation);
        Self {
            params: params.clone(),
            derivation,
            secret,
        }
    }

    /// The secret key.
    pub fn secret_key(&self) -> SecretKey {
        secret_key(&self.params, &self.derivation)
    }

    /// The public key, at the highest level.
    ///
    /// # Errors
    /// Only those of the ring layer.
    pub fn public_key(&self) -> Result<PublicKey, CkksError> {
        let set = self.params.q_set("public_key", self.params.max_level())?;
        let seed = *self.derivation.seed(Purpose::KeyUniform, &[b"public"]);
        let mut rng = Prng::from_seed(*self.derivation.seed(Purpose::KeyError, &[b"public"]), 0);
        let s = self.secret.over(&self.params, set)?;
        let b = encrypt_zero(&self.params, &s, &seed, DOMAIN_CIPHERTEXT, &mut rng);
        PublicKey::from_seeded(&self.params, seed, b)
    }

    /// The relinearisation key for ciphertexts up to `level`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn relin_key(&self, level: usize) -> Result<SeededSwitchingKey, CkksError> {
        self.switching_key(KeyKind::Relin, level)
    }

    /// The Galois key of an element (`Ring::galois_for_rotation`, `Ring::galois_for_conjugation`) for ciphertexts
    /// up to `level`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`] or [`CkksError::InvalidGaloisElement`].
    pub fn galois_key(&self, element: u64, level: usize) -> Result<SeededSwitchingKey, CkksError> {
        self.switching_key(KeyKind::Galois(element), level)
    }

    /// The key of a kind for ciphertexts up to `level`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`] or [`CkksError::InvalidGaloisElement`].
    pub fn switching_key(
        &self,
        kind: KeyKind,
        level: usize,
    ) -> Result<SeededSwitchingKey, CkksError> {
        const OP: &str = "switching_key";
        let params = &self.params;
        let set = params.qp_set(OP, level)?;
        let s = self.secret.over(params, set)?;
        let (label, element) = match kind {
            KeyKind::Relin => (&b"relin"[..], 0),
            KeyKind::Galois(element) => (&b"galois"[..], element),
        };
        // The key for X -> X^g leads from s to s(X^(1/g)); applying the automorphism afterwards, to the two result
        // polynomials instead of all digits, brings it back to s. That is what makes hoisting cheap.
        let (from, under) = match kind {
            KeyKind::Relin => (Wiped(params.ring().mul(&s.0, &s.0)), s),
            KeyKind::Galois(element) => {
                let bound = 2 * params.degree() as u64;
                if element.is_multiple_of(2) || element >= bound {
                    return Err(CkksError::InvalidGaloisElement {
                        op: OP,
                        element,
                        bound,
                    });
                }
                let inverse = inverse_of_odd(element) % bound;
                let under = Wiped(params.ring().automorphism(&s.0, inverse));
                (s, under)
            }
        };
        let label: [&[u8]; 2] = [label, &element.to_le_bytes()];
        let seed = *self.derivation.seed(Purpose::KeyUniform, &label);
        let error_seed = self.derivation.seed(Purpose::KeyError, &label);
        let b = (0..params.digits(level))
            .map(|digit| {
                // A stream a digit, so that the key for a lower level has the same errors.
                let mut rng = Prng::from_seed(*error_seed, digit as u64);
                let mut b = encrypt_zero(params, &under, &seed, digit as u64, &mut rng);
                self.add_gadget(&mut b, &from.0, digit, set);
                b
            })
            .collect();
        Ok(SeededSwitchingKey {
            kind,
            level,
            seed,
            b,
        })
    }

    /// Adds `P g_d s_from`: `P s_from` on the limbs of the digit, zero on all others.
    fn add_gadget(&self, b: &mut RnsPoly, from: &RnsPoly, digit: usize, set: PrimeSet) {
        let ring = self.params.ring();
        for limb in self.params.digit_range(digit, set.q - 1) {
            let q = *ring.q(limb);
            let special =
                (0..set.p).fold(1, |product, j| q.mul(product, q.reduce(ring.p(j).value())));
            for (b, &from) in b.limb_mut(limb).iter_mut().zip(from.limb(limb)) {
                *b = q.add(*b, q.mul(special, from));
            }
        }
    }
}

impl std::fmt::Debug for KeyGenerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyGenerator")
            .field("params", &self.params)
            .finish_non_exhaustive()
    }
}

/// Inverse modulo 2^64 of an odd number by Newton's iteration: each step doubles the correct bits.
fn inverse_of_odd(odd: u64) -> u64 {
    (0..6).fold(odd, |inverse, _| {
        inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)))
    })
}

fn secret_key(params: &Parameters, derivation: &Derivation) -> SecretKey {
    let mut rng = Prng::from_seed(*derivation.seed(Purpose::SecretKey, &[]), 0);
    SecretKey::generate(params, &mut rng)
}

/// `b = -a s + e` in NTT form, `a` expanded from the seed and domain, over the primes of `s`.
pub(super) fn encrypt_zero(
    params: &Parameters,
    s: &Wiped,
    seed: &[u8; 32],
    domain: u64,
    rng: &mut Prng,
) -> RnsPoly {
    let ring = params.ring();
    let set = s.0.set();
    let mut b = uniform(ring, seed, domain, set);
    ring.mul_assign(&mut b, &s.0);
    ring.neg_assign(&mut b);
    let error = Wiped(small_poly(params, gaussian(params.degree(), rng), set));
    ring.add_assign(&mut b, &error.0);
    b
}
