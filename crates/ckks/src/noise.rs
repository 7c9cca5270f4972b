//! Noise estimates: average case by variances, worst case by a tail bound on them.
//!
//! Follows the average-case analysis of Costache, Curtis, Hales, Murphy, Ogilvie and Player, "On the
//! precision loss in approximate homomorphic encryption", SAC 2023: every noise polynomial has
//! independent, centred coefficients, so that variances add, and the canonical embedding of one with
//! coefficient variance `V` has complex slots of second moment `N V`. Products act slot by slot.
//!
//! The secret and the randomness of public-key encryption are uniform ternary (variance 2/3), errors
//! have the standard deviation [`ERROR_STD`].
//!
//! How far the error of one ciphertext may lie from the average is predicted too
//! ([`NoiseEstimate::rms_interval`]); `docs/maths/noise.md` derives it.

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
    /// Part of the variance that is one polynomial times the secret: roundings of second halves.
    secret: f64,
    /// What products and distributions other than Gaussian add to the spread, in units of variance
    /// squared: see [`NoiseEstimate::rms_interval`].
    extra: f64,
}

/// `X` of a product of two independent polynomials beyond that of a Gaussian one: `4` for the product,
/// and `kurtosis - 3` for each of its factors (0 if Gaussian).
const PRODUCT: f64 = 4.0;
const TERNARY_EXCESS: f64 = 1.5 - 3.0;
const UNIFORM_EXCESS: f64 = 1.8 - 3.0;

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

    /// The interval in which the root mean square of the slot errors of one ciphertext lies, over fresh
    /// keys and encryptions, but for the probability of `deviations` standard normal deviations on both
    /// sides (2.576 for 99 %). For messages whose slots have one modulus; others widen it.
    ///
    /// The mean square over the slots has the relative variance `X / (N V^2)` with
    /// `X = 2 V^2 + 5/2 S^2 + extra`, where `S` is the variance of all that is multiplied by the secret;
    /// its distribution is that of chi-square with `2 N V^2 / X` degrees of freedom, in the approximation
    /// of Wilson and Hilferty, "The distribution of chi-square", PNAS 17 (1931).
    pub fn rms_interval(&self, deviations: f64) -> [f64; 2] {
        let variance = self.variance();
        let spread = 2.0 * variance * variance
            + (PRODUCT + TERNARY_EXCESS) * self.secret * self.secret
            + self.extra;
        let ninth = spread / (9.0 * self.degree * variance * variance);
        [-deviations, deviations].map(|z| {
            let root = 1.0 - ninth + z * ninth.sqrt();
            self.std_slot() * root.max(0.0).powf(1.5)
        })
    }

    fn variance(&self) -> f64 {
        self.std_coeff * self.std_coeff
    }

    /// The sum with independent noise.
    fn plus(&self, other: &Self) -> Self {
        Self {
            std_coeff: (self.variance() + other.variance()).sqrt(),
            secret: self.secret + other.secret,
            extra: self.extra + other.extra,
            ..*self
        }
    }

    /// All variances times `factor`, at another scale.
    fn scaled(&self, factor: f64, scale: f64) -> Self {
        Self {
            std_coeff: (self.variance() * factor).sqrt(),
            scale,
            degree: self.degree,
            secret: self.secret * factor,
            extra: self.extra * factor * factor,
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

    /// Gaussian noise.
    fn estimate(&self, variance: f64, scale: f64) -> NoiseEstimate {
        NoiseEstimate {
            std_coeff: variance.sqrt(),
            scale,
            degree: self.degree(),
            secret: 0.0,
            extra: 0.0,
        }
    }

    /// A ciphertext without noise, to which [`NoiseModel::key_switch`] and the like add their own.
    pub fn noiseless(&self, scale: f64) -> NoiseEstimate {
        self.estimate(0.0, scale)
    }

    /// An encoded plaintext: rounding of each coefficient.
    pub fn encoded(&self, scale: f64) -> NoiseEstimate {
        NoiseEstimate {
            extra: UNIFORM_EXCESS * ROUNDING * ROUNDING,
            ..self.estimate(ROUNDING, scale)
        }
    }

    /// A fresh secret-key encryption: `e`, and the encoding.
    pub fn fresh_secret(&self, scale: f64) -> NoiseEstimate {
        self.estimate(ERROR_STD * ERROR_STD, scale)
            .plus(&self.encoded(scale))
    }

    /// A fresh public-key encryption: `v e_pk + e_0 + e_1 s`, and the encoding.
    pub fn fresh_public(&self, scale: f64) -> NoiseEstimate {
        let product = ERROR_STD * ERROR_STD * TERNARY * self.degree();
        let products = NoiseEstimate {
            secret: product,
            extra: (PRODUCT + TERNARY_EXCESS) * product * product,
            ..self.estimate(2.0 * product, scale)
        };
        self.fresh_secret(scale).plus(&products)
    }

    /// Sum or difference of ciphertexts, or of a ciphertext and an encoded plaintext.
    pub fn add(&self, a: &NoiseEstimate, b: &NoiseEstimate) -> NoiseEstimate {
        a.plus(b)
    }

    /// Sum of `count` ciphertexts of equal noise.
    pub fn sum(&self, a: &NoiseEstimate, count: usize) -> NoiseEstimate {
        let count = count as f64;
        NoiseEstimate {
            extra: a.extra * count,
            ..a.scaled(count, a.scale)
        }
    }

    /// Product with an integer.
    pub fn mul_integer(&self, a: &NoiseEstimate, factor: i64) -> NoiseEstimate {
        a.scaled((factor as f64).powi(2), a.scale)
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
        let scale = a.scale * scalar_scale;
        a.scaled(integer * integer, scale)
            .plus(&self.estimate(message * rounding * rounding, scale))
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
        let scale = a.scale * b.scale;
        let of_a = a.scaled((rms_b * b.scale).powi(2), scale);
        let of_b = b.scaled((rms_a * a.scale).powi(2), scale);
        let both = self.degree() * a.variance() * b.variance();
        let product = NoiseEstimate {
            extra: PRODUCT * both * both,
            ..self.estimate(both, scale)
        };
        of_a.plus(&of_b).plus(&product)
    }

    /// Rescale at `level`: division by `q_level`, and the rounding of both polynomials, the second
    /// multiplied by the secret.
    pub fn rescale(&self, a: &NoiseEstimate, level: usize) -> NoiseEstimate {
        let q = self.params.q(level) as f64;
        let scale = a.scale / q;
        a.scaled(1.0 / (q * q), scale).plus(&self.rounding(scale))
    }

    /// The rounding of both polynomials in a division, the second multiplied by the secret.
    fn rounding(&self, scale: f64) -> NoiseEstimate {
        let secret = ROUNDING * TERNARY * self.degree();
        NoiseEstimate {
            secret,
            extra: UNIFORM_EXCESS * (secret * secret + ROUNDING * ROUNDING),
            ..self.estimate(ROUNDING + secret, scale)
        }
    }

    /// A switch to another modulus, `ratio` times the old one: [`crate::modulus_switch::ModulusSwitch`].
    pub fn modulus_switch(&self, a: &NoiseEstimate, ratio: f64) -> NoiseEstimate {
        let scale = a.scale * ratio;
        a.scaled(ratio * ratio, scale).plus(&self.rounding(scale))
    }

    /// What one key switch at `level` adds before its division by `P`, divided by `P`: digits, uniform
    /// below their moduli `D_d`, times key errors.
    fn digits(&self, level: usize, scale: f64) -> NoiseEstimate {
        let log_p: f64 = (0..self.params.ring().p_len())
            .map(|j| (self.params.ring().p(j).value() as f64).log2())
            .sum();
        let digit = |d| {
            let range = self.params.digit_range(d, level);
            let log: f64 = range.map(|i| (self.params.q(i) as f64).log2()).sum();
            let variance =
                (2.0 * (log - log_p)).exp2() * ROUNDING * self.degree() * ERROR_STD * ERROR_STD;
            NoiseEstimate {
                extra: (PRODUCT + UNIFORM_EXCESS) * variance * variance,
                ..self.estimate(variance, scale)
            }
        };
        (0..self.params.digits(level))
            .map(digit)
            .fold(self.noiseless(scale), |sum, digit| sum.plus(&digit))
    }

    /// Variance that one key switch at `level` adds: the digits times key errors, and the rounding of
    /// the division by `P`.
    pub fn key_switch_variance(&self, level: usize) -> f64 {
        self.digits(level, 1.0).plus(&self.rounding(1.0)).variance()
    }

    /// A rotation, a conjugation or a relinearisation at `level`.
    pub fn key_switch(&self, a: &NoiseEstimate, level: usize) -> NoiseEstimate {
        self.rotate_sum(a, 1, level)
    }

    /// A sum of rotations with one division by `P`, as [`crate::evaluator::Evaluator::rotate_sum`]: `a`
    /// is the sum of all terms, of which `switched` are rotated at `level`.
    pub fn rotate_sum(&self, a: &NoiseEstimate, switched: usize, level: usize) -> NoiseEstimate {
        if switched == 0 {
            return *a;
        }
        let digits = self.sum(&self.digits(level, a.scale), switched);
        a.plus(&digits).plus(&self.rounding(a.scale))
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

    /// A linear transform at `level` with all `giant * baby` diagonals of as many giant and baby steps,
    /// as [`crate::evaluator::Evaluator::transform`], of a ciphertext and diagonals whose slots have
    /// modulus 1.
    ///
    /// Every diagonal multiplies a rotation of the input that was not divided by `P`: what a giant step
    /// rounds and adds is not multiplied any more and vanishes in the rescale. The same errors meet
    /// several diagonals, which widens the spread (`docs/maths/noise.md`).
    pub fn transform(
        &self,
        a: &NoiseEstimate,
        giant: usize,
        baby: usize,
        level: usize,
    ) -> NoiseEstimate {
        let (count, babies) = ((giant * baby) as f64, baby as f64);
        let scale = a.scale * self.params.scale_at(level) / self.params.q(level) as f64;
        // Baby step 0 switches no key.
        let share = (babies - 1.0) / babies;
        let digits = self.digits(level, scale).scaled(count * share, scale);
        let again = 2.0 - 2.0 / count;
        let digits = NoiseEstimate {
            extra: (4.0 / babies - 2.0 / count + 2.0 + UNIFORM_EXCESS) * digits.variance().powi(2),
            ..digits
        };
        let input = a.scaled(count, scale);
        let input = NoiseEstimate {
            extra: input.extra + again * input.variance().powi(2),
            ..input
        };
        let diagonals = self.sum(&self.encoded(scale), giant * baby);
        let rescaled = input.plus(&digits).plus(&diagonals);
        // The rescale divides by q what the diagonals' scale multiplied, up to their ratio.
        let ratio = self.params.scale_at(level) / self.params.q(level) as f64;
        rescaled
            .scaled(ratio * ratio, scale)
            .plus(&self.rounding(scale))
    }
}
