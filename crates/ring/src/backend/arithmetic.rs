//! What a vector backend supplies: modular arithmetic on vectors of words. The kernels are written once
//! over it.

use core::fmt::Debug;

use crate::{Constant, Modulus};

/// Widest vector of all backends, in words.
pub(crate) const MAX_LANES: usize = 8;

/// Work that is generic in the arithmetic, to be inlined into a function compiled for a backend's
/// processor features. Implementations and all that they call are `#[inline(always)]`.
pub(crate) trait Job {
    /// Does the work.
    fn run<A: Arithmetic>(self);
}

/// Arithmetic modulo one prime on vectors of [`Arithmetic::LANES`] residues.
///
/// An *internal* value is lazy: its range is the implementation's, named at each method in units of q as
/// "fresh" (what `enter`, `settle`, `tidy` and products give) or "grown" (what sums of the transforms
/// may give). Forward stages take values from `start` and grow them for up to
/// [`Arithmetic::CANONICAL_STAGES`] stages before `settle`, then for [`Arithmetic::FORWARD_STAGES`]; an
/// `inverse` step doubles its sums, and [`Arithmetic::tidies`] says where to `tidy`.
///
/// # Safety
/// Methods may use processor instructions that exist only on some machines. They are safe to call
/// only from within [`Arithmetic::dispatch`], on a machine that has the features. Pointer arguments must be
/// valid for `LANES` words unless said otherwise.
pub(crate) trait Arithmetic: Copy + Send + Sync + Debug + 'static {
    /// Words a vector: 1, 2, 4 or 8.
    const LANES: usize;
    /// log2 LANES.
    const LOG_LANES: u32 = Self::LANES.trailing_zeros();
    /// Name of the backend.
    const NAME: &'static str;
    /// Whether constants carry a quotient that the kernels read.
    const QUOTIENTS: bool;
    /// Forward stages from settled values to the need to settle again.
    const FORWARD_STAGES: u32;
    /// The same from what `start` gives.
    const CANONICAL_STAGES: u32;
    /// Whether passes of three stages, which take some 25 registers, are better than passes of two.
    const LONG_PASSES: bool = false;
    /// Products that a sum can take between two folds.
    const SUM_TERMS: usize = 7;
    /// Products that a sum can take before `sum_fold_long`; at least [`Arithmetic::SUM_TERMS`].
    const LONG_TERMS: usize = Self::SUM_TERMS;
    /// A vector of raw words or internal values.
    type V: Copy;
    /// An accumulator of products.
    type Sum: Copy;
    /// A vector of binary64 numbers.
    type Real: Copy;
    /// The same arithmetic with one lane and the same constants, for short vectors.
    type Small: Arithmetic;
    /// Faster arithmetic with the same constants for the primes of [`Arithmetic::is_narrow`].
    type Narrow: Arithmetic;

    /// Runs a job with the processor features enabled.
    ///
    /// # Safety
    /// The machine must have them.
    unsafe fn dispatch<J: Job>(job: J);

    /// Whether [`Arithmetic::Narrow`] may be used modulo `q`.
    fn is_narrow(_q: &Modulus) -> bool {
        false
    }

    /// Encodes a canonical constant.
    fn prepare(q: &Modulus, value: u64) -> Constant;
    /// Encodes canonical constants in place, without their quotients.
    fn encode(_q: &Modulus, _values: &mut [u64]) {}
    /// The canonical residue of a prepared constant.
    fn decode(q: &Modulus, constant: Constant) -> u64;

    unsafe fn new(q: &Modulus) -> Self;
    unsafe fn load(from: *const u64) -> Self::V;
    unsafe fn store(to: *mut u64, v: Self::V);
    /// The same raw word in all lanes.
    unsafe fn splat(word: u64) -> Self::V;
    /// Words from\[order\[i\]\], where `order` maps an aligned group of LANES words to such a group.
    #[inline(always)]
    unsafe fn permuted(from: *const u64, order: *const u32) -> Self::V {
        let mut words = [0; MAX_LANES];
        // SAFETY: the caller's: LANES indices, all of words that exist.
        unsafe {
            for (i, word) in words.iter_mut().enumerate().take(Self::LANES) {
                *word = *from.add(*order.add(i) as usize);
            }
            Self::load(words.as_ptr())
        }
    }
    /// Transposes the first LANES vectors as a square matrix.
    unsafe fn transpose(v: &mut [Self::V; MAX_LANES]);

    /// From a raw word below 2^50 to an internal value.
    unsafe fn enter(self, v: Self::V) -> Self::V;
    /// From any internal value, grown included, to the canonical residue as a raw word.
    unsafe fn leave(self, v: Self::V) -> Self::V;
    /// Makes an entered canonical value ready for forward stages.
    #[inline(always)]
    unsafe fn start(self, v: Self::V) -> Self::V {
        v
    }
    /// The same for a value from `sum_finish`.
    unsafe fn start_sum(self, v: Self::V) -> Self::V;
    /// As `leave`, for results of `mul_constant` only.
    #[inline(always)]
    unsafe fn leave_product(self, v: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { self.leave(v) }
    }
    /// From a value grown by forward stages to a raw word that `sum_add` takes after `enter`.
    #[inline(always)]
    unsafe fn leave_factor(self, v: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { self.leave(v) }
    }
    /// Makes a value grown by forward stages fresh.
    unsafe fn settle(self, v: Self::V) -> Self::V;
    /// Makes a value grown by inverse steps fresh.
    unsafe fn tidy(self, v: Self::V) -> Self::V;
    /// Whether sums need `tidy` in a pass of `log` inverse stages, at `stage` (counted down to 0), for the output
    /// of that number.
    #[inline(always)]
    fn tidies(log: usize, stage: usize, _output: usize) -> bool {
        stage == 0 || log - stage == 2
    }

    /// (x + y w, x - y w) with y within reach of FORWARD_STAGES.
    unsafe fn forward(self, x: Self::V, y: Self::V, w: [Self::V; 2]) -> (Self::V, Self::V);
    /// x + y, of values that `mul_constant` accepts doubled.
    unsafe fn sum(self, x: Self::V, y: Self::V) -> Self::V;
    /// x - y, as above.
    unsafe fn difference(self, x: Self::V, y: Self::V) -> Self::V;
    /// What a sum needs after every inverse step.
    unsafe fn relax(self, v: Self::V) -> Self::V;
    /// x w for a prepared w and x from `sum` or `difference`; fresh.
    unsafe fn mul_constant(self, x: Self::V, w: [Self::V; 2]) -> Self::V;
    /// x y for entered canonical values; fresh, and one canonical value may be added before `leave`.
    unsafe fn mul(self, x: Self::V, y: Self::V) -> Self::V;
    /// x + y without reduction.
    unsafe fn plus(self, x: Self::V, y: Self::V) -> Self::V;

    /// The empty sum of products.
    unsafe fn sum_zero(self) -> Self::Sum;
    /// sum + x y for entered words below 2^50 (or a prepared y). At most `SUM_TERMS` between folds.
    unsafe fn sum_add(self, sum: Self::Sum, x: Self::V, y: Self::V) -> Self::Sum;
    /// Reduces a sum so that `SUM_TERMS` more may follow.
    unsafe fn sum_fold(self, sum: Self::Sum) -> Self::Sum;
    /// The sum as an internal value for `leave`.
    unsafe fn sum_finish(self, sum: Self::Sum) -> Self::V;
    /// As `sum_fold` for up to [`Arithmetic::LONG_TERMS`] terms, before as many more.
    #[inline(always)]
    unsafe fn sum_fold_long(self, sum: Self::Sum) -> Self::Sum {
        // SAFETY: the caller's.
        unsafe { self.sum_fold(sum) }
    }
    /// As `sum_finish` for up to [`Arithmetic::LONG_TERMS`] terms.
    #[inline(always)]
    unsafe fn sum_finish_long(self, sum: Self::Sum) -> Self::V {
        // SAFETY: the caller's.
        unsafe { self.sum_finish(sum) }
    }

    unsafe fn real_splat(value: f64) -> Self::Real;
    /// acc + word * factor, both operations rounded.
    unsafe fn real_step(acc: Self::Real, word: Self::V, factor: Self::Real) -> Self::Real;
    /// floor, as raw words; the argument is in [0, 2^50).
    unsafe fn real_floor(v: Self::Real) -> Self::V;
}
