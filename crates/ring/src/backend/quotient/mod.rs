//! Signed integers with a quotient estimated in binary64: no vectors, no 128-bit products, no fused
//! operations. The fast way where 64-bit integers are cheap and wide products are not: WebAssembly
//! without relaxed SIMD.
//!
//! A prepared constant is w centred, |w| <= q/2, with w' = RN(w / q). With n = RN(x w'), the product
//! r = x w - n q is computed modulo 2^64. n is rounded by adding 3 * 2^51 and read from the bits of the sum, so
//! |x w / q| has to stay below 2^51; two more roundings, relative to 2^-53, give |r| <= 1/2 + |x w / q| 2^-52
//! in units of q. These are the bounds of the `fma` module, and so are the ranges between stages. Products of two
//! residues take one rounding more: |r| <= 7/8.

use super::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::{Constant, Modulus};

/// Scalar arithmetic modulo one prime.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quotient {
    q: i64,
    inverse: f64,
}

impl Quotient {
    /// x w - n q for n = RN(estimate).
    #[inline(always)]
    fn remainder(self, x: i64, w: i64, estimate: f64) -> i64 {
        debug_assert!(estimate.abs() <= ROUND / 3.0);
        let n = ((estimate + ROUND).to_bits() as i64).wrapping_sub(ROUND.to_bits() as i64);
        let r = x.wrapping_mul(w).wrapping_sub(n.wrapping_mul(self.q));
        debug_assert!(r.abs() <= self.q);
        r
    }

    #[inline(always)]
    fn product(self, x: i64, w: [i64; 2]) -> i64 {
        debug_assert!(x.abs() <= 4 * self.q);
        self.remainder(x, w[0], x as f64 * f64::from_bits(w[1] as u64))
    }

    /// x - RN(x / q) q.
    #[inline(always)]
    fn reduce(self, x: i64) -> i64 {
        self.remainder(x, 1, x as f64 * self.inverse)
    }
}

/// 3 * 2^51.
const ROUND: f64 = 6_755_399_441_055_744.0;

// Nothing here needs processor features; the methods are unsafe only because the trait's are.
impl Arithmetic for Quotient {
    const LANES: usize = 1;
    const NAME: &'static str = "quotient";
    const QUOTIENTS: bool = true;
    const FORWARD_STAGES: u32 = 5;
    const CANONICAL_STAGES: u32 = 4;
    type V = i64;
    type Sum = i64;
    type Real = f64;
    type Small = Self;
    type Narrow = Self;

    #[inline(always)]
    unsafe fn dispatch<J: Job>(job: J) {
        job.run::<Self>();
    }

    fn prepare(q: &Modulus, value: u64) -> Constant {
        let centred = q.to_centered(value);
        Constant {
            value: centred as u64,
            quotient: (centred as f64 / q.value() as f64).to_bits(),
        }
    }

    fn encode(q: &Modulus, values: &mut [u64]) {
        for value in values {
            *value = q.to_centered(*value) as u64;
        }
    }

    fn decode(q: &Modulus, constant: Constant) -> u64 {
        q.from_i64(constant.value as i64)
    }

    #[inline(always)]
    unsafe fn new(q: &Modulus) -> Self {
        Self {
            q: q.value() as i64,
            inverse: 1.0 / q.value() as f64,
        }
    }

    #[inline(always)]
    unsafe fn load(from: *const u64) -> i64 {
        // SAFETY: the caller's: one word is readable.
        unsafe { *from as i64 }
    }

    #[inline(always)]
    unsafe fn store(to: *mut u64, v: i64) {
        // SAFETY: the caller's: one word is writable.
        unsafe { *to = v as u64 }
    }

    #[inline(always)]
    unsafe fn splat(word: u64) -> i64 {
        word as i64
    }

    #[inline(always)]
    unsafe fn transpose(_: &mut [i64; MAX_LANES]) {}

    #[inline(always)]
    unsafe fn enter(self, v: i64) -> i64 {
        v
    }

    #[inline(always)]
    unsafe fn leave(self, v: i64) -> i64 {
        let r = self.reduce(v);
        r + ((r >> 63) & self.q)
    }

    #[inline(always)]
    unsafe fn start_sum(self, v: i64) -> i64 {
        self.reduce(v)
    }

    #[inline(always)]
    unsafe fn settle(self, v: i64) -> i64 {
        self.reduce(v)
    }

    #[inline(always)]
    unsafe fn tidy(self, v: i64) -> i64 {
        self.reduce(v)
    }

    #[inline(always)]
    unsafe fn forward(self, x: i64, y: i64, w: [i64; 2]) -> (i64, i64) {
        let r = self.product(y, w);
        (x + r, x - r)
    }

    #[inline(always)]
    unsafe fn sum(self, x: i64, y: i64) -> i64 {
        x + y
    }

    #[inline(always)]
    unsafe fn difference(self, x: i64, y: i64) -> i64 {
        x - y
    }

    #[inline(always)]
    unsafe fn relax(self, v: i64) -> i64 {
        v
    }

    #[inline(always)]
    unsafe fn mul_constant(self, x: i64, w: [i64; 2]) -> i64 {
        self.product(x, w)
    }

    #[inline(always)]
    unsafe fn mul(self, x: i64, y: i64) -> i64 {
        self.remainder(x, y, x as f64 * y as f64 * self.inverse)
    }

    #[inline(always)]
    unsafe fn plus(self, x: i64, y: i64) -> i64 {
        x + y
    }

    #[inline(always)]
    unsafe fn sum_zero(self) -> i64 {
        0
    }

    #[inline(always)]
    unsafe fn sum_add(self, sum: i64, x: i64, y: i64) -> i64 {
        sum + self.remainder(x, y, x as f64 * y as f64 * self.inverse)
    }

    #[inline(always)]
    unsafe fn sum_fold(self, sum: i64) -> i64 {
        self.reduce(sum)
    }

    #[inline(always)]
    unsafe fn sum_finish(self, sum: i64) -> i64 {
        sum
    }

    #[inline(always)]
    unsafe fn real_splat(value: f64) -> f64 {
        value
    }

    #[inline(always)]
    unsafe fn real_step(acc: f64, word: i64, factor: f64) -> f64 {
        acc + word as f64 * factor
    }

    #[inline(always)]
    unsafe fn real_floor(v: f64) -> i64 {
        v as i64
    }
}
