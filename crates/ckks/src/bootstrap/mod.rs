//! Bootstrapping: a ciphertext at a low level becomes one at [`Bootstrapper::output_level`] with the same message.
//!
//! SlotsToCoeffs brings the slots to the coefficients of the polynomial; ModRaise reads the ciphertext modulo a larger
//! modulus, where it holds `m + q_0 I`; CoeffsToSlots brings the coefficients back to the slots; EvalMod takes them modulo
//! `q_0` by a sine (Cheon, Han, Kim, Kim and Song, "Bootstrapping for approximate homomorphic encryption", EUROCRYPT 2018;
//! with dense secrets Bossuat, Mouchet, Troncoso-Pastoriza and Hubaux, EUROCRYPT 2021). SlotsToCoeffs may come last
//! instead, see [`Order`].
//!
//! The main secret stays uniform ternary. A sparse one exists only around ModRaise, at a modulus of its own that is
//! checked by the table of sparse secrets.

mod circuit;
mod dft;
mod eval_mod;
pub mod failure;
mod keys;
mod many;
mod mod_raise;
mod params;
mod presets;
mod real;
#[cfg(all(test, feature = "secret"))]
mod tests;
mod work;

use std::collections::BTreeMap;

use num_complex::Complex64;

pub use params::{BootstrapLiteral, BootstrapParameters, MAX_LOG2_FAILURE, Order};
pub use work::{BootstrapWork, MatrixWork};

use crate::ciphertext::Ciphertext;
use crate::encoding::Encoder;
use crate::error::CkksError;
use crate::evaluator::Evaluator;
use crate::keys::EvaluationKeys;
use crate::linear::LinearTransform;
use dft::Factor;
use eval_mod::EvalMod;

const OP: &str = "bootstrap";

/// Refreshes ciphertexts of one parameter set and number of slots. Holds encoded matrices, no keys.
pub struct Bootstrapper {
    set: BootstrapParameters,
    evaluator: Evaluator,
    log_slots: u32,
    coeffs_to_slots: Vec<LinearTransform>,
    eval_mod: EvalMod,
    slots_to_coeffs: Vec<LinearTransform>,
    /// Where fewer slots hold real and imaginary parts in two halves and SlotsToCoeffs came first.
    joins: Option<Joins>,
}

/// From real parts followed by imaginary parts, to a vector with the period of one of both.
struct Joins {
    /// The sum, the imaginary parts times `i`.
    complex: LinearTransform,
    /// The real parts.
    real: LinearTransform,
    /// The imaginary parts.
    imaginary: LinearTransform,
}

impl Bootstrapper {
    /// Encodes the matrices for ciphertexts whose slots repeat with the period `2^log_slots`, at most all of them.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] for more slots than there are, or too few for the number of matrices; those of
    /// [`LinearTransform::from_diagonals`].
    pub fn new(
        set: &BootstrapParameters,
        encoder: &Encoder,
        log_slots: u32,
    ) -> Result<Self, CkksError> {
        let (params, literal) = (set.params(), set.literal());
        let made = set.factors(log_slots)?;
        let eval_mod = EvalMod::new(set)?;
        let q0 = params.q(0) as f64;
        // Unscaled, the transform multiplies coefficients by N: so much is left to its diagonals.
        let natural = params.degree() as f64 * q0 * f64::from(literal.interval);
        let gain = eval_mod.input_scale() / natural;
        let drops = vec![1; literal.coeffs_to_slots.len()];
        let place = (params.max_level(), &drops[..], gain);
        let coeffs_to_slots = encode(set, encoder, made.coeffs_to_slots, place)?;
        let gain = match literal.order {
            Order::SlotsToCoeffs => set.bottom_scale() / params.scale_at(set.input_level()),
            // The sine of 2 pi c / q_0 is c at this scale. Half of the canonical scale is left for a doubling.
            Order::ModRaise => {
                let sine = eval_mod.output_scale() * std::f64::consts::TAU * set.bottom_scale();
                params.scale_at(set.output_level()) / 2.0 / (sine / q0)
            }
        };
        let drops: Vec<usize> = literal.slots_to_coeffs.iter().map(Vec::len).collect();
        let place = (set.slots_to_coeffs_level(), &drops[..], gain);
        let slots_to_coeffs = encode(set, encoder, made.slots_to_coeffs, place)?;
        let sparse = log_slots < params.log_slots();
        let joins = (sparse && literal.order == Order::SlotsToCoeffs)
            .then(|| Joins::new(set, encoder, 1 << log_slots))
            .transpose()?;
        Ok(Self {
            set: set.clone(),
            evaluator: Evaluator::new(params),
            log_slots,
            coeffs_to_slots,
            eval_mod,
            slots_to_coeffs,
            joins,
        })
    }

    /// The parameter set.
    pub fn parameters(&self) -> &BootstrapParameters {
        &self.set
    }

    /// Number of slots of the ciphertexts that it refreshes.
    pub fn slots(&self) -> usize {
        1 << self.log_slots
    }

    /// Lowest level of its inputs.
    pub fn input_level(&self) -> usize {
        self.set.input_level()
    }

    /// Level of its results: that of the set, and one less for fewer slots where SlotsToCoeffs comes first.
    pub fn output_level(&self) -> usize {
        self.set.output_level() - usize::from(self.joins.is_some())
    }

    /// Bytes that the encoded matrices take in memory.
    pub fn memory(&self) -> usize {
        self.transforms().map(LinearTransform::memory).sum()
    }

    /// Every matrix.
    fn transforms(&self) -> impl Iterator<Item = &LinearTransform> {
        let both = self.coeffs_to_slots.iter().chain(&self.slots_to_coeffs);
        let joins = self.joins.iter();
        both.chain(joins.flat_map(|joins| [&joins.complex, &joins.real, &joins.imaginary]))
    }

    /// Refreshes a ciphertext at [`Bootstrapper::input_level`] or above, of which only that level is read. The result is
    /// at [`Bootstrapper::output_level`]; an input with the canonical scale of the input level gets the canonical scale
    /// there, others are off by the same factor.
    ///
    /// Messages must be at most about 1 in size at that scale, and repeat with the period [`Bootstrapper::slots`].
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`]; [`CkksError::InvalidScale`] for an input whose scale exceeds the canonical one of the
    /// input level; a missing key, see [`Bootstrapper::keys`]; [`CkksError::PartCount`]; an operand of other parameters.
    pub fn bootstrap(
        &self,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        self.bootstrap_watched(ct, keys, &mut |_| ())
    }

    /// [`Bootstrapper::bootstrap`] that names each part when it is done.
    ///
    /// # Errors
    /// As [`Bootstrapper::bootstrap`].
    pub fn bootstrap_watched(
        &self,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
        done: &mut dyn FnMut(&'static str),
    ) -> Result<Ciphertext, CkksError> {
        let input = self.entered(ct)?;
        let reduced = self.reduced(&input, keys, false, done)?;
        let out = self.finished(reduced, ct.scale, keys)?;
        done("the rest");
        Ok(out)
    }

    /// Scale of the result for an input of scale `scale`: canonical for canonical.
    fn output_scale(&self, scale: f64) -> f64 {
        let params = self.set.params();
        scale / params.scale_at(self.input_level()) * params.scale_at(self.output_level())
    }

    fn is_sparse(&self) -> bool {
        self.slots() < self.set.params().slots()
    }

    /// Rotations whose sum leaves only coefficients of a polynomial with that period, multiplied by their number.
    fn trace_rotations(&self) -> impl Iterator<Item = i64> {
        (self.log_slots..self.set.params().log_slots()).map(|log| 1 << log)
    }
}

/// Encodes matrices for a level and those below, each with the number of levels that it gives up; together they multiply
/// the scale by `gain`, beyond what they compute.
fn encode(
    set: &BootstrapParameters,
    encoder: &Encoder,
    factors: Vec<Factor>,
    (top, drops, gain): (usize, &[usize], f64),
) -> Result<Vec<LinearTransform>, CkksError> {
    let params = set.params();
    let bottom = top - drops.iter().sum::<usize>();
    let primes = bottom + 1..=top;
    let log_primes: f64 = primes.map(|level| (params.q(level) as f64).log2()).sum();
    let scale = ((log_primes + gain.log2()) / factors.len() as f64).exp2();
    let mut level = top;
    let one = |(factor, &drop): (Factor, &usize)| {
        let repeat = |(&k, diagonal): (&usize, &Vec<Complex64>)| {
            let slots = diagonal.iter().copied().cycle().take(params.slots());
            (k, slots.collect())
        };
        let diagonals: BTreeMap<usize, Vec<Complex64>> =
            factor.diagonals.iter().map(repeat).collect();
        let baby = set.literal().baby;
        let place = (level, drop, scale);
        level -= drop;
        LinearTransform::with_horner(params, encoder, &diagonals, place, factor.stride, baby)
    };
    factors.into_iter().zip(drops).map(one).collect()
}

impl Joins {
    /// From the output level of the set to the one below.
    fn new(set: &BootstrapParameters, encoder: &Encoder, slots: usize) -> Result<Self, CkksError> {
        let params = set.params();
        // What the vector itself is multiplied by in its two halves, and what its rotation is.
        let one = |own: [Complex64; 2]| {
            let [first, second] = own;
            let half = |factors: [Complex64; 2]| -> Vec<Complex64> {
                (0..params.slots())
                    .map(|s| factors[s / slots % 2])
                    .collect()
            };
            let diagonals = [(0, half(own)), (slots, half([second, first]))];
            let level = set.output_level();
            LinearTransform::from_diagonals(params, encoder, &diagonals.into(), level)
        };
        let (zero, unit) = (Complex64::ZERO, Complex64::ONE);
        Ok(Self {
            complex: one([unit, Complex64::i()])?,
            real: one([unit, zero])?,
            imaginary: one([zero, unit])?,
        })
    }
}

impl std::fmt::Debug for Bootstrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrapper")
            .field("set", &self.set)
            .field("slots", &self.slots())
            .finish_non_exhaustive()
    }
}
