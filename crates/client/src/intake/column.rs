//! One column of a table: its values, its type and its statistics.

use serde::Serialize;

/// The values of a column, one for each row of the table.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; NaN where the cell is missing or not a number.
    Numeric(Vec<f64>),
    /// Indices into the distinct texts (in order of first appearance); `None` where the cell is missing.
    Text {
        /// The distinct texts.
        texts: Vec<String>,
        /// One index a row.
        codes: Vec<Option<u32>>,
    },
}

/// What a column can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Numbers that differ: a feature, or a label with few distinct values.
    Numeric,
    /// Text: only of use as the label.
    Text,
    /// The same value in every row: carries nothing.
    Constant,
    /// No value at all.
    Empty,
}

/// What the page shows of a column. Mean, deviation, least and greatest are given for numbers only.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnStats {
    /// Name from the header.
    pub name: String,
    /// What it can be used for.
    pub kind: ColumnKind,
    /// Cells with a usable value.
    pub present: usize,
    /// Cells without a value, or with text among numbers.
    pub missing: usize,
    /// Number of distinct values, counted up to 1,000.
    pub distinct: usize,
    /// Mean of the numbers.
    pub mean: Option<f64>,
    /// Standard deviation of the numbers.
    pub deviation: Option<f64>,
    /// Least number.
    pub least: Option<f64>,
    /// Greatest number.
    pub greatest: Option<f64>,
}

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Name from the header, trimmed.
    pub name: String,
    /// One value a row.
    pub values: Values,
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Numeric(numbers) => numbers.len(),
            Values::Text { codes, .. } => codes.len(),
        }
    }

    /// Whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell of a row as text for showing, empty where missing.
    pub fn shown(&self, row: usize) -> String {
        match &self.values {
            Values::Numeric(numbers) => match numbers.get(row) {
                Some(number) if !number.is_nan() => number.to_string(),
                _ => String::new(),
            },
            Values::Text { texts, codes } => codes
                .get(row)
                .copied()
                .flatten()
                .and_then(|code| texts.get(code as usize))
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// Type and statistics.
    pub fn stats(&self) -> ColumnStats {
        match &self.values {
            Values::Numeric(numbers) => numeric_stats(&self.name, numbers),
            Values::Text { texts, codes } => {
                let present = codes.iter().flatten().count();
                let kind = match texts.len() {
                    0 => ColumnKind::Empty,
                    1 => ColumnKind::Constant,
                    _ => ColumnKind::Text,
                };
                ColumnStats {
                    name: self.name.clone(),
                    kind,
                    present,
                    missing: codes.len() - present,
                    distinct: texts.len().min(1000),
                    mean: None,
                    deviation: None,
                    least: None,
                    greatest: None,
                }
            }
        }
    }
}

fn numeric_stats(name: &str, numbers: &[f64]) -> ColumnStats {
    let present: Vec<f64> = numbers.iter().copied().filter(|v| !v.is_nan()).collect();
    let count = present.len() as f64;
    let mean = present.iter().sum::<f64>() / count;
    let variance = present.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    let least = present.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = present.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut distinct = std::collections::HashSet::new();
    for value in &present {
        if distinct.len() == 1000 {
            break;
        }
        distinct.insert(value.to_bits());
    }
    let kind = if present.is_empty() {
        ColumnKind::Empty
    } else if least == greatest {
        ColumnKind::Constant
    } else {
        ColumnKind::Numeric
    };
    let some = |value: f64| (!present.is_empty()).then_some(value);
    ColumnStats {
        name: name.to_owned(),
        kind,
        present: present.len(),
        missing: numbers.len() - present.len(),
        distinct: distinct.len(),
        mean: some(mean),
        deviation: some(variance.sqrt()),
        least: some(least),
        greatest: some(greatest),
    }
}
