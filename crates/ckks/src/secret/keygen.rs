//! Generation of all keys from one master seed.

use confide_ring::sampling::{Prng, gaussian, rlwe, sparse_ternary};
use confide_ring::{PrimeSet, RnsPoly};
use zeroize::{Zeroize, Zeroizing};

use super::derive::{Derivation, Purpose};
use super::key::{SecretKey, Wiped};
use crate::bytes::switching_key_bytes;
use crate::ciphertext::DOMAIN_CIPHERTEXT;
use crate::encrypt::small_poly;
use crate::error::CkksError;
use crate::keys::{KeyKind, PublicKey, SeededSwitchingKey};
use crate::params::Parameters;

/// Generates the keys of one data party. The same master seed and parameters give the same keys, to the bit.
///
/// The key of a kind for a lower level is the restriction of the one for a higher level: asking for both reveals
/// nothing beyond the higher one.
///
/// A set of keys is made key by key: each call holds what one key needs and the generator keeps nothing of it, so
/// that memory does not depend on how many there are. To send keys, ask for [`KeyGenerator::switching_key_bytes`],
/// which needs the least.
pub struct KeyGenerator {
    params: Parameters,
    derivation: Derivation,
    /// Where the secret itself comes from: that of this set or of another one.
    origin: Derivation,
    secret: SecretKey,
}

impl KeyGenerator {
    /// `master_seed` must come from the operating system or browser (`confide_ring::sampling::os_seed`), or from
    /// the backup of an earlier one.
    pub fn new(params: &Parameters, master_seed: &[u8; 32]) -> Self {
        Self::of(params, params, master_seed)
    }

    /// Keys of `params` for the secret that `KeyGenerator::new(other, master_seed)` has, so that
    /// [`ModulusSwitch`](crate::modulus_switch::ModulusSwitch) leads from one set to the other. Everything else of the keys is
    /// derived for `params` alone: no uniform half or error occurs twice. What one secret at two moduli means for security:
    /// `docs/maths/modulus-switch.md`.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] for sets of different ring degrees.
    pub fn under_secret_of(
        params: &Parameters,
        other: &Parameters,
        master_seed: &[u8; 32],
    ) -> Result<Self, CkksError> {
        if params.log_n() == other.log_n() {
            return Ok(Self::of(params, other, master_seed));
        }
        Err(CkksError::InvalidArgument {
            op: "under_secret_of",
            what: "ring degree",
            needed: params.degree().to_string(),
            available: other.degree().to_string(),
        })
    }

    fn of(params: &Parameters, other: &Parameters, master_seed: &[u8; 32]) -> Self {
        let origin = Derivation::new(other, master_seed);
        Self {
            params: params.clone(),
            derivation: Derivation::new(params, master_seed),
            secret: secret_key(params, &origin),
            origin,
        }
    }

    /// The secret key.
    pub fn secret_key(&self) -> SecretKey {
        secret_key(&self.params, &self.origin)
    }

    /// The public key, at the highest level.
    ///
    /// # Errors
    /// Only those of the ring layer.
    pub fn public_key(&self) -> Result<PublicKey, CkksError> {
        let set = self.params.q_set("public_key", self.params.max_level())?;
        let seed = *self.derivation.seed(Purpose::KeyUniform, &[b"public"]);
        let mut rng = Prng::from_seed(*self.derivation.seed(Purpose::KeyError, &[b"public"]), 0);
        let s = self.secret.full(&self.params)?;
        let b = encrypt_zero(&self.params, s, &seed, DOMAIN_CIPHERTEXT, &mut rng, set);
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
    /// [`CkksError::LevelTooHigh`] or [`CkksError::InvalidGaloisElement`]; those of
    /// [`Parameters::check_sparse_secret`].
    pub fn switching_key(
        &self,
        kind: KeyKind,
        level: usize,
    ) -> Result<SeededSwitchingKey, CkksError> {
        let recipe = self.recipe(kind, level)?;
        let b = (0..recipe.digits.len())
            .map(|digit| self.digit(&recipe, digit))
            .collect();
        Ok(SeededSwitchingKey {
            kind,
            level,
            seed: recipe.seed,
            b,
        })
    }

    /// The bytes of the key of a kind for ciphertexts up to `level`, those of [`SeededSwitchingKey::to_bytes`], made
    /// and packed digit by digit.
    ///
    /// Peak memory: the bytes ([`SeededSwitchingKey::encoded_len`]) and one polynomial of N 64-bit residues for each
    /// prime, two for a Galois key. At N = 2^16 with 27 + 7 primes in 4 digits that is 50 MiB and 17 MiB for each.
    ///
    /// # Errors
    /// As [`KeyGenerator::switching_key`].
    pub fn switching_key_bytes(&self, kind: KeyKind, level: usize) -> Result<Vec<u8>, CkksError> {
        let recipe = self.recipe(kind, level)?;
        let digits = (0..recipe.digits.len()).map(|digit| self.digit(&recipe, digit));
        switching_key_bytes(&self.params, kind, level, recipe.seed, digits)
    }

    /// The sparse secret of a weight, over all primes: used only inside of bootstrapping.
    fn sparse_secret(&self, weight: u32) -> Result<Wiped, CkksError> {
        let params = &self.params;
        params.check_sparse_secret(weight)?;
        let seed = self
            .derivation
            .seed(Purpose::SparseSecret, &[&weight.to_le_bytes()]);
        let mut rng = Prng::from_seed(*seed, 0);
        let coefficients = sparse_ternary(params.degree(), weight as usize, &mut rng);
        Ok(Wiped(small_poly(
            params,
            coefficients,
            params.ring().full_set(),
        )))
    }

    /// What all digits of a key share.
    fn recipe(&self, kind: KeyKind, level: usize) -> Result<Recipe<'_>, CkksError> {
        const OP: &str = "switching_key";
        let params = &self.params;
        let set = params.key_set(OP, kind, level)?;
        let s = self.secret.full(params)?;
        // The key for X -> X^g leads from s to s(X^(1/g)); applying the automorphism afterwards, to the two result
        // polynomials instead of all digits, brings it back to s. That is what makes hoisting cheap.
        let (name, number, own) = match kind {
            KeyKind::Relin => (&b"relin"[..], 0, Own::Square),
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
                let turned = Wiped(params.ring().automorphism_once(s, inverse, set));
                (&b"galois"[..], element, Own::Under(turned))
            }
            KeyKind::ToSparse(weight) => {
                let sparse = self.sparse_secret(weight)?;
                (&b"to sparse"[..], u64::from(weight), Own::Under(sparse))
            }
            KeyKind::FromSparse(weight) => {
                let sparse = self.sparse_secret(weight)?;
                (&b"from sparse"[..], u64::from(weight), Own::From(sparse))
            }
        };
        let label: [&[u8]; 2] = [name, &number.to_le_bytes()];
        Ok(Recipe {
            set,
            digits: params.key_digits(kind, level),
            s,
            own,
            seed: *self.derivation.seed(Purpose::KeyUniform, &label),
            error_seed: self.derivation.seed(Purpose::KeyError, &label),
        })
    }

    /// One digit: an encryption of zero with `P g_d s_from` added, which is `P s_from` on the limbs of the digit and
    /// zero on all others.
    fn digit(&self, recipe: &Recipe<'_>, digit: usize) -> RnsPoly {
        let (params, set) = (&self.params, recipe.set);
        let (ring, kernels) = (params.ring(), params.ring().backend());
        let (under, from) = match &recipe.own {
            Own::Square => (recipe.s, None),
            Own::Under(own) => (&own.0, Some(recipe.s)),
            Own::From(own) => (recipe.s, Some(&own.0)),
        };
        // A stream a digit, so that the key for a lower level has the same errors.
        let mut rng = Prng::from_seed(*recipe.error_seed, digit as u64);
        let mut b = encrypt_zero(params, under, &recipe.seed, digit as u64, &mut rng, set);
        for limb in recipe.digits[digit].clone() {
            let q = ring.q(limb);
            let special =
                (0..set.p).fold(1, |product, j| q.mul(product, q.reduce(ring.p(j).value())));
            let special = kernels.prepare(q, special);
            if let Some(from) = from {
                kernels.mul_scalar_add(q, b.limb_mut(limb), from.limb(limb), special);
            } else {
                let s = recipe.s.limb(limb);
                let mut square = Zeroizing::new(s.to_vec());
                kernels.mul_assign(q, &mut square, s);
                kernels.mul_scalar_add(q, b.limb_mut(limb), &square, special);
            }
        }
        b
    }
}

/// The second secret of a key.
enum Own {
    /// None: from s^2 to s.
    Square,
    /// From s to this one.
    Under(Wiped),
    /// From this one to s.
    From(Wiped),
}

/// A key in the making.
struct Recipe<'a> {
    set: PrimeSet,
    digits: Vec<std::ops::Range<usize>>,
    /// The secret over all primes.
    s: &'a RnsPoly,
    own: Own,
    seed: [u8; 32],
    error_seed: Zeroizing<[u8; 32]>,
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

/// `b = -a s + e` in NTT form over `set`, `a` expanded from the seed and domain.
pub(super) fn encrypt_zero(
    params: &Parameters,
    s: &RnsPoly,
    seed: &[u8; 32],
    domain: u64,
    rng: &mut Prng,
    set: PrimeSet,
) -> RnsPoly {
    let mut error = gaussian(params.degree(), rng);
    let b = rlwe(params.ring(), seed, domain, s, &error, set);
    error.zeroize();
    b
}
