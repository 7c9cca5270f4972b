//! A table as read, with everything that is wrong with it.

use super::KEPT_PROBLEMS;
use super::column::{Column, ColumnStats};
use super::pictures::PictureSource;
use super::text::TextSource;
use serde::Serialize;

/// What kind of problem was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A cell has no value.
    Missing,
    /// A cell of a column of numbers holds something else.
    NotANumber,
    /// A row has more or fewer cells than the header.
    Ragged,
    /// Two columns have the same name.
    DuplicateName,
    /// A column has no name.
    Unnamed,
    /// A column holds one value only, or none.
    Constant,
    /// A column looks like an identifier.
    Identifier,
    /// A picture cannot be used.
    Picture,
}

/// Whether a problem stops the work or is only worth knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The user has to choose or to mend something.
    Error,
    /// Worth knowing.
    Warning,
}

/// One problem, where it is and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Kind.
    pub kind: ProblemKind,
    /// Error or warning.
    pub severity: Severity,
    /// Row of data, counted from 1 below the header.
    pub row: Option<usize>,
    /// Line of the file, counted from 1.
    pub line: Option<u64>,
    /// Name of the column.
    pub column: Option<String>,
    /// One plain sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// A table of columns as read from a file. Rows with a wrong number of cells are not in it; they are reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns, all of the same length.
    pub columns: Vec<Column>,
    /// For each row kept, its number in the file, counted from 1 below the header.
    pub row_numbers: Vec<usize>,
    /// Rows left out because they have a wrong number of cells.
    pub ragged_rows: usize,
    /// Byte that separates the columns.
    pub delimiter: u8,
    /// At most [`KEPT_PROBLEMS`] of each kind.
    pub problems: Vec<Problem>,
    /// The column whose texts became features.
    pub text: Option<TextSource>,
    /// The column whose pictures became features.
    pub pictures: Option<PictureSource>,
    /// How many there are of each kind in all.
    pub problem_counts: Vec<(ProblemKind, usize)>,
}

impl Table {
    /// Number of rows kept.
    pub fn rows(&self) -> usize {
        self.row_numbers.len()
    }

    /// The column with this name, if there is one.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Type and statistics of all columns.
    pub fn stats(&self) -> Vec<ColumnStats> {
        self.columns.iter().map(Column::stats).collect()
    }

    /// The first rows as text, for showing.
    pub fn preview(&self, rows: usize) -> Vec<Vec<String>> {
        (0..rows.min(self.rows()))
            .map(|row| {
                self.columns
                    .iter()
                    .map(|column| column.shown(row))
                    .collect()
            })
            .collect()
    }

    /// Adds a problem; it is always counted, and kept while there are few of its kind.
    pub(super) fn report(&mut self, problem: Problem) {
        let seen = match self
            .problem_counts
            .iter_mut()
            .find(|(kind, _)| *kind == problem.kind)
        {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.problem_counts.push((problem.kind, 1));
                1
            }
        };
        if seen <= KEPT_PROBLEMS {
            self.problems.push(problem);
        }
    }
}
