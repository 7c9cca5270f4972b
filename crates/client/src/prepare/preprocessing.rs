//! Filling, standardising, straightening of skewed features, soft whitening, clipping and scaling, fitted on
//! training rows.

use super::Matrix;
use crate::ClientError;
use crate::intake::Records;
use nalgebra::{DMatrix, SymmetricEigen};
use serde::{Deserialize, Serialize};

/// Features at least as skewed as this are straightened. Clinical measurements often have a long tail, which a
/// linear head cannot use and which pushes logits out of the sigmoid's range.
const SKEWED: f64 = 0.5;
/// Straightening is asinh of this many standard deviations: linear near the mean, logarithmic in the tails.
const BEND: f64 = 2.0;

/// Choices of the fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitOptions {
    /// Added to every eigenvalue of the correlation matrix before its root divides the component. Zero would
    /// blow the noise of the weakest directions up to the size of the signal.
    pub softness: f64,
    /// Most components to keep, by falling eigenvalue.
    pub components: Option<usize>,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            softness: 0.5,
            components: None,
        }
    }
}

/// Steps that turn a record into the numbers that are encrypted. Holds statistics of the training rows, so it
/// stays with the data party.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Names of the features, in the order of all vectors here.
    pub features: Vec<String>,
    medians: Vec<f64>,
    means: Vec<f64>,
    /// One over the standard deviation; zero for a feature that is constant in training.
    inverse_deviations: Vec<f64>,
    /// For skewed features, mean and one over the standard deviation of the straightened values.
    straightened: Vec<Option<[f64; 2]>>,
    components: usize,
    /// `components` rows of one coefficient a feature.
    projection: Vec<f64>,
    /// Longest row after whitening; JSON has no infinity, so no limit is `None`.
    norm_limit: Option<f64>,
    /// Factor of all components and of the bias column.
    scale: f64,
}

impl Preprocessing {
    /// Fits on the given rows of the records.
    ///
    /// # Errors
    /// `CC-3002` when no rows are given or no feature varies, `CC-3003` when values are too large to square.
    pub fn fit(
        records: &Records,
        rows: &[usize],
        options: FitOptions,
    ) -> Result<Self, ClientError> {
        let width = records.features.len();
        if rows.is_empty() || width == 0 {
            return Err(nothing_varies());
        }
        let medians: Vec<f64> = (0..width)
            .map(|j| median(rows.iter().map(|&row| records.row(row)[j])))
            .collect();
        let count = rows.len() as f64;
        let mut filled = Matrix::zeros(rows.len(), width);
        for (target, &row) in rows.iter().enumerate() {
            fill(records.row(row), &medians, filled.row_mut(target));
        }
        let mut means = vec![0.0; width];
        for row in 0..rows.len() {
            for (mean, value) in means.iter_mut().zip(filled.row(row)) {
                *mean += value / count;
            }
        }
        let mut variances = vec![0.0; width];
        for row in 0..rows.len() {
            for ((variance, value), mean) in variances.iter_mut().zip(filled.row(row)).zip(&means) {
                *variance += (value - mean).powi(2) / count;
            }
        }
        if variances
            .iter()
            .chain(&means)
            .any(|value| !value.is_finite())
        {
            return Err(ClientError::new(
                "CC-3003",
                "Some values are too large to compute with.",
                "Express the columns in larger units, or leave them out.",
            ));
        }
        let inverse_deviations: Vec<f64> = variances
            .iter()
            .zip(&means)
            .map(|(variance, mean)| {
                // Rounding leaves a trace of variance in a constant column.
                let deviation = variance.sqrt();
                if deviation <= 1e-12 * mean.abs() || deviation < 1e-150 {
                    0.0
                } else {
                    1.0 / deviation
                }
            })
            .collect();
        let mut fitted = Self {
            features: records.features.clone(),
            medians,
            means,
            inverse_deviations,
            straightened: vec![None; width],
            components: 0,
            projection: Vec::new(),
            norm_limit: None,
            scale: 1.0,
        };
        fitted.fit_straightening(&filled);
        fitted.fit_projection(&filled, options)?;
        Ok(fitted)
    }

    fn fit_straightening(&mut self, filled: &Matrix) {
        let count = filled.rows() as f64;
        for j in 0..self.features.len() {
            let standard = (0..filled.rows())
                .map(|row| (filled.row(row)[j] - self.means[j]) * self.inverse_deviations[j]);
            if standard.clone().map(|z| z.powi(3)).sum::<f64>().abs() / count < SKEWED {
                continue;
            }
            let bent: Vec<f64> = standard.map(|z| (BEND * z).asinh()).collect();
            let mean = bent.iter().sum::<f64>() / count;
            let variance = bent.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / count;
            if variance > 0.0 {
                self.straightened[j] = Some([mean, variance.sqrt().recip()]);
            }
        }
    }

    /// Principal components of the standardised rows, each divided by the root of its softened eigenvalue.
    fn fit_projection(&mut self, filled: &Matrix, options: FitOptions) -> Result<(), ClientError> {
        let width = self.features.len();
        // Row by row, the lower triangle only: the inner loop runs over contiguous numbers.
        let mut lower = Matrix::zeros(width, width);
        let mut standard = vec![0.0; width];
        for row in 0..filled.rows() {
            self.standardise(filled.row(row), &mut standard);
            for (i, &left) in standard.iter().enumerate() {
                for (sum, &right) in lower.row_mut(i)[..=i].iter_mut().zip(&standard) {
                    *sum += left * right;
                }
            }
        }
        let count = filled.rows() as f64;
        let correlation =
            DMatrix::from_fn(width, width, |i, j| lower.row(i.max(j))[i.min(j)] / count);
        let eigen = SymmetricEigen::try_new(correlation, f64::EPSILON, 100 * width.max(10))
            .ok_or_else(nothing_varies)?;
        let mut order: Vec<usize> = (0..width)
            .filter(|&k| eigen.eigenvalues[k] > 1e-9)
            .collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        order.truncate(options.components.unwrap_or(usize::MAX).max(1));
        if order.is_empty() {
            return Err(nothing_varies());
        }
        self.components = order.len();
        self.projection.clear();
        for &k in &order {
            let vector = eigen.eigenvectors.column(k);
            // An eigenvector has no sign of its own: the largest coefficient is made positive.
            let largest = vector.iter().copied().fold(0.0f64, |best, v| {
                if v.abs() > best.abs() + 1e-9 { v } else { best }
            });
            let factor = largest.signum() / (eigen.eigenvalues[k] + options.softness).sqrt();
            self.projection.extend(vector.iter().map(|v| v * factor));
        }
        Ok(())
    }

    fn standardise(&self, filled: &[f64], target: &mut [f64]) {
        for (j, value) in filled.iter().enumerate() {
            let standard = (value - self.means[j]) * self.inverse_deviations[j];
            target[j] = match self.straightened[j] {
                None => standard,
                Some([mean, inverse]) => ((BEND * standard).asinh() - mean) * inverse,
            };
        }
    }

    /// Number of columns that [`Preprocessing::transform`] makes: the components and the bias.
    pub fn columns(&self) -> usize {
        self.components + 1
    }

    /// Number of components kept.
    pub fn components(&self) -> usize {
        self.components
    }

    /// Leaves out all but the strongest components.
    pub fn keep_components(&mut self, most: usize) {
        self.components = self.components.min(most.max(1));
        self.projection
            .truncate(self.components * self.features.len());
    }

    /// Factor of all columns.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Sets the length to which longer whitened rows are shortened.
    pub fn set_norm_limit(&mut self, limit: Option<f64>) {
        self.norm_limit = limit;
    }

    /// Changes the factor of all columns.
    pub fn set_scale(&mut self, scale: f64) {
        self.scale = scale;
    }

    /// The given rows as whitened components and a last column of the bias; and how many rows were shortened.
    ///
    /// # Errors
    /// `CC-3004` when the records have other features than those of the fit.
    pub fn transform(
        &self,
        records: &Records,
        rows: &[usize],
    ) -> Result<(Matrix, usize), ClientError> {
        if records.features != self.features {
            return Err(ClientError::new(
                "CC-3004",
                "The records have other features than the head was trained with.",
                format!(
                    "Use a table with the columns: {}.",
                    self.features.join(", ")
                ),
            ));
        }
        let width = self.features.len();
        let (mut filled, mut standard) = (vec![0.0; width], vec![0.0; width]);
        let mut result = Matrix::zeros(rows.len(), self.columns());
        let mut shortened = 0;
        for (target, &row) in rows.iter().enumerate() {
            fill(records.row(row), &self.medians, &mut filled);
            self.standardise(&filled, &mut standard);
            let out = result.row_mut(target);
            for (k, value) in out[..self.components].iter_mut().enumerate() {
                let coefficients = &self.projection[k * width..(k + 1) * width];
                *value = coefficients.iter().zip(&standard).map(|(c, s)| c * s).sum();
            }
            let norm = out[..self.components]
                .iter()
                .map(|v| v * v)
                .sum::<f64>()
                .sqrt();
            let mut factor = self.scale;
            if let Some(limit) = self.norm_limit.filter(|&limit| norm > limit) {
                factor *= limit / norm;
                shortened += 1;
            }
            out[..self.components]
                .iter_mut()
                .for_each(|value| *value *= factor);
            out[self.components] = self.scale;
        }
        Ok((result, shortened))
    }

    /// Checks what was read from a file.
    ///
    /// # Errors
    /// `CC-3005` when lengths do not fit together or a value is not finite.
    pub fn check(&self) -> Result<(), ClientError> {
        let width = self.features.len();
        let lengths = [
            self.medians.len(),
            self.means.len(),
            self.inverse_deviations.len(),
            self.straightened.len(),
        ] == [width; 4]
            && (1..=width).contains(&self.components)
            && Some(self.projection.len()) == self.components.checked_mul(width);
        let finite = [
            &self.medians,
            &self.means,
            &self.inverse_deviations,
            &self.projection,
        ]
        .iter()
        .all(|values| values.iter().all(|value| value.is_finite()))
            && self
                .straightened
                .iter()
                .flatten()
                .flatten()
                .all(|value| value.is_finite())
            && self.scale.is_finite()
            && self
                .norm_limit
                .is_none_or(|limit| limit.is_finite() && limit > 0.0);
        if lengths && finite {
            Ok(())
        } else {
            Err(ClientError::new(
                "CC-3005",
                "The model file does not hold together.",
                "Use an undamaged copy of it.",
            ))
        }
    }
}

fn nothing_varies() -> ClientError {
    ClientError::new(
        "CC-3002",
        "No feature differs between the training rows.",
        "Choose other columns, or more rows.",
    )
}

fn fill(values: &[f64], medians: &[f64], target: &mut [f64]) {
    for ((target, value), median) in target.iter_mut().zip(values).zip(medians) {
        *target = if value.is_nan() { *median } else { *value };
    }
}

/// The median of the numbers that are present; zero if there are none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut present: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    present.sort_by(f64::total_cmp);
    match present.len() {
        0 => 0.0,
        n if n % 2 == 1 => present[n / 2],
        n => present[n / 2 - 1] / 2.0 + present[n / 2] / 2.0,
    }
}

#[cfg(test)]
#[path = "preprocessing_tests.rs"]
mod tests;
