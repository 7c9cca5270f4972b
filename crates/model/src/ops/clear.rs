//! Layers on plain numbers.

use confide_tensor::{ClearCt, ClearEvaluator, Evaluator, TensorError};
use num_complex::Complex64;

use super::{LayerEvaluator, PeriodicSums, Reads, Sums};

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
        let (terms, level) = sources(self, reads)?;
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

    fn periodic_sums(
        &self,
        reads: &Reads<'_, ClearCt, Vec<bool>>,
        sums: &[PeriodicSums<'_>],
    ) -> Result<Vec<Self::Sum>, TensorError> {
        let (terms, level) = sources(self, reads)?;
        let mut out = Vec::new();
        for one in sums {
            let mut weights = vec![0.0; one.period];
            for row in 0..one.rows {
                let mut sum = vec![0.0; self.slots()];
                for &source in &one.sources {
                    weights.fill(0.0);
                    (one.weights)(row, source, &mut weights);
                    for ((s, x), w) in sum
                        .iter_mut()
                        .zip(&terms[source])
                        .zip(weights.iter().cycle())
                    {
                        *s += w * x;
                    }
                }
                out.push((sum, level));
            }
        }
        Ok(out)
    }

    fn add_periodic(&self, a: &ClearCt, values: &[f64]) -> Result<ClearCt, TensorError> {
        let sum = a.values().iter().zip(values.iter().cycle());
        let values: Vec<Complex64> = sum.map(|(x, c)| x + c).collect();
        self.encrypt(&values, self.level(a))
    }

    fn rotated_sum(&self, terms: &[(&ClearCt, i64)]) -> Result<ClearCt, TensorError> {
        let mut rotated = terms.iter().map(|(ct, k)| self.rotate(ct, *k));
        let first = rotated.next().ok_or(TensorError::TooFewOperands {
            op: "rotated_sum",
            needed: 1,
            available: 0,
        })??;
        rotated.try_fold(first, |sum, term| self.add(&sum, &term?))
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

/// The values of all sources, and their level, which is at least 1.
fn sources(
    ev: &ClearEvaluator,
    reads: &Reads<'_, ClearCt, Vec<bool>>,
) -> Result<(Vec<Vec<f64>>, usize), TensorError> {
    let op = "shifted_sums";
    let level = reads.inputs.iter().map(|ct| ev.level(ct)).min();
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
        let turned = ev.rotate(reads.inputs[input], shift.rotation)?;
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
    Ok((terms, level))
}
