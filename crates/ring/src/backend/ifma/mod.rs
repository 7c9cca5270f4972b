//! Integers with a 52-bit multiply-add (AVX-512 IFMA).
//!
//! A prepared constant w carries w' = floor(w 2^52 / q). For x < 2^52, x w - floor(x w' / 2^52) q is in
//! [0, 2q) (Shoup), and its low 52 bits are all of it. The multiply-add reads the low 52 bits of its factors
//! only, so that internal values are kept modulo 2^52, with whatever carries lie above; only `leave` masks them.
//! Ranges of the true values, with q < 2^50, so that 4q < 2^52:
//! * Forward: [0, 4q) between stages. A step reduces x to [q, 3q) and adds or subtracts a product in [-q, q).
//! * Inverse: [0, 2q) between stages; sums and differences below 4q.
//! * Products of two residues: Barrett, in [0, 3q).

pub(super) mod avx512;
mod narrow;
pub(super) mod words;

use self::narrow::Narrow;
use self::words::Words;
use super::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::{Constant, Modulus};

const MASK: u64 = (1 << 52) - 1;

/// Arithmetic on vectors of `W`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ifma<W> {
    q: W,
    twice: W,
    /// 2^52 - q.
    minus: W,
    mask: W,
    /// floor(2^52 / q): the quotient of the constant 1.
    one: W,
    /// 2^52 mod q, prepared.
    carry: [W; 2],
    /// 2^104 mod q, prepared.
    wide_carry: [W; 2],
    /// floor(2^(50 + bits) / q).
    barrett: W,
    /// bits - 2 and 54 - bits.
    shifts: [W; 2],
    /// q, for debug builds.
    prime: u64,
}

impl<W: Words> Ifma<W> {
    /// From [0, 2 bound) to [0, bound).
    #[inline(always)]
    unsafe fn fold(x: W, bound: W) -> W {
        // SAFETY: callers have the features. A negative difference wraps around to a huge number.
        unsafe {
            debug_assert!(x.below(bound.add(bound)));
            x.min(x.sub(bound))
        }
    }

    /// To [0, 2q), from any number of 52 bits.
    #[inline(always)]
    unsafe fn reduce(self, x: W) -> W {
        // SAFETY: callers have the features.
        unsafe { W::madd_low(x, W::madd_high(W::splat(0), x, self.one), self.minus) }
    }

    /// x w, in [0, 2q) for any x of 52 bits.
    #[inline(always)]
    unsafe fn product(self, x: W, w: [W; 2]) -> W {
        // SAFETY: callers have the features.
        unsafe {
            let zero = W::splat(0);
            let quotient = W::madd_high(zero, x, w[1]);
            W::madd_low(W::madd_low(zero, x, w[0]), quotient, self.minus)
        }
    }

    /// Whether the true values, below 2^52, are below `bound` q; for debug builds.
    #[inline(always)]
    unsafe fn below(self, x: W, bound: u64) -> bool {
        // SAFETY: callers have the features.
        unsafe { x.and(self.mask).below(W::splat(bound * self.prime)) }
    }

    /// low + 2^52 high for numbers below 2^52, in [0, 4q): two remainders below 2q, whose sum fits 52 bits.
    #[inline(always)]
    unsafe fn joined(self, low: W, high: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(high.below(W::splat(MASK + 1)));
            let quotient = W::madd_high(W::splat(0), low, self.one);
            let quotient = W::madd_high(quotient, high, self.carry[1]);
            W::madd_low(W::madd_low(low, high, self.carry[0]), quotient, self.minus)
        }
    }
}

impl<W: Words> Arithmetic for Ifma<W> {
    const LANES: usize = W::LANES;
    const NAME: &'static str = "ifma";
    const QUOTIENTS: bool = true;
    const FORWARD_STAGES: u32 = u32::MAX;
    const CANONICAL_STAGES: u32 = u32::MAX;
    const LONG_PASSES: bool = true;
    /// Low halves stay below 2^64 and high halves below 2^60.
    const LONG_TERMS: usize = 4095;
    type V = W;
    type Sum = [W; 2];
    type Real = W::Real;
    type Small = Ifma<u64>;
    type Narrow = Narrow<W>;

    fn is_narrow(q: &Modulus) -> bool {
        // Short arrays, which have no vectors, are worked on in one way only.
        W::LANES > 1 && q.bits() <= narrow::BITS
    }

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        // SAFETY: the caller has the features.
        unsafe { W::dispatch(job) }
    }

    fn prepare(q: &Modulus, value: u64) -> Constant {
        Constant {
            value,
            quotient: q.shoup_quotient(value) >> 12,
        }
    }

    fn decode(_: &Modulus, constant: Constant) -> u64 {
        constant.value
    }

    #[inline(always)]
    unsafe fn new(q: &Modulus) -> Self {
        let (value, bits) = (q.value(), q.bits());
        let residue = q.reduce(1 << 52);
        let carry = Self::prepare(q, residue);
        let wide = Self::prepare(q, q.mul(residue, residue));
        // SAFETY: callers have the features.
        unsafe {
            Self {
                q: W::splat(value),
                twice: W::splat(2 * value),
                minus: W::splat((1 << 52) - value),
                mask: W::splat(MASK),
                one: W::splat((1 << 52) / value),
                carry: [W::splat(carry.value), W::splat(carry.quotient)],
                wide_carry: [W::splat(wide.value), W::splat(wide.quotient)],
                barrett: W::splat(q.shoup_quotient(1 << (bits - 14))),
                shifts: [
                    W::splat(u64::from(bits) - 2),
                    W::splat(54 - u64::from(bits)),
                ],
                prime: value,
            }
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const u64) -> W {
        // SAFETY: the caller's.
        unsafe { W::load(from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u64, v: W) {
        // SAFETY: the caller's.
        unsafe { v.store(to) }
    }

    #[inline(always)]
    unsafe fn splat(word: u64) -> W {
        // SAFETY: callers have the features.
        unsafe { W::splat(word) }
    }

    #[inline(always)]
    unsafe fn permuted(from: *const u64, order: *const u32) -> W {
        // SAFETY: the caller's.
        unsafe { W::permuted(from, order) }
    }

    #[inline(always)]
    unsafe fn transpose(v: &mut [W; MAX_LANES]) {
        // SAFETY: callers have the features.
        unsafe { W::transpose(v) }
    }

    #[inline(always)]
    unsafe fn enter(self, v: W) -> W {
        v
    }

    /// From any number of 52 bits.
    #[inline(always)]
    unsafe fn leave(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.leave_product(self.reduce(v)) }
    }

    /// From [0, 2q).
    #[inline(always)]
    unsafe fn leave_product(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.below(v, 2));
            Self::fold(v.and(self.mask), self.q)
        }
    }

    #[inline(always)]
    unsafe fn start_sum(self, v: W) -> W {
        v
    }

    /// To [0, 2q): seven products with residues stay below 2^104 together.
    #[inline(always)]
    unsafe fn leave_factor(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.reduce(v) }
    }

    #[inline(always)]
    unsafe fn settle(self, v: W) -> W {
        v
    }

    #[inline(always)]
    unsafe fn tidy(self, v: W) -> W {
        v
    }

    /// From [0, 4q) to [0, 4q). The quotient of x is one too small, which leaves q more.
    #[inline(always)]
    unsafe fn forward(self, x: W, y: W, w: [W; 2]) -> (W, W) {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.below(x, 4) && self.below(y, 4));
            // Modulo 2^52 the mask is -1, which compilers would make anew each time.
            let quotient = W::madd_high(self.mask, x, self.one);
            let u = W::madd_low(x, quotient, self.minus);
            // One too large, which leaves a product in [-q, q).
            let quotient = W::madd_high(W::splat(1), y, w[1]);
            let v = W::madd_low(W::madd_low(W::splat(0), y, w[0]), quotient, self.minus);
            (u.add(v), u.sub(v))
        }
    }

    /// Of values below 2q: below 4q.
    #[inline(always)]
    unsafe fn sum(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe { x.add(y) }
    }

    /// Of values below 2q: below 4q.
    #[inline(always)]
    unsafe fn difference(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.below(x, 2) && self.below(y, 2));
            x.add(self.twice).sub(y)
        }
    }

    #[inline(always)]
    unsafe fn relax(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.below(v, 4));
            self.reduce(v)
        }
    }

    #[inline(always)]
    unsafe fn mul_constant(self, x: W, w: [W; 2]) -> W {
        // SAFETY: callers have the features.
        unsafe { self.product(x, w) }
    }

    /// With c = x y and n bits in q: c1 = floor(c / 2^(n-2)) < 2^52, and c1 mu / 2^52 is below c / q by less
    /// than 3, so that the result is in [0, 3q).
    #[inline(always)]
    unsafe fn mul(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            let zero = W::splat(0);
            let (low, high) = (W::madd_low(zero, x, y), W::madd_high(zero, x, y));
            let top = high
                .shift_left(self.shifts[1])
                .add(low.shift_right(self.shifts[0]));
            W::madd_low(low, W::madd_high(zero, top, self.barrett), self.minus)
        }
    }

    #[inline(always)]
    unsafe fn plus(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe { x.add(y) }
    }

    #[inline(always)]
    unsafe fn sum_zero(self) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { [W::splat(0); 2] }
    }

    /// With x below 2q: low halves below 2^52 and high halves below 2^49 each; eight of them stay below 2^55 and
    /// 2^52.
    #[inline(always)]
    unsafe fn sum_add(self, sum: [W; 2], x: W, y: W) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { [W::madd_low(sum[0], x, y), W::madd_high(sum[1], x, y)] }
    }

    #[inline(always)]
    unsafe fn sum_fold(self, sum: [W; 2]) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { [self.sum_finish(sum).and(self.mask), W::splat(0)] }
    }

    /// Below 4q.
    #[inline(always)]
    unsafe fn sum_finish(self, sum: [W; 2]) -> W {
        // SAFETY: callers have the features.
        unsafe {
            let low = sum[0].and(self.mask);
            let high = sum[1].add(sum[0].shift_right(W::splat(52)));
            self.joined(low, high)
        }
    }

    /// Canonical, so that the low half of the new sum is below 2^52 as that of a product.
    #[inline(always)]
    unsafe fn sum_fold_long(self, sum: [W; 2]) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { [self.leave(self.sum_finish_long(sum)), W::splat(0)] }
    }

    /// Below 4q. The sum is low + 2^52 (middle + 2^52 top) with top < 2^9.
    #[inline(always)]
    unsafe fn sum_finish_long(self, sum: [W; 2]) -> W {
        // SAFETY: callers have the features.
        unsafe {
            let low = sum[0].and(self.mask);
            let high = sum[1].add(sum[0].shift_right(W::splat(52)));
            let (middle, top) = (high.and(self.mask), high.shift_right(W::splat(52)));
            let top = self.product(top, self.wide_carry);
            self.reduce(self.joined(low, middle)).add(top)
        }
    }

    #[inline(always)]
    unsafe fn real_splat(value: f64) -> W::Real {
        // SAFETY: callers have the features.
        unsafe { W::real_splat(value) }
    }

    #[inline(always)]
    unsafe fn real_step(acc: W::Real, word: W, factor: W::Real) -> W::Real {
        // SAFETY: callers have the features.
        unsafe { word.real_step(acc, factor) }
    }

    #[inline(always)]
    unsafe fn real_floor(v: W::Real) -> W {
        // SAFETY: callers have the features.
        unsafe { W::real_floor(v) }
    }
}
