//! Vectors of 64-bit words with a 52-bit multiply-add.

use core::fmt::Debug;

use super::{Ifma, MASK};
use crate::backend::arithmetic::{Job, MAX_LANES};

/// A vector of 64-bit words. Sums and differences wrap around.
///
/// # Safety
/// Methods may use processor instructions that exist only on some machines; they are safe to call only
/// from within [`Words::dispatch`] on a machine that has them.
pub(in crate::backend) trait Words:
    Copy + Send + Sync + Debug + 'static
{
    const LANES: usize;
    type Real: Copy;

    /// Runs a job with the processor features enabled.
    unsafe fn dispatch<J: Job>(job: J);
    unsafe fn load(from: *const u64) -> Self;
    unsafe fn store(self, to: *mut u64);
    unsafe fn splat(word: u64) -> Self;
    /// acc + the low 52 bits of the product of the low 52 bits of x and y.
    unsafe fn madd_low(acc: Self, x: Self, y: Self) -> Self;
    /// acc + the high 52 bits of the product of the low 52 bits of x and y.
    unsafe fn madd_high(acc: Self, x: Self, y: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn and(self, other: Self) -> Self;
    unsafe fn shift_left(self, count: Self) -> Self;
    unsafe fn shift_right(self, count: Self) -> Self;
    /// See [`Arithmetic::permuted`](crate::backend::arithmetic::Arithmetic::permuted).
    unsafe fn permuted(from: *const u64, order: *const u32) -> Self;
    /// Transposes the first LANES vectors as a square matrix.
    unsafe fn transpose(v: &mut [Self; MAX_LANES]);
    /// Whether every lane is below the bound; for debug builds.
    unsafe fn below(self, bound: Self) -> bool;

    unsafe fn real_splat(value: f64) -> Self::Real;
    /// acc + self * factor, both operations rounded.
    unsafe fn real_step(self, acc: Self::Real, factor: Self::Real) -> Self::Real;
    unsafe fn real_floor(v: Self::Real) -> Self;
}

/// One word, for transforms too short for vectors.
impl Words for u64 {
    const LANES: usize = 1;
    type Real = f64;

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        job.run::<Ifma<u64>>();
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: the caller's: one word is readable.
        unsafe { *from }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: the caller's: one word is writable.
        unsafe { *to = self }
    }
    #[inline(always)]
    unsafe fn splat(word: u64) -> Self {
        word
    }
    #[inline(always)]
    unsafe fn madd_low(acc: Self, x: Self, y: Self) -> Self {
        acc.wrapping_add((x & MASK).wrapping_mul(y & MASK) & MASK)
    }
    #[inline(always)]
    unsafe fn madd_high(acc: Self, x: Self, y: Self) -> Self {
        acc.wrapping_add(((u128::from(x & MASK) * u128::from(y & MASK)) >> 52) as u64)
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.wrapping_add(other)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        Ord::min(self, other)
    }
    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        self & other
    }
    #[inline(always)]
    unsafe fn shift_left(self, count: Self) -> Self {
        self << count
    }
    #[inline(always)]
    unsafe fn shift_right(self, count: Self) -> Self {
        self >> count
    }
    #[inline(always)]
    unsafe fn permuted(from: *const u64, order: *const u32) -> Self {
        // SAFETY: the caller's.
        unsafe { *from.add(*order as usize) }
    }
    #[inline(always)]
    unsafe fn transpose(_: &mut [Self; MAX_LANES]) {}
    #[inline(always)]
    unsafe fn below(self, bound: Self) -> bool {
        self < bound
    }
    #[inline(always)]
    unsafe fn real_splat(value: f64) -> f64 {
        value
    }
    #[inline(always)]
    unsafe fn real_step(self, acc: f64, factor: f64) -> f64 {
        acc + self as f64 * factor
    }
    #[inline(always)]
    unsafe fn real_floor(v: f64) -> Self {
        v as u64
    }
}
