//! Records while the user looks at them: the table, the choices, and what stands in the way.

mod choices;
mod outcome;
#[cfg(test)]
mod tests;

pub(crate) use choices::Choices;

use crate::base_model::read_or_refused;
use crate::bridge::{from_js, internal, throw, to_js};
use crate::columns::TableView;
use crate::locked::Locked;
use crate::text::put_vectors;
use confide_client::ClientError;
use confide_client::intake::{
    Dataset, PictureSource, Table, TextSource, match_pictures, read_csv, read_picture_table,
};
use confide_client::prepare::Split;
use confide_text::MINILM_DIGEST;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// The records that are trained on, once all choices fit.
pub(crate) struct Chosen {
    pub(crate) dataset: Dataset,
    pub(crate) split: Split,
    pub(crate) positive: usize,
    /// How many of the training records are set aside.
    aside: usize,
}

/// A file of records and the choices made for it.
#[wasm_bindgen]
pub struct Workbench {
    pub(crate) table: Table,
    pub(crate) choices: Choices,
    pub(crate) chosen: Option<Chosen>,
    /// Position of the column of written records or pictures that was read, and the table with numbers in its place.
    pub(crate) read: Option<(usize, Table)>,
    /// Pictures that a network of the worker is to read encrypted.
    pub(crate) locked: Option<Locked>,
}

#[wasm_bindgen]
impl Workbench {
    /// Reads a CSV file.
    ///
    /// # Errors
    /// When the file is no table.
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: &[u8]) -> Result<Workbench, JsValue> {
        let table = read_csv(bytes).map_err(throw)?;
        Ok(Self {
            choices: Choices::suggest(&table, None),
            table,
            chosen: None,
            read: None,
            locked: None,
        })
    }

    /// Reads a list of pictures with their labels.
    ///
    /// # Errors
    /// When the file is no such list.
    #[wasm_bindgen(js_name = ofPictures)]
    pub fn of_pictures(list: &[u8]) -> Result<Workbench, JsValue> {
        Self::listed(list).map_err(throw)
    }

    /// For each picture of the list the place of its file among `paths`, or why there is none.
    ///
    /// # Errors
    /// When the file is no list of pictures.
    #[wasm_bindgen(js_name = matchPictures)]
    pub fn match_pictures(&self, paths: Vec<String>) -> Result<JsValue, JsValue> {
        let names = self.texts(self.choices.pictures.unwrap_or(usize::MAX))?;
        let found = match_pictures(&names, &paths).into_iter();
        let views = found.map(|one| match one {
            Ok(file) => FileView {
                file: Some(file),
                error: None,
            },
            Err(error) => FileView {
                file: None,
                error: Some(error),
            },
        });
        to_js(&views.collect::<Vec<_>>())
    }

    /// Takes the features of the list's pictures, one after the other, and which were refused. `source` is the base model's name
    /// and the digest of its card.
    ///
    /// # Errors
    /// When no picture can be used.
    #[wasm_bindgen(js_name = setPictures)]
    pub fn set_pictures(
        &mut self,
        source: JsValue,
        vectors: &[f32],
        refused: JsValue,
    ) -> Result<(), JsValue> {
        let SourceView { name, card } = from_js(source)?;
        let Some((index, column)) = self.picture_column() else {
            return Err(internal("a table without pictures was given features", ""));
        };
        let source = PictureSource { column, name, card };
        let count = self.table.texts(&source.column).map_err(throw)?.len();
        let features = read_or_refused(count, vectors, refused)?;
        let mut table = self.table.clone();
        table.with_pictures(source, &features).map_err(throw)?;
        self.read = Some((index, table));
        Ok(())
    }

    /// What the page shows of the table.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn table(&self, name: &str) -> Result<JsValue, JsValue> {
        let read = self
            .read
            .as_ref()
            .and_then(|(_, table)| table.pictures.as_ref());
        to_js(&TableView::new(name, &self.table, read, self.locked()))
    }

    /// The choices in force; at first a proposal.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn choices(&self) -> Result<JsValue, JsValue> {
        to_js(&self.choices)
    }

    /// The distinct texts of a column, for the language model.
    ///
    /// # Errors
    /// When it is no column of texts.
    pub fn texts(&self, column: usize) -> Result<Vec<String>, JsValue> {
        let name = self.name(column).unwrap_or_default();
        Ok(self.table.texts(name).map_err(throw)?.to_vec())
    }

    /// Takes the vectors of a column's distinct texts, one after the other; the choice of the column comes with
    /// [`Workbench::choose`].
    ///
    /// # Errors
    /// When it is no column of texts, or the vectors are not as many as the texts.
    #[wasm_bindgen(js_name = setVectors)]
    pub fn set_vectors(&mut self, column: usize, vectors: &[f32]) -> Result<(), JsValue> {
        self.read_text(column, vectors).map_err(throw)
    }

    /// Takes choices and says what they lead to: counts, classes, problems with row and column.
    ///
    /// # Errors
    /// When the choices are not of the right shape.
    pub fn choose(&mut self, choices: JsValue) -> Result<JsValue, JsValue> {
        self.choices = from_js(choices)?;
        to_js(&self.apply())
    }
}

/// Where the file of a picture is.
#[derive(Serialize)]
struct FileView {
    file: Option<usize>,
    error: Option<ClientError>,
}

/// A base model.
#[derive(Deserialize)]
pub(crate) struct SourceView {
    pub(crate) name: String,
    pub(crate) card: String,
}

impl Workbench {
    fn listed(list: &[u8]) -> Result<Self, ClientError> {
        let (table, column) = read_picture_table(list)?;
        let place = table.columns.iter().position(|one| one.name == column);
        Ok(Self {
            choices: Choices::suggest(&table, place),
            table,
            chosen: None,
            read: None,
            locked: None,
        })
    }

    /// Place and name of the column of pictures.
    pub(crate) fn picture_column(&self) -> Option<(usize, String)> {
        let index = self.choices.pictures?;
        Some((index, self.name(index)?.to_owned()))
    }

    pub(crate) fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    pub(crate) fn table_ref(&self) -> &Table {
        &self.table
    }

    pub(crate) fn choices_ref(&self) -> &Choices {
        &self.choices
    }

    fn name(&self, index: usize) -> Option<&str> {
        self.table
            .columns
            .get(index)
            .map(|column| column.name.as_str())
    }

    /// Makes the table with numbers in the place of the texts: once, however often choices change.
    fn read_text(&mut self, column: usize, vectors: &[f32]) -> Result<(), ClientError> {
        let source = TextSource {
            column: self.name(column).unwrap_or_default().to_owned(),
            model: MINILM_DIGEST.to_owned(),
        };
        let mut table = self.table.clone();
        put_vectors(&mut table, source, vectors)?;
        self.read = Some((column, table));
        Ok(())
    }

    /// The table that is learnt from: with numbers in the place of the texts, where a column of texts is chosen.
    fn chosen_table(&self) -> Result<&Table, ClientError> {
        match (self.choices.text.or(self.choices.pictures), &self.read) {
            (None, _) => Ok(&self.table),
            (Some(column), Some((read, table))) if *read == column => Ok(table),
            (Some(_), _) => Err(ClientError::new(
                "CC-1017",
                "The written records or pictures are not read yet.",
                "Choose their column, or the pictures, again.",
            )),
        }
    }
}
