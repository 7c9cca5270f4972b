//! Layers on plain numbers.

use confide_tensor::{ClearCt, ClearEvaluator, Evaluator, TensorError};
use num_complex::Complex64;

use super::LayerEvaluator;

impl LayerEvaluator for ClearEvaluator {
    type Mask = Vec<bool>;
    type Sum = (Vec<f64>, usize);

    fn mask(&self, cells: &[bool], _level: usize) -> Result<Vec<bool>, TensorError> {
        Ok(cells.to_vec())
    }

    fn rotations(&self, a: &ClearCt, ks: &[i64]) -> Result<Vec<ClearCt>, TensorError> {
        ks.iter().map(|&k| self.rotate(a, k)).collect()
    }

    fn masked(&self, a: ClearCt, mask: &Vec<bool>) -> Result<ClearCt, TensorError> {
        let level = self.level(&a);
        let mut values = a.into_values();
        for (value, &passes) in values.iter_mut().zip(mask.iter().cycle()) {
            if !passes {
                *value = Complex64::ZERO;
            }
        }
        self.encrypt(&values, level)
    }

    fn combine(
        &self,
        sums: Option<Vec<Self::Sum>>,
        terms: &[&ClearCt],
        rows: &[Vec<f64>],
    ) -> Result<Vec<Self::Sum>, TensorError> {
        const OP: &str = "combine";
        let level = terms.iter().map(|term| self.level(term)).min();
        let level = level.ok_or(TensorError::TooFewOperands {
            op: OP,
            needed: 1,
            available: 0,
        })?;
        if level == 0 {
            return Err(TensorError::LevelTooLow {
                op: OP,
                needed: 1,
                available: 0,
            });
        }
        let mut sums = sums.unwrap_or_else(|| vec![(vec![0.0; self.slots()], level); rows.len()]);
        for ((sum, _), row) in sums.iter_mut().zip(rows) {
            for (term, &weight) in terms.iter().zip(row) {
                for (s, x) in sum.iter_mut().zip(term.values()) {
                    *s += weight * x.re;
                }
            }
        }
        Ok(sums)
    }

    fn finish(&self, (values, level): Self::Sum, constant: f64) -> Result<ClearCt, TensorError> {
        let values: Vec<Complex64> = values
            .into_iter()
            .map(|x| Complex64::new(x + constant, 0.0))
            .collect();
        self.encrypt(&values, level - 1)
    }

    fn working_set(&self, _level: usize) -> usize {
        usize::MAX
    }
}
