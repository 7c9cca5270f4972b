//! Bytes of public and switching keys.

use std::borrow::Borrow;

use confide_ring::{PrimeSet, RnsPoly};

use super::ciphertext::missing;
use super::header::{Header, Kind};
use super::{object_len, read_polys, write};
use crate::error::CkksError;
use crate::keys::{KeyKind, PublicKey, SeededSwitchingKey};
use crate::params::Parameters;

/// Low bytes of the field that names the kind, above them the weight: even, so that no Galois element is one of them.
const TO_SPARSE: u64 = 2;
const FROM_SPARSE: u64 = 4;

impl SeededSwitchingKey {
    /// Packed bytes, see [`bytes`](crate::bytes).
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if it was made under other parameters.
    pub fn to_bytes(&self, params: &Parameters) -> Result<Vec<u8>, CkksError> {
        switching_key_bytes(params, self.kind, self.level, self.seed, self.b.iter())
    }

    /// Reads and checks bytes from outside. Whether the plan asks for this key is the caller's to check.
    ///
    /// # Errors
    /// [`CkksError::Bytes`] with what was expected.
    pub fn from_bytes(params: &Parameters, bytes: &[u8]) -> Result<Self, CkksError> {
        let header = Header::read(params, Kind::SeededSwitchingKey, bytes)?;
        let kind = match header.extra {
            0 => KeyKind::Relin,
            extra if extra > 0xff && matches!(extra & 0xff, TO_SPARSE | FROM_SPARSE) => {
                let weight = u32::try_from(extra >> 8).ok();
                let weight =
                    weight.filter(|&weight| (1..=params.degree() as u32).contains(&weight));
                let needed = || format!("a weight of 1 to {}", params.degree());
                let weight =
                    weight.ok_or_else(|| header.field("sparse secret", needed(), extra >> 8))?;
                if extra & 0xff == TO_SPARSE {
                    KeyKind::ToSparse(weight)
                } else {
                    KeyKind::FromSparse(weight)
                }
            }
            element if element % 2 == 1 && element < 2 * params.degree() as u64 => {
                KeyKind::Galois(element)
            }
            element => {
                let needed = format!("0 or an odd number below {}", 2 * params.degree());
                return Err(header.field("Galois element", needed, element).into());
            }
        };
        if matches!(kind, KeyKind::ToSparse(_)) && header.level != 0 {
            return Err(header.field("level", 0, header.level).into());
        }
        header.check_polys(&[params.key_digits(kind, header.level).len()])?;
        let set = params.key_set("SeededSwitchingKey::from_bytes", kind, header.level)?;
        let b = read_polys(params, &header, set, bytes)?;
        Ok(Self {
            kind,
            level: header.level,
            seed: header.seed,
            b,
        })
    }

    /// Exact length of the bytes of a seeded switching key of a kind for `level`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn encoded_len_of(
        params: &Parameters,
        kind: KeyKind,
        level: usize,
    ) -> Result<usize, CkksError> {
        let set = params.key_set("SeededSwitchingKey::encoded_len_of", kind, level)?;
        let digits = params.key_digits(kind, level).len();
        Ok(object_len(params, Kind::SeededSwitchingKey, set, digits))
    }

    /// Exact length of the bytes of a relinearisation or Galois key for `level`.
    ///
    /// # Panics
    /// If `level` exceeds [`Parameters::max_level`].
    pub fn encoded_len(params: &Parameters, level: usize) -> usize {
        object_len(
            params,
            Kind::SeededSwitchingKey,
            qp_set(params, level),
            params.digits(level),
        )
    }
}

impl PublicKey {
    /// Packed bytes, see [`bytes`](crate::bytes).
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] if it was made under other parameters.
    pub fn to_bytes(&self, params: &Parameters) -> Result<Vec<u8>, CkksError> {
        let level = params.max_level();
        let set = params.q_set("PublicKey::to_bytes", level)?;
        let header = Header {
            kind: Kind::PublicKey,
            level,
            polys: 1,
            extra: 0,
            seed: self.seed,
        };
        write(params, &header, set, std::iter::once(&self.b))
    }

    /// Reads and checks bytes from outside.
    ///
    /// # Errors
    /// [`CkksError::Bytes`] with what was expected.
    pub fn from_bytes(params: &Parameters, bytes: &[u8]) -> Result<Self, CkksError> {
        let header = Header::read(params, Kind::PublicKey, bytes)?;
        header.check_polys(&[1])?;
        if header.level != params.max_level() {
            return Err(header
                .field("level", params.max_level(), header.level)
                .into());
        }
        if header.extra != 0 {
            return Err(header.field("unused field", 0, header.extra).into());
        }
        let set = PrimeSet {
            q: header.level + 1,
            p: 0,
        };
        let mut polys = read_polys(params, &header, set, bytes)?;
        let b = polys.pop().ok_or_else(|| missing(&header))?;
        Self::from_seeded(params, header.seed, b)
    }

    /// Exact length of the bytes of a public key.
    pub fn encoded_len(params: &Parameters) -> usize {
        object_len(
            params,
            Kind::PublicKey,
            PrimeSet {
                q: params.max_level() + 1,
                p: 0,
            },
            1,
        )
    }
}

/// Packs a switching key from its polynomials, which may be made as they are asked for.
pub(crate) fn switching_key_bytes(
    params: &Parameters,
    kind: KeyKind,
    level: usize,
    seed: [u8; 32],
    polys: impl ExactSizeIterator<Item = impl Borrow<RnsPoly>>,
) -> Result<Vec<u8>, CkksError> {
    let set = params.key_set("SeededSwitchingKey::to_bytes", kind, level)?;
    let extra = match kind {
        KeyKind::Relin => 0,
        KeyKind::Galois(element) => element,
        KeyKind::ToSparse(weight) => (u64::from(weight) << 8) | TO_SPARSE,
        KeyKind::FromSparse(weight) => (u64::from(weight) << 8) | FROM_SPARSE,
    };
    let header = Header {
        kind: Kind::SeededSwitchingKey,
        level,
        polys: polys.len(),
        extra,
        seed,
    };
    write(params, &header, set, polys)
}

fn qp_set(params: &Parameters, level: usize) -> PrimeSet {
    PrimeSet {
        q: level + 1,
        p: params.ring().p_len(),
    }
}
