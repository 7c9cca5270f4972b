//! The same head in the clear, where the data party has the model: on features that it computes itself.

use super::run::ImageRun;
use crate::ClientError;
use crate::workflow::classify::{NamedImage, from_model};
use crate::workflow::from_train;
use confide_model::{Forward, ModelError, Weights};
use confide_train::train_converged;

/// Steps of the run to convergence.
const CONVERGED_STEPS: usize = 400;

/// Heads trained in the clear, as their logits of the test images.
#[derive(Clone, Debug, PartialEq)]
pub struct ClearHead {
    /// Of the very program that ran on ciphertexts, on plain numbers.
    pub program: Vec<Vec<f64>>,
    /// Of the exact sigmoid or softmax, trained to convergence.
    pub converged: Vec<Vec<f64>>,
    /// Largest logit of the program in training, as a share of the range that it must stay in.
    pub share_of_range: f64,
}

impl ImageRun {
    /// Trains the head in the clear with the model's weights. Takes some hundredths of a second an image: do it while the worker works.
    ///
    /// # Errors
    /// `CC-5040` for weights that are not the model's.
    pub fn clear(&self, weights: &Weights) -> Result<ClearHead, ClientError> {
        let card = self.card();
        let layer = card.feature_layer().unwrap_or_default();
        let forward = Forward::new(&card.architecture, weights, layer).map_err(from_model)?;
        let pooled = |image: &NamedImage| -> Result<Vec<f64>, ModelError> {
            let channels = forward.run(&card.normalise(&image.pixels)?)?;
            Ok(channels.into_iter().map(f64::from).collect())
        };
        let pooled = self.all.images.iter().map(pooled);
        self.clear_of(&pooled.collect::<Result<Vec<_>, _>>().map_err(from_model)?)
    }

    /// The same from the network's pooled channels in the clear, `[image][channel]`, as
    /// [`BaseModel::read_pixels`](crate::intake::BaseModel::read_pixels) has them of the images in their order.
    ///
    /// # Errors
    /// `CC-5040` for other channels than the card's features are made of.
    pub fn clear_of(&self, pooled: &[Vec<f64>]) -> Result<ClearHead, ClientError> {
        let rows = |part: usize| -> Result<Vec<Vec<f64>>, ClientError> {
            let images = self.part(part).iter();
            images
                .map(|&image| self.features_of(pooled.get(image).map_or(&[], Vec::as_slice)))
                .collect()
        };
        let (train, test) = (rows(0)?, rows(1)?);
        let labels = self.part(0).iter().map(|&image| self.program_label(image));
        let labels: Vec<usize> = labels.collect();
        let plan = &self.training;
        let program = plan.reference(&train, &labels).map_err(from_train)?;
        let converged = train_converged(
            plan.shape(),
            plan.loss(),
            plan.l2(),
            &train,
            &labels,
            CONVERGED_STEPS,
        );
        let converged = converged.map_err(from_train)?;
        Ok(ClearHead {
            program: plan.logits(&program.weights, &test),
            converged: plan.logits(&converged.weights, &test),
            share_of_range: program.largest / plan.range(),
        })
    }

    /// Features of pooled channels, and the constant 1 of the bias.
    fn features_of(&self, pooled: &[f64]) -> Result<Vec<f64>, ClientError> {
        let features = self.card().features.as_ref();
        let features = features.filter(|features| features.mean.len() == pooled.len());
        let features = features.ok_or_else(|| {
            let message = "What was computed in the clear is not of this model.";
            ClientError::new(
                "CC-5040",
                message,
                "Choose the model and the pictures again.",
            )
        })?;
        let pairs = pooled.iter().zip(&features.mean);
        let centred: Vec<f64> = pairs.map(|(x, mean)| x - mean).collect();
        let feature = |row: &Vec<f64>| row.iter().zip(&centred).map(|(w, x)| w * x).sum();
        Ok(features.rows.iter().map(feature).chain([1.0]).collect())
    }
}
