//! Constants in a backend's own encoding, and the twiddle table of one prime.

use crate::backend::Backend;
use crate::buffer::Buffer;
use crate::{Modulus, RingError};

/// A fixed multiplicand as its backend wants it: the number and its quotient by the prime, each in the
/// backend's encoding. Only the backend that prepared it may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constant {
    /// The multiplicand.
    pub value: u64,
    /// Its quotient by the prime.
    pub quotient: u64,
}

/// Twiddles of the negacyclic transform of degree N modulo one prime.
///
/// Entry i (1 <= i < N) is psi^brv(i), psi being a primitive 2N-th root of unity and brv the reversal of
/// log2 N bits: stage m of the forward transform uses entries m to 2m - 1 in order. The inverse transform
/// uses the same entries backwards, because psi^-brv(m + i) = -psi^brv(2m - 1 - i).
pub struct NttTable {
    modulus: Modulus,
    psi: u64,
    values: Buffer,
    quotients: Buffer,
    inverse_degree: Constant,
}

impl NttTable {
    /// Builds the table of `modulus` for degree 2^`log_n` in the encoding of `backend`.
    ///
    /// # Errors
    /// [`RingError::NoRoot`] when the prime is not 1 modulo 2N.
    pub fn new(modulus: Modulus, log_n: u32, backend: &dyn Backend) -> Result<Self, RingError> {
        let n = 1usize << log_n;
        let psi = primitive_root(&modulus, 2 * n as u64)?;
        let mut values = Buffer::zeroed(n);
        values[0] = 1;
        // psi^brv(m + i) = psi^brv(i) * psi^(N / 2m) for i < m.
        for s in 0..log_n {
            let step = modulus.pow(psi, n as u64 >> (s + 1));
            let m = 1usize << s;
            let (low, high) = values[..2 * m].split_at_mut(m);
            for (h, &l) in high.iter_mut().zip(low.iter()) {
                *h = modulus.mul(l, step);
            }
        }
        let mut quotients = Buffer::zeroed(if backend.has_quotients() { n } else { 0 });
        backend.prepare_all(&modulus, &mut values, &mut quotients);
        let inverse_degree = backend.prepare(&modulus, modulus.inv(n as u64));
        Ok(Self {
            modulus,
            psi,
            values,
            quotients,
            inverse_degree,
        })
    }

    /// The prime.
    #[inline]
    pub fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// The degree N.
    #[inline]
    pub fn degree(&self) -> usize {
        self.values.len()
    }

    /// The primitive 2N-th root of unity that defines the order of values.
    #[inline]
    pub fn psi(&self) -> u64 {
        self.psi
    }

    /// psi^brv(i) in the backend's encoding; the last stages may be in the backend's own order.
    #[inline]
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Quotients of [`NttTable::values`] in the backend's encoding; empty where it has none.
    #[inline]
    pub fn quotients(&self) -> &[u64] {
        &self.quotients
    }

    /// 1/N: what the inverse transform multiplies by in the end.
    #[inline]
    pub fn inverse_degree(&self) -> Constant {
        self.inverse_degree
    }
}

/// A primitive root of unity of order `order` (a power of two), the same on every machine: a power of
/// the smallest base that gives one.
fn primitive_root(modulus: &Modulus, order: u64) -> Result<u64, RingError> {
    let q = modulus.value();
    if !(q - 1).is_multiple_of(order) {
        return Err(RingError::NoRoot {
            value: q,
            order,
            degree: order / 2,
        });
    }
    (2..q)
        .map(|base| modulus.pow(base, (q - 1) / order))
        .find(|&root| modulus.pow(root, order / 2) == q - 1)
        .ok_or(RingError::NoRoot {
            value: q,
            order,
            degree: order / 2,
        })
}
