//! Integers with a 52-bit multiply-add, modulo primes below 2^46: 64 q fits 52 bits, which does away with
//! most reductions of a transform.
//!
//! Numbers are kept modulo 2^52, as in [`Ifma`]. True values, in units of q:
//! * Forward: a number starts in [0, 4) and gets 30 added; each stage adds or subtracts a product in [-1, 1), so that
//!   thirty stages stay in [0, 64). `settle` brings it back to [30, 32).
//! * Inverse: [0, 4) at the start of a pass. Sums double up to 32 in a pass of three stages, differences get 16 added.
//!   What a pass leaves at 8 and above is reduced, so that the next starts in [0, 4) again.

use super::{Ifma, Words};
use crate::backend::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::{Constant, Modulus};

/// Bits of the largest prime.
pub(super) const BITS: u32 = 46;

/// Arithmetic on vectors of `W` modulo a prime below 2^46. Constants are those of [`Ifma`].
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct Narrow<W> {
    base: Ifma<W>,
    /// 30 q.
    start: W,
    /// 16 q.
    half: W,
}

impl<W: Words> Arithmetic for Narrow<W> {
    const LANES: usize = W::LANES;
    const NAME: &'static str = <Ifma<W> as Arithmetic>::NAME;
    const QUOTIENTS: bool = true;
    const FORWARD_STAGES: u32 = 30;
    const CANONICAL_STAGES: u32 = 30;
    const LONG_PASSES: bool = true;
    /// High halves are below 2^46.
    const SUM_TERMS: usize = 63;
    type V = W;
    type Sum = [W; 2];
    type Real = W::Real;
    type Small = Ifma<u64>;
    type Narrow = Self;

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        // SAFETY: the caller has the features.
        unsafe { W::dispatch(job) }
    }

    fn prepare(q: &Modulus, value: u64) -> Constant {
        Ifma::<W>::prepare(q, value)
    }

    fn decode(q: &Modulus, constant: Constant) -> u64 {
        Ifma::<W>::decode(q, constant)
    }

    #[inline(always)]
    unsafe fn new(q: &Modulus) -> Self {
        debug_assert!(q.bits() <= BITS);
        // SAFETY: callers have the features.
        unsafe {
            Self {
                base: Ifma::new(q),
                start: W::splat(30 * q.value()),
                half: W::splat(16 * q.value()),
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

    /// From [0, 4q) to [30q, 34q).
    #[inline(always)]
    unsafe fn start(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.base.below(v, 4));
            v.add(self.start)
        }
    }

    #[inline(always)]
    unsafe fn start_sum(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.start(v) }
    }

    /// From any number of 52 bits.
    #[inline(always)]
    unsafe fn leave(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.leave(v) }
    }

    /// From [0, 2q).
    #[inline(always)]
    unsafe fn leave_product(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.leave_product(v) }
    }

    /// Any number of 52 bits: its products with residues are below 2^98.
    #[inline(always)]
    unsafe fn leave_factor(self, v: W) -> W {
        v
    }

    /// From any number of 52 bits to [30q, 32q).
    #[inline(always)]
    unsafe fn settle(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.reduce(v).add(self.start) }
    }

    /// From [0, 64q) to [0, 2q).
    #[inline(always)]
    unsafe fn tidy(self, v: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.reduce(v) }
    }

    /// Only what grows beyond 4q: the first output, and those that end in two or more sums.
    #[inline(always)]
    fn tidies(log: usize, stage: usize, output: usize) -> bool {
        let sums = log - (usize::BITS - output.leading_zeros()) as usize;
        stage == 0 && (output == 0 || sums >= 2)
    }

    /// As that of [`Ifma`], without the reduction of x, and with the product in [-q, q) made onto it.
    #[inline(always)]
    unsafe fn forward(self, x: W, y: W, w: [W; 2]) -> (W, W) {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.base.below(x, 63) && self.base.below(y, 63));
            let quotient = W::madd_high(W::splat(1), y, w[1]);
            let sum = W::madd_low(W::madd_low(x, y, w[0]), quotient, self.base.minus);
            (sum, x.add(x).sub(sum))
        }
    }

    #[inline(always)]
    unsafe fn sum(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe { x.add(y) }
    }

    /// Of y below 16q: below x + 16q.
    #[inline(always)]
    unsafe fn difference(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe {
            debug_assert!(self.base.below(x, 16) && self.base.below(y, 16));
            x.add(self.half).sub(y)
        }
    }

    #[inline(always)]
    unsafe fn relax(self, v: W) -> W {
        v
    }

    #[inline(always)]
    unsafe fn mul_constant(self, x: W, w: [W; 2]) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.product(x, w) }
    }

    #[inline(always)]
    unsafe fn mul(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.mul(x, y) }
    }

    #[inline(always)]
    unsafe fn plus(self, x: W, y: W) -> W {
        // SAFETY: callers have the features.
        unsafe { x.add(y) }
    }

    #[inline(always)]
    unsafe fn sum_zero(self) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { self.base.sum_zero() }
    }

    #[inline(always)]
    unsafe fn sum_add(self, sum: [W; 2], x: W, y: W) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { self.base.sum_add(sum, x, y) }
    }

    #[inline(always)]
    unsafe fn sum_fold(self, sum: [W; 2]) -> [W; 2] {
        // SAFETY: callers have the features.
        unsafe { self.base.sum_fold(sum) }
    }

    /// Below 4q.
    #[inline(always)]
    unsafe fn sum_finish(self, sum: [W; 2]) -> W {
        // SAFETY: callers have the features.
        unsafe { self.base.sum_finish(sum) }
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
