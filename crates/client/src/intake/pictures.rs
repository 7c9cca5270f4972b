//! A column of picture files, and the features that a base model makes of them.

use super::column::{Column, Values};
use super::folder::{inside, plain, shared};
use super::labels::{is_picture, read_labels};
use super::read::read_csv;
use super::table::{Problem, ProblemKind, Severity, Table};
use super::vectors::is_feature;
use super::write::write_csv;
use crate::ClientError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Names of the columns of a list of two without header.
const PICTURE: &str = "picture";
const LABEL: &str = "label";

/// Which column of picture files was read by which base model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureSource {
    /// Name of the column.
    pub column: String,
    /// Name of the base model.
    pub name: String,
    /// SHA-256 of its card, hexadecimal, which names its weights.
    pub card: String,
}

/// A file of labels as a table, and the name of its column of pictures: two columns as [`read_labels`] takes them, which become
/// `picture` and `label`; or a CSV file with a header and one column of picture files, each named once.
///
/// # Errors
/// Those of [`read_labels`]; `CC-1022` for a table without such a column.
pub fn read_picture_table(bytes: &[u8]) -> Result<(Table, String), ClientError> {
    let refusal = match read_labels(bytes) {
        Ok(labels) => return Ok((read_csv(&picture_list(&labels)?)?, PICTURE.to_owned())),
        Err(refusal) => refusal,
    };
    match read_csv(bytes) {
        Ok(table) if table.columns.len() > 2 => {
            let column = picture_column(&table)?;
            Ok((table, column))
        }
        _ => Err(refusal),
    }
}

/// A list of pictures with their labels as a CSV file with the columns `picture` and `label`.
///
/// # Errors
/// Those of [`write_csv`], which do not happen.
pub fn picture_list(labels: &[(String, String)]) -> Result<Vec<u8>, ClientError> {
    let lines = labels
        .iter()
        .map(|(file, label)| [file.as_str(), label.as_str()]);
    Ok(write_csv(std::iter::once([PICTURE, LABEL]).chain(lines))?.into_bytes())
}

/// The labels of pictures in folders: of `label/file` within the chosen folder, whose own name all paths may begin with. Pictures
/// elsewhere have none.
///
/// # Errors
/// `CC-1022` when none has one.
pub fn labels_of_folders(paths: &[String]) -> Result<Vec<(String, String)>, ClientError> {
    let plain: Vec<String> = paths.iter().map(|path| plain(path)).collect();
    let deep = plain.iter().any(|path| path.matches('/').count() > 1);
    let root = shared(plain.iter()).filter(|_| deep);
    let labelled = plain.iter().filter_map(|path| {
        let inside = inside(path, root);
        let (label, file) = inside.split_once('/')?;
        (is_picture(file) && !file.contains('/')).then(|| (path.clone(), label.to_owned()))
    });
    let labels: Vec<_> = labelled.collect();
    match labels.is_empty() {
        true => Err(ClientError::new(
            "CC-1022",
            "No picture lies in a folder that is named like its class.",
            "Choose a folder that holds a folder for each class, or a list of labels.",
        )),
        false => Ok(labels),
    }
}

/// The first column that names a picture in every row that it fills, each once.
fn picture_column(table: &Table) -> Result<String, ClientError> {
    let mut found = table
        .columns
        .iter()
        .filter_map(|column| match &column.values {
            Values::Text { texts, codes } => {
                let all = !texts.is_empty() && texts.iter().all(|text| is_picture(text));
                all.then(|| (&column.name, codes.iter().flatten().count() == texts.len()))
            }
            Values::Numeric(_) => None,
        });
    match found.next() {
        Some((name, true)) => Ok(name.clone()),
        Some((name, false)) => Err(unlisted(&format!(
            "column \"{name}\" names a picture twice"
        ))),
        None => Err(unlisted("no column holds names of PNG or JPEG files only")),
    }
}

/// Which of the files each name of a list means: the one whose path is the name or ends in it.
///
/// # Errors
/// For each name `CC-1032` when no file has it, or several have.
pub fn match_pictures(names: &[String], paths: &[String]) -> Vec<Result<usize, ClientError>> {
    // Of an end that several paths share it is not known which is meant.
    let mut by_end: HashMap<String, Option<usize>> = HashMap::new();
    let mut whole: HashMap<String, usize> = HashMap::new();
    for (index, path) in paths.iter().enumerate() {
        let path = plain(path);
        let starts = path.match_indices('/').map(|(at, _)| at + 1);
        for start in std::iter::once(0).chain(starts) {
            let known = by_end.entry(path[start..].to_owned());
            known.and_modify(|one| *one = None).or_insert(Some(index));
        }
        whole.insert(path, index);
    }
    let of = |name: &String| {
        let name = plain(name);
        let found = match (whole.get(&name), by_end.get(&name)) {
            (Some(index), _) => return Ok(*index),
            (None, Some(Some(index))) => return Ok(*index),
            (None, Some(None)) => "Several of the chosen pictures have this name.",
            (None, None) => "No picture of this name was chosen.",
        };
        Err(ClientError::new(
            "CC-1032",
            found,
            "Choose the folder that holds it, or mend the list of labels.",
        ))
    };
    names.iter().map(of).collect()
}

impl Table {
    /// A table of new pictures: one column of their names, one a row.
    pub fn of_pictures(column: &str, names: Vec<String>) -> Self {
        let rows = names.len();
        Self {
            columns: vec![Column {
                name: column.to_owned(),
                values: Values::Text {
                    texts: names,
                    // Lists of files are far shorter.
                    codes: (0..rows).map(|row| u32::try_from(row).ok()).collect(),
                },
            }],
            row_numbers: (1..=rows).collect(),
            ragged_rows: 0,
            delimiter: b',',
            problems: Vec::new(),
            text: None,
            pictures: None,
            problem_counts: Vec::new(),
        }
    }

    /// Puts features in the place of a column of picture files: `features[i]` are those of the distinct name `i`, all of one
    /// length, or say why there are none. What was refused becomes a problem, and its rows have gaps that are never filled.
    ///
    /// # Errors
    /// As [`Table::texts`]; `CC-1004` when there would be too many columns; `CC-1015` when features and pictures do not match,
    /// or no picture has any.
    pub fn with_pictures(
        &mut self,
        source: PictureSource,
        features: &[Result<Vec<f32>, ClientError>],
    ) -> Result<(), ClientError> {
        let names = self.texts(&source.column)?.to_vec();
        let mut read = features.iter().flatten();
        let length = read.next().map_or(0, Vec::len);
        let mismatch = features.len() != names.len() || read.any(|one| one.len() != length);
        if mismatch || length == 0 {
            let (all, refused) = (
                names.len(),
                features.iter().find_map(|one| one.as_ref().err()),
            );
            let why = refused.map_or_else(String::new, |first| {
                format!(" The first: {}", first.message)
            });
            return Err(ClientError::new(
                "CC-1015",
                format!("None of {all} pictures can be used.{why}"),
                "Choose the folder that holds the pictures of the list, as PNG or JPEG files.",
            ));
        }
        let rows = self.rows_of(&source.column);
        let vectors: Vec<Vec<f32>> = features
            .iter()
            .map(|one| one.as_ref().map_or_else(|_| Vec::new(), Clone::clone))
            .collect();
        self.put_vectors(&source.column, &vectors)?;
        for (text, refused) in features.iter().enumerate() {
            if let Err(error) = refused {
                self.report(Problem {
                    kind: ProblemKind::Picture,
                    severity: Severity::Error,
                    row: rows.get(text).copied().flatten(),
                    line: None,
                    column: Some(source.column.clone()),
                    message: format!("{}: {}", names[text], error.message),
                    remedy: error.remedy.clone(),
                });
            }
        }
        self.pictures = Some(source);
        Ok(())
    }

    /// Puts the places of pictures in the place of a column of picture files, for pictures of which nothing is computed here: `read[i]`
    /// says of the distinct name `i` whether it can be used, and if not why. [`Dataset::image_places`](super::Dataset::image_places)
    /// gives the places back.
    ///
    /// # Errors
    /// As [`Table::with_pictures`].
    pub fn with_images(
        &mut self,
        source: PictureSource,
        read: &[Result<(), ClientError>],
    ) -> Result<(), ClientError> {
        // Places are far below 2^24, up to which f32 is exact.
        let places: Vec<Result<Vec<f32>, ClientError>> = read
            .iter()
            .enumerate()
            .map(|(place, read)| read.clone().map(|()| vec![place as f32]))
            .collect();
        self.with_pictures(source, &places)
    }

    /// Number of the first row of each distinct text.
    fn rows_of(&self, column: &str) -> Vec<Option<usize>> {
        let Some(Values::Text { texts, codes }) = self.column(column).map(|c| &c.values) else {
            return Vec::new();
        };
        let mut rows = vec![None; texts.len()];
        for (code, &number) in codes.iter().zip(&self.row_numbers) {
            let row = code.and_then(|code| rows.get_mut(code as usize));
            if let Some(row @ None) = row {
                *row = Some(number);
            }
        }
        rows
    }

    /// Whether a feature was made of a picture.
    pub(super) fn is_of_picture(&self, feature: &str) -> bool {
        let source = self.pictures.as_ref();
        source.is_some_and(|source| is_feature(feature, &source.column))
    }
}

fn unlisted(what: &str) -> ClientError {
    ClientError::new(
        "CC-1022",
        format!("The list of pictures cannot be used: {what}."),
        "Write a line for each picture: its file name, its label, and where several show one patient a column that names it.",
    )
}

#[cfg(test)]
#[path = "pictures_tests.rs"]
mod tests;
