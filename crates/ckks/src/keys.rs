//! Public keys and evaluation keys: everything that the data party may hand out.
//!
//! Key switching is hybrid (Han and Ki, "Better bootstrapping for approximate homomorphic encryption", CT-RSA
//! 2020): the primes `q_0 ... q_l` are cut into digits of `alpha` consecutive primes, and the key for digit `d` is
//! an encryption of `P g_d s_from` modulo `Q P`, where `g_d` is 1 modulo the digit's primes and 0 modulo the others.

use std::collections::BTreeMap;
use std::fmt;

use confide_ring::{Form, RnsPoly, sampling};

use serde::{Deserialize, Serialize};

use crate::ciphertext::{DOMAIN_CIPHERTEXT, memory};
use crate::error::CkksError;
use crate::params::Parameters;

/// What a switching key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// From `s^2` to `s`: relinearisation of products.
    Relin,
    /// From `s` to `s(X^(1/g))`, before the automorphism `X -> X^g` brings the result back to `s`: rotations and
    /// conjugation. `g` is odd and below `2N`.
    Galois(u64),
    /// From `s` to the sparse secret of this weight, modulo `q_0` and the first special prime only.
    ToSparse(u32),
    /// From the sparse secret of this weight to `s`: one digit, for a polynomial raised from modulo `q_0`.
    FromSparse(u32),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Relin => write!(f, "relinearisation key"),
            Self::Galois(element) => write!(f, "Galois key for element {element}"),
            Self::ToSparse(weight) => write!(f, "key to the sparse secret of weight {weight}"),
            Self::FromSparse(weight) => write!(f, "key from the sparse secret of weight {weight}"),
        }
    }
}

/// A key-switching key over the primes `q_0 ... q_level` and all special primes.
///
/// `digits[d] = [b_d, a_d]` in NTT form with `b_d = -a_d s_to + e_d + P g_d s_from`. It serves every ciphertext level up
/// to `level`: digits beyond the ciphertext's last prime are ignored and its missing limbs skipped.
#[derive(Clone, PartialEq, Debug)]
pub struct SwitchingKey {
    pub(crate) kind: KeyKind,
    pub(crate) level: usize,
    pub(crate) digits: Vec<[RnsPoly; 2]>,
}

impl SwitchingKey {
    /// What it switches from.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Highest ciphertext level that it serves.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The digits `[b_d, a_d]`, in NTT form.
    pub fn digits(&self) -> &[[RnsPoly; 2]] {
        &self.digits
    }

    /// Bytes that the residues take in memory (8 a residue).
    pub fn memory(&self) -> usize {
        self.digits.iter().flatten().map(memory).sum()
    }
}

/// A [`SwitchingKey`] as it travels: the uniform halves are expanded from a seed.
#[derive(Clone, PartialEq, Debug)]
pub struct SeededSwitchingKey {
    pub(crate) kind: KeyKind,
    pub(crate) level: usize,
    pub(crate) seed: [u8; 32],
    pub(crate) b: Vec<RnsPoly>,
}

impl SeededSwitchingKey {
    /// What it switches from.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Highest ciphertext level that it serves.
    pub fn level(&self) -> usize {
        self.level
    }

    /// The seed of the uniform halves; public.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The full key. Doubles the memory; the seeded form is consumed so that it is not kept twice.
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if it was made under other parameters.
    pub fn expand(self, params: &Parameters) -> Result<SwitchingKey, CkksError> {
        const OP: &str = "SeededSwitchingKey::expand";
        let set = params.key_set(OP, self.kind, self.level)?;
        let needed = params.key_digits(self.kind, self.level).len();
        if self.b.len() != needed {
            return Err(CkksError::ShapeMismatch {
                op: OP,
                needed: format!("{needed} digits"),
                available: format!("{} digits", self.b.len()),
            });
        }
        let mut digits = Vec::with_capacity(self.b.len());
        for (index, b) in self.b.into_iter().enumerate() {
            params.check_shape(OP, &b, set, Form::Ntt)?;
            digits.push([
                b,
                sampling::uniform(params.ring(), &self.seed, index as u64, set),
            ]);
        }
        Ok(SwitchingKey {
            kind: self.kind,
            level: self.level,
            digits,
        })
    }
}

/// The keys that the compute party holds for one data party.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EvaluationKeys(BTreeMap<KeyKind, SwitchingKey>);

impl EvaluationKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, replacing one of the same kind.
    pub fn insert(&mut self, key: SwitchingKey) {
        self.0.insert(key.kind, key);
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The keys, relinearisation first, then by Galois element, then those of sparse secrets.
    pub fn iter(&self) -> impl Iterator<Item = &SwitchingKey> {
        self.0.values()
    }

    /// The key of a kind, if it serves ciphertexts at `level`; `op` names the caller in the error.
    ///
    /// # Errors
    /// [`CkksError::MissingKey`] or [`CkksError::KeyLevelTooLow`].
    pub fn get(
        &self,
        op: &'static str,
        kind: KeyKind,
        level: usize,
    ) -> Result<&SwitchingKey, CkksError> {
        let key = self.0.get(&kind).ok_or(CkksError::MissingKey {
            op,
            needed: kind,
            available: self.len(),
        })?;
        if key.level < level {
            return Err(CkksError::KeyLevelTooLow {
                op,
                key: kind,
                needed: level,
                available: key.level,
            });
        }
        Ok(key)
    }

    /// Bytes that the residues of all keys take in memory.
    pub fn memory(&self) -> usize {
        self.iter().map(SwitchingKey::memory).sum()
    }
}

/// An encryption of zero at the highest level, `b = -a s + e`, with which anyone can encrypt.
#[derive(Clone, PartialEq, Debug)]
pub struct PublicKey {
    pub(crate) seed: [u8; 32],
    pub(crate) b: RnsPoly,
    pub(crate) a: RnsPoly,
}

impl PublicKey {
    /// Expands the uniform half.
    pub(crate) fn from_seeded(
        params: &Parameters,
        seed: [u8; 32],
        b: RnsPoly,
    ) -> Result<Self, CkksError> {
        const OP: &str = "PublicKey::from_seeded";
        let set = params.q_set(OP, params.max_level())?;
        params.check_shape(OP, &b, set, Form::Ntt)?;
        let a = sampling::uniform(params.ring(), &seed, DOMAIN_CIPHERTEXT, set);
        Ok(Self { seed, b, a })
    }

    /// `b`, in NTT form over all `q` primes.
    pub fn b(&self) -> &RnsPoly {
        &self.b
    }

    /// `a`, in NTT form over all `q` primes.
    pub fn a(&self) -> &RnsPoly {
        &self.a
    }
}
