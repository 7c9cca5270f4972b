//! Vectors in the place of a column: what a model of the data party's makes of texts or pictures.

use super::MAX_FEATURES;
use super::column::{Column, Values};
use super::table::Table;
use crate::ClientError;

/// Name of the feature with this number, from 0, of what was made of a column.
fn feature(column: &str, number: usize) -> String {
    format!("{column} #{}", number + 1)
}

impl Table {
    /// Puts vectors in the place of a column of texts: `vectors[i]` is that of the distinct text `i`, all of one length or
    /// empty. Rows without a text, or with an empty vector, become gaps.
    ///
    /// # Errors
    /// `CC-1010` when there is no such column or it holds numbers, `CC-1004` when there would be too many columns.
    pub(super) fn put_vectors(
        &mut self,
        column: &str,
        vectors: &[Vec<f32>],
    ) -> Result<(), ClientError> {
        self.texts(column)?;
        let length = vectors.iter().map(Vec::len).max().unwrap_or(0);
        if self.columns.len() + length > MAX_FEATURES + 1 {
            return Err(ClientError::new(
                "CC-1004",
                format!(
                    "{length} numbers of \"{column}\" and the other columns are too many; {MAX_FEATURES} features are possible."
                ),
                "Remove columns that you do not need.",
            ));
        }
        let place = self.columns.iter().position(|c| c.name == column);
        let Some(place) = place else { return Ok(()) };
        let Values::Text { codes, .. } = self.columns.remove(place).values else {
            return Ok(());
        };
        let numbers = (0..length).map(|number| {
            let of = |code: &Option<u32>| {
                let vector = code.and_then(|code| vectors.get(code as usize));
                let value = vector.and_then(|vector| vector.get(number));
                value.map_or(f64::NAN, |&value| f64::from(value))
            };
            Column {
                name: feature(column, number),
                values: Values::Numeric(codes.iter().map(of).collect()),
            }
        });
        self.columns.splice(place..place, numbers);
        Ok(())
    }

    /// Names of the features that a model made of texts or pictures.
    pub fn read_features(&self) -> Vec<String> {
        let text = self.text.as_ref().map(|source| &source.column);
        let pictures = self.pictures.as_ref().map(|source| &source.column);
        let names = self.columns.iter().map(|column| &column.name);
        let made = |name: &&String| {
            let mut columns = text.into_iter().chain(pictures);
            columns.any(|column| is_feature(name, column))
        };
        names.filter(made).cloned().collect()
    }
}

/// Whether a feature was made of a column.
pub(super) fn is_feature(name: &str, column: &str) -> bool {
    let rest = name.strip_prefix(column);
    rest.is_some_and(|rest| rest.starts_with(" #"))
}
