//! The evaluator on plain numbers: exact, but with levels enforced just as the scheme enforces them.

use num_complex::Complex64;

use crate::error::{TensorError, need_finite, need_level, need_period};
use crate::evaluator::{Evaluator, RefreshLevels};
use crate::slots::SlotRing;

/// A plain vector with the level that its ciphertext would have.
#[derive(Debug, Clone, PartialEq)]
pub struct ClearCt {
    values: Vec<Complex64>,
    level: usize,
}

impl ClearCt {
    /// The slots.
    pub fn values(&self) -> &[Complex64] {
        &self.values
    }

    /// The slots, by value.
    pub fn into_values(self) -> Vec<Complex64> {
        self.values
    }
}

/// Runs programs on plain numbers.
#[derive(Debug, Clone)]
pub struct ClearEvaluator {
    ring: SlotRing,
    max_level: usize,
    /// `zeta^k` for `k` in `0 .. 2N`.
    roots: Vec<Complex64>,
    powers: Vec<usize>,
    refresh: Option<(RefreshLevels, f64)>,
}

impl ClearEvaluator {
    /// For the ring of degree `2^log_n` and levels `0 ..= max_level`.
    pub fn new(log_n: u32, max_level: usize) -> Self {
        let ring = SlotRing::new(log_n);
        let step = std::f64::consts::PI / ring.degree() as f64;
        let roots = (0..2 * ring.degree())
            .map(|k| Complex64::cis(step * k as f64))
            .collect();
        Self {
            ring,
            max_level,
            roots,
            powers: ring.powers_of_five(),
            refresh: None,
        }
    }

    /// Refreshes between these levels, with an error of `noise` (standard deviation of each component; 0 for none) that is
    /// the same for the same values.
    #[must_use]
    pub fn with_refresh(mut self, levels: RefreshLevels, noise: f64) -> Self {
        self.refresh = Some((levels, noise));
        self
    }

    /// A fresh vector at `level`; missing slots are zero.
    ///
    /// # Errors
    /// [`TensorError::TooManyValues`] or [`TensorError::LevelTooHigh`].
    pub fn encrypt(&self, values: &[Complex64], level: usize) -> Result<ClearCt, TensorError> {
        const OP: &str = "ClearEvaluator::encrypt";
        if values.len() > self.slots() {
            return Err(TensorError::TooManyValues {
                op: OP,
                needed: values.len(),
                available: self.slots(),
            });
        }
        if level > self.max_level {
            return Err(TensorError::LevelTooHigh {
                op: OP,
                needed: level,
                available: self.max_level,
            });
        }
        let mut values = values.to_vec();
        values.resize(self.slots(), Complex64::ZERO);
        Ok(ClearCt { values, level })
    }

    fn zip(
        &self,
        a: &ClearCt,
        b: &ClearCt,
        op: impl Fn(Complex64, Complex64) -> Complex64,
    ) -> ClearCt {
        let values = a
            .values
            .iter()
            .zip(&b.values)
            .map(|(&x, &y)| op(x, y))
            .collect();
        ClearCt {
            values,
            level: a.level.min(b.level),
        }
    }
}

impl Evaluator for ClearEvaluator {
    type Ct = ClearCt;

    fn slots(&self) -> usize {
        self.ring.slots()
    }

    fn max_level(&self) -> usize {
        self.max_level
    }

    fn level(&self, a: &ClearCt) -> usize {
        a.level
    }

    fn add(&self, a: &ClearCt, b: &ClearCt) -> Result<ClearCt, TensorError> {
        Ok(self.zip(a, b, |x, y| x + y))
    }

    fn sub(&self, a: &ClearCt, b: &ClearCt) -> Result<ClearCt, TensorError> {
        Ok(self.zip(a, b, |x, y| x - y))
    }

    fn add_const(&self, a: &ClearCt, c: f64) -> Result<ClearCt, TensorError> {
        need_finite("add_const", c)?;
        Ok(ClearCt {
            values: a.values.iter().map(|x| x + c).collect(),
            level: a.level,
        })
    }

    fn mul(&self, a: &ClearCt, b: &ClearCt) -> Result<ClearCt, TensorError> {
        self.dot(&[(a, b)])
    }

    fn dot(&self, pairs: &[(&ClearCt, &ClearCt)]) -> Result<ClearCt, TensorError> {
        let level = pairs.iter().map(|(a, b)| a.level.min(b.level)).min();
        let level = level.ok_or(TensorError::TooFewOperands {
            op: "dot",
            needed: 1,
            available: 0,
        })?;
        need_level("dot", 1, level)?;
        let mut values = vec![Complex64::ZERO; self.slots()];
        for (a, b) in pairs {
            for ((value, x), y) in values.iter_mut().zip(&a.values).zip(&b.values) {
                *value += x * y;
            }
        }
        Ok(ClearCt {
            values,
            level: level - 1,
        })
    }

    fn mul_const_to(&self, a: &ClearCt, c: f64, level: usize) -> Result<ClearCt, TensorError> {
        need_finite("mul_const_to", c)?;
        need_level("mul_const_to", level + 1, a.level)?;
        Ok(ClearCt {
            values: a.values.iter().map(|x| x * c).collect(),
            level,
        })
    }

    fn rotate(&self, a: &ClearCt, k: i64) -> Result<ClearCt, TensorError> {
        let mut values = a.values.clone();
        values.rotate_left(k.rem_euclid(self.slots() as i64) as usize);
        Ok(ClearCt {
            values,
            level: a.level,
        })
    }

    fn conjugate(&self, a: &ClearCt) -> Result<ClearCt, TensorError> {
        Ok(ClearCt {
            values: a.values.iter().map(Complex64::conj).collect(),
            level: a.level,
        })
    }

    fn mul_monomial(&self, a: &ClearCt, k: i64) -> Result<ClearCt, TensorError> {
        let (k, mask) = (self.ring.exponent(k), 2 * self.ring.degree() - 1);
        let values = a
            .values
            .iter()
            .zip(&self.powers)
            .map(|(x, power)| x * self.roots[(k * power) & mask]);
        Ok(ClearCt {
            values: values.collect(),
            level: a.level,
        })
    }

    fn mul_periodic_to(
        &self,
        a: &ClearCt,
        values: &[f64],
        level: usize,
    ) -> Result<ClearCt, TensorError> {
        const OP: &str = "mul_periodic_to";
        need_level(OP, level + 1, a.level)?;
        need_period(OP, values.len(), self.slots())?;
        for &value in values {
            need_finite(OP, value)?;
        }
        let factors = values.iter().cycle();
        Ok(ClearCt {
            values: a.values.iter().zip(factors).map(|(x, f)| x * f).collect(),
            level,
        })
    }

    fn refresh_levels(&self) -> Option<RefreshLevels> {
        self.refresh.map(|(levels, _)| levels)
    }

    fn refresh(&self, a: &ClearCt, log_period: u32) -> Result<ClearCt, TensorError> {
        let (levels, noise) = self.refresh.ok_or(TensorError::NoRefresh { log_period })?;
        need_level("refresh", levels.input, a.level)?;
        let period = 1usize << log_period.min(self.slots().ilog2());
        // What does not repeat is averaged away by the trace, as in the scheme.
        let copies = self.slots() / period;
        let mut state = a.values.first().map_or(0, |x| x.re.to_bits()) | 1;
        let mut error = || {
            let uniform = |state: &mut u64| {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                (*state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            };
            // Twelve uniform numbers have variance 1.
            (0..12).map(|_| uniform(&mut state)).sum::<f64>() * noise
        };
        let one = (0..period).map(|slot| {
            let sum: Complex64 = a.values.iter().skip(slot).step_by(period).sum();
            sum / copies as f64 + Complex64::new(error(), error())
        });
        let one: Vec<Complex64> = one.collect();
        Ok(ClearCt {
            values: one.iter().copied().cycle().take(self.slots()).collect(),
            level: levels.output,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize) -> Vec<Complex64> {
        (0..n)
            .map(|i| Complex64::new(i as f64, 1.0 / (1.0 + i as f64)))
            .collect()
    }

    #[test]
    fn levels_are_enforced_as_in_the_scheme() {
        let ev = ClearEvaluator::new(5, 2);
        let high = ev.encrypt(&ramp(16), 2).expect("fits");
        let low = ev.encrypt(&ramp(16), 0).expect("fits");
        assert_eq!(ev.mul(&high, &high).map(|ct| ct.level), Ok(1));
        let refused = ev.mul(&high, &low).expect_err("no level left");
        assert_eq!(
            refused,
            TensorError::LevelTooLow {
                op: "dot",
                needed: 1,
                available: 0
            }
        );
        assert!(ev.at_level(&low, 1).is_err());
        assert!(ev.mul_const(&low, 2.0).is_err());
        assert!(ev.mul_const(&high, f64::NAN).is_err());
        assert!(ev.dot(&[]).is_err());
        assert!(ev.encrypt(&ramp(17), 0).is_err());
        assert!(ev.encrypt(&ramp(1), 3).is_err());
    }

    #[test]
    fn a_monomial_multiplies_each_slot_by_its_root() {
        // X^(N/2) is multiplication by i in every slot, and rotating X by one slot gives X^5.
        let ev = ClearEvaluator::new(5, 0);
        let one = ev.encrypt(&[Complex64::ONE; 16], 0).expect("fits");
        let half = ev.mul_monomial(&one, 16).expect("clear");
        assert!(
            half.values
                .iter()
                .all(|v| (v - Complex64::I).norm() < 1e-12)
        );
        let x = ev.mul_monomial(&one, 1).expect("clear");
        let rotated = ev.rotate(&x, 1).expect("clear");
        let power = ev.mul_monomial(&one, 5).expect("clear");
        assert!(
            rotated
                .values
                .iter()
                .zip(&power.values)
                .all(|(a, b)| (a - b).norm() < 1e-12)
        );
        let inverse = ev.mul_monomial(&x, -1).expect("clear");
        assert!(inverse.values.iter().all(|v| (v - 1.0).norm() < 1e-12));
    }
}
