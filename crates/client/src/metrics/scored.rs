//! Records with the probability of one class against the rest: what curves, calibration and thresholds are made of.

use super::Z95;
use super::auc::Interval;
use super::proportion::Proportion;

/// Records with the probability that they are of one class, and whether they are.
#[derive(Clone, Debug)]
pub struct Scored {
    pub(super) positive: Vec<bool>,
    pub(super) scores: Vec<f64>,
    /// Records from the highest score to the lowest.
    pub(super) order: Vec<usize>,
    /// Which records belong together, numbered from 0; every record by itself where nothing was said.
    pub(super) groups: Vec<usize>,
    /// Number of groups.
    pub(super) units: usize,
}

/// Cases down to a score: true and false positives when every record from it on is called positive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) true_positives: f64,
    pub(super) false_positives: f64,
}

impl Scored {
    /// `groups[i]` names the group of record `i`, such as its patient; empty when each record stands for itself.
    /// `None` without records, when lengths differ, or when a score is not a probability.
    pub fn new(positive: Vec<bool>, scores: Vec<f64>, groups: &[usize]) -> Option<Self> {
        let count = scores.len();
        let sound = count > 0
            && positive.len() == count
            && (groups.is_empty() || groups.len() == count)
            && scores.iter().all(|score| (0.0..=1.0).contains(score));
        if !sound {
            return None;
        }
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut names: Vec<usize> = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        let groups: Vec<usize> = match names.is_empty() {
            true => (0..count).collect(),
            false => groups
                .iter()
                .map(|group| names.partition_point(|name| name < group))
                .collect(),
        };
        let units = if names.is_empty() { count } else { names.len() };
        Some(Self {
            positive,
            scores,
            order,
            groups,
            units,
        })
    }

    /// Number of records.
    pub fn records(&self) -> usize {
        self.scores.len()
    }

    /// Whether some records belong together.
    pub(super) fn is_grouped(&self) -> bool {
        self.units < self.records()
    }

    /// Number of records of the class.
    pub fn events(&self) -> usize {
        self.positive.iter().filter(|is| **is).count()
    }

    /// How many of some records count. Groups are made out only where there are some.
    pub(super) fn proportion(
        &self,
        records: impl Iterator<Item = usize>,
        counts: impl Fn(usize) -> bool,
    ) -> Option<Proportion> {
        let cases: Vec<(usize, bool)> = records
            .map(|record| (self.groups[record], counts(record)))
            .collect();
        if self.is_grouped() {
            return Proportion::of_groups(&cases);
        }
        Proportion::new(cases.iter().filter(|case| case.1).count(), cases.len())
    }

    /// Mean of the squared error of the probabilities (Brier, Monthly Weather Review 1950).
    pub fn brier(&self) -> f64 {
        self.weighted_brier(|_| 1.0)
    }

    /// The same, where a record counts as often as `weight` says.
    pub(super) fn weighted_brier(&self, weight: impl Fn(usize) -> f64) -> f64 {
        let (mut sum, mut total) = (0.0, 0.0);
        for record in 0..self.records() {
            let error = self.scores[record] - f64::from(u8::from(self.positive[record]));
            sum += weight(record) * error * error;
            total += weight(record);
        }
        sum / total
    }

    /// Cumulated weights of positives and negatives after each distinct score, highest first. `weight` is that of a record.
    pub(super) fn steps(&self, weight: impl Fn(usize) -> f64) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::with_capacity(self.records());
        let (mut true_positives, mut false_positives) = (0.0, 0.0);
        for (index, &record) in self.order.iter().enumerate() {
            if self.positive[record] {
                true_positives += weight(record);
            } else {
                false_positives += weight(record);
            }
            let score = self.scores[record];
            // Records of one score enter together.
            if self
                .order
                .get(index + 1)
                .is_none_or(|&next| self.scores[next] != score)
            {
                steps.push(Step {
                    true_positives,
                    false_positives,
                });
            }
        }
        steps
    }
}

/// A value with the normal interval of its standard error.
pub(super) fn wald(value: f64, error: f64) -> Interval {
    Interval {
        value,
        low: value - Z95 * error,
        high: value + Z95 * error,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The twelve records that the tests of the metrics share.
    pub(in crate::metrics) fn twelve() -> Scored {
        let positive = [0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1]
            .map(|is| is == 1)
            .to_vec();
        let scores = vec![
            0.1, 0.4, 0.35, 0.8, 0.2, 0.9, 0.4, 0.4, 0.7, 0.05, 0.6, 0.55,
        ];
        Scored::new(positive, scores, &[]).unwrap()
    }

    #[test]
    fn ties_enter_together_and_groups_are_numbered() {
        let scored = twelve();
        let steps = scored.steps(|_| 1.0);
        assert_eq!(steps.len(), 10);
        // Scores 0.9, 0.8, 0.7, 0.6, 0.55 stand alone; three records have 0.4.
        let at = steps[5];
        assert_eq!((at.true_positives, at.false_positives), (5.0, 3.0));
        assert_eq!((scored.units, scored.events()), (12, 6));
        let pairs =
            Scored::new(vec![true, false, true], vec![0.5, 0.5, 0.1], &[70, 3, 70]).unwrap();
        assert_eq!((pairs.groups, pairs.units), (vec![1, 0, 1], 2));
        assert!((scored.brier() - 0.1547916666666667).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for scores in [vec![f64::NAN], vec![1.5], vec![], vec![0.1, 0.2]] {
            assert!(Scored::new(vec![true], scores, &[]).is_none());
        }
        assert!(Scored::new(vec![true], vec![0.1], &[1, 2]).is_none());
    }
}
