//! AVX-512 IFMA: eight words a vector.

use core::arch::x86_64::*;

use super::Ifma;
use super::words::Words;
use crate::backend::arithmetic::{Job, MAX_LANES};

/// Eight words.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Avx512(__m512i);

// SAFETY of all blocks below: callers are inside `dispatch`, on a machine with its features, and pass pointers
// to eight words.
impl Words for Avx512 {
    const LANES: usize = 8;
    type Real = __m512d;

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
        fn inner<J: Job>(job: J) {
            job.run::<Ifma<Avx512>>();
        }
        // SAFETY: the caller has checked the features.
        unsafe { inner(job) }
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_loadu_si512(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn splat(word: u64) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_set1_epi64(word as i64)) }
    }
    #[inline(always)]
    unsafe fn madd_low(acc: Self, x: Self, y: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_madd52lo_epu64(acc.0, x.0, y.0)) }
    }
    #[inline(always)]
    unsafe fn madd_high(acc: Self, x: Self, y: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_madd52hi_epu64(acc.0, x.0, y.0)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_add_epi64(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_sub_epi64(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_min_epu64(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_and_si512(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn shift_left(self, count: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_sllv_epi64(self.0, count.0)) }
    }
    #[inline(always)]
    unsafe fn shift_right(self, count: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_srlv_epi64(self.0, count.0)) }
    }
    #[inline(always)]
    unsafe fn permuted(from: *const u64, order: *const u32) -> Self {
        // SAFETY: see above; the group of eight words that the first index lies in holds all of them. The
        // permutation reads the low three bits of an index.
        unsafe {
            let indices = _mm256_loadu_si256(order.cast());
            let group = _mm512_loadu_si512(from.add(*order as usize & !7).cast());
            Self(_mm512_permutexvar_epi64(
                _mm512_cvtepu32_epi64(indices),
                group,
            ))
        }
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [Self; MAX_LANES]) {
        // SAFETY: see above.
        unsafe {
            let [a, b, c, d, e, f, g, h] = v.map(|x| x.0);
            // Pairs within 128 bits, then quarters of 128 bits.
            let (t0, t1) = (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
            let (t2, t3) = (_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d));
            let (t4, t5) = (_mm512_unpacklo_epi64(e, f), _mm512_unpackhi_epi64(e, f));
            let (t6, t7) = (_mm512_unpacklo_epi64(g, h), _mm512_unpackhi_epi64(g, h));
            let (u0, u1) = (
                _mm512_shuffle_i64x2::<0x88>(t0, t2),
                _mm512_shuffle_i64x2::<0xdd>(t0, t2),
            );
            let (u2, u3) = (
                _mm512_shuffle_i64x2::<0x88>(t1, t3),
                _mm512_shuffle_i64x2::<0xdd>(t1, t3),
            );
            let (u4, u5) = (
                _mm512_shuffle_i64x2::<0x88>(t4, t6),
                _mm512_shuffle_i64x2::<0xdd>(t4, t6),
            );
            let (u6, u7) = (
                _mm512_shuffle_i64x2::<0x88>(t5, t7),
                _mm512_shuffle_i64x2::<0xdd>(t5, t7),
            );
            *v = [
                Self(_mm512_shuffle_i64x2::<0x88>(u0, u4)),
                Self(_mm512_shuffle_i64x2::<0x88>(u2, u6)),
                Self(_mm512_shuffle_i64x2::<0x88>(u1, u5)),
                Self(_mm512_shuffle_i64x2::<0x88>(u3, u7)),
                Self(_mm512_shuffle_i64x2::<0xdd>(u0, u4)),
                Self(_mm512_shuffle_i64x2::<0xdd>(u2, u6)),
                Self(_mm512_shuffle_i64x2::<0xdd>(u1, u5)),
                Self(_mm512_shuffle_i64x2::<0xdd>(u3, u7)),
            ];
        }
    }
    #[inline(always)]
    unsafe fn below(self, bound: Self) -> bool {
        // SAFETY: see above.
        unsafe { _mm512_cmplt_epu64_mask(self.0, bound.0) == 0xff }
    }
    #[inline(always)]
    unsafe fn real_splat(value: f64) -> __m512d {
        // SAFETY: see above.
        unsafe { _mm512_set1_pd(value) }
    }
    #[inline(always)]
    unsafe fn real_step(self, acc: __m512d, factor: __m512d) -> __m512d {
        // SAFETY: see above.
        unsafe { _mm512_add_pd(acc, _mm512_mul_pd(_mm512_cvtepu64_pd(self.0), factor)) }
    }
    #[inline(always)]
    unsafe fn real_floor(v: __m512d) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_cvttpd_epu64(v)) }
    }
}
