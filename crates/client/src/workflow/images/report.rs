//! What a training on images gave.

use super::clear::ClearHead;
use super::run::ImageRun;
use crate::ClientError;
use crate::metrics::{Metrics, measure, most_probable, probabilities};
use crate::workflow::PlanSummary;
use crate::workflow::classify::Classification;
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
        let figures = |logits: &[Vec<f64>]| {
            let truths: Vec<usize> = self.test_images().map(|image| self.labels[image]).collect();
            let rows = self.probabilities(logits);
            measure(&truths, &rows, &self.classes, self.positive)
        };
        let accuracy = |metrics: &Metrics| metrics.accuracy.map(|accuracy| accuracy.value);
        let encrypted = figures(logits);
        let clear = clear.map(|clear| {
            let pairs = logits.iter().flatten().zip(clear.program.iter().flatten());
            let (own, program) = (self.classes_of(logits), self.classes_of(&clear.program));
            let same = own.iter().zip(&program).filter(|(a, b)| a == b).count();
            ClearReport {
                accuracy: accuracy(&figures(&clear.converged)),
                accuracy_program: accuracy(&figures(&clear.program)),
                label_agreement: same as f64 / own.len().max(1) as f64,
                max_logit_difference: pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs())),
                share_of_range: clear.share_of_range,
            }
        });
        Ok(ImageReport {
            model: self.card.name.clone(),
            classes: self.classes.clone(),
            train_images: self.parts.first().map_or(0, |part| part.images.len()),
            test_images: self.test_images().count(),
            accuracy_encrypted: accuracy(&encrypted),
            encrypted,
            clear,
            notes: self.notes.clone(),
            plan: PlanSummary::new(&self.training)?,
            feature_plans: self.features().map(ToString::to_string).collect(),
        })
    }

    /// Predictions of the test images: their scores are probabilities.
    pub fn predictions(&self, logits: &[Vec<f64>]) -> Vec<Classification> {
        let rows = self.probabilities(logits);
        let one = |(image, scores): (usize, Vec<f64>)| Classification {
            image: self.images[image].name.clone(),
            predicted: Some(most_probable(&scores, self.positive)),
            truth: Some(self.labels[image]),
            scores,
        };
        self.test_images().zip(rows).map(one).collect()
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    fn test_images(&self) -> impl Iterator<Item = usize> {
        let images = self.parts.get(1).map_or(&[][..], |part| &part.images);
        images.iter().copied()
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
