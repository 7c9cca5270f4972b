//! The header of every object.

use crate::error::BytesError;
use crate::params::Parameters;

const MAGIC: [u8; 4] = *b"CFDE";
const VERSION: u16 = 1;
const FIXED: usize = 56;
const SEED: usize = 32;

/// Kind of object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Ciphertext = 1,
    SeededCiphertext = 2,
    SeededSwitchingKey = 3,
    PublicKey = 4,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ciphertext => "ciphertext",
            Self::SeededCiphertext => "seeded ciphertext",
            Self::SeededSwitchingKey => "seeded switching key",
            Self::PublicKey => "public key",
        }
    }

    pub(super) fn header_len(self) -> usize {
        if self == Self::Ciphertext {
            FIXED
        } else {
            FIXED + SEED
        }
    }
}

/// The fields that depend on the object.
pub(super) struct Header {
    pub kind: Kind,
    pub level: usize,
    pub polys: usize,
    /// Bits of the scale, or the Galois element.
    pub extra: u64,
    /// Zero for kinds without seed.
    pub seed: [u8; SEED],
}

impl Header {
    pub(super) fn write(&self, params: &Parameters, out: &mut Vec<u8>) {
        out.extend_from_slice(&MAGIC);
        out.push(self.kind as u8);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.push(0);
        out.extend_from_slice(params.digest());
        out.extend_from_slice(&(self.level as u32).to_le_bytes());
        out.extend_from_slice(&(self.polys as u32).to_le_bytes());
        out.extend_from_slice(&self.extra.to_le_bytes());
        if self.kind.header_len() > FIXED {
            out.extend_from_slice(&self.seed);
        }
    }

    /// Reads and checks everything that does not depend on the kind. The number of polynomials is the caller's to
    /// check.
    pub(super) fn read(params: &Parameters, kind: Kind, bytes: &[u8]) -> Result<Self, BytesError> {
        let object = kind.name();
        let mut reader = Reader {
            object,
            needed: kind.header_len(),
            total: bytes.len(),
            rest: bytes,
        };
        let magic = reader.take::<4>()?;
        if magic != MAGIC {
            return Err(BytesError::Magic {
                object,
                needed: MAGIC,
                available: magic,
            });
        }
        let [found] = reader.take::<1>()?;
        if found != kind as u8 {
            return Err(BytesError::Kind {
                object,
                needed: kind as u8,
                available: found,
            });
        }
        let version = u16::from_le_bytes(reader.take()?);
        if version != VERSION {
            return Err(BytesError::Version {
                object,
                needed: VERSION,
                available: version,
            });
        }
        let [reserved] = reader.take::<1>()?;
        if reserved != 0 {
            return Err(field(object, "reserved byte", "0", reserved));
        }
        let digest = reader.take::<32>()?;
        if digest != *params.digest() {
            let short = |digest: &[u8; 32]| {
                digest[..8]
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect()
            };
            return Err(BytesError::Parameters {
                object,
                needed: short(params.digest()),
                available: short(&digest),
            });
        }
        let level = u32::from_le_bytes(reader.take()?) as usize;
        if level > params.max_level() {
            return Err(field(
                object,
                "level",
                format!("at most {}", params.max_level()),
                level,
            ));
        }
        let polys = u32::from_le_bytes(reader.take()?) as usize;
        let extra = u64::from_le_bytes(reader.take()?);
        let seed = if kind.header_len() > FIXED {
            reader.take()?
        } else {
            [0; SEED]
        };
        Ok(Self {
            kind,
            level,
            polys,
            extra,
            seed,
        })
    }

    /// The scale of a ciphertext: from 1 to the modulus of its level, beyond which nothing decrypts.
    pub(super) fn scale(&self, params: &Parameters) -> Result<f64, BytesError> {
        let scale = f64::from_bits(self.extra);
        let bits = params.log_q_at(self.level);
        if scale >= 1.0 && scale.log2() <= bits {
            return Ok(scale);
        }
        Err(field(
            self.kind.name(),
            "scale",
            format!("1 to 2^{bits:.1}"),
            format!("{scale:e}"),
        ))
    }

    pub(super) fn check_polys(&self, needed: &[usize]) -> Result<(), BytesError> {
        if needed.contains(&self.polys) {
            return Ok(());
        }
        let needed: Vec<String> = needed.iter().map(ToString::to_string).collect();
        Err(field(
            self.kind.name(),
            "number of polynomials",
            needed.join(" or "),
            self.polys,
        ))
    }

    pub(super) fn field(
        &self,
        name: &'static str,
        needed: impl ToString,
        available: impl ToString,
    ) -> BytesError {
        field(self.kind.name(), name, needed, available)
    }
}

fn field(
    object: &'static str,
    field: &'static str,
    needed: impl ToString,
    available: impl ToString,
) -> BytesError {
    BytesError::Field {
        object,
        field,
        needed: needed.to_string(),
        available: available.to_string(),
    }
}

struct Reader<'a> {
    object: &'static str,
    needed: usize,
    total: usize,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const LEN: usize>(&mut self) -> Result<[u8; LEN], BytesError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<LEN>()
            .ok_or(BytesError::Length {
                object: self.object,
                needed: self.needed,
                available: self.total,
            })?;
        self.rest = rest;
        Ok(*head)
    }
}
