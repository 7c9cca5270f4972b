//! Binary64 with fused multiply-add in WebAssembly: relaxed SIMD, two numbers a vector.
//!
//! An engine may legally round a relaxed multiply-add twice. [`fuses`] finds out, and the backend is offered
//! only where it fuses. The choice is the same throughout an environment: that is part of the proposal.

use core::arch::wasm32::*;
use core::hint::black_box;

use super::arithmetic::{Job, MAX_LANES};
use super::fma::Fma;
use super::fma::lanes::{Lanes, TWO_52};

/// Two numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relaxed(v128);

/// Whether relaxed multiply-adds round once, on values where that makes the difference.
pub(super) fn fuses() -> bool {
    // (1 + e)(1 - e) - 1 = -e^2 with one rounding, 0 with two, for e = 2^-30.
    let e = 2f64.powi(-30);
    let (x, y) = (
        black_box(f64x2_splat(1.0 + e)),
        black_box(f64x2_splat(1.0 - e)),
    );
    let sum = f64x2_relaxed_madd(x, y, black_box(f64x2_splat(-1.0)));
    let difference = f64x2_relaxed_nmadd(x, y, black_box(f64x2_splat(1.0)));
    let lanes = |v: v128| [f64x2_extract_lane::<0>(v), f64x2_extract_lane::<1>(v)];
    lanes(sum) == [-e * e; 2] && lanes(difference) == [e * e; 2]
}

// SAFETY of all blocks below: the module is compiled with relaxed SIMD or not at all, and callers pass pointers
// to two words.
impl Lanes for Relaxed {
    const LANES: usize = 2;
    const NAME: &'static str = "fma";

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        job.run::<Fma<Relaxed>>();
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: see above.
        unsafe { Self(v128_load(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: see above.
        unsafe { v128_store(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        Self(f64x2_splat(value))
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        Self(f64x2_add(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        Self(f64x2_sub(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        Self(f64x2_mul(self.0, other.0))
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        Self(f64x2_relaxed_madd(self.0, b.0, c.0))
    }
    #[inline(always)]
    unsafe fn mul_sub(self, b: Self, c: Self) -> Self {
        Self(f64x2_relaxed_madd(self.0, b.0, f64x2_neg(c.0)))
    }
    #[inline(always)]
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
        Self(f64x2_relaxed_nmadd(self.0, b.0, c.0))
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        Self(f64x2_floor(self.0))
    }
    #[inline(always)]
    unsafe fn add_if_negative(self, q: Self) -> Self {
        Self(f64x2_add(
            self.0,
            v128_and(f64x2_lt(self.0, f64x2_splat(0.0)), q.0),
        ))
    }
    #[inline(always)]
    unsafe fn from_word(self) -> Self {
        let base = f64x2_splat(TWO_52);
        Self(f64x2_sub(v128_or(self.0, base), base))
    }
    #[inline(always)]
    unsafe fn to_word(self) -> Self {
        let base = f64x2_splat(TWO_52);
        Self(v128_xor(f64x2_add(self.0, base), base))
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [Self; MAX_LANES]) {
        let (a, b) = (v[0].0, v[1].0);
        v[0] = Self(i64x2_shuffle::<0, 2>(a, b));
        v[1] = Self(i64x2_shuffle::<1, 3>(a, b));
    }
    #[inline(always)]
    unsafe fn within(self, bound: Self) -> bool {
        i64x2_all_true(f64x2_le(f64x2_abs(self.0), bound.0))
    }
}
