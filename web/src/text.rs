//! Written records: the language model in a worker of the page, and its vectors in a table.

use crate::bridge::throw;
use confide_client::ClientError;
use confide_client::intake::{Table, TextFiles, TextSource, read_csv};
use confide_client::workflow::SavedModel;
use confide_text::{MINILM_DIGEST, TextModel};
use wasm_bindgen::prelude::*;

/// A language model that is ready to read.
#[wasm_bindgen]
pub struct TextReader {
    model: TextModel,
}

#[wasm_bindgen]
impl TextReader {
    /// Reads the model's file.
    ///
    /// # Errors
    /// When the file is another one than this version works with.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<TextReader, JsValue> {
        let model = TextModel::minilm(bytes).map_err(|error| {
            throw(ClientError::new(
                "CC-1016",
                format!("The language model cannot be used: {error}."),
                "Reload the page; if that does not help, tell whoever serves it to run `cargo xtask text-model` and build the page again.",
            ))
        })?;
        Ok(Self { model })
    }

    /// The vector of a text.
    pub fn read(&self, text: &str) -> Vec<f32> {
        self.model.embed(text)
    }
}

/// Text files on their way to a table.
#[wasm_bindgen(js_name = TextFiles)]
#[derive(Default)]
pub struct Files {
    files: TextFiles,
}

#[wasm_bindgen(js_class = TextFiles)]
impl Files {
    /// No file yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Files {
        Self::default()
    }

    /// Whether a path is that of a text file.
    #[wasm_bindgen(js_name = isOne)]
    pub fn is_one(path: &str) -> bool {
        TextFiles::is_one(path)
    }

    /// Takes a file in.
    ///
    /// # Errors
    /// When it is too long, or no text.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), JsValue> {
        self.files.add(path, bytes).map_err(throw)
    }

    /// The files as the bytes of a table: one to train on, or where there is a trained `model` one with its column of texts.
    ///
    /// # Errors
    /// When there is none, or the model cannot be read.
    pub fn csv(&self, model: Option<String>) -> Result<Vec<u8>, JsValue> {
        let model = model.map(|model| SavedModel::from_json(&model).map_err(throw));
        let source = model.transpose()?.and_then(|model| model.text);
        let text = source.map_or_else(|| TextFiles::TEXT.to_owned(), |source| source.column);
        Ok(self.files.csv(&text).map_err(throw)?.into_bytes())
    }

    /// The column of the texts among the table's.
    #[wasm_bindgen(js_name = textColumn)]
    pub fn text_column() -> usize {
        TextFiles::TEXT_INDEX
    }
}

/// BLAKE3 of the language model that this version works with, hexadecimal.
#[wasm_bindgen(js_name = textModelDigest)]
pub fn text_model_digest() -> String {
    MINILM_DIGEST.to_owned()
}

/// The distinct texts of a file of new patients in the column that a model reads; none for a model of numbers only.
///
/// # Errors
/// When the file is no table or lacks the column.
#[wasm_bindgen(js_name = textsOfFile)]
pub fn texts_of_file(model: &str, csv: &[u8]) -> Result<Option<Vec<String>>, JsValue> {
    let model = SavedModel::from_json(model).map_err(throw)?;
    let Some(source) = model.text else {
        return Ok(None);
    };
    let table = read_csv(csv).map_err(throw)?;
    Ok(Some(table.texts(&source.column).map_err(throw)?.to_vec()))
}

/// Puts vectors, one after the other, in the place of a column's texts.
pub(crate) fn put_vectors(
    table: &mut Table,
    source: TextSource,
    vectors: &[f32],
) -> Result<(), ClientError> {
    let texts = table.texts(&source.column)?.len();
    let length = (vectors.len() / texts.max(1)).max(1);
    let vectors: Vec<Vec<f32>> = vectors.chunks(length).map(<[f32]>::to_vec).collect();
    table.with_vectors(source, &vectors)
}
