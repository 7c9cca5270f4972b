//! Sums weighted slot by slot: what the linear part of a layer is where a ciphertext holds several channels.

use confide_ring::{ShiftedSums, Weights};

use super::Evaluator;
use super::shifted::{LazySum, Reads, check_sources, invalid};
use crate::encoding::PeriodicEncoder;
use crate::error::CkksError;
use crate::keys::EvaluationKeys;

/// Sums of sources times weights that differ from slot to slot and repeat.
pub struct PeriodicSums<'a> {
    /// Numbers of the sources.
    pub sources: &'a [usize],
    /// Number of sums.
    pub rows: usize,
    /// Slots after which weights repeat: a power of two from 4 on.
    pub period: usize,
    /// Writes the weights of a source (second, its place among the sources) in a sum (first) over zeros, one for each
    /// slot of a period.
    pub weights: &'a (dyn Fn(usize, usize, &mut [f64]) + Sync),
}

impl Evaluator {
    /// For each of `sums`, for each of its rows, the sum of its sources times their weights. Reads, scale and errors are
    /// those of [`Evaluator::shifted_sums`]; a weight is a polynomial in X^(N / 2 period), of which `period` coefficients
    /// are rounded. No level consumed; [`Evaluator::finish_sum`] is what comes next.
    ///
    /// # Errors
    /// As [`Evaluator::shifted_sums`]; [`CkksError::InvalidArgument`] for a period that is no power of two, below 4 or
    /// above the number of slots, and for a sum of nothing.
    pub fn periodic_sums(
        &self,
        reads: Reads<'_>,
        sums: &[PeriodicSums<'_>],
        scale: f64,
        keys: &EvaluationKeys,
    ) -> Result<Vec<LazySum>, CkksError> {
        const OP: &str = "periodic_sums";
        let checked = self.check_reads(OP, reads, scale, keys)?;
        let mut coefficients = Vec::with_capacity(sums.len());
        for one in sums {
            coefficients.push(self.periodic_weights(OP, one, scale, &checked.scales)?);
        }
        let weighted = sums.iter().zip(&coefficients);
        let sums: Vec<_> = weighted
            .map(|(one, coefficients)| ShiftedSums {
                sources: one.sources,
                weights: Weights::Polynomials {
                    period: 2 * one.period,
                    coefficients,
                },
            })
            .collect();
        Ok(self.sums_of(reads, checked, &sums, None))
    }

    /// The coefficients of all weights, in the order sum, source.
    fn periodic_weights(
        &self,
        op: &'static str,
        sums: &PeriodicSums<'_>,
        scale: f64,
        scales: &[f64],
    ) -> Result<Vec<f64>, CkksError> {
        let (slots, period, count) = (self.params.slots(), sums.period, sums.sources.len());
        if !period.is_power_of_two() || !(4..=slots).contains(&period) {
            return Err(CkksError::InvalidArgument {
                op,
                what: "slots of a period",
                needed: format!("a power of two from 4 to {slots}"),
                available: period.to_string(),
            });
        }
        check_sources(op, sums.sources, scales.len())?;
        if sums.rows == 0 {
            return Err(invalid(op, "rows of a sum", 1, 0));
        }
        let encoder = PeriodicEncoder::new(period);
        let mut coefficients = vec![0.0; sums.rows * count * period];
        let mut values = vec![0.0; period];
        for (i, own) in coefficients.chunks_exact_mut(period).enumerate() {
            let (row, source) = (i / count, i % count);
            values.fill(0.0);
            (sums.weights)(row, source, &mut values);
            encoder.coefficients(op, &values, scale / scales[sums.sources[source]], own)?;
        }
        Ok(coefficients)
    }
}
