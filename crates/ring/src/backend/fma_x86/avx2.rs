//! AVX2 and FMA: four numbers a vector.

use core::arch::x86_64::*;

use crate::backend::arithmetic::{Job, MAX_LANES};
use crate::backend::fma::Fma;
use crate::backend::fma::lanes::{Lanes, TWO_52};

/// 4 numbers.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Avx2(__m256d);

// SAFETY of all blocks below: callers are inside `dispatch`, on a machine with its features, and pass pointers
// to 4 words.
impl Lanes for Avx2 {
    const LANES: usize = 4;
    const NAME: &'static str = "fma";

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        #[target_feature(enable = "avx2,fma")]
        fn inner<J: Job>(job: J) {
            job.run::<Fma<Avx2>>();
        }
        // SAFETY: the caller has checked the features.
        unsafe { inner(job) }
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_loadu_pd(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_pd(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_set1_pd(value)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_add_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_sub_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_mul_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_fmadd_pd(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn mul_sub(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_fmsub_pd(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_fnmadd_pd(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm256_floor_pd(self.0)) }
    }
    #[inline(always)]
    unsafe fn add_if_negative(self, q: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let negative = _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, _mm256_setzero_pd());
            Self(_mm256_add_pd(self.0, _mm256_and_pd(negative, q.0)))
        }
    }
    #[inline(always)]
    unsafe fn from_word(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let base = _mm256_set1_pd(TWO_52);
            Self(_mm256_sub_pd(_mm256_or_pd(self.0, base), base))
        }
    }
    #[inline(always)]
    unsafe fn to_word(self) -> Self {
        // SAFETY: see above.
        unsafe {
            let base = _mm256_set1_pd(TWO_52);
            Self(_mm256_xor_pd(_mm256_add_pd(self.0, base), base))
        }
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [Self; MAX_LANES]) {
        // SAFETY: see above.
        unsafe {
            let (a, b) = (
                _mm256_unpacklo_pd(v[0].0, v[1].0),
                _mm256_unpackhi_pd(v[0].0, v[1].0),
            );
            let (c, d) = (
                _mm256_unpacklo_pd(v[2].0, v[3].0),
                _mm256_unpackhi_pd(v[2].0, v[3].0),
            );
            v[0] = Self(_mm256_permute2f128_pd::<0x20>(a, c));
            v[1] = Self(_mm256_permute2f128_pd::<0x20>(b, d));
            v[2] = Self(_mm256_permute2f128_pd::<0x31>(a, c));
            v[3] = Self(_mm256_permute2f128_pd::<0x31>(b, d));
        }
    }
    #[inline(always)]
    unsafe fn within(self, bound: Self) -> bool {
        // SAFETY: see above.
        unsafe {
            let beyond = _mm256_cmp_pd::<_CMP_NLE_UQ>(
                _mm256_mul_pd(self.0, self.0),
                _mm256_mul_pd(bound.0, bound.0),
            );
            _mm256_movemask_pd(beyond) == 0
        }
    }
}
