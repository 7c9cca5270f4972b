//! Pictures: the base model in a worker of the page, and its features in a table.

use crate::bridge::{from_js, internal, throw, to_js};
use confide_client::ClientError;
use confide_client::intake::{BaseModel, BaseModelAbout, labels_of_folders, picture_list};
use confide_client::workflow::SavedModel;
use serde::Deserialize;
use wasm_bindgen::prelude::*;

/// A base model that is ready to read pictures.
#[wasm_bindgen]
pub struct PictureReader {
    model: BaseModel,
}

#[wasm_bindgen]
impl PictureReader {
    /// Reads card and weights.
    ///
    /// # Errors
    /// When they are no model, or do not belong together.
    #[wasm_bindgen(constructor)]
    pub fn new(card: &[u8], weights: &[u8]) -> Result<PictureReader, JsValue> {
        let model = BaseModel::new(card, weights).map_err(throw)?;
        Ok(Self { model })
    }

    /// The features of a PNG or JPEG file.
    ///
    /// # Errors
    /// When it cannot be read as a picture.
    pub fn read(&self, file: &[u8]) -> Result<Vec<f32>, JsValue> {
        self.model.read(file).map_err(throw)
    }
}

/// A list of pictures with the names of their folders as labels, as CSV.
///
/// # Errors
/// When no picture lies in a folder for its class.
#[wasm_bindgen(js_name = listOfFolders)]
pub fn list_of_folders(paths: Vec<String>) -> Result<Vec<u8>, JsValue> {
    let labels = labels_of_folders(&paths).map_err(throw)?;
    picture_list(&labels).map_err(throw)
}

/// What a card says of a base model.
///
/// # Errors
/// When it is no card, or of a network without pooled features.
#[wasm_bindgen(js_name = aboutBaseModel)]
pub fn about_base_model(card: &[u8]) -> Result<JsValue, JsValue> {
    to_js(&BaseModelAbout::of_card(card).map_err(throw)?)
}

/// Refuses a card that is not that of the base model of a trained head.
///
/// # Errors
/// When it is another.
#[wasm_bindgen(js_name = checkBaseModel)]
pub fn check_base_model(model: &str, card: &[u8]) -> Result<(), JsValue> {
    let model = SavedModel::from_json(model).map_err(throw)?;
    let about = BaseModelAbout::of_card(card).map_err(throw)?;
    match &model.pictures {
        Some(source) => about.check(source).map_err(throw),
        None => Err(internal("a head that reads no pictures was given some", "")),
    }
}

/// A picture that cannot be used.
#[derive(Deserialize)]
pub(crate) struct Refused {
    /// Its place among the pictures, from 0.
    pub(crate) place: usize,
    #[serde(flatten)]
    pub(crate) error: ClientError,
}

/// For each of `count` pictures its features, or why there are none. `vectors` are those of all pictures, one after the other,
/// those of refused ones of any value.
pub(crate) fn read_or_refused(
    count: usize,
    vectors: &[f32],
    refused: JsValue,
) -> Result<Vec<Result<Vec<f32>, ClientError>>, JsValue> {
    let refused: Vec<Refused> = from_js(refused)?;
    let length = vectors.len() / count.max(1);
    let vector = |i: usize| vectors.get(i * length..(i + 1) * length);
    let mut all: Vec<Result<Vec<f32>, ClientError>> = (0..count)
        .map(|i| Ok(vector(i).unwrap_or_default().to_vec()))
        .collect();
    for one in refused {
        if let Some(place) = all.get_mut(one.place) {
            *place = Err(one.error);
        }
    }
    Ok(all)
}
