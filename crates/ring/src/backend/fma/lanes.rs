//! Vectors of binary64 numbers as a processor offers them.

use core::fmt::Debug;

use super::Fma;
use crate::backend::arithmetic::{Job, MAX_LANES};

/// 2^52: the words of [2^52, 2^53) are these bits plus the integer part.
pub(in crate::backend) const TWO_52: f64 = 4_503_599_627_370_496.0;

/// A vector of binary64 numbers, or of raw words in the same register.
///
/// # Safety
/// Methods may use processor instructions that exist only on some machines; they are safe to call only
/// from within [`Lanes::dispatch`] on a machine that has them.
#[allow(clippy::wrong_self_convention)]
pub(in crate::backend) trait Lanes:
    Copy + Send + Sync + Debug + 'static
{
    const LANES: usize;
    const NAME: &'static str;

    /// Runs a job with the processor features enabled.
    unsafe fn dispatch<J: Job>(job: J);
    unsafe fn load(from: *const u64) -> Self;
    unsafe fn store(self, to: *mut u64);
    unsafe fn splat(value: f64) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// self * b + c, rounded once.
    unsafe fn mul_add(self, b: Self, c: Self) -> Self;
    /// self * b - c, rounded once.
    unsafe fn mul_sub(self, b: Self, c: Self) -> Self;
    /// c - self * b, rounded once.
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self;
    unsafe fn floor(self) -> Self;
    /// self + q in the lanes below zero, self elsewhere.
    unsafe fn add_if_negative(self, q: Self) -> Self;
    /// Raw words below 2^52 as numbers.
    unsafe fn from_word(self) -> Self;
    /// Integers in [0, 2^52) as raw words.
    unsafe fn to_word(self) -> Self;
    /// Transposes the first LANES vectors as a square matrix.
    unsafe fn transpose(v: &mut [Self; MAX_LANES]);
    /// Whether no lane's magnitude exceeds the bound; for debug builds.
    unsafe fn within(self, bound: Self) -> bool;
}

/// One lane, for transforms too short for vectors. Correct everywhere; fast where `mul_add` is one instruction.
impl Lanes for f64 {
    const LANES: usize = 1;
    const NAME: &'static str = "fma-scalar";

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        job.run::<Fma<f64>>();
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: the caller's: one word is readable.
        f64::from_bits(unsafe { *from })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: the caller's: one word is writable.
        unsafe { *to = self.to_bits() }
    }
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        value
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        f64::mul_add(self, b, c)
    }
    #[inline(always)]
    unsafe fn mul_sub(self, b: Self, c: Self) -> Self {
        f64::mul_add(self, b, -c)
    }
    #[inline(always)]
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
        f64::mul_add(-self, b, c)
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        f64::floor(self)
    }
    #[inline(always)]
    unsafe fn add_if_negative(self, q: Self) -> Self {
        if self < 0.0 { self + q } else { self }
    }
    #[inline(always)]
    unsafe fn from_word(self) -> Self {
        f64::from_bits(self.to_bits() | TWO_52.to_bits()) - TWO_52
    }
    #[inline(always)]
    unsafe fn to_word(self) -> Self {
        f64::from_bits((self + TWO_52).to_bits() ^ TWO_52.to_bits())
    }
    #[inline(always)]
    unsafe fn transpose(_: &mut [Self; MAX_LANES]) {}
    #[inline(always)]
    unsafe fn within(self, bound: Self) -> bool {
        self.abs() <= bound
    }
}
