//! Whether a probability of 20 % comes true in 20 of 100 records.

use super::auc::Interval;
use super::clusters;
use super::proportion::Proportion;
use super::report::sigmoid;
use super::scored::{Scored, wald};
use serde::{Deserialize, Serialize};

/// Probabilities are kept this far from 0 and 1 before their logarithms are taken.
const NEAREST: f64 = 1e-10;
const NEWTON_STEPS: usize = 100;
const MOST_BINS: usize = 10;
/// Records that a bin should have at least.
const BIN_RECORDS: usize = 20;

/// Records of similar probability, and how many of them are of the class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lowest probability.
    pub lowest: f64,
    /// Mean probability.
    pub mean: f64,
    /// Highest probability.
    pub highest: f64,
    /// Records of the class.
    pub observed: Proportion,
}

/// How well probabilities agree with what came true (Van Calster et al., Journal of Clinical Epidemiology 2016).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Mean squared error of the probabilities.
    pub brier: f64,
    /// The same of a model that gives everybody the share of the class among these records.
    pub brier_reference: f64,
    /// Mean probability.
    pub mean: f64,
    /// Share of the class.
    pub observed: Proportion,
    /// Calibration in the large: what has to be added to the logits so that probabilities and class agree in sum; 0 is
    /// perfect, above 0 the risks are too low. `None` without records of both kinds.
    pub intercept: Option<Interval>,
    /// Slope of a logistic regression of the class on the logits (Cox, Biometrika 1958); 1 is perfect, below 1 the risks are
    /// too extreme. `None` when the scores separate the records completely.
    pub slope: Option<Interval>,
    /// Bins of about equal size, from low to high probabilities.
    pub bins: Vec<CalibrationBin>,
}

impl Scored {
    /// Measures the agreement of the probabilities with the classes.
    pub fn calibration(&self) -> Option<Calibration> {
        let observed = self.proportion(0..self.records(), |record| self.positive[record])?;
        let logits: Vec<f64> = self.scores.iter().map(|score| logit(*score)).collect();
        Some(Calibration {
            brier: self.brier(),
            brier_reference: observed.value * (1.0 - observed.value),
            mean: self.scores.iter().sum::<f64>() / self.records() as f64,
            intercept: self.intercept(&logits),
            slope: self.slope(&logits),
            bins: self.bins(),
            observed,
        })
    }

    /// Bins of at least [`BIN_RECORDS`] records where there are as many; records of one score are never parted.
    fn bins(&self) -> Vec<CalibrationBin> {
        let ascending: Vec<usize> = self.order.iter().rev().copied().collect();
        let count = (self.records() / BIN_RECORDS).clamp(1, MOST_BINS);
        let mut bins = Vec::with_capacity(count);
        let mut start = 0;
        for bin in 1..=count {
            let mut end = (self.records() * bin / count).max(start);
            while end > 0
                && end < self.records()
                && self.scores[ascending[end]] == self.scores[ascending[end - 1]]
            {
                end += 1;
            }
            bins.extend(self.bin(&ascending[start..end]));
            start = end;
        }
        bins
    }

    fn bin(&self, ascending: &[usize]) -> Option<CalibrationBin> {
        let (first, last) = (ascending.first()?, ascending.last()?);
        let sum: f64 = ascending.iter().map(|&record| self.scores[record]).sum();
        Some(CalibrationBin {
            lowest: self.scores[*first],
            mean: sum / ascending.len() as f64,
            highest: self.scores[*last],
            observed: self.share(ascending)?,
        })
    }

    /// How many of some records are of the class.
    pub(super) fn share(&self, records: &[usize]) -> Option<Proportion> {
        self.proportion(records.iter().copied(), |record| self.positive[record])
    }

    /// Standard error of an estimate from the influence of each record, where records belong together; else `independent`.
    fn error(&self, influences: impl Iterator<Item = f64>, independent: f64) -> Option<f64> {
        match self.is_grouped() {
            true => clusters::variance(self.groups.iter().copied().zip(influences)).map(f64::sqrt),
            false => Some(independent),
        }
    }
}

fn logit(probability: f64) -> f64 {
    let probability = probability.clamp(NEAREST, 1.0 - NEAREST);
    (probability / (1.0 - probability)).ln()
}

impl Scored {
    /// What is to be added to all logits, by Newton's method; the standard error is that of the likelihood, or of the
    /// groups' scores (Liang and Zeger, Biometrika 1986).
    fn intercept(&self, logits: &[f64]) -> Option<Interval> {
        let (events, positive) = (self.events(), &self.positive);
        if events == 0 || events == logits.len() {
            return None;
        }
        let mut shift = 0.0;
        for _ in 0..NEWTON_STEPS {
            let (mut gradient, mut curvature) = (0.0, 0.0);
            for (logit, &is) in logits.iter().zip(positive) {
                let p = sigmoid(logit + shift);
                gradient += f64::from(u8::from(is)) - p;
                curvature += p * (1.0 - p);
            }
            // Far from the answer the curvature is tiny: no step is longer than 2.
            let step: f64 = (gradient / curvature).clamp(-2.0, 2.0);
            shift += step;
            if step.abs() < 1e-12 {
                let error =
                    |(logit, &is): (&f64, &bool)| f64::from(u8::from(is)) - sigmoid(logit + shift);
                let influences = logits
                    .iter()
                    .zip(positive)
                    .map(error)
                    .map(|error| error / curvature);
                let error = self.error(influences, curvature.sqrt().recip())?;
                return Some(wald(shift, error));
            }
        }
        None
    }

    /// The slope of the logistic regression with an intercept of its own, by Newton's method with halved steps.
    fn slope(&self, logits: &[f64]) -> Option<Interval> {
        let positive = &self.positive;
        let of = |wanted: bool| {
            logits
                .iter()
                .zip(positive)
                .filter(move |(_, is)| **is == wanted)
                .map(|(logit, _)| *logit)
        };
        let least = |wanted| of(wanted).fold(f64::INFINITY, f64::min);
        let most = |wanted| of(wanted).fold(f64::NEG_INFINITY, f64::max);
        // Separated completely, the likelihood has no greatest value (Albert and Anderson, Biometrika 1984).
        if most(false) <= least(true) || most(true) <= least(false) {
            return None;
        }
        let loss = |a: f64, b: f64| -> f64 {
            let one = |(logit, &is): (&f64, &bool)| {
                -sigmoid(if is { a + b * logit } else { -a - b * logit })
                    .max(1e-300)
                    .ln()
            };
            logits.iter().zip(positive).map(one).sum()
        };
        let (mut a, mut b) = (0.0, 1.0);
        let mut now = loss(a, b);
        for _ in 0..NEWTON_STEPS {
            let (mut ga, mut gb, mut aa, mut ab, mut bb) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for (logit, &is) in logits.iter().zip(positive) {
                let p = sigmoid(a + b * logit);
                let (error, weight) = (f64::from(u8::from(is)) - p, p * (1.0 - p));
                (ga, gb) = (ga + error, gb + error * logit);
                (aa, ab, bb) = (
                    aa + weight,
                    ab + weight * logit,
                    bb + weight * logit * logit,
                );
            }
            let determinant = aa * bb - ab * ab;
            if determinant.is_nan() || determinant <= 1e-12 * aa * bb {
                return None;
            }
            let (mut da, mut db) = (
                (bb * ga - ab * gb) / determinant,
                (aa * gb - ab * ga) / determinant,
            );
            if da.abs() < 1e-10 && db.abs() < 1e-10 {
                let influence = |(logit, &is): (&f64, &bool)| {
                    let error = f64::from(u8::from(is)) - sigmoid(a + b * logit);
                    error * (aa * logit - ab) / determinant
                };
                let influences = logits.iter().zip(positive).map(influence);
                let error = self.error(influences, (aa / determinant).sqrt())?;
                return Some(wald(b, error));
            }
            let mut next = loss(a + da, b + db);
            for _ in 0..30 {
                if next <= now {
                    break;
                }
                (da, db) = (da / 2.0, db / 2.0);
                next = loss(a + da, b + db);
            }
            (a, b, now) = (a + da, b + db, next);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::scored::tests::twelve;
    use super::*;

    fn close(own: Option<Interval>, value: f64, low: f64, high: f64) {
        let own = own.unwrap();
        let differences = [own.value - value, own.low - low, own.high - high];
        assert!(
            differences.iter().all(|difference| difference.abs() < 1e-6),
            "{own:?}"
        );
    }

    #[test]
    fn slope_and_intercept_of_a_logistic_regression() {
        // scikit-learn 1.9: LogisticRegression(C=inf) on the logits gives 1.67554204; errors from numpy's inverse Hessian.
        let calibration = twelve().calibration().unwrap();
        close(
            calibration.slope,
            1.6755420436407376,
            -0.3662224700799699,
            3.7173065573614448,
        );
        close(
            calibration.intercept,
            0.25011362596745407,
            -1.071386991198776,
            1.5716142431336841,
        );
        assert_eq!(
            (calibration.observed.count, calibration.brier_reference),
            (6, 0.25)
        );
        assert!((calibration.mean - 5.45 / 12.0).abs() < 1e-12);
        assert_eq!(calibration.bins.len(), 1);
    }

    #[test]
    fn perfect_probabilities_have_slope_one() {
        // Of 100 records at each probability exactly the right number is of the class.
        let (mut positive, mut scores) = (Vec::new(), Vec::new());
        for percent in [10usize, 30, 50, 80] {
            for record in 0..100 {
                positive.push(record < percent);
                scores.push(percent as f64 / 100.0);
            }
        }
        let calibration = Scored::new(positive, scores, &[])
            .unwrap()
            .calibration()
            .unwrap();
        assert!((calibration.slope.unwrap().value - 1.0).abs() < 1e-9);
        assert!(calibration.intercept.unwrap().value.abs() < 1e-9);
        // Ten bins are wanted; there are four scores.
        assert_eq!(calibration.bins.len(), 4);
        for bin in &calibration.bins {
            assert!((bin.mean - bin.observed.value).abs() < 1e-12);
        }
    }

    #[test]
    fn complete_separation_has_no_slope() {
        let scored = |scores: [f64; 4]| {
            Scored::new(vec![false, false, true, true], scores.to_vec(), &[]).unwrap()
        };
        let apart = scored([0.1, 0.2, 0.8, 0.9]).calibration().unwrap();
        assert!(apart.slope.is_none() && apart.intercept.is_some());
        assert!(
            scored([0.9, 0.8, 0.2, 0.1])
                .calibration()
                .unwrap()
                .slope
                .is_none()
        );
        let certain = scored([0.0, 1.0, 0.0, 1.0]).calibration().unwrap();
        assert!(certain.slope.is_some_and(|slope| slope.value.abs() < 1e-6));
        let one_kind = Scored::new(vec![true; 3], vec![0.2, 0.3, 0.4], &[])
            .unwrap()
            .calibration()
            .unwrap();
        assert!(one_kind.slope.is_none() && one_kind.intercept.is_none());
    }
}
