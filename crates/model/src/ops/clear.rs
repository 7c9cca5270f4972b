//! Layers on plain numbers.

use confide_tensor::{ClearCt, ClearEvaluator, Evaluator, TensorError};
use num_complex::Complex64;

use super::{LayerEvaluator, Reads, Sums};

impl LayerEvaluator for ClearEvaluator {
    type Mask = Vec<bool>;
    type Sum = (Vec<f64>, usize);

    fn mask(&self, cells: &[bool], _level: usize) -> Result<Vec<bool>, TensorError> {
        Ok(cells.to_vec())
    }

    fn shifted_sums(
        &self,
        before: Option<Vec<Self::Sum>>,
        reads: &Reads<'_, ClearCt, Vec<bool>>,
        sums: &[Sums],
    ) -> Result<Vec<Self::Sum>, TensorError> {
        let op = "shifted_sums";
        let level = reads.inputs.iter().map(|ct| self.level(ct)).min();
        let level = level.ok_or(TensorError::TooFewOperands {
            op,
            needed: 1,
            available: 0,
        })?;
        if level == 0 {
            return Err(TensorError::LevelTooLow {
                op,
                needed: 1,
                available: 0,
            });
        }
        let mut terms = Vec::with_capacity(reads.sources.len());
        for &(input, shift) in &reads.sources {
            let shift = &reads.shifts[shift];
            let turned = self.rotate(reads.inputs[input], shift.rotation)?;
            let mut values: Vec<f64> = turned.values().iter().map(|x| x.re).collect();
            if let Some(mask) = &shift.mask {
                for (value, &passes) in values.iter_mut().zip(mask.iter().cycle()) {
                    if !passes {
                        *value = 0.0;
                    }
                }
            }
            terms.push(values);
        }
        let rows: usize = sums.iter().map(|one| one.rows.len()).sum();
        let mut out = before.unwrap_or_else(|| vec![(vec![0.0; self.slots()], level); rows]);
        let weights = sums
            .iter()
            .flat_map(|one| one.rows.iter().map(|row| (&one.sources, row)));
        for ((sum, _), (sources, row)) in out.iter_mut().zip(weights) {
            for (&source, &weight) in sources.iter().zip(row) {
                for (s, x) in sum.iter_mut().zip(&terms[source]) {
                    *s += weight * x;
                }
            }
        }
        Ok(out)
    }

    fn finish(&self, (values, level): Self::Sum, constant: f64) -> Result<ClearCt, TensorError> {
        let values: Vec<Complex64> = values
            .into_iter()
            .map(|x| Complex64::new(x + constant, 0.0))
            .collect();
        self.encrypt(&values, level - 1)
    }

    fn group(&self, _level: usize, _inputs: usize, _sources: usize) -> usize {
        usize::MAX
    }
}
