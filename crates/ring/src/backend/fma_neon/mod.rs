//! Binary64 with fused multiply-add on 64-bit Arm: NEON, two numbers a vector.

use core::arch::aarch64::*;

use super::arithmetic::{Job, MAX_LANES};
use super::fma::Fma;
use super::fma::lanes::Lanes;

/// Two numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Neon(float64x2_t);

// SAFETY of all blocks below: NEON is part of the base architecture, and callers pass pointers to two words.
impl Lanes for Neon {
    const LANES: usize = 2;
    const NAME: &'static str = "fma";

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        job.run::<Fma<Neon>>();
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: see above.
        unsafe { Self(vld1q_f64(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: see above.
        unsafe { vst1q_f64(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        // SAFETY: see above.
        unsafe { Self(vdupq_n_f64(value)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vaddq_f64(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vsubq_f64(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vmulq_f64(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vfmaq_f64(c.0, self.0, b.0)) }
    }
    #[inline(always)]
    unsafe fn mul_sub(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vfmaq_f64(vnegq_f64(c.0), self.0, b.0)) }
    }
    #[inline(always)]
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vfmsq_f64(c.0, self.0, b.0)) }
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vrndmq_f64(self.0)) }
    }
    #[inline(always)]
    unsafe fn add_if_negative(self, q: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let masked = vandq_u64(vcltzq_f64(self.0), vreinterpretq_u64_f64(q.0));
            Self(vaddq_f64(self.0, vreinterpretq_f64_u64(masked)))
        }
    }
    #[inline(always)]
    unsafe fn from_word(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vcvtq_f64_u64(vreinterpretq_u64_f64(self.0))) }
    }
    #[inline(always)]
    unsafe fn to_word(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(vreinterpretq_f64_u64(vcvtq_u64_f64(self.0))) }
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [Self; MAX_LANES]) {
        // SAFETY: see above.
        unsafe {
            let (a, b) = (v[0].0, v[1].0);
            v[0] = Self(vzip1q_f64(a, b));
            v[1] = Self(vzip2q_f64(a, b));
        }
    }
    #[inline(always)]
    unsafe fn within(self, bound: Self) -> bool {
        // SAFETY: see above.
        unsafe { vminvq_u32(vreinterpretq_u32_u64(vcleq_f64(vabsq_f64(self.0), bound.0))) != 0 }
    }
}
