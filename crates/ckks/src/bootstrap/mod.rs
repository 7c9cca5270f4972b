//! Bootstrapping: a ciphertext at level 0 becomes one at [`BootstrapParameters::output_level`] with the same message.
//!
//! ModRaise reads the ciphertext modulo a larger modulus, where it holds `m + q_0 I`; CoeffsToSlots brings the
//! coefficients of that polynomial to the slots; EvalMod takes them modulo `q_0` by a sine; SlotsToCoeffs brings them back
//! (Cheon, Han, Kim, Kim and Song, "Bootstrapping for approximate homomorphic encryption", EUROCRYPT 2018; with dense
//! secrets Bossuat, Mouchet, Troncoso-Pastoriza and Hubaux, EUROCRYPT 2021).
//!
//! The main secret stays uniform ternary. A sparse one exists only around ModRaise, at a modulus of its own that is
//! checked by the table of sparse secrets.

mod dft;
mod eval_mod;
pub mod failure;
mod keys;
mod mod_raise;
mod params;
mod presets;
#[cfg(all(test, feature = "secret"))]
mod tests;

use std::collections::BTreeMap;

use num_complex::Complex64;

pub use params::{BootstrapLiteral, BootstrapParameters, MAX_LOG2_FAILURE};

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
        let (down, up) = (literal.coeffs_to_slots.len(), literal.slots_to_coeffs.len());
        let made = (log_slots <= params.log_slots())
            .then(|| dft::factors(1 << log_slots, params.slots(), down, up))
            .flatten()
            .ok_or_else(|| CkksError::InvalidArgument {
                op: OP,
                what: "log2 of the number of slots",
                needed: format!("{} to {}", down.max(up), params.log_slots()),
                available: log_slots.to_string(),
            })?;
        let eval_mod = EvalMod::new(set)?;
        // Unscaled, the first transform multiplies coefficients by N: so much is left to its diagonals.
        let (q0, top) = (params.q(0) as f64, params.max_level());
        let natural = params.degree() as f64 * q0 * f64::from(literal.interval);
        let gain = eval_mod.input_scale() / natural;
        let coeffs_to_slots = encode(
            params,
            encoder,
            made.coeffs_to_slots,
            top,
            gain,
            literal.baby,
        )?;
        // The sine of 2 pi c / q_0 is c at this scale. Half of the canonical scale is left for a doubling.
        let sine = eval_mod.output_scale() * std::f64::consts::TAU * params.scale_at(0) / q0;
        let gain = params.scale_at(set.output_level()) / 2.0 / sine;
        let level = set.slots_to_coeffs_level();
        let slots_to_coeffs = encode(
            params,
            encoder,
            made.slots_to_coeffs,
            level,
            gain,
            literal.baby,
        )?;
        Ok(Self {
            set: set.clone(),
            evaluator: Evaluator::new(params),
            log_slots,
            coeffs_to_slots,
            eval_mod,
            slots_to_coeffs,
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

    /// Bytes that the encoded matrices take in memory.
    pub fn memory(&self) -> usize {
        let all = self.coeffs_to_slots.iter().chain(&self.slots_to_coeffs);
        all.map(LinearTransform::memory).sum()
    }

    /// Refreshes a ciphertext at any level, of which only level 0 is read. The result is at
    /// [`BootstrapParameters::output_level`]; an input with the canonical scale of level 0 gets the canonical scale there,
    /// others are off by the same factor.
    ///
    /// Messages must be at most about 1 in size at that scale, and repeat with the period [`Bootstrapper::slots`].
    ///
    /// # Errors
    /// [`CkksError::InvalidScale`] for an input whose scale exceeds the canonical one of level 0; a missing key, see
    /// [`Bootstrapper::keys`]; [`CkksError::PartCount`]; an operand of other parameters.
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
        let half = self.halved(ct, keys, done)?;
        let mut out = self.evaluator.mul_integer(&half, 2)?;
        out.scale = self.output_scale(ct.scale);
        Ok(out)
    }

    /// Refreshes two ciphertexts of real messages with one bootstrap, as real and imaginary part of one ciphertext.
    /// Levels and scales as [`Bootstrapper::bootstrap`]; what imaginary parts there were is lost.
    ///
    /// # Errors
    /// As [`Bootstrapper::bootstrap`].
    pub fn bootstrap_real_pair(
        &self,
        [first, second]: [&Ciphertext; 2],
        keys: &EvaluationKeys,
    ) -> Result<[Ciphertext; 2], CkksError> {
        let evaluator = &self.evaluator;
        let quarter = self.set.params().degree() / 2;
        self.check_scale(second)?;
        let [first, second] = [
            evaluator.drop_level(first, 0)?,
            evaluator.drop_level(second, 0)?,
        ];
        let mut imaginary = evaluator.mul_monomial(&second, quarter)?;
        // Each part keeps its own scale: nothing here depends on them.
        imaginary.scale = first.scale;
        let joint = evaluator.add(&first, &imaginary)?;
        let half = self.halved(&joint, keys, &mut |_| ())?;
        let mut parts = self.parts(&half, keys)?;
        for (part, input) in parts.iter_mut().zip([&first, &second]) {
            part.scale = self.output_scale(input.scale);
        }
        Ok(parts)
    }

    /// The refreshed ciphertext with half of its polynomial; the scale is left to the caller.
    fn halved(
        &self,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
        done: &mut dyn FnMut(&'static str),
    ) -> Result<Ciphertext, CkksError> {
        let raised = self.raised(ct, keys)?;
        done("ModRaise");
        let coefficients = self.coefficients(raised, keys)?;
        done("CoeffsToSlots");
        let reduced = coefficients
            .iter()
            .map(|ct| self.eval_mod.evaluate(&self.evaluator, ct, keys))
            .collect::<Result<Vec<_>, _>>()?;
        done("EvalMod");
        let half = self.slots_again(reduced, keys)?;
        done("SlotsToCoeffs");
        Ok(half)
    }

    /// ModRaise, and for fewer slots the projection to polynomials in `X^(N / 2 slots)`.
    fn raised(&self, ct: &Ciphertext, keys: &EvaluationKeys) -> Result<Ciphertext, CkksError> {
        self.check_scale(ct)?;
        let bottom = self.evaluator.drop_level(ct, 0)?;
        let mut raised =
            mod_raise::raise(&self.evaluator, &bottom, self.set.literal().weight, keys)?;
        for rotation in self.trace_rotations() {
            let rotated = self.evaluator.rotate(&raised, rotation, keys)?;
            self.evaluator.add_assign(&mut raised, &rotated)?;
        }
        Ok(raised)
    }

    fn check_scale(&self, ct: &Ciphertext) -> Result<(), CkksError> {
        if ct.scale <= self.set.params().scale_at(0) * 1.01 {
            return Ok(());
        }
        Err(CkksError::InvalidScale {
            op: OP,
            scale: ct.scale,
        })
    }

    /// CoeffsToSlots: real slots `x / K` with `x = I + c / q_0`, in two ciphertexts, or in one for fewer slots.
    fn coefficients(
        &self,
        raised: Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let mut ct = raised;
        for transform in &self.coeffs_to_slots {
            ct = self.evaluator.transform(&ct, transform, keys)?;
        }
        ct.scale = self.eval_mod.input_scale();
        if self.is_sparse() {
            let conjugate = self.evaluator.conjugate(&ct, keys)?;
            self.evaluator.add_assign(&mut ct, &conjugate)?;
            return Ok(vec![ct]);
        }
        Ok(self.parts(&ct, keys)?.into())
    }

    /// Twice the real and twice the imaginary parts.
    fn parts(&self, ct: &Ciphertext, keys: &EvaluationKeys) -> Result<[Ciphertext; 2], CkksError> {
        let conjugate = self.evaluator.conjugate(ct, keys)?;
        let real = self.evaluator.add(ct, &conjugate)?;
        let imaginary = self.evaluator.sub(ct, &conjugate)?;
        // Times -i.
        let turn = 3 * self.set.params().degree() / 2;
        Ok([real, self.evaluator.mul_monomial(&imaginary, turn)?])
    }

    /// SlotsToCoeffs.
    fn slots_again(
        &self,
        reduced: Vec<Ciphertext>,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let evaluator = &self.evaluator;
        let quarter = self.set.params().degree() / 2;
        let period = self.slots() as i64;
        let mut reduced = reduced.into_iter();
        let (Some(mut ct), second) = (reduced.next(), reduced.next()) else {
            return Err(CkksError::InvalidArgument {
                op: OP,
                what: "number of ciphertexts",
                needed: "1 or 2".into(),
                available: "0".into(),
            });
        };
        let imaginary = match second {
            Some(imaginary) => imaginary,
            None => evaluator.rotate(&ct, period, keys)?,
        };
        evaluator.add_assign(&mut ct, &evaluator.mul_monomial(&imaginary, quarter)?)?;
        for (index, transform) in self.slots_to_coeffs.iter().enumerate() {
            ct = evaluator.transform(&ct, transform, keys)?;
            if index == 0 && self.is_sparse() {
                let rotated = evaluator.rotate(&ct, period, keys)?;
                evaluator.add_assign(&mut ct, &rotated)?;
            }
        }
        Ok(ct)
    }

    /// Scale of the result for an input of scale `scale`: canonical for canonical.
    fn output_scale(&self, scale: f64) -> f64 {
        let params = self.set.params();
        scale / params.scale_at(0) * params.scale_at(self.set.output_level())
    }

    fn is_sparse(&self) -> bool {
        self.slots() < self.set.params().slots()
    }

    /// Rotations whose sum leaves only coefficients of a polynomial with that period, multiplied by their number.
    fn trace_rotations(&self) -> impl Iterator<Item = i64> {
        (self.log_slots..self.set.params().log_slots()).map(|log| 1 << log)
    }
}

/// Encodes matrices at `level` and below; together they multiply the scale by `gain`, beyond what they compute.
fn encode(
    params: &crate::Parameters,
    encoder: &Encoder,
    factors: Vec<Factor>,
    level: usize,
    gain: f64,
    baby: usize,
) -> Result<Vec<LinearTransform>, CkksError> {
    let each = gain.powf(1.0 / factors.len() as f64);
    let one = |(index, factor): (usize, Factor)| {
        let level = level - index;
        let repeat = |(&k, diagonal): (&usize, &Vec<Complex64>)| {
            let slots = diagonal.iter().copied().cycle().take(params.slots());
            (k, slots.collect())
        };
        let diagonals: BTreeMap<usize, Vec<Complex64>> =
            factor.diagonals.iter().map(repeat).collect();
        let scale = each * params.q(level) as f64;
        // Half as many diagonals as the others have: half as many baby steps keep the keys few.
        let wraps = factor.diagonals.len() * factor.stride == params.slots();
        let baby = if wraps { baby.div_ceil(2) } else { baby };
        LinearTransform::with_horner(
            params,
            encoder,
            &diagonals,
            (level, scale),
            factor.stride,
            baby,
        )
    };
    factors.into_iter().enumerate().map(one).collect()
}

impl std::fmt::Debug for Bootstrapper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bootstrapper")
            .field("set", &self.set)
            .field("slots", &self.slots())
            .finish_non_exhaustive()
    }
}
