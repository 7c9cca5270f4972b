//! What a training on images gave.

use super::clear::ClearHead;
use super::run::ImageRun;
use crate::ClientError;
use crate::metrics::{Assessment, Metrics, most_probable, probabilities};
use crate::workflow::classify::Classification;
use crate::workflow::report::largest_difference;
use crate::workflow::{ClassRows, HeldOut, PlanSummary};
use serde::{Deserialize, Serialize};

/// The head beside the same one in the clear.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClearReport {
    /// Accuracy of the exact sigmoid or softmax, trained to convergence.
    pub accuracy: Option<f64>,
    /// Accuracy of the program of the encrypted run on plain numbers.
    pub accuracy_program: Option<f64>,
    /// Share of the test images to which the encrypted run and the program in the clear give the same class.
    pub label_agreement: f64,
    /// Largest difference of a logit to the program in the clear.
    pub max_logit_difference: f64,
    /// Largest difference of a probability to the program in the clear.
    pub max_probability_difference: f64,
    /// All figures of the head that was trained to convergence.
    pub converged: Metrics,
    /// Largest logit of the program in training, as a share of its range.
    pub share_of_range: f64,
}

/// The report of a training on images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageReport {
    /// Name of the network that made the features.
    pub model: String,
    /// Names of the classes, in the order of all vectors.
    pub classes: Vec<String>,
    /// Images that trained.
    pub train_images: usize,
    /// Images that tested.
    pub test_images: usize,
    /// Accuracy on the test images, from decrypted predictions.
    pub accuracy_encrypted: Option<f64>,
    /// All figures, with intervals.
    pub encrypted: Metrics,
    /// The positive class of two or each of more: precision, calibration, and what a threshold of one half does. Classes for whose
    /// intervals the test images do not suffice are left out.
    pub assessments: Vec<Assessment>,
    /// Training and test images of each class.
    pub class_rows: Vec<ClassRows>,
    /// The positive class of two.
    pub positive: Option<String>,
    /// Where the data party has the model.
    pub clear: Option<ClearReport>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// The plan of the training.
    pub plan: PlanSummary,
    /// The plans of the features, for people.
    pub feature_plans: Vec<String>,
}

impl ImageRun {
    /// Measures the logits of the test images.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for an accepted plan.
    pub fn report(
        &self,
        logits: &[Vec<f64>],
        clear: Option<&ClearHead>,
    ) -> Result<ImageReport, ClientError> {
        let held_out = self.held_out(logits, clear);
        let figures = |logits: &[Vec<f64>]| held_out.measure(&self.probabilities(logits));
        let accuracy = |metrics: &Metrics| metrics.accuracy.map(|accuracy| accuracy.value);
        let encrypted = figures(logits);
        let clear = clear.map(|clear| {
            let (own, program) = (self.classes_of(logits), self.classes_of(&clear.program));
            let same = own.iter().zip(&program).filter(|(a, b)| a == b).count();
            let risks = [logits, &clear.program].map(|logits| self.probabilities(logits));
            let converged = figures(&clear.converged);
            ClearReport {
                accuracy: accuracy(&converged),
                accuracy_program: accuracy(&figures(&clear.program)),
                label_agreement: same as f64 / own.len().max(1) as f64,
                max_logit_difference: largest_difference(logits, &clear.program),
                max_probability_difference: largest_difference(&risks[0], &risks[1]),
                share_of_range: clear.share_of_range,
                converged,
            }
        });
        Ok(ImageReport {
            model: self.card().name.clone(),
            classes: self.classes.clone(),
            train_images: self.part(0).len(),
            test_images: self.part(1).len(),
            accuracy_encrypted: accuracy(&encrypted),
            encrypted,
            assessments: held_out.assessments(),
            class_rows: self.class_rows(),
            positive: (self.classes.len() == 2).then(|| self.classes[self.positive].clone()),
            clear,
            notes: self.notes.clone(),
            plan: PlanSummary::new(&self.training)?,
            feature_plans: self.features().map(ToString::to_string).collect(),
        })
    }

    /// What the test images were given, beside the truth; `clear` of the head in the clear where there is one.
    pub fn held_out(&self, logits: &[Vec<f64>], clear: Option<&ClearHead>) -> HeldOut {
        let of_test = |values: &[usize]| -> Vec<usize> {
            let test = self.part(1).iter();
            test.filter_map(|&image| values.get(image).copied())
                .collect()
        };
        HeldOut {
            classes: self.classes.clone(),
            positive: self.positive,
            rows: of_test(&self.rows),
            truth: of_test(&self.labels),
            groups: of_test(&self.groups),
            encrypted: self.probabilities(logits),
            clear: clear.map_or_else(Vec::new, |clear| self.probabilities(&clear.converged)),
        }
    }

    fn class_rows(&self) -> Vec<ClassRows> {
        let count = |part: usize, class: usize| {
            let images = self.part(part).iter();
            images.filter(|&&image| self.labels[image] == class).count()
        };
        let names = self.classes.iter().enumerate();
        names
            .map(|(class, name)| ClassRows {
                class: name.clone(),
                train: count(0, class),
                test: count(1, class),
            })
            .collect()
    }

    /// Predictions of the test images: their scores are probabilities.
    pub fn predictions(&self, logits: &[Vec<f64>]) -> Vec<Classification> {
        let rows = self.probabilities(logits);
        let one = |(image, scores): (usize, Vec<f64>)| Classification {
            image: self.all.images[image].name.clone(),
            predicted: Some(most_probable(&scores, self.positive)),
            truth: Some(self.labels[image]),
            scores,
        };
        self.part(1).iter().copied().zip(rows).map(one).collect()
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    fn probabilities(&self, logits: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let loss = self.training.loss();
        let rows = logits.iter();
        rows.map(|row| probabilities(row, self.positive, loss))
            .collect()
    }

    fn classes_of(&self, logits: &[Vec<f64>]) -> Vec<usize> {
        let rows = self.probabilities(logits);
        rows.iter()
            .map(|row| most_probable(row, self.positive))
            .collect()
    }
}
