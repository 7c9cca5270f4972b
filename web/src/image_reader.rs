//! Pictures at the size of a network, and what it makes of them in the clear: in workers of the page.

use crate::bridge::throw;
use confide_client::ClientError;
use confide_client::intake::BaseModel;
use confide_client::workflow::classify::NamedImage;
use confide_model::Card;
use wasm_bindgen::prelude::*;

/// Brings picture files to the size of a network. Nothing else is computed.
#[wasm_bindgen]
pub struct ImageReader {
    card: Card,
}

#[wasm_bindgen]
impl ImageReader {
    /// For the network of a card.
    ///
    /// # Errors
    /// When it is not valid.
    #[wasm_bindgen(constructor)]
    pub fn new(card: &[u8]) -> Result<ImageReader, JsValue> {
        let card = read_card(card).map_err(throw)?;
        Ok(Self { card })
    }

    /// The bytes of a PNG or JPEG file's picture by channel, row and column.
    ///
    /// # Errors
    /// When it cannot be read as a picture, or is no input of the network.
    pub fn read(&self, file: &[u8]) -> Result<Vec<u8>, JsValue> {
        let image = NamedImage::read(&self.card, "", file, None).map_err(throw)?;
        Ok(image.pixels)
    }
}

/// A card from its bytes.
pub(crate) fn read_card(text: &[u8]) -> Result<Card, ClientError> {
    Card::parse(text).map_err(|error| {
        ClientError::new(
            "CC-5040",
            format!("The model is not valid: {error}."),
            "Choose another model, and tell its provider.",
        )
    })
}

/// A network that runs here on pictures that were brought to its size, to compare with.
#[wasm_bindgen]
pub struct PixelReader {
    model: BaseModel,
}

#[wasm_bindgen]
impl PixelReader {
    /// Reads card and weights.
    ///
    /// # Errors
    /// When they are no model, or do not belong together.
    #[wasm_bindgen(constructor)]
    pub fn new(card: &[u8], weights: &[u8]) -> Result<PixelReader, JsValue> {
        let model = BaseModel::new(card, weights).map_err(throw)?;
        Ok(Self { model })
    }

    /// The pooled channels of a picture's bytes.
    ///
    /// # Errors
    /// When the network gives no numbers for it.
    pub fn read(&self, pixels: &[u8]) -> Result<Vec<f32>, JsValue> {
        self.model.read_pixels(pixels).map_err(throw)
    }
}
