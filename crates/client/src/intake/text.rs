//! A column of written records, and the vectors that a language model makes of it.

use super::column::Values;
use super::table::Table;
use crate::ClientError;
use serde::{Deserialize, Serialize};

/// Which column was read by which language model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSource {
    /// Name of the column.
    pub column: String,
    /// Digest of the model's file, hexadecimal.
    pub model: String,
}

impl Table {
    /// The distinct texts of a column, in order of first appearance. A column of numbers has none.
    ///
    /// # Errors
    /// `CC-1010` when there is no such column or it holds numbers.
    pub fn texts(&self, column: &str) -> Result<&[String], ClientError> {
        match &self.find(column, "text")?.values {
            Values::Text { texts, .. } => Ok(texts),
            Values::Numeric(_) => Err(ClientError::new(
                "CC-1010",
                format!("Column \"{column}\" holds numbers, not text."),
                "Choose the column with the written records.",
            )),
        }
    }

    /// Puts vectors in place of a column of texts: `vectors[i]` is that of the distinct text `i`, all of one length. Rows
    /// without a text become gaps.
    ///
    /// # Errors
    /// As [`Table::texts`]; `CC-1004` when there would be too many columns; `CC-1015` when vectors and texts do not match.
    pub fn with_vectors(
        &mut self,
        source: TextSource,
        vectors: &[Vec<f32>],
    ) -> Result<(), ClientError> {
        let texts = self.texts(&source.column)?.len();
        let length = vectors.first().map_or(0, Vec::len);
        if texts == 0 || vectors.len() != texts || vectors.iter().any(|v| v.len() != length) {
            return Err(ClientError::new(
                "CC-1015",
                format!("{texts} texts have {} vectors.", vectors.len()),
                "Choose a column that has texts.",
            ));
        }
        self.put_vectors(&source.column, vectors)?;
        self.text = Some(source);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::{MissingPolicy, Selection, read_csv};

    const TABLE: &str = "age,note,outcome,site\n51,lump found,yes,a\n60,no finding,no,b\n47,lump found,yes,a\n39,,no,c\n70,no finding,no,b\n";

    fn source() -> TextSource {
        TextSource {
            column: "note".into(),
            model: "ab".into(),
        }
    }

    #[test]
    fn vectors_take_the_place_of_texts_and_join_the_other_features() {
        let mut table = read_csv(TABLE.as_bytes()).unwrap();
        assert_eq!(table.texts("note").unwrap(), ["lump found", "no finding"]);
        let vectors = [vec![0.5, -0.25], vec![0.125, 1.0]];
        table.with_vectors(source(), &vectors).unwrap();
        assert_eq!(table.read_features(), ["note #1", "note #2"]);
        let selection = Selection {
            missing: MissingPolicy::Drop,
            ..Selection::all("outcome")
        };
        let dataset = table.select(&selection).unwrap();
        assert_eq!(dataset.records.features, ["age", "note #1", "note #2"]);
        assert_eq!(dataset.records.row(0), [51.0, 0.5, -0.25]);
        assert_eq!(dataset.records.row(3), [70.0, 0.125, 1.0]);
        assert_eq!(dataset.records.row_numbers, [1, 2, 3, 5]);
        assert_eq!(dataset.text, Some(source()));
    }

    #[test]
    fn what_is_no_text_or_does_not_match_is_refused() {
        let mut table = read_csv(TABLE.as_bytes()).unwrap();
        let code = |result: Result<(), ClientError>| result.unwrap_err().code;
        let of = |column: &str| TextSource {
            column: column.into(),
            ..source()
        };
        assert_eq!(code(table.with_vectors(of("age"), &[])), "CC-1010");
        assert_eq!(code(table.with_vectors(of("notes"), &[])), "CC-1010");
        let short = [vec![0.5; 2]];
        assert_eq!(code(table.with_vectors(source(), &short)), "CC-1015");
        let long = [vec![0.5; 498], vec![0.5; 498]];
        assert_eq!(code(table.with_vectors(source(), &long)), "CC-1004");
    }
}
