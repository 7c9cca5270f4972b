//! What a threshold does: who is called positive, and how often rightly.

use super::proportion::Proportion;
use super::scored::Scored;
use serde::{Deserialize, Serialize};

/// Counts and shares when every record with a probability of at least `threshold` is called positive. The intervals are
/// Wilson's.
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
        let (mut tp, mut fp, mut fneg, mut tn) = (0, 0, 0, 0);
        for record in records {
            match (self.positive[record], self.scores[record] >= threshold) {
                (true, true) => tp += 1,
                (false, true) => fp += 1,
                (true, false) => fneg += 1,
                (false, false) => tn += 1,
            }
        }
        Decision {
            threshold,
            true_positives: tp,
            false_positives: fp,
            false_negatives: fneg,
            true_negatives: tn,
            sensitivity: Proportion::new(tp, tp + fneg),
            specificity: Proportion::new(tn, tn + fp),
            positive_predictive_value: Proportion::new(tp, tp + fp),
            negative_predictive_value: Proportion::new(tn, tn + fneg),
            accuracy: Proportion::new(tp + tn, tp + fp + fneg + tn),
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
