//! Bytes of ciphertexts and keys: versioned, packed, and read without trust.
//!
//! All numbers are little endian.
//!
//! | Offset | Bytes | Field |
//! | --- | --- | --- |
//! | 0 | 4 | magic `CFDE` |
//! | 4 | 1 | kind: 1 ciphertext, 2 seeded ciphertext, 3 seeded switching key, 4 public key |
//! | 5 | 2 | version, 1 |
//! | 7 | 1 | 0 |
//! | 8 | 32 | digest of the parameters |
//! | 40 | 4 | level |
//! | 44 | 4 | number of polynomials that follow |
//! | 48 | 8 | ciphertexts: scale as IEEE 754 double; switching keys: Galois element, 0 for relinearisation, 2 or 4 plus 256 times its weight for keys to and from a sparse secret; else 0 |
//! | 56 | 32 | seed of the uniform half (kinds 2 to 4) |
//! | 56 or 88 | | polynomials in NTT form, limb by limb, each residue in as many bits as its prime has |
//!
//! Reading checks the header, then the exact length, and allocates only then; every residue must be below its
//! prime, nothing may follow. No input makes it panic.

mod bits;
mod ciphertext;
mod header;
mod keys;

use std::borrow::Borrow;

use confide_ring::{Form, PrimeSet, RnsPoly};

use crate::error::{BytesError, CkksError};
use crate::params::Parameters;
use header::{Header, Kind};
#[cfg(feature = "secret")]
pub(crate) use keys::switching_key_bytes;

/// Largest exact size of any object that [`from_bytes`](crate::Ciphertext::from_bytes) accepts under these
/// parameters: a limit for receivers.
pub fn max_encoded_len(params: &Parameters) -> usize {
    let level = params.max_level();
    let key = crate::SeededSwitchingKey::encoded_len(params, level);
    key.max(crate::Ciphertext::encoded_len(params, level, 3))
        .max(crate::PublicKey::encoded_len(params))
}

/// Exact size of an object with `polys` polynomials over `set`.
fn object_len(params: &Parameters, kind: Kind, set: PrimeSet, polys: usize) -> usize {
    kind.header_len() + polys * poly_len(params, set)
}

/// Exact size of one polynomial.
fn poly_len(params: &Parameters, set: PrimeSet) -> usize {
    (0..set.len()).map(|limb| limb_len(params, set, limb)).sum()
}

fn limb_len(params: &Parameters, set: PrimeSet, limb: usize) -> usize {
    // The degree is a multiple of 16: no padding.
    params.degree() / 8 * params.ring().modulus_at(set, limb).bits() as usize
}

/// Writes header and polynomials.
fn write(
    params: &Parameters,
    header: &Header,
    set: PrimeSet,
    polys: impl Iterator<Item = impl Borrow<RnsPoly>>,
) -> Result<Vec<u8>, CkksError> {
    let mut out = Vec::with_capacity(object_len(params, header.kind, set, header.polys));
    header.write(params, &mut out);
    for poly in polys {
        let poly = poly.borrow();
        params.check_shape(header.kind.name(), poly, set, Form::Ntt)?;
        for (limb, residues) in poly.limbs().enumerate() {
            bits::pack(
                residues,
                params.ring().modulus_at(set, limb).bits(),
                &mut out,
            );
        }
    }
    Ok(out)
}

/// Reads the polynomials that follow a checked header.
fn read_polys(
    params: &Parameters,
    header: &Header,
    set: PrimeSet,
    bytes: &[u8],
) -> Result<Vec<RnsPoly>, BytesError> {
    let object = header.kind.name();
    let needed = object_len(params, header.kind, set, header.polys);
    if bytes.len() != needed {
        return Err(BytesError::Length {
            object,
            needed,
            available: bytes.len(),
        });
    }
    let mut rest = &bytes[header.kind.header_len()..];
    let mut polys = Vec::with_capacity(header.polys);
    for _ in 0..header.polys {
        let mut poly = params.ring().zero(set, Form::Ntt);
        for limb in 0..set.len() {
            let modulus = params.ring().modulus_at(set, limb);
            let (packed, tail) = rest.split_at(limb_len(params, set, limb));
            rest = tail;
            if let Err(index) =
                bits::unpack(packed, modulus.bits(), modulus.value(), poly.limb_mut(limb))
            {
                let available = poly.limb(limb)[index];
                return Err(BytesError::Residue {
                    object,
                    limb,
                    index,
                    needed: modulus.value(),
                    available,
                });
            }
        }
        polys.push(poly);
    }
    Ok(polys)
}
