//! What a threshold does: who is called positive, and how often rightly.

use super::proportion::Proportion;
use super::scored::Scored;
use serde::{Deserialize, Serialize};

/// Counts and shares when every record with a probability of at least `threshold` is called positive. The intervals are
/// Wilson's, with groups of records that belong together counted as [`Proportion`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Least probability that is called positive.
    pub threshold: f64,
    /// Rightly called.
    pub true_positives: usize,
    /// Wrongly called.
    pub false_positives: usize,
    /// Wrongly not called.
    pub false_negatives: usize,
    /// Rightly not called.
    pub true_negatives: usize,
    /// Called among the positive.
    pub sensitivity: Option<Proportion>,
    /// Not called among the others.
    pub specificity: Option<Proportion>,
    /// Positive among the called.
    pub positive_predictive_value: Option<Proportion>,
    /// Not positive among those not called.
    pub negative_predictive_value: Option<Proportion>,
    /// Rightly called or not called among all.
    pub accuracy: Option<Proportion>,
}

impl Scored {
    /// What a threshold does to all records.
    pub fn decision(&self, threshold: f64) -> Decision {
        self.decision_among(0..self.records(), threshold)
    }

    /// What a threshold does to some of the records.
    pub(super) fn decision_among(
        &self,
        records: impl Iterator<Item = usize>,
        threshold: f64,
    ) -> Decision {
        let records: Vec<usize> = records.collect();
        let is = |record: usize| self.positive[record];
        let called = |record: usize| self.scores[record] >= threshold;
        let right = |record: usize| is(record) == called(record);
        // How many of the records of a kind are rightly called or not called.
        let share = |kind: &dyn Fn(usize) -> bool| {
            let of_kind = records.iter().copied().filter(|&record| kind(record));
            self.proportion(of_kind, right)
        };
        let count = |wanted_is: bool, wanted_called: bool| {
            let those =
                |record: &&usize| (is(**record), called(**record)) == (wanted_is, wanted_called);
            records.iter().filter(those).count()
        };
        Decision {
            threshold,
            true_positives: count(true, true),
            false_positives: count(false, true),
            false_negatives: count(true, false),
            true_negatives: count(false, false),
            sensitivity: share(&is),
            specificity: share(&|record| !is(record)),
            positive_predictive_value: share(&called),
            negative_predictive_value: share(&|record| !called(record)),
            accuracy: share(&|_| true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scored::tests::twelve;

    #[test]
    fn counted_by_hand() {
        let half = twelve().decision(0.5);
        let counts = (
            half.true_positives,
            half.false_positives,
            half.false_negatives,
            half.true_negatives,
        );
        assert_eq!(counts, (4, 1, 2, 5));
        assert_eq!(half.positive_predictive_value.unwrap().value, 0.8);
        assert_eq!(half.negative_predictive_value.unwrap().count, 5);
        // A score that is the threshold is called.
        assert_eq!(twelve().decision(0.4).true_positives, 5);
        let nobody = twelve().decision(0.95);
        assert!(
            nobody.positive_predictive_value.is_none() && nobody.sensitivity.unwrap().count == 0
        );
        let all = twelve().decision(0.0);
        assert!(all.negative_predictive_value.is_none() && all.accuracy.unwrap().count == 6);
    }
}
