//! A prime modulus below 2^50 and scalar arithmetic modulo it.

use crate::RingError;
use crate::primes::is_prime;

/// A prime `q` with 2^20 < q < 2^50 and the constants of its reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus {
    value: u64,
    bits: u32,
    /// floor(2^64 / q).
    ratio: u64,
    /// floor(2^128 / q), split in high and low words.
    wide_ratio: u128,
}

impl Modulus {
    /// Checks and prepares a prime.
    ///
    /// # Errors
    /// [`RingError::Modulus`] when `value` is not a prime in (2^20, 2^50).
    pub fn new(value: u64) -> Result<Self, RingError> {
        if value <= 1 << 20 || value >= 1 << 50 || !is_prime(value) {
            return Err(RingError::Modulus { value });
        }
        Ok(Self {
            value,
            bits: 64 - value.leading_zeros(),
            // q is odd, so 2^64 / q and (2^64 - 1) / q have the same floor; likewise for 2^128.
            ratio: u64::MAX / value,
            wide_ratio: u128::MAX / u128::from(value),
        })
    }

    /// The prime itself.
    #[inline]
    pub const fn value(&self) -> u64 {
        self.value
    }

    /// Bit length of the prime.
    #[inline]
    pub const fn bits(&self) -> u32 {
        self.bits
    }

    /// a + b for canonical operands.
    #[inline]
    pub const fn add(&self, a: u64, b: u64) -> u64 {
        debug_assert!(a < self.value && b < self.value);
        let s = a + b;
        if s >= self.value { s - self.value } else { s }
    }

    /// a - b for canonical operands.
    #[inline]
    pub const fn sub(&self, a: u64, b: u64) -> u64 {
        debug_assert!(a < self.value && b < self.value);
        if a >= b { a - b } else { a + self.value - b }
    }

    /// -a for a canonical operand.
    #[inline]
    pub const fn neg(&self, a: u64) -> u64 {
        debug_assert!(a < self.value);
        if a == 0 { 0 } else { self.value - a }
    }

    /// a * b for canonical operands.
    #[inline]
    pub fn mul(&self, a: u64, b: u64) -> u64 {
        debug_assert!(a < self.value && b < self.value);
        self.reduce_u128(u128::from(a) * u128::from(b))
    }

    /// base^exponent for a canonical base.
    pub fn pow(&self, mut base: u64, mut exponent: u64) -> u64 {
        let mut result = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }

    /// The inverse of a canonical operand; 0 for 0.
    pub fn inv(&self, a: u64) -> u64 {
        self.pow(a, self.value - 2)
    }

    /// Any 64-bit number modulo q.
    #[inline]
    pub fn reduce(&self, a: u64) -> u64 {
        // The quotient is at most one too small.
        let quotient = ((u128::from(a) * u128::from(self.ratio)) >> 64) as u64;
        let r = a - quotient * self.value;
        if r >= self.value { r - self.value } else { r }
    }

    /// Any 128-bit number modulo q (Barrett, two-word ratio).
    #[inline]
    pub fn reduce_u128(&self, a: u128) -> u64 {
        let (a1, a0) = ((a >> 64) as u64, a as u64);
        let (r1, r0) = ((self.wide_ratio >> 64) as u64, self.wide_ratio as u64);
        let wide = |x: u64, y: u64| u128::from(x) * u128::from(y);
        let middle = (wide(a0, r0) >> 64)
            + (wide(a0, r1) & u128::from(u64::MAX))
            + (wide(a1, r0) & u128::from(u64::MAX));
        let quotient = (wide(a0, r1) >> 64)
            .wrapping_add(wide(a1, r0) >> 64)
            .wrapping_add(middle >> 64)
            .wrapping_add(wide(a1, r1));
        // Only the low words matter: the remainder is below 2q.
        let r = a0.wrapping_sub((quotient as u64).wrapping_mul(self.value));
        if r >= self.value { r - self.value } else { r }
    }

    /// A signed number modulo q.
    #[inline]
    pub fn from_i64(&self, a: i64) -> u64 {
        let r = self.reduce(a.unsigned_abs());
        if a < 0 { self.neg(r) } else { r }
    }

    /// floor(w 2^64 / q) for a canonical w.
    #[inline]
    pub(crate) fn shoup_quotient(&self, w: u64) -> u64 {
        let (r1, r0) = ((self.wide_ratio >> 64) as u64, self.wide_ratio as u64);
        debug_assert!(w < self.value);
        let mut quotient = w
            .wrapping_mul(r1)
            .wrapping_add(((u128::from(w) * u128::from(r0)) >> 64) as u64);
        // Two floors: at most two too small.
        while 0u64.wrapping_sub(quotient.wrapping_mul(self.value)) >= self.value {
            quotient += 1;
        }
        quotient
    }

    /// The representative in (-q/2, q/2) of a canonical residue.
    #[inline]
    pub const fn to_centered(&self, a: u64) -> i64 {
        debug_assert!(a < self.value);
        if a > self.value / 2 {
            a as i64 - self.value as i64
        } else {
            a as i64
        }
    }
}
