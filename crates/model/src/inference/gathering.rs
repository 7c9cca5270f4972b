//! Features that stay with the compute party: those of a job's images end in the rows of one ciphertext, where a head reads them.

use std::sync::Arc;

use confide_ckks::Parameters;
use confide_tensor::{CostModel, TensorError};
use serde::{Deserialize, Serialize};

use super::planner::RINGS;
use crate::card::{Card, FeatureCard};
use crate::error::{ModelError, layout};
use crate::features::{self, FeatureRows, FeatureSums};
use crate::ops::LayerEvaluator;
use crate::program::{Program, Tensor};
use crate::refresh::BootstrapNeeds;
use crate::weights::Weights;

/// What training says of the ciphertexts that it reads features from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gathering {
    /// log2 of the ring degree: that of training.
    pub log_n: u32,
    /// Slots of a row, a power of two.
    pub columns: usize,
    /// Features are stored times this, beside the scale of their level.
    pub scale: f64,
    /// Whether the network works under the parameters of training and is bootstrapped on the way. Otherwise all its levels are there
    /// at once, under parameters of its own.
    pub bootstrapped: bool,
}

impl Gathering {
    /// Rows of a ciphertext: a job has no more images.
    pub fn rows(&self) -> usize {
        let slots = 1_usize << (self.log_n.clamp(1, 32) - 1);
        (slots / self.columns.max(1)).max(1)
    }

    /// Jobs that so many images take.
    pub fn jobs(&self, images: usize) -> usize {
        images.div_ceil(self.rows())
    }

    /// Level at which features are handed over.
    pub(super) fn level(&self) -> Result<usize, ModelError> {
        match self.bootstrapped {
            true => Ok(BootstrapNeeds::of_ring(self.log_n)?.levels.input),
            false => Ok(features::HANDOVER_LEVEL),
        }
    }

    /// Parameters of a network that is not bootstrapped and whose features are `levels` levels deep, the gathering included.
    pub(super) fn parameters(&self, levels: usize) -> Result<Parameters, ModelError> {
        #[cfg(any(test, feature = "insecure-test-parameters"))]
        if self.log_n < *RINGS.start() {
            return features::parameters_insecure_for_tests(self.log_n, levels);
        }
        features::parameters(self.log_n, levels, &CostModel::default())
    }

    /// Whether plans are made for its ring.
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let tests = cfg!(any(test, feature = "insecure-test-parameters")) && self.log_n == 10;
        if !RINGS.contains(&self.log_n) && !tests {
            let needed = format!("{RINGS:?}");
            return Err(layout("log2 of the ring degree", needed, self.log_n));
        }
        if !self.scale.is_normal() {
            return Err(layout("scale of features", "a finite number", self.scale));
        }
        Ok(())
    }
}

/// The features of a card.
pub(super) fn of_card(card: &Card) -> Result<&FeatureCard, ModelError> {
    let missing = || ModelError::Card(format!("{} has no features for other heads", card.name));
    card.features.as_ref().ok_or_else(missing)
}

/// What follows a network that ends with the layer of its card's features.
#[derive(Debug, Clone)]
pub struct FeatureEnd {
    rows: FeatureRows,
    sums: FeatureSums,
    level: usize,
}

impl FeatureEnd {
    /// For a program of so many images.
    ///
    /// # Errors
    /// [`ModelError::Card`] if the card has no features; [`ModelError::Layout`] if the rows of all images do not fit one
    /// ciphertext.
    pub fn new(card: &Card, gathering: &Gathering, program: &Program) -> Result<Self, ModelError> {
        let features = of_card(card)?;
        let tensor = program.tensor(&features.layer);
        let (maps, gains) = tensor.ok_or_else(|| {
            ModelError::Card(format!(
                "{} has no layer {} for features",
                card.name, features.layer
            ))
        })?;
        let rows = FeatureRows::new(maps, program.images(), gathering.columns)?;
        if rows.tiles() != 1 {
            return Err(layout("ciphertexts of a job's features", 1, rows.tiles()));
        }
        Ok(Self {
            rows,
            sums: FeatureSums::new(features, gains, gathering.scale)?,
            level: gathering.level()?,
        })
    }

    /// Where the features of each image go.
    pub fn rows(&self) -> &FeatureRows {
        &self.rows
    }

    /// The features of pooled channels, at the level at which they are handed over. On ciphertexts with masks of [`features::MASK_BITS`].
    ///
    /// # Errors
    /// As [`FeatureRows::pack`].
    pub fn pack<E: LayerEvaluator>(
        &self,
        ev: &E,
        pooled: Tensor<E::Ct>,
    ) -> Result<Tensor<E::Ct>, ModelError> {
        // Bootstraps may leave more levels than the gathering takes.
        let lower = |channel: Arc<E::Ct>| match ev.level(&channel) > self.level + 1 {
            true => Ok(Arc::new(ev.at_level(&channel, self.level + 1)?)),
            false => Ok(channel),
        };
        let lowered = |channel: Vec<_>| channel.into_iter().map(lower).collect();
        let pooled: Result<_, TensorError> = pooled.into_iter().map(lowered).collect();
        let tiles = self.rows.pack(ev, pooled?, &self.sums)?;
        Ok(tiles.into_iter().map(|tile| vec![Arc::new(tile)]).collect())
    }
}

/// Levels of a network up to the features of its card, the gathering included, and the slots that an image's maps before pooling take
/// in each of their ciphertexts.
///
/// # Errors
/// [`ModelError::Card`] if the card has no features.
pub fn feature_shape(card: &Card) -> Result<[usize; 2], ModelError> {
    let features = of_card(card)?;
    let whole = &card.architecture;
    let (network, _) = whole.until(&features.layer, &Weights::default())?;
    let layers = &network.layers;
    let pooled = layers.iter().find(|layer| layer.name == features.layer);
    let maps = pooled.and_then(|layer| layer.inputs.first());
    let shapes = network.shapes()?;
    let [_, height, width] = maps
        .and_then(|maps| shapes.get(maps.as_str()).copied())
        .unwrap_or(network.input);
    let side = height.max(width).next_power_of_two();
    Ok([network.levels() + 1, side * side])
}
