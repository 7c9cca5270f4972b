//! What operations cost: microseconds of one thread, from measured constants.

use serde::{Deserialize, Serialize};

/// The operations that dominate a program, in the units in which they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Sum or difference of two ciphertexts, or of one and a constant.
    Add,
    /// Product of two ciphertexts into three parts.
    Product,
    /// Hybrid key switch: rotation, conjugation or relinearisation.
    KeySwitch,
    /// Division by the last prime, of two parts.
    Rescale,
    /// Product with a scalar or a monomial.
    Scale,
}

/// What the cost of a key switch depends on beside the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySwitchShape {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Primes in a digit.
    pub alpha: usize,
    /// Special primes.
    pub special: usize,
}

/// Nanoseconds of the kernels on one core, and how well threads share the work.
///
/// The defaults reproduce figures of `confide bench engine` on a 2.4 GHz server core with AVX-512 IFMA: a rotation of
/// 26 ms at N = 2^15 with 16+4 primes on one thread and 14.6 ms on two. They are above the kernels' own times because
/// memory counts. A prediction is a guide, and the worker rescales it by its own progress.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostModel {
    /// One butterfly of a number theoretic transform (`N/2 log2 N` of them a limb).
    pub butterfly_ns: f64,
    /// One modular multiply-add on one residue.
    pub multiply_ns: f64,
    /// One modular addition on one residue, memory traffic included.
    pub add_ns: f64,
    /// Share of the work that runs on all threads.
    pub parallel_share: f64,
    /// How much slower the data party (a browser on one thread) is than one of these cores.
    pub client_factor: f64,
}

impl Default for CostModel {
    fn default() -> Self {
        Self {
            butterfly_ns: 0.48,
            multiply_ns: 0.5,
            add_ns: 0.6,
            parallel_share: 0.9,
            client_factor: 2.0,
        }
    }
}

impl CostModel {
    /// Microseconds of `op` on one thread at `level` (before the operation).
    pub fn micros(&self, op: Op, level: usize, shape: &KeySwitchShape) -> f64 {
        let n = f64::from(1u32 << shape.log_n.min(30));
        let transform = self.butterfly_ns * n / 2.0 * f64::from(shape.log_n);
        let (multiply, add) = (self.multiply_ns * n, self.add_ns * n);
        let limbs = level as f64 + 1.0;
        let nanos = match op {
            Op::Add => 2.0 * limbs * add,
            Op::Scale => 2.0 * limbs * multiply,
            Op::Product => 4.0 * limbs * multiply,
            // The last limb goes to coefficients, its reduction to every other limb's transform.
            Op::Rescale => 2.0 * (limbs * transform + limbs * multiply),
            Op::KeySwitch => {
                let (special, alpha) = (shape.special as f64, shape.alpha.max(1) as f64);
                let digits = (limbs / alpha).ceil();
                let extended = limbs + special;
                // Digits to coefficients, up to all primes, products with the key, down again.
                let transforms = limbs + (digits * extended - limbs) + 2.0 * (special + limbs);
                let multiplies = digits * alpha.min(limbs) * extended
                    + 2.0 * digits * extended
                    + 2.0 * (special + 1.0) * limbs;
                transforms * transform + multiplies * multiply
            }
        };
        nanos / 1000.0
    }

    /// Seconds of `micros` of single-thread work on `threads` threads (Amdahl's law).
    pub fn seconds(&self, micros: f64, threads: usize) -> f64 {
        let share = self.parallel_share / threads.max(1) as f64 + (1.0 - self.parallel_share);
        micros * share / 1e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_at_full_size_costs_about_the_reference_figure() {
        // 26 ms at N = 2^15 with 16+4 primes in 4 digits on one core.
        let shape = KeySwitchShape {
            log_n: 15,
            alpha: 4,
            special: 4,
        };
        let micros = CostModel::default().micros(Op::KeySwitch, 15, &shape);
        assert!((20_000.0..32_000.0).contains(&micros), "{micros}");
    }

    #[test]
    fn threads_help_but_never_more_than_linearly() {
        let cost = CostModel::default();
        let one = cost.seconds(1e6, 1);
        assert!((one - 1.0).abs() < 1e-9);
        let four = cost.seconds(1e6, 4);
        assert!(four < 0.35 && four > 0.25, "{four}");
    }
}
