//! Real polynomials on ciphertexts, in the power basis or in a Chebyshev basis.
//!
//! Evaluation needs `ceil(log2(degree + 1))` levels and reaches its target scale exactly: the
//! recursion passes the wanted scale down to the integer constants in its leaves, after
//! Bossuat, Mouchet, Troncoso-Pastoriza and Hubaux, "Efficient bootstrapping for approximate
//! homomorphic encryption with non-sparse keys", EUROCRYPT 2021, section 5.

mod evaluate;
mod plan;
#[cfg(all(test, feature = "secret"))]
mod tests;

use crate::error::CkksError;

/// The basis in which a [`Polynomial`] holds its coefficients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Basis {
    /// `c0 + c1 x + c2 x^2 + ...`
    Power,
    /// `c0 + c1 T1(y) + c2 T2(y) + ...` with `y = (2 x - a - b) / (b - a)`.
    Chebyshev {
        /// Lower end of the interval.
        a: f64,
        /// Upper end of the interval.
        b: f64,
    },
}

/// A real polynomial with finite coefficients, without trailing zeros.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    basis: Basis,
    coeffs: Vec<f64>,
}

/// Degrees above this are a mistake of the caller: their levels exist in no parameter set.
const MAX_DEGREE: usize = 1 << 16;

impl Polynomial {
    /// The polynomial `sum coeffs[i] x^i`. Trailing zeros are dropped.
    ///
    /// # Errors
    /// No coefficient, too many coefficients, or one that is not finite.
    pub fn power(coeffs: Vec<f64>) -> Result<Self, CkksError> {
        Self::checked(Basis::Power, coeffs)
    }

    /// The polynomial `sum coeffs[i] T_i(y)`, `y` being `x` mapped from `[a, b]` to `[-1, 1]`.
    ///
    /// # Errors
    /// As [`Polynomial::power`], and when `a < b` does not hold or an end is not finite.
    pub fn chebyshev(a: f64, b: f64, coeffs: Vec<f64>) -> Result<Self, CkksError> {
        if !(a.is_finite() && b.is_finite() && a < b) {
            return Err(invalid(
                "interval",
                "a < b, both finite".into(),
                format!("[{a}, {b}]"),
            ));
        }
        Self::checked(Basis::Chebyshev { a, b }, coeffs)
    }

    /// The Chebyshev interpolant of degree `degree` of `f` over `[a, b]`, through the
    /// `degree + 1` Chebyshev nodes of the first kind.
    ///
    /// # Errors
    /// As [`Polynomial::chebyshev`]; also when `f` is not finite at a node.
    pub fn interpolate(
        f: impl Fn(f64) -> f64,
        a: f64,
        b: f64,
        degree: usize,
    ) -> Result<Self, CkksError> {
        if degree > MAX_DEGREE {
            return Err(degree_error(degree));
        }
        let n = degree + 1;
        let angle = |j: usize| std::f64::consts::PI * (j as f64 + 0.5) / n as f64;
        let values: Vec<f64> = (0..n)
            .map(|j| f((a + b) / 2.0 + (b - a) / 2.0 * angle(j).cos()))
            .collect();
        let coeffs = (0..n)
            .map(|k| {
                let sum: f64 = (0..n)
                    .map(|j| values[j] * (k as f64 * angle(j)).cos())
                    .sum();
                sum * if k == 0 { 1.0 } else { 2.0 } / n as f64
            })
            .collect();
        Self::chebyshev(a, b, coeffs)
    }

    fn checked(basis: Basis, mut coeffs: Vec<f64>) -> Result<Self, CkksError> {
        if coeffs.is_empty() {
            return Err(invalid(
                "number of coefficients",
                "at least 1".into(),
                "0".into(),
            ));
        }
        if coeffs.len() > MAX_DEGREE + 1 {
            return Err(degree_error(coeffs.len() - 1));
        }
        if let Some(i) = coeffs.iter().position(|c| !c.is_finite()) {
            return Err(CkksError::NotFinite {
                op: "Polynomial",
                index: i,
            });
        }
        while coeffs.len() > 1 && coeffs.last() == Some(&0.0) {
            coeffs.pop();
        }
        Ok(Self { basis, coeffs })
    }

    /// The basis of the coefficients.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// The coefficients, constant first.
    pub fn coeffs(&self) -> &[f64] {
        &self.coeffs
    }

    /// The degree; 0 for constants.
    pub fn degree(&self) -> usize {
        self.coeffs.len() - 1
    }

    /// Levels that [`crate::evaluator::Evaluator::evaluate_polynomial`] consumes: `ceil(log2(degree + 1))`, and
    /// one more where a Chebyshev interval has to be mapped to `[-1, 1]` by a factor that is
    /// not an integer.
    pub fn depth(&self) -> usize {
        let map = usize::from(self.degree() > 0 && self.input_map().is_some_and(|m| !m.is_free()));
        depth_of(self.degree() + 1) + map
    }

    /// The value at `x`: Horner's rule, or Clenshaw's recurrence.
    pub fn eval(&self, x: f64) -> f64 {
        match self.basis {
            Basis::Power => self.coeffs.iter().rev().fold(0.0, |acc, c| acc * x + c),
            Basis::Chebyshev { a, b } => {
                let y = (2.0 * x - a - b) / (b - a);
                let (mut b1, mut b2) = (0.0, 0.0);
                for c in self.coeffs[1..].iter().rev() {
                    (b1, b2) = (2.0 * y * b1 - b2 + c, b1);
                }
                self.coeffs[0] + y * b1 - b2
            }
        }
    }

    /// How the input is mapped to `[-1, 1]`; `None` in the power basis.
    fn input_map(&self) -> Option<InputMap> {
        match self.basis {
            Basis::Power => None,
            Basis::Chebyshev { a, b } => Some(InputMap {
                factor: 2.0 / (b - a),
                offset: -(a + b) / (b - a),
            }),
        }
    }
}

/// `y = factor * x + offset`.
#[derive(Clone, Copy)]
struct InputMap {
    factor: f64,
    offset: f64,
}

impl InputMap {
    /// True when the factor is an integer, so that the map costs no level.
    fn is_free(&self) -> bool {
        self.factor.fract() == 0.0 && self.factor <= 1024.0
    }
}

/// Multiplicative depth of `x^n`: `ceil(log2 n)`.
fn depth_of(n: usize) -> usize {
    n.next_power_of_two().trailing_zeros() as usize
}

fn invalid(what: &'static str, needed: String, available: String) -> CkksError {
    CkksError::InvalidArgument {
        op: "Polynomial",
        what,
        needed,
        available,
    }
}

fn degree_error(degree: usize) -> CkksError {
    invalid(
        "degree",
        format!("at most {MAX_DEGREE}"),
        degree.to_string(),
    )
}

fn has_levels(available: usize, needed: usize) -> Result<(), CkksError> {
    if available >= needed {
        return Ok(());
    }
    Err(CkksError::LevelTooLow {
        op: "evaluate_polynomial",
        needed,
        available,
    })
}
