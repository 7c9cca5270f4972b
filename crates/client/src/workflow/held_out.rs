//! The records that tested a head, with what it said of them: everything that the results are computed from.

use super::report::Prediction;
use crate::ClientError;
use crate::metrics::{Assessment, Metrics, Scored, SimilarRecords, measure, most_probable};
use serde::{Deserialize, Serialize};

/// Test records with their true classes and probabilities. Kept beside a finished training, so that its results can be
/// looked at from another side without training again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Index of the positive class of two.
    pub positive: usize,
    /// Row of each record in the file, counted from 1 below the header.
    pub rows: Vec<usize>,
    /// True class of each record.
    pub truth: Vec<usize>,
    /// Group of each record, such as its patient; empty where none were named.
    pub groups: Vec<usize>,
    /// Probabilities `[record][class]` that the encrypted head gave.
    pub encrypted: Vec<Vec<f64>>,
    /// The same of the usual method on readable records; empty where that was not run.
    pub clear: Vec<Vec<f64>>,
}

/// A prediction of a new record with what such a prediction has been worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Row in the file, counted from 1 below the header.
    pub row: usize,
    /// With two classes the positive one from the threshold on; with more, the most probable.
    pub label: String,
    /// One probability a class.
    pub probabilities: Vec<f64>,
    /// For each class the held-out records with the most similar probability; none where they are too few.
    pub similar: Vec<Option<SimilarRecords>>,
}

impl HeldOut {
    /// Reads what was kept.
    ///
    /// # Errors
    /// `CC-5033` when it does not hold together.
    pub fn from_json(text: &str) -> Result<Self, ClientError> {
        let broken = || {
            ClientError::new(
                "CC-5033",
                "The kept results do not hold together.",
                "Train again.",
            )
        };
        let held: Self = serde_json::from_str(text).map_err(|_| broken())?;
        if held.is_sound() {
            Ok(held)
        } else {
            Err(broken())
        }
    }

    /// Whether all parts are of one set of records and classes.
    pub(super) fn is_sound(&self) -> bool {
        let (records, classes) = (self.truth.len(), self.classes.len());
        let complete = |rows: &[Vec<f64>]| {
            rows.len() == records && rows.iter().all(|row| row.len() == classes)
        };
        complete(&self.encrypted)
            && (self.clear.is_empty() || complete(&self.clear))
            && self.rows.len() == records
            && (self.groups.is_empty() || self.groups.len() == records)
            && self.truth.iter().all(|&class| class < classes)
            && self.positive < classes
    }

    /// As JSON.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen.
    pub fn to_json(&self) -> Result<String, ClientError> {
        serde_json::to_string(self).map_err(|error| super::from_engine(&error))
    }

    /// One class of `probabilities` (those of this set) against the rest; `None` without records or for an unknown class.
    pub fn against_rest(&self, probabilities: &[Vec<f64>], class: usize) -> Option<Scored> {
        let positive = self.truth.iter().map(|&truth| truth == class).collect();
        let scores = probabilities.iter().map(|row| row.get(class).copied());
        Scored::new(positive, scores.collect::<Option<_>>()?, &self.groups)
    }

    /// All figures of probabilities of these records.
    pub fn measure(&self, probabilities: &[Vec<f64>]) -> Metrics {
        let (names, groups) = (&self.classes, &self.groups);
        measure(&self.truth, probabilities, names, self.positive, groups)
    }

    /// The classes that are looked at one by one: the positive one of two, or all.
    pub fn looked_at(&self) -> Vec<usize> {
        match self.classes.len() {
            2 => vec![self.positive],
            count => (0..count).collect(),
        }
    }

    /// Assessments of the encrypted head at a threshold of one half.
    pub fn assessments(&self) -> Vec<Assessment> {
        let one = |class: usize| {
            let scored = self.against_rest(&self.encrypted, class)?;
            Assessment::new(&self.classes[class], &scored, 0.5)
        };
        self.looked_at().into_iter().filter_map(one).collect()
    }

    /// The class of a record: of two the positive one from the threshold on, of more the most probable.
    pub fn label(&self, probabilities: &[f64], threshold: f64) -> usize {
        match probabilities {
            [_, _] if probabilities[self.positive.min(1)] >= threshold => self.positive,
            [_, _] => 1 - self.positive.min(1),
            _ => most_probable(probabilities, self.positive),
        }
    }

    /// What the encrypted head said of these records, labelled at a threshold.
    pub fn predictions(&self, threshold: f64) -> Vec<Prediction> {
        let one = |(record, probabilities): (usize, &Vec<f64>)| Prediction {
            row: self.rows[record],
            predicted: self.classes[self.label(probabilities, threshold)].clone(),
            probabilities: probabilities.clone(),
            truth: self.classes.get(self.truth[record]).cloned(),
        };
        self.encrypted.iter().enumerate().map(one).collect()
    }

    /// New records beside these: their label at a threshold, and the held-out records like them.
    pub fn judge(&self, predictions: Vec<Prediction>, threshold: f64) -> Vec<Judged> {
        let looked_at = self.looked_at();
        let scored: Vec<Option<Scored>> = (0..self.classes.len())
            .map(|class| {
                let scored = self.against_rest(&self.encrypted, class);
                scored.filter(|_| looked_at.contains(&class))
            })
            .collect();
        let similar = |probabilities: &[f64]| {
            let pairs = scored.iter().zip(probabilities);
            pairs
                .map(|(scored, &probability)| scored.as_ref()?.similar(probability))
                .collect()
        };
        let one = |prediction: Prediction| Judged {
            row: prediction.row,
            label: self.classes[self.label(&prediction.probabilities, threshold)].clone(),
            similar: similar(&prediction.probabilities),
            probabilities: prediction.probabilities,
        };
        predictions.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held_out(classes: &[&str], truth: &[usize], encrypted: Vec<Vec<f64>>) -> HeldOut {
        HeldOut {
            classes: classes.iter().map(|name| (*name).to_owned()).collect(),
            positive: 1,
            rows: (1..=truth.len()).collect(),
            truth: truth.to_vec(),
            groups: Vec::new(),
            clear: encrypted.clone(),
            encrypted,
        }
    }

    fn two() -> HeldOut {
        let truth: Vec<usize> = (0..60).map(|record| record % 2).collect();
        let row = |record: usize| {
            let p = (record as f64 + 0.5) / 60.0;
            vec![1.0 - p, p]
        };
        held_out(&["well", "ill"], &truth, (0..60).map(row).collect())
    }

    #[test]
    fn kept_and_read_again() {
        let held = two();
        assert_eq!(HeldOut::from_json(&held.to_json().unwrap()).unwrap(), held);
        for broken in [
            HeldOut {
                truth: vec![0; 59],
                ..held.clone()
            },
            HeldOut {
                positive: 2,
                ..held.clone()
            },
            HeldOut {
                groups: vec![1],
                ..held.clone()
            },
        ] {
            let text = broken.to_json().unwrap();
            assert_eq!(HeldOut::from_json(&text).unwrap_err().code, "CC-5033");
        }
    }

    #[test]
    fn the_threshold_decides_between_two_and_not_between_three() {
        let held = two();
        assert_eq!(held.label(&[0.7, 0.3], 0.3), 1);
        assert_eq!(held.label(&[0.7, 0.3], 0.31), 0);
        let other = HeldOut {
            positive: 0,
            ..held.clone()
        };
        assert_eq!(other.label(&[0.3, 0.7], 0.3), 0);
        let three = held_out(&["a", "b", "c"], &[0], vec![vec![0.2, 0.3, 0.5]]);
        assert_eq!(three.label(&[0.2, 0.3, 0.5], 0.1), 2);
        let predictions = held.predictions(0.9);
        let called = predictions.iter().filter(|one| one.predicted == "ill");
        assert_eq!((called.count(), predictions[0].row), (6, 1));
        assert_eq!(predictions[1].truth.as_deref(), Some("ill"));
    }

    #[test]
    fn new_records_are_judged_by_the_held_out_ones() {
        let held = two();
        let new = Prediction {
            row: 7,
            predicted: String::new(),
            probabilities: vec![0.6, 0.4],
            truth: None,
        };
        let judged = held.judge(vec![new], 0.4);
        assert_eq!((judged[0].row, judged[0].label.as_str()), (7, "ill"));
        assert!(
            judged[0].similar[0].is_none(),
            "the other class says nothing new"
        );
        let similar = judged[0].similar[1].unwrap();
        assert_eq!((similar.observed.count, similar.observed.total), (10, 20));
    }

    #[test]
    fn every_class_of_sixteen_is_assessed_where_it_can_be() {
        let names: Vec<String> = (0..16).map(|class| format!("c{class}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // The last class has no test record.
        let truth: Vec<usize> = (0..150).map(|record| record % 15).collect();
        let row = |record: usize| {
            (0..16)
                .map(|class| if class == record % 15 { 0.25 } else { 0.05 })
                .collect()
        };
        let held = held_out(&names, &truth, (0..150).map(row).collect());
        let assessments = held.assessments();
        assert_eq!(assessments.len(), 15);
        assert_eq!(assessments[3].auc.value, 1.0);
        assert_eq!(held.measure(&held.encrypted).accuracy.unwrap().count, 150);
        let nobody = held_out(&["a", "b"], &[], Vec::new());
        assert!(nobody.assessments().is_empty());
    }
}
