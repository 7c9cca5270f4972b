//! EvalMod: from `x = I + c / q_0` to `sin(2 pi x)`, which is close to `2 pi c / q_0`.
//!
//! Chebyshev approximation of a cosine with a lower frequency and double-angle formulas, after Han and Ki, "Better
//! bootstrapping for approximate homomorphic encryption", CT-RSA 2020, section 3; arcsine after Lee, Lee, Lee, Kim, No
//! and Kang, "High-precision bootstrapping of RNS-CKKS homomorphic encryption using optimal minimax polynomial
//! approximation and inverse sine function", EUROCRYPT 2021.

use std::f64::consts::TAU;

use super::params::{BootstrapLiteral, BootstrapParameters};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::evaluator::Evaluator;
use crate::keys::EvaluationKeys;
use crate::par;
use crate::params::Parameters;
use crate::polynomial::Polynomial;

/// Multiplications one after another.
pub(super) fn depth(literal: &BootstrapLiteral) -> usize {
    log2_above(literal.degree)
        + literal.doublings
        + if literal.arcsine == 0 {
            0
        } else {
            log2_above(literal.arcsine)
        }
}

/// Largest degree at which two ciphertexts share the threads, each with its own, instead of one after the other with all: steps are
/// so short there that threads wait for each other a sixth of the time. Larger ones wait for memory, and two would need
/// half a gigabyte more of it.
const SIDE_BY_SIDE: usize = 1 << 15;

/// `ceil(log2(degree + 1))`.
fn log2_above(degree: usize) -> usize {
    (degree + 1).next_power_of_two().ilog2() as usize
}

/// The polynomials of EvalMod and the levels and scales at which they are evaluated.
pub(crate) struct EvalMod {
    cosine: Polynomial,
    doublings: usize,
    arcsine: Option<Polynomial>,
    /// Levels before the first and after each multiplication.
    ladder: Vec<usize>,
    /// Scales there.
    scales: Vec<f64>,
}

impl EvalMod {
    pub(crate) fn new(set: &BootstrapParameters) -> Result<Self, CkksError> {
        let literal = set.literal();
        let ladder = set.ladder();
        Ok(Self {
            cosine: cosine(literal)?,
            doublings: literal.doublings,
            arcsine: arcsine(literal.arcsine)?,
            scales: scales(set.params(), &ladder, literal.log_scale.exp2()),
            ladder,
        })
    }

    /// Scale at which the input is expected.
    pub(crate) fn input_scale(&self) -> f64 {
        self.scales[0]
    }

    /// Scale of the result.
    pub(crate) fn output_scale(&self) -> f64 {
        self.scales[self.scales.len() - 1]
    }

    /// [`EvalMod::reduce`] of each; of small rings two side by side.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn evaluate(
        &self,
        evaluator: &Evaluator,
        cts: &[Ciphertext],
        keys: &EvaluationKeys,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        let reduce = |ct| self.reduce(evaluator, ct, keys);
        match cts {
            [real, imaginary] if evaluator.params().degree() <= SIDE_BY_SIDE => {
                let (real, imaginary) = par::both(|| reduce(real), || reduce(imaginary));
                Ok(vec![real?, imaginary?])
            }
            _ => cts.iter().map(reduce).collect(),
        }
    }

    /// Maps slots `x / K` with `|x| < K`, at [`EvalMod::input_level`] and [`EvalMod::input_scale`], to `sin(2 pi x)`, or
    /// to `arcsin(sin(2 pi x))`, at the last level and scale.
    ///
    /// # Errors
    /// Those of [`Evaluator::evaluate_polynomial`].
    pub(crate) fn reduce(
        &self,
        evaluator: &Evaluator,
        ct: &Ciphertext,
        keys: &EvaluationKeys,
    ) -> Result<Ciphertext, CkksError> {
        let mut at = self.cosine.depth();
        let mut out = evaluator.evaluate_polynomial_along(
            ct,
            &self.cosine,
            &self.ladder[..=at],
            self.scales[at],
            keys,
        )?;
        for _ in 0..self.doublings {
            // cos 2t = 2 cos^2 t - 1
            let mut square = evaluator.tensor_sum("eval_mod", &[(&out, &out)], 2)?;
            evaluator.add_scalar_assign(&mut square, -1.0)?;
            let lower = evaluator.relinearize_rescale(square, keys)?;
            at += 1;
            out = evaluator.rescale_to(lower, self.ladder[at])?;
            out.scale = self.scales[at];
        }
        match &self.arcsine {
            Some(arcsine) => evaluator.evaluate_polynomial_along(
                &out,
                arcsine,
                &self.ladder[at..],
                self.output_scale(),
                keys,
            ),
            None => Ok(out),
        }
    }

    /// The same on a number.
    #[cfg(test)]
    pub(crate) fn evaluate_clear(&self, y: f64) -> f64 {
        let angle = (0..self.doublings).fold(self.cosine.eval(y), |c, _| 2.0 * c * c - 1.0);
        self.arcsine
            .as_ref()
            .map_or(angle, |arcsine| arcsine.eval(angle))
    }
}

/// Scale of the result of EvalMod.
pub(super) fn output_scale(set: &BootstrapParameters) -> f64 {
    let first = set.literal().log_scale.exp2();
    let scales = scales(set.params(), &set.ladder(), first);
    scales[scales.len() - 1]
}

/// Scales after each multiplication: that of the level above, squared, over the primes that are given up.
fn scales(params: &Parameters, ladder: &[usize], first: f64) -> Vec<f64> {
    let mut scales = vec![first];
    for step in ladder.windows(2) {
        let last = scales[scales.len() - 1];
        let primes: f64 = (step[1] + 1..=step[0])
            .rev()
            .map(|level| params.q(level) as f64)
            .product();
        scales.push(last * last / primes);
    }
    scales
}

/// The polynomial for `cos(2 pi (K y - 1/4) / 2^r)`: least squares over the neighbourhoods of the integers `K y`, where
/// alone its values matter. That needs little more than half the degree of an approximation on all of `[-1, 1]`.
///
/// The integers themselves weigh most, since most coefficients of messages are far smaller than the largest; those near
/// the ends weigh little, since they hardly ever occur.
fn cosine(literal: &BootstrapLiteral) -> Result<Polynomial, CkksError> {
    let interval = f64::from(literal.interval);
    let frequency = TAU / (literal.doublings as f64).exp2();
    let near = (-literal.log_ratio).exp2();
    let last = i64::from(literal.interval) - 1;
    let mut samples = Vec::new();
    // Heavy rows first, as the elimination wants them.
    for offsets in [&[0.0][..], &[-1.0, -0.5, 0.5, 1.0]] {
        for i in -last..=last {
            let end = i as f64 / last.max(1) as f64;
            let weight = (if offsets.len() == 1 { 12.0 } else { 0.0 } - 20.0 * end * end).exp2();
            for offset in offsets {
                let x = i as f64 + offset * near;
                let value = libm::cos(frequency * (x - 0.25));
                samples.push([x / interval, value, weight]);
            }
        }
    }
    Polynomial::chebyshev(-1.0, 1.0, least_squares(&samples, literal.degree))
}

/// The odd part of the series of the arcsine.
fn arcsine(degree: usize) -> Result<Option<Polynomial>, CkksError> {
    let series = [0.0, 1.0, 0.0, 1.0 / 6.0, 0.0, 3.0 / 40.0, 0.0, 15.0 / 336.0];
    match degree {
        0 => Ok(None),
        degree => Polynomial::power(series[..=degree].to_vec()).map(Some),
    }
}

/// Chebyshev coefficients of the polynomial of least weighted squares through samples (place, value, weight), by
/// Householder reflections.
fn least_squares(samples: &[[f64; 3]], degree: usize) -> Vec<f64> {
    let (rows, columns) = (samples.len(), degree + 1);
    // Column by column, the values last.
    let mut matrix: Vec<Vec<f64>> = vec![vec![0.0; rows]; columns + 1];
    for (row, &[y, value, weight]) in samples.iter().enumerate() {
        let (mut previous, mut current) = (1.0, y);
        for column in matrix.iter_mut().take(columns) {
            column[row] = weight * previous;
            (previous, current) = (current, 2.0 * y * current - previous);
        }
        matrix[columns][row] = weight * value;
    }
    for pivot in 0..columns.min(rows) {
        let (head, tail) = matrix.split_at_mut(pivot + 1);
        let column = &mut head[pivot];
        let norm = column[pivot..].iter().map(|x| x * x).sum::<f64>().sqrt();
        let alpha = if column[pivot] > 0.0 { -norm } else { norm };
        let mut mirror = column[pivot..].to_vec();
        mirror[0] -= alpha;
        let square: f64 = mirror.iter().map(|x| x * x).sum();
        if square == 0.0 {
            continue;
        }
        column[pivot] = alpha;
        for other in tail {
            let dot: f64 = mirror.iter().zip(&other[pivot..]).map(|(m, x)| m * x).sum();
            let factor = 2.0 * dot / square;
            for (x, m) in other[pivot..].iter_mut().zip(&mirror) {
                *x -= factor * m;
            }
        }
    }
    let mut coefficients = vec![0.0; columns];
    for row in (0..columns.min(rows)).rev() {
        let known: f64 = (row + 1..columns)
            .map(|column| matrix[column][row] * coefficients[column])
            .sum();
        coefficients[row] = (matrix[columns][row] - known) / matrix[row][row];
    }
    coefficients
}
