//! Modular arithmetic in binary64 with fused multiply-add.
//!
//! The product of integers x and w is the exact pair h = RN(x w), l = x w - h (one fused operation). With
//! n = RN(h / q), r = (h - n q) + l is exact: both terms are integers below 2^53. Van der Hoeven, Lecerf and
//! Quintin describe it in "Modular SIMD arithmetic in Mathemagix" (2016, section 3).
//!
//! Ranges, in units of q with q < 2^50. n is rounded by adding 3 * 2^51, fused with the product h q^-1, so
//! |r| <= 1/2 + |x w / q| 2^-52, where |x w / q| has to stay below 2^51. Constants are centred, |w| <= q/2,
//! so that a factor |x| <= B gives |r| <= 1/2 + B/8, allowed for B <= 4; plain sums are exact up to B = 8.
//! * Forward: B = 1/2 after `settle` grows to 1.07, 1.70, 2.42, 3.22, 4.13: five stages. Canonical
//!   input (B = 1) grows to 1.63, 2.33, 3.13, 4.02: four.
//! * Inverse: B = 1 doubles to 2 and to 4 in sums, and factors are differences up to 4, which give 1.
//! * Other products have both factors below q: |r| <= 3/4; a sum of seven and a settled one stays below 6.

pub(super) mod lanes;

use core::marker::PhantomData;

use self::lanes::Lanes;
use super::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::{Constant, Modulus};

/// Arithmetic on vectors of `L`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fma<L> {
    q: L,
    /// RN(1 / q).
    inverse: L,
    /// 3 * 2^51: adding and subtracting it rounds to integers.
    round: L,
    lanes: PhantomData<L>,
}

const ROUND: f64 = 6_755_399_441_055_744.0;

impl<L: Lanes> Fma<L> {
    /// 4q: what a factor of a prepared constant may reach.
    #[inline(always)]
    unsafe fn reach(self) -> L {
        // SAFETY: callers have the features.
        unsafe { self.q.add(self.q).add(self.q.add(self.q)) }
    }

    /// x - RN(x / q) q.
    #[inline(always)]
    unsafe fn reduce(self, x: L) -> L {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(x.within(self.reach().add(self.reach())));
            let n = x.mul_add(self.inverse, self.round).sub(self.round);
            let r = n.neg_mul_add(self.q, x);
            debug_assert!(r.within(self.q));
            r
        }
    }

    /// The exact r of the module's comment.
    #[inline(always)]
    unsafe fn product(self, x: L, w: L) -> L {
        // SAFETY: callers have the features.
        unsafe {
            let h = x.mul(w);
            let l = x.mul_sub(w, h);
            let n = h.mul_add(self.inverse, self.round).sub(self.round);
            let r = n.neg_mul_add(self.q, h).add(l);
            debug_assert!(r.within(self.q));
            r
        }
    }
}

impl<L: Lanes> Arithmetic for Fma<L> {
    const LANES: usize = L::LANES;
    const NAME: &'static str = L::NAME;
    const QUOTIENTS: bool = false;
    const FORWARD_STAGES: u32 = 5;
    const CANONICAL_STAGES: u32 = 4;
    type V = L;
    type Sum = L;
    type Real = L;
    type Small = Fma<f64>;
    type Narrow = Self;

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        // SAFETY: the caller has the features.
        unsafe { L::dispatch(job) }
    }

    fn prepare(q: &Modulus, value: u64) -> Constant {
        Constant {
            value: (q.to_centered(value) as f64).to_bits(),
            quotient: 0,
        }
    }

    fn encode(q: &Modulus, values: &mut [u64]) {
        for value in values {
            *value = (q.to_centered(*value) as f64).to_bits();
        }
    }

    fn decode(q: &Modulus, constant: Constant) -> u64 {
        q.from_i64(f64::from_bits(constant.value) as i64)
    }

    #[inline(always)]
    unsafe fn new(q: &Modulus) -> Self {
        let value = q.value() as f64;
        // SAFETY: callers have the features.
        unsafe {
            Self {
                q: L::splat(value),
                inverse: L::splat(1.0 / value),
                round: L::splat(ROUND),
                lanes: PhantomData,
            }
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const u64) -> L {
        // SAFETY: the caller's.
        unsafe { L::load(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u64, v: L) {
        // SAFETY: the caller's.
        unsafe { v.store(to) }
    }

    #[inline(always)]
    unsafe fn splat(word: u64) -> L {
        // SAFETY: callers have the features.
        unsafe { L::splat(f64::from_bits(word)) }
    }

    #[inline(always)]
    unsafe fn transpose(v: &mut [L; MAX_LANES]) {
        // SAFETY: callers have the features.
        unsafe { L::transpose(v) }
    }

    #[inline(always)]
    unsafe fn enter(self, v: L) -> L {
        // SAFETY: callers have the features.
        unsafe { v.from_word() }
    }

    #[inline(always)]
    unsafe fn leave(self, v: L) -> L {
        // SAFETY: callers have the features. After `reduce` |x| <= q (1/2 + 2^-50).
        unsafe { self.reduce(v).add_if_negative(self.q).to_word() }
    }

    #[inline(always)]
    unsafe fn start_sum(self, v: L) -> L {
        // SAFETY: callers have the features.
        unsafe { self.reduce(v) }
    }

    #[inline(always)]
    unsafe fn settle(self, v: L) -> L {
        // SAFETY: callers have the features.
        unsafe { self.reduce(v) }
    }

    #[inline(always)]
    unsafe fn tidy(self, v: L) -> L {
        // SAFETY: callers have the features.
        unsafe { self.reduce(v) }
    }

    #[inline(always)]
    unsafe fn forward(self, x: L, y: L, w: [L; 2]) -> (L, L) {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(y.within(self.reach()));
            let r = self.product(y, w[0]);
            (x.add(r), x.sub(r))
        }
    }

    #[inline(always)]
    unsafe fn sum(self, x: L, y: L) -> L {
        // SAFETY: callers have the features.
        unsafe { x.add(y) }
    }

    #[inline(always)]
    unsafe fn difference(self, x: L, y: L) -> L {
        // SAFETY: callers have the features.
        unsafe { x.sub(y) }
    }

    #[inline(always)]
    unsafe fn relax(self, v: L) -> L {
        v
    }

    #[inline(always)]
    unsafe fn mul_constant(self, x: L, w: [L; 2]) -> L {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(x.within(self.reach()));
            self.product(x, w[0])
        }
    }

    #[inline(always)]
    unsafe fn mul(self, x: L, y: L) -> L {
        // SAFETY: callers have the features.
        unsafe { self.product(x, y) }
    }

    #[inline(always)]
    unsafe fn plus(self, x: L, y: L) -> L {
        // SAFETY: callers have the features.
        unsafe { x.add(y) }
    }

    #[inline(always)]
    unsafe fn sum_zero(self) -> L {
        // SAFETY: callers have the features.
        unsafe { L::splat(0.0) }
    }

    #[inline(always)]
    unsafe fn sum_add(self, sum: L, x: L, y: L) -> L {
        // SAFETY: callers have the features.
        unsafe { sum.add(self.product(x, y)) }
    }

    #[inline(always)]
    unsafe fn sum_fold(self, sum: L) -> L {
        // SAFETY: callers have the features.
        unsafe { self.reduce(sum) }
    }

    #[inline(always)]
    unsafe fn sum_finish(self, sum: L) -> L {
        sum
    }

    #[inline(always)]
    unsafe fn real_splat(value: f64) -> L {
        // SAFETY: callers have the features.
        unsafe { L::splat(value) }
    }

    #[inline(always)]
    unsafe fn real_step(acc: L, word: L, factor: L) -> L {
        // SAFETY: callers have the features.
        unsafe { acc.add(word.from_word().mul(factor)) }
    }

    #[inline(always)]
    unsafe fn real_floor(v: L) -> L {
        // SAFETY: callers have the features.
        unsafe { v.floor().to_word() }
    }
}
