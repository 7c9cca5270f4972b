//! What a bootstrap consists of, counted for predictions of its time.

use super::dft::Factor;
use super::{BootstrapLiteral, BootstrapParameters};
use crate::error::CkksError;

/// The work of one matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatrixWork {
    /// Level of its input.
    pub level: usize,
    /// Rotations that share one decomposition and stay over the special primes.
    pub hoisted: usize,
    /// Giant steps: key switches of their own.
    pub switches: usize,
    /// Products with diagonals, over the special primes too.
    pub diagonals: usize,
}

/// The work of one bootstrap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BootstrapWork {
    /// Those of CoeffsToSlots and SlotsToCoeffs.
    pub matrices: Vec<MatrixWork>,
    /// Products with relinearisation, conjugations and other single key switches: level and number.
    pub switches: Vec<(usize, usize)>,
}

impl BootstrapParameters {
    /// The work of a bootstrap of `2^log_slots` slots. Additions and products with constants are left out.
    ///
    /// # Errors
    /// As [`BootstrapParameters::keys`].
    pub fn work(&self, log_slots: u32) -> Result<BootstrapWork, CkksError> {
        let literal = self.literal();
        let placed = self.placed(log_slots)?;
        let matrices = placed
            .iter()
            .map(|(factor, level)| matrix(factor, *level, literal.baby));
        let matrices = matrices.collect();
        let sparse = log_slots < self.params().log_slots();
        // Real and imaginary parts are taken modulo q_0 apart, or side by side where half of the slots are free.
        let parts = if sparse { 1 } else { 2 };
        let ladder = self.ladder();
        let products = products(literal);
        let each = |(level, count): (&usize, usize)| (*level, parts * count);
        let mut switches: Vec<_> = ladder.iter().zip(products).map(each).collect();
        // The key of the sparse secret, conjugation, and the trace of fewer slots.
        let trace = (self.params().log_slots() - log_slots) as usize;
        let top = self.params().max_level();
        switches.push((top, 1 + trace));
        switches.push((ladder[0], 1));
        if sparse {
            switches.push((self.output_level(), 3));
        }
        Ok(BootstrapWork { matrices, switches })
    }
}

fn matrix(factor: &Factor, level: usize, baby: usize) -> MatrixWork {
    let giant = baby * factor.stride;
    let mut babies: Vec<usize> = factor.diagonals.keys().map(|k| k % giant).collect();
    babies.sort_unstable();
    babies.dedup();
    let last = factor.diagonals.keys().max().copied().unwrap_or(0);
    MatrixWork {
        level,
        hoisted: babies.iter().filter(|step| **step != 0).count(),
        switches: last / giant,
        diagonals: factor.diagonals.len(),
    }
}

/// Products of ciphertexts at each step of EvalMod, about: the powers of the polynomial's baby and giant steps and its
/// recombination spread over its depth, then one a doubling, then those of the arcsine.
fn products(literal: &BootstrapLiteral) -> Vec<usize> {
    let polynomial = |degree: usize| {
        let depth = (degree + 1).next_power_of_two().ilog2() as usize;
        // Paterson and Stockmeyer: about the square root twice, the powers of two at one product a level among them.
        let all = (2.0 * (degree as f64).sqrt()).round() as usize;
        (0..depth).map(move |step| (all * (step + 1) / depth) - all * step / depth)
    };
    let mut steps: Vec<usize> = polynomial(literal.degree).collect();
    steps.extend(std::iter::repeat_n(1, literal.doublings));
    if literal.arcsine > 0 {
        steps.extend(polynomial(literal.arcsine));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_baby_steps_are_fewer_giant_ones_and_more_keys() {
        let set = |baby| {
            let literal = BootstrapLiteral {
                baby,
                ..BootstrapLiteral::n16()
            };
            BootstrapParameters::new(literal).expect("secure")
        };
        let (few, many) = (set(2), set(8));
        for log_slots in [12, 15] {
            let switches = |set: &BootstrapParameters| -> usize {
                let work = set.work(log_slots).expect("fits");
                work.matrices.iter().map(|matrix| matrix.switches).sum()
            };
            assert!(switches(&few) > 2 * switches(&many), "{log_slots}");
            let keys = |set: &BootstrapParameters| set.keys(log_slots).expect("fits").len();
            assert!(keys(&few) < keys(&many), "{log_slots}");
            let diagonals = |set: &BootstrapParameters| -> Vec<usize> {
                let work = set.work(log_slots).expect("fits");
                work.matrices
                    .iter()
                    .map(|matrix| matrix.diagonals)
                    .collect()
            };
            assert_eq!(diagonals(&few), diagonals(&many));
        }
    }
}
