//! The sigmoid minus one half as an odd polynomial with the smallest possible maximal error.

use num_complex::Complex64;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, shape};

/// `sigmoid(z) - 1/2 ~ z (c_0 + c_1 z^2 + ...)` on `[-range, range]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OddSigmoid {
    /// Half of the interval's length.
    pub range: f64,
    /// Coefficients of `z, z^3, z^5, ...`; the last one is not zero.
    pub coefficients: Vec<f64>,
    /// Largest error on the interval.
    pub max_error: f64,
}

/// The sigmoid `1 / (1 + exp(-z))`.
pub(crate) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

impl OddSigmoid {
    /// The minimax polynomial of `degree` 3, 7 or 15, by Remez' exchange on the half interval.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another degree or a range outside 1 to 64.
    pub fn minimax(degree: usize, range: f64) -> Result<Self, TrainError> {
        if !DEGREES.contains(&degree) {
            return Err(shape(
                "degree of the sigmoid polynomial",
                "3, 7 or 15",
                degree,
            ));
        }
        if !(1.0..=64.0).contains(&range) {
            return Err(shape("range of the sigmoid polynomial", "1 to 64", range));
        }
        const GRID: usize = 4000;
        let terms = degree.div_ceil(2);
        let target = |x: f64| sigmoid(x * range) - 0.5;
        // Chebyshev points of (0, 1]; x = z / range keeps the system well conditioned.
        let mut points: Vec<f64> = (0..=terms)
            .map(|i| (i as f64 + 1.0) * std::f64::consts::FRAC_PI_2 / (terms as f64 + 1.0))
            .map(f64::sin)
            .collect();
        let mut scaled = vec![0.0; terms];
        for _ in 0..40 {
            let mut system: Vec<Vec<f64>> = points
                .iter()
                .enumerate()
                .map(|(i, &x)| {
                    let powers = (0..terms).map(|j| x.powi(2 * j as i32 + 1));
                    powers
                        .chain([if i % 2 == 0 { 1.0 } else { -1.0 }, target(x)])
                        .collect()
                })
                .collect();
            scaled = solve(&mut system);
            scaled.truncate(terms);
            let error = |x: f64| target(x) - odd(&scaled, x);
            let next = extrema(&error, GRID);
            if next.len() != points.len() {
                break;
            }
            let moved = next
                .iter()
                .zip(&points)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f64::max);
            points = next;
            if moved < 0.5 / GRID as f64 {
                break;
            }
        }
        let max_error = (0..=GRID)
            .map(|i| i as f64 / GRID as f64)
            .map(|x| (target(x) - odd(&scaled, x)).abs())
            .fold(0.0, f64::max);
        let coefficients = scaled
            .iter()
            .enumerate()
            .map(|(j, c)| c / range.powi(2 * j as i32 + 1))
            .collect();
        Ok(Self {
            range,
            coefficients,
            max_error,
        })
    }

    /// Degree of the polynomial.
    pub fn degree(&self) -> usize {
        (2 * self.coefficients.len()).saturating_sub(1)
    }

    /// Coefficient of the highest power.
    pub fn leading(&self) -> f64 {
        self.coefficients.last().copied().unwrap_or(0.0)
    }

    /// The approximation of `sigmoid(z) - 1/2`.
    pub fn evaluate(&self, z: f64) -> f64 {
        odd(&self.coefficients, z)
    }

    /// The polynomial in `u = z^2` as `leading * (u - root) * product of (u^2 + s u + t)`.
    ///
    /// The root is the largest real one: the fit turns back beyond the range, so there is always one, and the
    /// remaining roots are paired.
    pub fn factors(&self) -> Factors {
        // In units of range^2 all coefficients are of one order.
        let unit = self.range * self.range;
        let lead = self.leading();
        let degree = self.coefficients.len().saturating_sub(1);
        let monic: Vec<f64> = self
            .coefficients
            .iter()
            .enumerate()
            .map(|(j, c)| c / lead * unit.powi(j as i32 - degree as i32))
            .collect();
        let mut roots = roots(&monic);
        // Complex roots come in conjugate pairs; the larger ones first, so that the order is the same everywhere.
        roots.sort_by(|a, b| {
            (a.im.abs() > REAL)
                .cmp(&(b.im.abs() > REAL))
                .then(b.re.total_cmp(&a.re))
                .then(b.im.total_cmp(&a.im))
        });
        let real = roots.iter().take_while(|z| z.im.abs() <= REAL).count();
        let root = roots.first().map_or(0.0, |z| z.re * unit);
        let paired = roots.get(1..real).unwrap_or_default();
        let mut quadratics: Vec<[f64; 2]> = paired
            .chunks_exact(2)
            .map(|pair| {
                [
                    -(pair[0].re + pair[1].re) * unit,
                    pair[0].re * pair[1].re * unit * unit,
                ]
            })
            .collect();
        let upper = roots.iter().skip(real).filter(|z| z.im > 0.0);
        quadratics.extend(upper.map(|z| [-2.0 * z.re * unit, z.norm_sqr() * unit * unit]));
        Factors { root, quadratics }
    }
}

/// Degrees that the training program knows.
pub(crate) const DEGREES: [usize; 3] = [3, 7, 15];

/// Imaginary parts below this belong to real roots.
const REAL: f64 = 1e-9;

/// Factors of a monic polynomial of odd degree in `u`.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    /// `r` of `u - r`.
    pub root: f64,
    /// `[s, t]` of each `u^2 + s u + t`: none for degree 3 in `z`, one for 7, three for 15.
    pub quadratics: Vec<[f64; 2]>,
}

/// All roots of the monic polynomial with these coefficients (constant first, the leading 1 included), by the
/// simultaneous iteration of Aberth and Ehrlich.
fn roots(monic: &[f64]) -> Vec<Complex64> {
    let degree = monic.len().saturating_sub(1);
    let bound = 1.0
        + monic
            .iter()
            .take(degree)
            .fold(0.0f64, |m, c| m.max(c.abs()));
    let start = |k: usize| {
        let angle = std::f64::consts::TAU * (k as f64 + 0.25) / degree as f64;
        Complex64::from_polar(bound.min(2.0), angle)
    };
    let mut roots: Vec<Complex64> = (0..degree).map(start).collect();
    let zero = Complex64::new(0.0, 0.0);
    for _ in 0..500 {
        let mut moved = 0.0f64;
        for k in 0..degree {
            let z = roots[k];
            let (value, slope) = monic
                .iter()
                .rev()
                .fold((zero, zero), |(p, d), &c| (p * z + c, d * z + p));
            if value == zero {
                continue;
            }
            let newton = value / slope;
            let others: Complex64 = (0..degree)
                .filter(|&j| j != k)
                .map(|j| (z - roots[j]).inv())
                .sum();
            let step = newton / (1.0 - newton * others);
            if step.is_finite() {
                roots[k] -= step;
                moved = moved.max(step.norm());
            }
        }
        if moved < 1e-15 {
            break;
        }
    }
    roots
}

/// `x (c_0 + c_1 x^2 + ...)` by Horner's rule.
fn odd(coefficients: &[f64], x: f64) -> f64 {
    let square = x * x;
    x * coefficients
        .iter()
        .rev()
        .fold(0.0, |sum, c| sum * square + c)
}

/// Where `error` takes its largest absolute value between sign changes on `(0, 1]`, refined by parabolas.
fn extrema(error: &impl Fn(f64) -> f64, grid: usize) -> Vec<f64> {
    let h = 1.0 / grid as f64;
    let mut found: Vec<(f64, f64)> = Vec::new();
    for i in 1..=grid {
        let x = i as f64 * h;
        let value = error(x);
        match found.last_mut() {
            Some((best_x, best)) if best.signum() == value.signum() => {
                if value.abs() > best.abs() {
                    (*best_x, *best) = (x, value);
                }
            }
            _ => found.push((x, value)),
        }
    }
    found
        .into_iter()
        .map(|(x, middle)| {
            if x + h > 1.0 {
                return x;
            }
            let (left, right) = (error(x - h), error(x + h));
            let curvature = left - 2.0 * middle + right;
            if curvature == 0.0 {
                x
            } else {
                x + 0.5 * h * (left - right) / curvature
            }
        })
        .collect()
}

/// Gaussian elimination with row pivoting on an augmented matrix.
fn solve(system: &mut [Vec<f64>]) -> Vec<f64> {
    let n = system.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()));
        system.swap(column, pivot.unwrap_or(column));
        let row = system[column].clone();
        for other in system.iter_mut().skip(column + 1) {
            let factor = other[column] / row[column];
            for (value, reference) in other.iter_mut().zip(&row) {
                *value -= factor * reference;
            }
        }
    }
    let mut solution = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|j| system[i][j] * solution[j]).sum();
        solution[i] = (system[i][n] - known) / system[i][i];
    }
    solution
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_the_minimax_error() {
        // Errors of the same fits by linear programming (scipy), 2000 points.
        for (degree, range, expected) in [
            (3, 6.0, 0.056_120),
            (3, 8.0, 0.089_463),
            (7, 8.0, 0.018_892),
            (7, 10.0, 0.033_398),
            (7, 12.0, 0.048_996),
            (15, 8.0, 0.000_879),
            (15, 12.0, 0.006_132),
            (15, 16.0, 0.016_435),
        ] {
            let fit = OddSigmoid::minimax(degree, range).expect("valid");
            assert_eq!(fit.degree(), degree);
            assert!(
                (fit.max_error - expected).abs() < 2e-5,
                "{degree} {range}: {}",
                fit.max_error
            );
            let worst = (0..=10_000)
                .map(|i| range * (f64::from(i) / 5000.0 - 1.0))
                .map(|z| (sigmoid(z) - 0.5 - fit.evaluate(z)).abs())
                .fold(0.0, f64::max);
            assert!(worst <= fit.max_error * (1.0 + 1e-6), "{worst}");
        }
    }

    #[test]
    fn the_factored_form_is_the_polynomial() {
        for (degree, range) in [
            (3, 8.0),
            (7, 6.0),
            (7, 12.0),
            (7, 20.0),
            (15, 8.0),
            (15, 12.0),
            (15, 20.0),
        ] {
            let fit = OddSigmoid::minimax(degree, range).expect("valid");
            let factors = fit.factors();
            assert_eq!(factors.quadratics.len(), degree / 4);
            for i in -20..=20 {
                let z = range * f64::from(i) / 20.0;
                let u = z * z;
                let quadratics = factors
                    .quadratics
                    .iter()
                    .fold(1.0, |product, [s, t]| product * (u * (u + s) + t));
                let factored = fit.leading() * z * (u - factors.root) * quadratics;
                assert!(
                    (factored - fit.evaluate(z)).abs() < 1e-9,
                    "{degree} {range} {z}: {factored}"
                );
            }
        }
    }

    #[test]
    fn other_degrees_and_ranges_are_refused() {
        assert!(OddSigmoid::minimax(5, 8.0).is_err());
        assert!(OddSigmoid::minimax(3, 0.0).is_err());
        assert!(OddSigmoid::minimax(3, f64::NAN).is_err());
    }
}
