//! Pictures as a network of the worker wants them, and what its card says.

use crate::bridge::{internal, throw, to_js};
use crate::image_reader::read_card;
use confide_client::workflow::classify::NamedImage;
use confide_model::{Accuracy, Card, ClosestRange};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// Refused pictures that are shown in detail.
const SHOWN: usize = 50;
/// Most pixels of a picture that is drawn beside its name.
const DRAWN: usize = 64 * 64;

/// A card for the page.
#[derive(Serialize)]
struct CardView<'a> {
    name: &'a str,
    about: &'a str,
    licence: &'a str,
    classes: &'a [String],
    channels: usize,
    height: usize,
    width: usize,
    /// In the clear, where it was measured.
    accuracy: Option<&'a Accuracy>,
    /// How far the test images' values were from the promised ranges, where somebody looked.
    closest: Option<&'a ClosestRange>,
}

/// What a card says.
///
/// # Errors
/// When it is not valid.
#[wasm_bindgen(js_name = cardView)]
pub fn card_view(text: &[u8]) -> Result<JsValue, JsValue> {
    let card = read_card(text).map_err(throw)?;
    let [channels, height, width] = card.input.shape;
    to_js(&CardView {
        name: &card.name,
        about: &card.about,
        licence: &card.licence,
        classes: &card.classes,
        channels,
        height,
        width,
        accuracy: card.accuracy.as_ref(),
        closest: card.ranges.test_closest_to_bound.as_ref(),
    })
}

/// Pictures that were chosen for a network.
#[wasm_bindgen]
pub struct ImageSet {
    /// The card as it came.
    pub(crate) text: Vec<u8>,
    card: Card,
    pub(crate) images: Vec<NamedImage>,
    refused: Vec<RefusedPicture>,
}

/// A file that is no input, with the reason.
#[derive(Clone, Serialize, Deserialize)]
struct RefusedPicture {
    name: String,
    reason: String,
    remedy: String,
}

/// What is kept of pictures beside their pixels.
#[derive(Serialize, Deserialize)]
struct Kept {
    images: Vec<(String, Option<usize>)>,
    refused: Vec<RefusedPicture>,
}

#[derive(Serialize)]
struct ImageSetView<'a> {
    count: usize,
    /// Pictures whose folder says their class.
    known: usize,
    refused: &'a [RefusedPicture],
    refused_total: usize,
    width: usize,
    height: usize,
}

#[wasm_bindgen]
impl ImageSet {
    /// No pictures yet, for the network of a card.
    ///
    /// # Errors
    /// When the card is not valid.
    #[wasm_bindgen(constructor)]
    pub fn new(card: &[u8]) -> Result<ImageSet, JsValue> {
        Ok(Self {
            card: read_card(card).map_err(throw)?,
            text: card.to_vec(),
            images: Vec::new(),
            refused: Vec::new(),
        })
    }

    /// Takes a file in: its picture at the network's size, or the reason why it is none. A picture in a folder that is named
    /// like a class is known to be of that class.
    pub fn add(&mut self, path: &str, file: &[u8]) {
        let read = NamedImage::read(&self.card, path, file, self.class_of(path));
        match read {
            Ok(image) => self.images.push(image),
            Err(error) => self.refuse(path, error.message, error.remedy),
        }
    }

    /// Notes a file that cannot be taken in.
    pub fn refuse(&mut self, path: &str, reason: String, remedy: String) {
        self.refused.push(RefusedPicture {
            name: path.to_owned(),
            reason,
            remedy,
        });
    }

    /// What the page shows of them.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn view(&self) -> Result<JsValue, JsValue> {
        let [_, height, width] = self.card.input.shape;
        to_js(&ImageSetView {
            count: self.images.len(),
            known: self.images.iter().filter(|i| i.class.is_some()).count(),
            refused: &self.refused[..self.refused.len().min(SHOWN)],
            refused_total: self.refused.len(),
            width,
            height,
        })
    }

    /// The first pictures as the network sees them: red, green, blue and opacity by row and column; nothing of large ones.
    pub fn previews(&self, most: usize) -> Vec<u8> {
        let [channels, height, width] = self.card.input.shape;
        let pixels = height * width;
        if pixels > DRAWN || channels == 0 {
            return Vec::new();
        }
        let channel = |of: usize| of.min(channels - 1) * pixels;
        let mut drawn = Vec::with_capacity(self.images.len().min(most) * pixels * 4);
        for image in self.images.iter().take(most) {
            for at in 0..pixels {
                drawn.extend([0, 1, 2].map(|of| image.pixels[channel(of) + at]));
                drawn.push(255);
            }
        }
        drawn
    }

    /// Names, classes and refusals as JSON, to be kept.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn kept(&self) -> Result<String, JsValue> {
        let images = self.images.iter();
        let kept = Kept {
            images: images.map(|i| (i.name.clone(), i.class)).collect(),
            refused: self.refused.clone(),
        };
        serde_json::to_string(&kept)
            .map_err(|error| internal("pictures cannot be kept", &error.to_string()))
    }

    /// All pixels one picture after the other, to be kept.
    pub fn pixels(&self) -> Vec<u8> {
        self.images.iter().flat_map(|i| i.pixels.clone()).collect()
    }

    /// Pictures that were kept.
    ///
    /// # Errors
    /// When the parts do not belong together.
    pub fn restore(card: &[u8], kept: &str, pixels: &[u8]) -> Result<ImageSet, JsValue> {
        let mut pictures = Self::new(card)?;
        let kept: Kept = serde_json::from_str(kept)
            .map_err(|error| internal("kept pictures cannot be read", &error.to_string()))?;
        let size: usize = pictures.card.input.shape.iter().product();
        if size == 0 || pixels.len() != kept.images.len() * size {
            return Err(internal("kept pictures are not complete", ""));
        }
        let each = kept.images.into_iter().zip(pixels.chunks_exact(size));
        pictures.images = each
            .map(|((name, class), pixels)| NamedImage {
                name,
                pixels: pixels.to_vec(),
                class,
            })
            .collect();
        pictures.refused = kept.refused;
        Ok(pictures)
    }
}

impl ImageSet {
    /// The class that a file's folder names.
    fn class_of(&self, path: &str) -> Option<usize> {
        let folder = path.rsplit('/').nth(1)?;
        self.card.classes.iter().position(|class| class == folder)
    }
}
