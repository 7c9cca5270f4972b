//! A network for images that the data party runs itself, in the clear: pictures become features of a head.

use super::picture::Picture;
use super::pictures::PictureSource;
use crate::ClientError;
use confide_model::{Card, Forward, ModelError, Weights};
use serde::Serialize;

const NO_FEATURES: &str = "it has no pooled features";

/// A network up to its pooled last maps, ready to read pictures.
pub struct BaseModel {
    card: Card,
    forward: Forward,
    features: usize,
}

/// What a card says of a base model, for people who choose one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BaseModelAbout {
    /// Name of the model.
    pub name: String,
    /// SHA-256 of the card, hexadecimal.
    pub card: String,
    /// One sentence.
    pub about: String,
    /// SPDX expression.
    pub licence: String,
    /// What it was trained to tell apart.
    pub classes: Vec<String>,
    /// Channels, height and width of a picture.
    pub shape: [usize; 3],
    /// Whether its card has features for heads, so that it can read encrypted pictures for one.
    pub heads: bool,
}

impl BaseModelAbout {
    /// Reads a card.
    ///
    /// # Errors
    /// `CC-1030` for one that is not valid or has no pooled features.
    pub fn of_card(card: &[u8]) -> Result<Self, ClientError> {
        let card = Card::parse(card).map_err(|error| unusable(&error))?;
        if card.feature_layer().is_none() {
            return Err(unusable(&NO_FEATURES));
        }
        Ok(Self {
            card: card.id_hex(),
            heads: card.features.is_some(),
            name: card.name,
            about: card.about,
            licence: card.licence,
            classes: card.classes,
            shape: card.input.shape,
        })
    }

    /// Refuses another model than the one of a training.
    ///
    /// # Errors
    /// `CC-1031`.
    pub fn check(&self, source: &PictureSource) -> Result<(), ClientError> {
        same(&self.name, &self.card, source)
    }
}

impl BaseModel {
    /// From the bytes of the card and of the weights, which must be those that the card promises.
    ///
    /// # Errors
    /// `CC-1030`.
    pub fn new(card: &[u8], weights: &[u8]) -> Result<Self, ClientError> {
        let card = Card::parse(card).map_err(|error| unusable(&error))?;
        let weights = card
            .read_weights(weights)
            .map_err(|error| unusable(&error))?;
        Self::of(card, &weights)
    }

    /// From a model that was read.
    ///
    /// # Errors
    /// `CC-1030` for one without pooled features.
    pub fn of(card: Card, weights: &Weights) -> Result<Self, ClientError> {
        let layer = card.feature_layer().ok_or_else(|| unusable(&NO_FEATURES))?;
        let network = &card.architecture;
        let make = || -> Result<(Forward, usize), ModelError> {
            let shape = network.shapes()?.get(layer).copied();
            let features = shape.map_or(0, |[channels, ..]| channels);
            Ok((Forward::new(network, weights, layer)?, features))
        };
        let (forward, features) = make().map_err(|error| unusable(&error))?;
        Ok(Self {
            card,
            forward,
            features,
        })
    }

    /// The card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Features of a picture.
    pub fn features(&self) -> usize {
        self.features
    }

    /// What is remembered of a training on what this model made of the pictures of `column`.
    pub fn source(&self, column: &str) -> PictureSource {
        PictureSource {
            column: column.to_owned(),
            name: self.card.name.clone(),
            card: self.card.id_hex(),
        }
    }

    /// Refuses another model than the one of a training.
    ///
    /// # Errors
    /// `CC-1031`.
    pub fn check(&self, source: &PictureSource) -> Result<(), ClientError> {
        same(&self.card.name, &self.card.id_hex(), source)
    }

    /// The features of a PNG or JPEG file, brought to the network's size: [`BaseModel::features`] numbers, the same on every
    /// machine.
    ///
    /// # Errors
    /// Those of [`Picture::read`]; `CC-1033` when the network gives no numbers for it.
    pub fn read(&self, file: &[u8]) -> Result<Vec<f32>, ClientError> {
        self.read_pixels(&Picture::read(file)?.to_input(self.card.input.shape))
    }

    /// The same of an image at the network's size: bytes by channel, row and column.
    ///
    /// # Errors
    /// `CC-1033` when the network gives no numbers for it.
    pub fn read_pixels(&self, pixels: &[u8]) -> Result<Vec<f32>, ClientError> {
        let refused = |why: String| {
            ClientError::new(
                "CC-1033",
                format!("The base model cannot use the picture: {why}."),
                "Leave it out, or choose another base model.",
            )
        };
        let planes = self.card.normalise(pixels);
        let planes = planes.map_err(|error| refused(error.to_string()))?;
        let features = self.forward.run(&planes);
        let features = features.map_err(|error| refused(error.to_string()))?;
        match features.iter().all(|value| value.is_finite()) {
            true => Ok(features),
            false => Err(refused("its values leave the range of numbers".to_owned())),
        }
    }
}

/// Whether a model is the one of a training.
fn same(name: &str, card: &str, source: &PictureSource) -> Result<(), ClientError> {
    if card == source.card {
        return Ok(());
    }
    let (trained, known) = (&source.name, &source.card);
    Err(ClientError::new(
        "CC-1031",
        format!("The head was trained on features of another base model than this \"{name}\"."),
        format!("Use the \"{trained}\" of the training, whose card has SHA-256 {known}."),
    ))
}

fn unusable(error: &dyn std::fmt::Display) -> ClientError {
    ClientError::new(
        "CC-1030",
        format!("The base model cannot be used: {error}."),
        "Choose another base model, or an undamaged copy of this one.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use confide_model::{Model, pattern, reference};
    use std::path::PathBuf;

    fn tiny() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/tiny")
    }

    fn png([channels, height, width]: [usize; 3], planes: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
        encoder.set_color(png::ColorType::Rgb);
        let pixels = 0..height * width;
        let samples: Vec<u8> = pixels
            .flat_map(|pixel| {
                (0..3).map(move |c| planes[c.min(channels - 1) * height * width + pixel])
            })
            .collect();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&samples).unwrap();
        writer.finish().unwrap();
        file
    }

    #[test]
    fn features_are_the_pooled_maps_of_the_network() {
        let [card, weights] = ["card.json", "weights.safetensors"]
            .map(|name| std::fs::read(tiny().join(name)).unwrap());
        let base = BaseModel::new(&card, &weights).unwrap();
        let about = BaseModelAbout::of_card(&card).unwrap();
        let source = base.source("scan");
        assert_eq!((&about.name, &about.card), (&source.name, &source.card));
        assert!(base.check(&source).is_ok());
        let other = PictureSource {
            card: "00".into(),
            ..source
        };
        assert_eq!(base.check(&other).unwrap_err().code, "CC-1031");

        let model = Model::read(&tiny()).unwrap();
        let shape = model.card.input.shape;
        let pixels = pattern(2, shape);
        let found = base.read(&png(shape, &pixels)).unwrap();
        let planes = model.card.normalise(&pixels).unwrap();
        let maps = reference::run(&model.card.architecture, &model.weights, &planes).unwrap();
        let known = &maps[model.card.feature_layer().unwrap()].values;
        assert_eq!(found.len(), base.features());
        assert_eq!(found.len(), known.len());
        for (x, known) in found.iter().zip(known) {
            assert!((f64::from(*x) - known[0]).abs() < 1e-4, "{x}, {known:?}");
        }
        assert_eq!(base.read(b"no picture").unwrap_err().code, "CC-1020");
    }

    #[test]
    fn other_weights_are_refused() {
        let card = std::fs::read(tiny().join("card.json")).unwrap();
        let refused = BaseModel::new(&card, b"others").err();
        assert_eq!(refused.unwrap().code, "CC-1030");
        assert_eq!(BaseModelAbout::of_card(b"{}").unwrap_err().code, "CC-1030");
    }
}
