//! AVX-512: eight numbers a vector.

use core::arch::x86_64::*;

use crate::backend::arithmetic::{Job, MAX_LANES};
use crate::backend::fma::Fma;
use crate::backend::fma::lanes::Lanes;

/// 8 numbers.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Avx512(__m512d);

// SAFETY of all blocks below: callers are inside `dispatch`, on a machine with its features, and pass pointers
// to 8 words.
impl Lanes for Avx512 {
    const LANES: usize = 8;
    const NAME: &'static str = "fma512";

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        #[target_feature(enable = "avx512f,avx512dq")]
        fn inner<J: Job>(job: J) {
            job.run::<Fma<Avx512>>();
        }
        // SAFETY: the caller has checked the features.
        unsafe { inner(job) }
    }
    #[inline(always)]
    unsafe fn load(from: *const u64) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_loadu_pd(from.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut u64) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_pd(to.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_set1_pd(value)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_add_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_sub_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_mul_pd(self.0, other.0)) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_fmadd_pd(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn mul_sub(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_fmsub_pd(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn neg_mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_fnmadd_pd(self.0, b.0, c.0)) }
    }
    #[inline(always)]
    unsafe fn floor(self) -> Self {
        // SAFETY: see above.
        unsafe {
            Self(_mm512_roundscale_pd::<
                { _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC },
            >(self.0))
        }
    }
    #[inline(always)]
    unsafe fn add_if_negative(self, q: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let negative = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, _mm512_setzero_pd());
            Self(_mm512_mask_add_pd(self.0, negative, self.0, q.0))
        }
    }
    #[inline(always)]
    unsafe fn from_word(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_cvtepu64_pd(_mm512_castpd_si512(self.0))) }
    }
    #[inline(always)]
    unsafe fn to_word(self) -> Self {
        // SAFETY: see above.
        unsafe { Self(_mm512_castsi512_pd(_mm512_cvttpd_epu64(self.0))) }
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [Self; MAX_LANES]) {
        // SAFETY: see above.
        unsafe {
            let [a, b, c, d, e, f, g, h] = v.map(|x| x.0);
            // Pairs within 128 bits, then quarters of 128 bits.
            let (t0, t1) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            let (t2, t3) = (_mm512_unpacklo_pd(c, d), _mm512_unpackhi_pd(c, d));
            let (t4, t5) = (_mm512_unpacklo_pd(e, f), _mm512_unpackhi_pd(e, f));
            let (t6, t7) = (_mm512_unpacklo_pd(g, h), _mm512_unpackhi_pd(g, h));
            let (u0, u1) = (
                _mm512_shuffle_f64x2::<0x88>(t0, t2),
                _mm512_shuffle_f64x2::<0xdd>(t0, t2),
            );
            let (u2, u3) = (
                _mm512_shuffle_f64x2::<0x88>(t1, t3),
                _mm512_shuffle_f64x2::<0xdd>(t1, t3),
            );
            let (u4, u5) = (
                _mm512_shuffle_f64x2::<0x88>(t4, t6),
                _mm512_shuffle_f64x2::<0xdd>(t4, t6),
            );
            let (u6, u7) = (
                _mm512_shuffle_f64x2::<0x88>(t5, t7),
                _mm512_shuffle_f64x2::<0xdd>(t5, t7),
            );
            *v = [
                Self(_mm512_shuffle_f64x2::<0x88>(u0, u4)),
                Self(_mm512_shuffle_f64x2::<0x88>(u2, u6)),
                Self(_mm512_shuffle_f64x2::<0x88>(u1, u5)),
                Self(_mm512_shuffle_f64x2::<0x88>(u3, u7)),
                Self(_mm512_shuffle_f64x2::<0xdd>(u0, u4)),
                Self(_mm512_shuffle_f64x2::<0xdd>(u2, u6)),
                Self(_mm512_shuffle_f64x2::<0xdd>(u1, u5)),
                Self(_mm512_shuffle_f64x2::<0xdd>(u3, u7)),
            ];
        }
    }
    #[inline(always)]
    unsafe fn within(self, bound: Self) -> bool {
        // SAFETY: see above.
        unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(_mm512_abs_pd(self.0), bound.0) == 0xff }
    }
}
