//! Noise estimates: average case by variances, worst case by a tail bound on them.
//!
//! Follows the average-case analysis of Costache, Curtis, Hales, Murphy, Ogilvie and Player, "On the
//! precision loss in approximate homomorphic encryption", SAC 2023: every noise polynomial has
//! independent, centred coefficients, so that variances add, and the canonical embedding of one with
//! coefficient variance `V` has complex slots of second moment `N V`. Products act slot by slot.
//!
//! The secret and the randomness of public-key encryption are uniform ternary (variance 2/3), errors
//! have the standard deviation [`ERROR_STD`].

use crate::params::Parameters;

/// Standard deviation of fresh errors.
pub const ERROR_STD: f64 = 3.19;
/// Variance of a uniform ternary coefficient.
const TERNARY: f64 = 2.0 / 3.0;
/// Variance of rounding to an integer.
const ROUNDING: f64 = 1.0 / 12.0;

/// The noise of a ciphertext (or of a plaintext): coefficients of `decryption - scale * message`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NoiseEstimate {
    /// Standard deviation of one coefficient, in units of the encoded integers.
    pub std_coeff: f64,
    /// Scale of the ciphertext.
    pub scale: f64,
    degree: f64,
}

impl NoiseEstimate {
    /// Root mean square of the (complex) error of a slot, in units of the message.
    pub fn std_slot(&self) -> f64 {
        self.std_coeff * self.degree.sqrt() / self.scale
    }

    /// Bits of precision of the average slot for messages of size 1: `-log2(std_slot)`.
    pub fn precision_bits(&self) -> f64 {
        -self.std_slot().log2()
    }

    /// A bound that the errors of all slots respect but for probability `failure`.
    ///
    /// The heaviest tail that occurs is that of a product of two independent complex Gaussians: a
    /// rounding times the secret, a digit times a key error. Its modulus, of second moment `V`,
    /// exceeds `x sqrt(V)` with probability `2 x K_1(2 x) <= sqrt(pi x) e^(-2 x) (1 + 3 / (16 x))`,
    /// summed over the slots. Where messages were multiplied, it is a bound if their largest moduli
    /// were given in place of root mean squares.
    pub fn slot_bound(&self, failure: f64) -> f64 {
        let excess = (self.degree / 2.0 / failure).ln().max(1.0);
        let tail = |x: f64| (std::f64::consts::PI * x).ln() / 2.0 + (3.0 / (16.0 * x)).ln_1p();
        // The fixed point of a contraction: the logarithm changes slowly.
        let x = (0..8).fold(excess, |x, _| (excess + tail(x)) / 2.0);
        self.std_slot() * x
    }

    /// A bound that all coefficients respect but for probability `failure`: `P(|x| > t) <= 2 exp(-t^2 / 2V)`.
    pub fn coeff_bound(&self, failure: f64) -> f64 {
        self.std_coeff * (2.0 * (2.0 * self.degree / failure).ln()).max(1.0).sqrt()
    }

    fn variance(&self) -> f64 {
        self.std_coeff * self.std_coeff
    }

    fn with(&self, variance: f64, scale: f64) -> Self {
        Self {
            std_coeff: variance.sqrt(),
            scale,
            degree: self.degree,
        }
    }
}

/// Noise growth under one parameter set.
#[derive(Clone, Debug)]
pub struct NoiseModel {
    params: Parameters,
}

impl NoiseModel {
    /// A model of `params`.
    pub fn new(params: &Parameters) -> Self {
        Self {
            params: params.clone(),
        }
    }

    fn degree(&self) -> f64 {
        self.params.degree() as f64
    }

    fn estimate(&self, variance: f64, scale: f64) -> NoiseEstimate {
        NoiseEstimate {
            std_coeff: variance.sqrt(),
            scale,
            degree: self.degree(),
        }
    }

    /// An encoded plaintext: rounding of each coefficient.
    pub fn encoded(&self, scale: f64) -> NoiseEstimate {
        self.estimate(ROUNDING, scale)
    }

    /// A fresh secret-key encryption: `e`, and the encoding.
    pub fn fresh_secret(&self, scale: f64) -> NoiseEstimate {
        self.estimate(ERROR_STD * ERROR_STD + ROUNDING, scale)
    }

    /// A fresh public-key encryption: `v e_pk + e_0 + e_1 s`, and the encoding.
    pub fn fresh_public(&self, scale: f64) -> NoiseEstimate {
        let error = ERROR_STD * ERROR_STD;
        self.estimate(
            error * (1.0 + 2.0 * TERNARY * self.degree()) + ROUNDING,
            scale,
        )
    }

    /// Sum or difference of ciphertexts, or of a ciphertext and an encoded plaintext.
    pub fn add(&self, a: &NoiseEstimate, b: &NoiseEstimate) -> NoiseEstimate {
        a.with(a.variance() + b.variance(), a.scale)
    }

    /// Sum of `count` ciphertexts of equal noise.
    pub fn sum(&self, a: &NoiseEstimate, count: usize) -> NoiseEstimate {
        a.with(a.variance() * count as f64, a.scale)
    }

    /// Product with an integer.
    pub fn mul_integer(&self, a: &NoiseEstimate, factor: i64) -> NoiseEstimate {
        a.with(a.variance() * (factor as f64).powi(2), a.scale)
    }

    /// Product with a constant encoded as `round(constant * scalar_scale)`; `rms` is the root mean
    /// square of the slots of the ciphertext, on which the rounding of the constant acts.
    pub fn mul_scalar(
        &self,
        a: &NoiseEstimate,
        rms: f64,
        constant: f64,
        scalar_scale: f64,
    ) -> NoiseEstimate {
        let integer = (constant * scalar_scale).round();
        let rounding = integer - constant * scalar_scale;
        // Message coefficients: slots of root mean square r have coefficient variance (r scale)^2 / N.
        let message = (rms * a.scale).powi(2) / self.degree();
        let variance = a.variance() * integer * integer + message * rounding * rounding;
        a.with(variance, a.scale * scalar_scale)
    }

    /// Product of two ciphertexts, or of a ciphertext and an encoded plaintext, before relinearisation
    /// and rescale; `rms_a` and `rms_b` are the root mean squares of their slots.
    ///
    /// Slot by slot the error is `m_a e_b + m_b e_a + e_a e_b`.
    pub fn mul(
        &self,
        a: &NoiseEstimate,
        rms_a: f64,
        b: &NoiseEstimate,
        rms_b: f64,
    ) -> NoiseEstimate {
        let (va, vb) = (a.std_slot().powi(2), b.std_slot().powi(2));
        let slot = rms_a * rms_a * vb + rms_b * rms_b * va + va * vb;
        let scale = a.scale * b.scale;
        a.with(slot * scale * scale / self.degree(), scale)
    }

    /// Rescale at `level`: division by `q_level`, and the rounding of both polynomials, the second
    /// multiplied by the secret.
    pub fn rescale(&self, a: &NoiseEstimate, level: usize) -> NoiseEstimate {
        let q = self.params.q(level) as f64;
        a.with(a.variance() / (q * q) + self.rounding(), a.scale / q)
    }

    /// Variance of the rounding of both polynomials in a division.
    fn rounding(&self) -> f64 {
        ROUNDING * (1.0 + TERNARY * self.degree())
    }

    /// Variance that one key switch at `level` adds: digits, uniform below their moduli `D_d`, times
    /// key errors, over `P`; and the rounding of the division by `P`.
    pub fn key_switch_variance(&self, level: usize) -> f64 {
        let log_p: f64 = (0..self.params.ring().p_len())
            .map(|j| (self.params.ring().p(j).value() as f64).log2())
            .sum();
        let digits: f64 = (0..self.params.digits(level))
            .map(|d| {
                let range = self.params.digit_range(d, level);
                let log: f64 = range.map(|i| (self.params.q(i) as f64).log2()).sum();
                (2.0 * (log - log_p)).exp2() * ROUNDING
            })
            .sum();
        self.degree() * ERROR_STD * ERROR_STD * digits + self.rounding()
    }

    /// A rotation, a conjugation or a relinearisation at `level`.
    pub fn key_switch(&self, a: &NoiseEstimate, level: usize) -> NoiseEstimate {
        a.with(a.variance() + self.key_switch_variance(level), a.scale)
    }

    /// Product, relinearisation and rescale at `level`, as [`crate::evaluator::Evaluator::mul_relin_rescale`].
    pub fn mul_relin_rescale(
        &self,
        a: &NoiseEstimate,
        rms_a: f64,
        b: &NoiseEstimate,
        rms_b: f64,
        level: usize,
    ) -> NoiseEstimate {
        self.rescale(
            &self.key_switch(&self.mul(a, rms_a, b, rms_b), level),
            level,
        )
    }
}
