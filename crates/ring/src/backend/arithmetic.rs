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
/// may give). Forward stages accept fresh values and grow them for up to
/// [`Arithmetic::FORWARD_STAGES`] stages before `settle`; an `inverse` step doubles its sums, and two
/// steps without `tidy` are allowed.
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
    /// Forward stages from settled values to the need to settle again; one less from canonical ones.
    const FORWARD_STAGES: u32;
    /// A vector of raw words or internal values.
    type V: Copy;
    /// An accumulator of products.
    type Sum: Copy;
    /// A vector of binary64 numbers.
    type Real: Copy;
    /// The same arithmetic with one lane and the same constants, for short vectors.
    type Small: Arithmetic;

    /// Runs a job with the processor features enabled.
    ///
    /// # Safety
    /// The machine must have them.
    unsafe fn dispatch<J: Job>(job: J);

    /// Encodes a canonical constant.
    fn prepare(q: &Modulus, value: u64) -> Constant;
    /// The canonical residue of a prepared constant.
    fn decode(q: &Modulus, constant: Constant) -> u64;

    unsafe fn new(q: &Modulus) -> Self;
    unsafe fn load(from: *const u64) -> Self::V;
    unsafe fn store(to: *mut u64, v: Self::V);
    /// The same raw word in all lanes.
    unsafe fn splat(word: u64) -> Self::V;
    unsafe fn reverse(v: Self::V) -> Self::V;
    /// Transposes the first LANES vectors as a square matrix.
    unsafe fn transpose(v: &mut [Self::V; MAX_LANES]);

    /// From a raw word below 2^50 to an internal value.
    unsafe fn enter(self, v: Self::V) -> Self::V;
    /// From any internal value, grown included, to the canonical residue as a raw word.
    unsafe fn leave(self, v: Self::V) -> Self::V;
    /// Makes a value grown by forward stages fresh.
    unsafe fn settle(self, v: Self::V) -> Self::V;
    /// Makes a value grown by two inverse steps fresh.
    unsafe fn tidy(self, v: Self::V) -> Self::V;

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
    /// sum + x y for entered words below 2^50 (or a prepared y). At most [`SUM_TERMS`] between folds.
    unsafe fn sum_add(self, sum: Self::Sum, x: Self::V, y: Self::V) -> Self::Sum;
    /// Reduces a sum so that [`SUM_TERMS`] more may follow.
    unsafe fn sum_fold(self, sum: Self::Sum) -> Self::Sum;
    /// The sum as an internal value for `leave`.
    unsafe fn sum_finish(self, sum: Self::Sum) -> Self::V;

    unsafe fn real_splat(value: f64) -> Self::Real;
    /// acc + word * factor, both operations rounded.
    unsafe fn real_step(acc: Self::Real, word: Self::V, factor: Self::Real) -> Self::Real;
    /// floor, as raw words; the argument is in [0, 2^50).
    unsafe fn real_floor(v: Self::Real) -> Self::V;
}

/// Products that a sum of any arithmetic can take between two folds.
pub(crate) const SUM_TERMS: usize = 7;
