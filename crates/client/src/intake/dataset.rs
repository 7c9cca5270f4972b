//! The user's choice of label and features, turned into numbers and classes.

use super::column::{Column, ColumnKind, Values};
use super::pictures::PictureSource;
use super::table::{ProblemKind, Table};
use super::text::TextSource;
use super::{MAX_CLASSES, MAX_FEATURES};
use crate::ClientError;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What to do with rows that have gaps. There is no default: the user says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingPolicy {
    /// Refuse and report.
    Report,
    /// Leave out every row with a gap in a chosen column.
    Drop,
    /// Put the median of the training rows into gaps of features. Rows without a label are left out.
    FillMedian,
}

/// Which columns are used, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Name of the label column.
    pub label: String,
    /// Names of the features; `None` takes every column of numbers except the label.
    pub features: Option<Vec<String>>,
    /// Names of columns that are left out.
    pub exclude: Vec<String>,
    /// Column that names what records belong together, for example patients: those of one are never split between
    /// training and test. It is no feature.
    pub group: Option<String>,
    /// What to do with gaps.
    pub missing: MissingPolicy,
}

impl Selection {
    /// All columns of numbers as features; gaps are refused.
    pub fn all(label: &str) -> Self {
        Self {
            label: label.to_owned(),
            features: None,
            exclude: Vec::new(),
            group: None,
            missing: MissingPolicy::Report,
        }
    }
}

/// One class of the label column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Name as it is in the table.
    pub name: String,
    /// Rows of this class.
    pub rows: usize,
}

/// Rows of features only, row by row; NaN marks a gap that preparation fills.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// Names of the features.
    pub features: Vec<String>,
    /// Row-major values, `rows * features.len()` of them.
    pub values: Vec<f64>,
    /// Row of each record in the file, counted from 1 below the header.
    pub row_numbers: Vec<usize>,
    /// What was done that the user should know, in plain sentences.
    pub notes: Vec<String>,
}

impl Records {
    /// Number of records.
    pub fn rows(&self) -> usize {
        self.row_numbers.len()
    }

    /// The values of one record.
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.features.len();
        &self.values[row * width..(row + 1) * width]
    }
}

/// Records with the class of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The features.
    pub records: Records,
    /// Name of the label column.
    pub label: String,
    /// Class of each record, an index into `classes`.
    pub classes_of_rows: Vec<usize>,
    /// The classes in order: numbers ascending, or texts by alphabet.
    pub classes: Vec<Class>,
    /// Group of each record, numbered in order of appearance; empty where no group column was chosen.
    pub groups: Vec<usize>,
    /// The column whose texts became features.
    pub text: Option<TextSource>,
    /// The column whose pictures became features.
    pub pictures: Option<PictureSource>,
}

impl Dataset {
    /// For each record the place of its picture, where the table came from [`Table::with_images`].
    pub fn image_places(&self) -> Vec<usize> {
        self.records
            .values
            .iter()
            .map(|&place| place as usize)
            .collect()
    }
}

impl Table {
    /// Turns the table into records with classes.
    ///
    /// # Errors
    /// `CC-1010` a chosen column does not exist or cannot be used, `CC-1011` two columns of one name,
    /// `CC-1012` gaps and no choice made, `CC-1013` classes too few or too many, `CC-1014` no rows are left.
    pub fn select(&self, selection: &Selection) -> Result<Dataset, ClientError> {
        self.refuse_duplicates()?;
        let label = self.find(&selection.label, "label")?;
        let mut notes = Vec::new();
        let features = self.choose_features(selection, &mut notes)?;
        let (codes, names) = classes_of(label)?;
        let (rows, dropped) = self.choose_rows(&features, Some(&codes), selection.missing)?;
        note_dropped(dropped + self.ragged_rows, &mut notes);
        let mut used: Vec<Class> = names
            .into_iter()
            .map(|name| Class { name, rows: 0 })
            .collect();
        for &row in &rows {
            if let Some(code) = codes[row] {
                used[code].rows += 1;
            }
        }
        let mut renumbered = vec![0; used.len()];
        let mut next = 0;
        for (code, class) in used.iter().enumerate() {
            renumbered[code] = next;
            next += usize::from(class.rows > 0);
        }
        let classes_of_rows = rows
            .iter()
            .filter_map(|&row| codes[row].map(|code| renumbered[code]))
            .collect();
        used.retain(|class| class.rows > 0);
        check_classes(&selection.label, &used)?;
        let groups = match &selection.group {
            Some(name) => groups_of(self.find(name, "group")?, &rows),
            None => Vec::new(),
        };
        Ok(Dataset {
            groups,
            text: self.text.clone(),
            pictures: self.pictures.clone(),
            records: self.gather(&features, &rows, notes),
            label: selection.label.clone(),
            classes_of_rows,
            classes: used,
        })
    }

    /// Takes the named columns as records without labels, for prediction.
    ///
    /// # Errors
    /// As [`Table::select`].
    pub fn select_records(
        &self,
        features: &[String],
        missing: MissingPolicy,
    ) -> Result<Records, ClientError> {
        self.refuse_duplicates()?;
        let mut columns = Vec::with_capacity(features.len());
        for name in features {
            let column = self.find(name, "feature")?;
            // A column that was numeric in training may be empty or constant here, but never text.
            if matches!(column.values, Values::Text { .. }) {
                return Err(not_numbers(name));
            }
            columns.push(column);
        }
        let (rows, dropped) = self.choose_rows(&columns, None, missing)?;
        let mut notes = Vec::new();
        note_dropped(dropped + self.ragged_rows, &mut notes);
        Ok(self.gather(&columns, &rows, notes))
    }

    fn refuse_duplicates(&self) -> Result<(), ClientError> {
        match self
            .problems
            .iter()
            .find(|problem| problem.kind == ProblemKind::DuplicateName)
        {
            Some(problem) => Err(ClientError::new(
                "CC-1011",
                problem.message.clone(),
                problem.remedy.clone(),
            )),
            None => Ok(()),
        }
    }

    pub(super) fn find(&self, name: &str, role: &str) -> Result<&Column, ClientError> {
        self.column(name).ok_or_else(|| {
            let known: Vec<&str> = self
                .columns
                .iter()
                .map(|c| c.name.as_str())
                .take(40)
                .collect();
            ClientError::new(
                "CC-1010",
                format!("The table has no column \"{name}\" to use as {role}."),
                format!("Its columns are: {}.", known.join(", ")),
            )
        })
    }

    fn choose_features(
        &self,
        selection: &Selection,
        notes: &mut Vec<String>,
    ) -> Result<Vec<&Column>, ClientError> {
        for name in &selection.exclude {
            self.find(name, "excluded column")?;
        }
        let mut chosen = Vec::new();
        for column in &self.columns {
            if column.name == selection.label
                || selection.group.as_ref() == Some(&column.name)
                || selection.exclude.contains(&column.name)
            {
                continue;
            }
            let asked = selection
                .features
                .as_ref()
                .is_some_and(|names| names.contains(&column.name));
            if selection.features.is_some() && !asked {
                continue;
            }
            match column.stats().kind {
                ColumnKind::Numeric => chosen.push(column),
                ColumnKind::Text if asked => return Err(not_numbers(&column.name)),
                ColumnKind::Text => notes.push(format!(
                    "Column \"{}\" is text and is left out.",
                    column.name
                )),
                ColumnKind::Constant => {
                    notes.push(format!(
                        "Column \"{}\" has one value only and is left out.",
                        column.name
                    ));
                }
                ColumnKind::Empty => notes.push(format!(
                    "Column \"{}\" is empty and is left out.",
                    column.name
                )),
            }
        }
        for name in selection.features.iter().flatten() {
            self.find(name, "feature")?;
            if *name == selection.label {
                return Err(ClientError::new(
                    "CC-1010",
                    format!("Column \"{name}\" is both label and feature."),
                    "Take it out of the features.",
                ));
            }
        }
        if chosen.is_empty() || chosen.len() > MAX_FEATURES {
            return Err(ClientError::new(
                "CC-1010",
                format!(
                    "{} columns can serve as features; 1 to {MAX_FEATURES} are possible.",
                    chosen.len()
                ),
                "Choose other columns.",
            ));
        }
        Ok(chosen)
    }

    /// Rows to use and the number of rows left out for gaps.
    fn choose_rows(
        &self,
        features: &[&Column],
        codes: Option<&[Option<usize>]>,
        missing: MissingPolicy,
    ) -> Result<(Vec<usize>, usize), ClientError> {
        let mut rows = Vec::with_capacity(self.rows());
        let mut gaps = Vec::new();
        for row in 0..self.rows() {
            let unlabelled = codes.is_some_and(|codes| codes[row].is_none());
            let gap = features.iter().find(|column| match &column.values {
                Values::Numeric(numbers) => numbers[row].is_nan(),
                Values::Text { .. } => true,
            });
            // A picture that was refused has nothing that could be filled.
            let fills = |column: &Column| {
                missing == MissingPolicy::FillMedian && !self.is_of_picture(&column.name)
            };
            match (unlabelled, gap) {
                (false, None) => rows.push(row),
                (false, Some(column)) if fills(column) => rows.push(row),
                (true, _) => gaps.push((row, "the label")),
                (false, Some(column)) => gaps.push((row, column.name.as_str())),
            }
        }
        let bad = gaps.len() + self.ragged_rows;
        if missing == MissingPolicy::Report && bad > 0 {
            let first = gaps.first().map_or_else(
                || "a wrong number of cells".to_owned(),
                |(row, column)| {
                    format!(
                        "no usable value in {column} (row {})",
                        self.row_numbers[*row]
                    )
                },
            );
            return Err(ClientError::new(
                "CC-1012",
                format!(
                    "{bad} of {} rows cannot be used as they are; the first has {first}.",
                    self.rows() + self.ragged_rows
                ),
                "Choose to drop such rows (--missing drop) or to fill gaps with the column's median (--missing fill-median).",
            ));
        }
        if rows.is_empty() {
            return Err(ClientError::new(
                "CC-1014",
                "No row is left after rows with gaps are dropped.",
                "Fill the gaps instead, or leave out the columns that are mostly empty.",
            ));
        }
        Ok((rows, gaps.len()))
    }

    fn gather(&self, features: &[&Column], rows: &[usize], mut notes: Vec<String>) -> Records {
        let mut values = Vec::with_capacity(rows.len() * features.len());
        for &row in rows {
            values.extend(features.iter().map(|column| match &column.values {
                Values::Numeric(numbers) => numbers[row],
                Values::Text { .. } => f64::NAN,
            }));
        }
        let filled = values.iter().filter(|value| value.is_nan()).count();
        if filled > 0 {
            notes.push(format!(
                "Gaps filled with the median of their column: {filled}."
            ));
        }
        Records {
            features: features.iter().map(|column| column.name.clone()).collect(),
            values,
            row_numbers: rows.iter().map(|&row| self.row_numbers[row]).collect(),
            notes,
        }
    }
}

/// Groups of rows, numbered in order of appearance. A row without one is a group of its own.
fn groups_of(column: &Column, rows: &[usize]) -> Vec<usize> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut next = 0;
    let group = |&row: &usize| {
        let name = column.shown(row);
        let found = known.get(&name).copied().filter(|_| !name.is_empty());
        found.unwrap_or_else(|| {
            known.insert(name, next);
            next += 1;
            next - 1
        })
    };
    rows.iter().map(group).collect()
}

fn not_numbers(name: &str) -> ClientError {
    ClientError::new(
        "CC-1010",
        format!("Column \"{name}\" is text and cannot be a feature."),
        "Write it as numbers (for example 0 and 1), or leave it out.",
    )
}

fn note_dropped(dropped: usize, notes: &mut Vec<String>) {
    if dropped > 0 {
        let rows = if dropped == 1 {
            "1 row"
        } else {
            &format!("{dropped} rows")
        };
        notes.push(format!(
            "Left out for gaps or a wrong number of cells: {rows}."
        ));
    }
}

/// The class of each row (`None` where the label is missing) and the names of the classes in order.
fn classes_of(label: &Column) -> Result<(Vec<Option<usize>>, Vec<String>), ClientError> {
    match &label.values {
        Values::Numeric(numbers) => {
            let mut distinct: Vec<f64> = Vec::new();
            for &number in numbers.iter().filter(|number| !number.is_nan()) {
                if !distinct.contains(&number) {
                    distinct.push(number);
                    if distinct.len() > MAX_CLASSES {
                        return Err(too_many(&label.name));
                    }
                }
            }
            distinct.sort_by(f64::total_cmp);
            let codes = numbers
                .iter()
                .map(|number| distinct.iter().position(|class| class == number))
                .collect();
            // Adding zero turns -0 into 0.
            Ok((
                codes,
                distinct
                    .iter()
                    .map(|class| (class + 0.0).to_string())
                    .collect(),
            ))
        }
        Values::Text { texts, codes } => {
            if texts.len() > MAX_CLASSES {
                return Err(too_many(&label.name));
            }
            let mut order: Vec<usize> = (0..texts.len()).collect();
            order.sort_by(|&a, &b| texts[a].cmp(&texts[b]));
            let mut place = vec![0; texts.len()];
            for (position, &code) in order.iter().enumerate() {
                place[code] = position;
            }
            let codes = codes
                .iter()
                .map(|code| code.and_then(|code| place.get(code as usize).copied()))
                .collect();
            Ok((
                codes,
                order.iter().map(|&code| texts[code].clone()).collect(),
            ))
        }
    }
}

fn too_many(label: &str) -> ClientError {
    ClientError::new(
        "CC-1013",
        format!("Column \"{label}\" has more than {MAX_CLASSES} different values."),
        "Choose a label column with 2 to 16 classes; a measured quantity has to be cut into classes first.",
    )
}

fn check_classes(label: &str, classes: &[Class]) -> Result<(), ClientError> {
    if classes.len() < 2 {
        return Err(ClientError::new(
            "CC-1013",
            format!("Column \"{label}\" has a single class in the rows that are used."),
            "Choose a label column with at least two classes.",
        ));
    }
    Ok(())
}

/// The class that sensitivity and specificity speak of, with the reason, for two classes.
///
/// A word that means "case" beside one that means "no case" decides; else the rarer class; else the later one.
pub fn positive_class(classes: &[Class]) -> (usize, String) {
    const PAIRS: [(&str, &str); 10] = [
        ("1", "0"),
        ("yes", "no"),
        ("y", "n"),
        ("true", "false"),
        ("positive", "negative"),
        ("pos", "neg"),
        ("malignant", "benign"),
        ("m", "b"),
        ("case", "control"),
        ("abnormal", "normal"),
    ];
    if let [first, second] = classes {
        let (a, b) = (
            first.name.to_ascii_lowercase(),
            second.name.to_ascii_lowercase(),
        );
        for (case, other) in PAIRS {
            if a == case && b == other {
                return (
                    0,
                    format!(
                        "\"{}\" means the case beside \"{}\"",
                        first.name, second.name
                    ),
                );
            }
            if b == case && a == other {
                return (
                    1,
                    format!(
                        "\"{}\" means the case beside \"{}\"",
                        second.name, first.name
                    ),
                );
            }
        }
        if first.rows < second.rows {
            return (0, format!("\"{}\" is the rarer class", first.name));
        }
        if second.rows < first.rows {
            return (1, format!("\"{}\" is the rarer class", second.name));
        }
    }
    (
        classes.len().saturating_sub(1).min(1),
        "no class is rarer: the second is taken".to_owned(),
    )
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
