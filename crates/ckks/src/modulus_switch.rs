//! From the modulus of one parameter set to that of another one, under the same secret and without any key.
//!
//! `round(ct Q' / Q)` encrypts the same message modulo `Q'` at the scale times `Q' / Q` (Brakerski, Gentry and Vaikuntanathan,
//! "(Leveled) fully homomorphic encryption without bootstrapping", ITCS 2012, section 3.2, with moduli that need not divide each
//! other). How far the message is below the modulus stays as it was: no level is gained. Derivation and noise:
//! `docs/maths/modulus-switch.md`.

use std::sync::Arc;

use confide_ring::{Form, PrimeSet, Ring, RnsPoly};

use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::evaluator::Evaluator;
use crate::params::Parameters;

const OP: &str = "modulus_switch";

/// Switches ciphertexts from a level of one set to a level of another one. Both sides use one secret:
/// `KeyGenerator::under_secret_of`.
pub struct ModulusSwitch {
    from: Evaluator,
    from_level: usize,
    to: Parameters,
    level: usize,
    /// Main primes: those of the new modulus. Special primes: those of the old one.
    ring: Arc<Ring>,
    ratio: f64,
}

impl ModulusSwitch {
    /// From level `from.1` of set `from.0` to level `to.1` of set `to.0`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`]; [`CkksError::InvalidArgument`] for sets of different ring degrees;
    /// [`CkksError::Ring`] if the two moduli share a prime.
    pub fn new(from: (&Parameters, usize), to: (&Parameters, usize)) -> Result<Self, CkksError> {
        if from.0.log_n() != to.0.log_n() {
            return Err(CkksError::InvalidArgument {
                op: OP,
                what: "ring degree",
                needed: from.0.degree().to_string(),
                available: to.0.degree().to_string(),
            });
        }
        let primes = |(params, level): (&Parameters, usize)| -> Result<Vec<u64>, CkksError> {
            let count = params.q_set(OP, level)?.q;
            Ok((0..count).map(|limb| params.q(limb)).collect())
        };
        let (old, new) = (primes(from)?, primes(to)?);
        // In turn, so that the quotient never leaves the range of a float.
        let mut ratio = 1.0;
        for i in 0..old.len().max(new.len()) {
            ratio *= new.get(i).map_or(1.0, |&q| q as f64) / old.get(i).map_or(1.0, |&q| q as f64);
        }
        Ok(Self {
            from: Evaluator::new(from.0),
            from_level: from.1,
            to: to.0.clone(),
            level: to.1,
            ring: Ring::new(from.0.log_n(), &new, &old)?,
            ratio,
        })
    }

    /// The new modulus over the old one, by which the scale is multiplied.
    pub fn ratio(&self) -> f64 {
        self.ratio
    }

    /// The same message under the new set, at the scale times [`ModulusSwitch::ratio`]. Higher levels than that of the
    /// switch are dropped first. Noise: [`crate::noise::NoiseModel::modulus_switch`].
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`], [`CkksError::PartCount`] for a product that is not relinearised,
    /// [`CkksError::InvalidScale`], or an operand of other parameters.
    pub fn switch(&self, ct: &Ciphertext) -> Result<Ciphertext, CkksError> {
        if ct.parts.len() != 2 {
            return Err(CkksError::PartCount {
                op: OP,
                needed: 2,
                available: ct.parts.len(),
            });
        }
        let ct = self.from.drop_level(ct, self.from_level)?;
        let scale = ct.scale * self.ratio;
        let parts = ct.parts.iter().map(|part| self.part(part)).collect();
        Ciphertext::from_parts(&self.to, parts, self.level, scale)
    }

    /// `part Q'` vanishes modulo the new primes; what is left of it is modulo the old ones, by which the ring divides.
    fn part(&self, part: &RnsPoly) -> RnsPoly {
        let (ring, kernels) = (&self.ring, self.ring.backend());
        let mut wide = ring.zero(ring.full_set(), Form::Ntt);
        for old in 0..ring.p_len() {
            let q = ring.p(old);
            let product = (0..ring.q_len()).fold(1, |product, new| {
                q.mul(product, q.reduce(ring.q(new).value()))
            });
            let limb = wide.limb_mut(ring.q_len() + old);
            limb.copy_from_slice(part.limb(old));
            kernels.mul_scalar(q, limb, kernels.prepare(q, product));
        }
        let switched = ring.mod_down(wide);
        debug_assert_eq!(
            switched.set(),
            PrimeSet {
                q: self.level + 1,
                p: 0
            }
        );
        switched
    }
}

impl std::fmt::Debug for ModulusSwitch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModulusSwitch")
            .field("from_level", &self.from_level)
            .field("level", &self.level)
            .field("ratio", &self.ratio)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "secret"))]
mod tests;
