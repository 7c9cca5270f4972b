//! Bytes of ciphertexts.

use confide_ring::PrimeSet;

use super::header::{Header, Kind};
use super::{object_len, read_polys, write};
use crate::ciphertext::{Ciphertext, SeededCiphertext};
use crate::error::{BytesError, CkksError};
use crate::params::Parameters;

impl Ciphertext {
    /// Packed bytes, see [`bytes`](crate::bytes).
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if it was made under other parameters.
    pub fn to_bytes(&self, params: &Parameters) -> Result<Vec<u8>, CkksError> {
        let set = params.q_set("Ciphertext::to_bytes", self.level)?;
        let (kind, polys, extra) = (Kind::Ciphertext, self.parts.len(), self.scale.to_bits());
        let header = Header {
            kind,
            level: self.level,
            polys,
            extra,
            seed: [0; 32],
        };
        write(params, &header, set, self.parts.iter())
    }

    /// Reads and checks bytes from outside: two or three parts at any level.
    ///
    /// # Errors
    /// [`CkksError::Bytes`] with what was expected.
    pub fn from_bytes(params: &Parameters, bytes: &[u8]) -> Result<Self, CkksError> {
        let header = Header::read(params, Kind::Ciphertext, bytes)?;
        header.check_polys(&[2, 3])?;
        let scale = header.scale(params)?;
        let parts = read_polys(params, &header, q_set(header.level), bytes)?;
        Ok(Self {
            parts,
            level: header.level,
            scale,
        })
    }

    /// Exact length of the bytes of a ciphertext of `parts` polynomials at `level`.
    ///
    /// # Panics
    /// If `level` exceeds [`Parameters::max_level`].
    pub fn encoded_len(params: &Parameters, level: usize, parts: usize) -> usize {
        object_len(params, Kind::Ciphertext, q_set(level), parts)
    }
}

impl SeededCiphertext {
    /// Packed bytes, see [`bytes`](crate::bytes).
    ///
    /// # Errors
    /// [`CkksError::ShapeMismatch`] or [`CkksError::LevelTooHigh`] if it was made under other parameters.
    pub fn to_bytes(&self, params: &Parameters) -> Result<Vec<u8>, CkksError> {
        let set = params.q_set("SeededCiphertext::to_bytes", self.level)?;
        let (kind, extra) = (Kind::SeededCiphertext, self.scale.to_bits());
        let header = Header {
            kind,
            level: self.level,
            polys: 1,
            extra,
            seed: self.seed,
        };
        write(params, &header, set, std::iter::once(&self.b))
    }

    /// Reads and checks bytes from outside.
    ///
    /// # Errors
    /// [`CkksError::Bytes`] with what was expected.
    pub fn from_bytes(params: &Parameters, bytes: &[u8]) -> Result<Self, CkksError> {
        let header = Header::read(params, Kind::SeededCiphertext, bytes)?;
        header.check_polys(&[1])?;
        let scale = header.scale(params)?;
        let mut polys = read_polys(params, &header, q_set(header.level), bytes)?;
        let b = polys.pop().ok_or_else(|| missing(&header))?;
        Ok(Self {
            b,
            seed: header.seed,
            level: header.level,
            scale,
        })
    }

    /// Exact length of the bytes of a seeded ciphertext at `level`.
    ///
    /// # Panics
    /// If `level` exceeds [`Parameters::max_level`].
    pub fn encoded_len(params: &Parameters, level: usize) -> usize {
        object_len(params, Kind::SeededCiphertext, q_set(level), 1)
    }
}

fn q_set(level: usize) -> PrimeSet {
    PrimeSet { q: level + 1, p: 0 }
}

/// For callers that have checked that there is one polynomial.
pub(super) fn missing(header: &Header) -> BytesError {
    header.field("number of polynomials", 1, 0)
}
