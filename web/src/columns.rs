//! What the page shows of a table's columns.

use confide_client::intake::{Column, ColumnKind, PictureSource, Table, Values};
use serde::Serialize;

/// Rows shown of a table.
const SHOWN: usize = 20;

/// One column as the page shows it.
#[derive(Serialize)]
pub(crate) struct ColumnView {
    index: usize,
    name: String,
    /// `number`, `text`, `constant` or `empty`.
    kind: &'static str,
    missing: usize,
    distinct: usize,
    min: Option<f64>,
    median: Option<f64>,
    max: Option<f64>,
}

/// A table as the page shows it.
#[derive(Serialize)]
pub(crate) struct TableView<'a> {
    name: String,
    /// The base model that read the pictures of a list.
    pictures: Option<&'a PictureSource>,
    /// Whether it is to read them encrypted, at the worker.
    locked: bool,
    rows: usize,
    columns: Vec<ColumnView>,
    /// The first rows as text, empty where missing.
    preview: Vec<Vec<String>>,
    /// The number of each row shown, counted from 1 below the header.
    row_numbers: Vec<usize>,
}

impl<'a> TableView<'a> {
    pub(crate) fn new(
        name: &str,
        table: &Table,
        pictures: Option<&'a PictureSource>,
        locked: bool,
    ) -> Self {
        Self {
            name: name.to_owned(),
            pictures,
            locked,
            rows: table.rows(),
            columns: table
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| view(index, column))
                .collect(),
            preview: table.preview(SHOWN),
            row_numbers: table.row_numbers.iter().copied().take(SHOWN).collect(),
        }
    }
}

fn view(index: usize, column: &Column) -> ColumnView {
    let stats = column.stats();
    ColumnView {
        index,
        kind: match stats.kind {
            ColumnKind::Numeric => "number",
            ColumnKind::Text => "text",
            ColumnKind::Constant => "constant",
            ColumnKind::Empty => "empty",
        },
        missing: stats.missing,
        distinct: stats.distinct,
        min: stats.least,
        median: median(column),
        max: stats.greatest,
        name: stats.name,
    }
}

/// The median of a column of numbers.
pub(crate) fn median(column: &Column) -> Option<f64> {
    let Values::Numeric(numbers) = &column.values else {
        return None;
    };
    let mut present: Vec<f64> = numbers
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    present.sort_by(f64::total_cmp);
    let middle = present.len() / 2;
    match present.len() {
        0 => None,
        n if n % 2 == 1 => Some(present[middle]),
        _ => Some(present[middle - 1] / 2.0 + present[middle] / 2.0),
    }
}
