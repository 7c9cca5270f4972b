//! Reading CSV bytes: encoding, delimiter, header, rows.

use super::column::{Column, ColumnKind, Values};
use super::number::{Cell, read_cell};
use super::table::{Problem, ProblemKind, Severity, Table};
use crate::ClientError;
use csv::{ReaderBuilder, StringRecord};
use std::collections::HashMap;

/// Reads a CSV file with a header.
///
/// Accepts UTF-8 with or without a byte order mark, any line ending, quoted cells, and comma, semicolon, tab or
/// bar as the delimiter (the one that splits the header into most names). With a delimiter other than the comma,
/// a decimal comma is understood. A column is numeric when at least half of its values are numbers; the others
/// are then reported as problems.
///
/// # Errors
/// `CC-1001` not UTF-8, `CC-1002` no rows, `CC-1003` no header, `CC-1004` too many or too few columns,
/// `CC-1005` unreadable.
pub fn read_csv(bytes: &[u8]) -> Result<Table, ClientError> {
    let text = decode(bytes)?;
    let delimiter = detect_delimiter(text);
    let header = read_header(text, delimiter)?;
    let mut table = Table {
        columns: Vec::new(),
        row_numbers: Vec::new(),
        ragged_rows: 0,
        delimiter,
        problems: Vec::new(),
        text: None,
        pictures: None,
        problem_counts: Vec::new(),
    };
    let names = name_columns(&header, &mut table);
    let kinds = survey(text, delimiter, names.len())?;
    fill(text, delimiter, names, &kinds, &mut table)?;
    if table.rows() == 0 && table.ragged_rows == 0 {
        return Err(ClientError::new(
            "CC-1002",
            "The file has a header but no rows.",
            "Choose a file with one record a row below the header.",
        ));
    }
    report_columns(&mut table);
    Ok(table)
}

fn decode(bytes: &[u8]) -> Result<&str, ClientError> {
    let remedy = "Save the file as \"CSV UTF-8\" in your spreadsheet program.";
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ClientError::new(
            "CC-1001",
            "The file is UTF-16 text, not UTF-8.",
            remedy,
        ));
    }
    let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()]
            .iter()
            .filter(|&&b| b == b'\n')
            .count()
            + 1;
        ClientError::new(
            "CC-1001",
            format!("Line {line} of the file is not UTF-8 text."),
            remedy,
        )
    })?;
    if text.contains('\0') {
        return Err(ClientError::new(
            "CC-1001",
            "The file holds zero bytes: it is not a text file.",
            "Choose a CSV file; a spreadsheet has to be saved as CSV first.",
        ));
    }
    if text.trim().is_empty() {
        return Err(ClientError::new(
            "CC-1002",
            "The file is empty.",
            "Choose a CSV file with a header and rows.",
        ));
    }
    Ok(text)
}

/// The candidate that splits the first line into most cells; the comma wins ties.
fn detect_delimiter(text: &str) -> u8 {
    let mut best = (1, b',');
    for delimiter in *b",;\t|" {
        let cells = reader(text, delimiter)
            .records()
            .next()
            .and_then(Result::ok)
            .map_or(0, |record| record.len());
        if cells > best.0 {
            best = (cells, delimiter);
        }
    }
    best.1
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

fn unreadable(error: csv::Error) -> ClientError {
    let place = error
        .position()
        .map_or(String::new(), |p| format!(" near line {}", p.line()));
    ClientError::new(
        "CC-1005",
        format!("The file cannot be read{place}."),
        "Save it again as CSV UTF-8.",
    )
}

fn read_header(text: &str, delimiter: u8) -> Result<StringRecord, ClientError> {
    let header = match reader(text, delimiter).records().next() {
        Some(record) => record.map_err(unreadable)?,
        None => StringRecord::new(),
    };
    if header.len() < 2 {
        return Err(ClientError::new(
            "CC-1004",
            "The first line holds a single column.",
            "A table needs a label column and at least one more, separated by comma, semicolon or tab.",
        ));
    }
    if header.len() > super::MAX_FEATURES + 1 {
        return Err(ClientError::new(
            "CC-1004",
            format!(
                "The table has {} columns; at most {} are possible.",
                header.len(),
                super::MAX_FEATURES + 1
            ),
            "Remove columns that you do not need.",
        ));
    }
    if header
        .iter()
        .all(|name| matches!(read_cell(name, delimiter), Cell::Number(_)))
    {
        return Err(ClientError::new(
            "CC-1003",
            "The first line holds numbers only: the file has no header.",
            "Add a first line with the names of the columns.",
        ));
    }
    Ok(header)
}

fn name_columns(header: &StringRecord, table: &mut Table) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(header.len());
    for (index, name) in header.iter().enumerate() {
        let name = if name.is_empty() {
            let given = format!("column {}", index + 1);
            table.report(Problem {
                kind: ProblemKind::Unnamed,
                severity: Severity::Warning,
                row: None,
                line: Some(1),
                column: Some(given.clone()),
                message: format!("Column {} has no name.", index + 1),
                remedy: "Name it in the header, or leave it out.".into(),
            });
            given
        } else {
            name.to_owned()
        };
        if let Some(first) = names.iter().position(|other| *other == name) {
            table.report(Problem {
                kind: ProblemKind::DuplicateName,
                severity: Severity::Error,
                row: None,
                line: Some(1),
                column: Some(name.clone()),
                message: format!(
                    "Columns {} and {} are both named \"{name}\".",
                    first + 1,
                    index + 1
                ),
                remedy: "Give each column a name of its own in the header.".into(),
            });
        }
        names.push(name);
    }
    names
}

/// First pass: for each column whether it is one of numbers.
fn survey(text: &str, delimiter: u8, width: usize) -> Result<Vec<bool>, ClientError> {
    let mut counts = vec![(0usize, 0usize); width];
    let mut reader = reader(text, delimiter);
    let mut record = StringRecord::new();
    let mut header = true;
    while reader.read_record(&mut record).map_err(unreadable)? {
        if header || record.len() != width {
            header = false;
            continue;
        }
        for (count, cell) in counts.iter_mut().zip(record.iter()) {
            match read_cell(cell, delimiter) {
                Cell::Number(_) => count.0 += 1,
                Cell::Text => count.1 += 1,
                Cell::Missing => {}
            }
        }
    }
    Ok(counts
        .iter()
        .map(|(numbers, texts)| numbers >= texts)
        .collect())
}

/// Second pass: the values and the problems of single cells.
fn fill(
    text: &str,
    delimiter: u8,
    names: Vec<String>,
    numeric: &[bool],
    table: &mut Table,
) -> Result<(), ClientError> {
    let width = names.len();
    let mut values: Vec<Values> = numeric
        .iter()
        .map(|&numeric| match numeric {
            true => Values::Numeric(Vec::new()),
            false => Values::Text {
                texts: Vec::new(),
                codes: Vec::new(),
            },
        })
        .collect();
    let mut known: Vec<HashMap<String, u32>> = vec![HashMap::new(); width];
    let mut reader = reader(text, delimiter);
    let mut record = StringRecord::new();
    let mut row = 0usize;
    let mut header = true;
    while reader.read_record(&mut record).map_err(unreadable)? {
        if header {
            header = false;
            continue;
        }
        row += 1;
        let line = record.position().map(|position| position.line());
        if record.len() != width {
            table.ragged_rows += 1;
            table.report(Problem {
                kind: ProblemKind::Ragged,
                severity: Severity::Error,
                row: Some(row),
                line,
                column: None,
                message: format!("Row {row} has {} cells, the header has {width}.", record.len()),
                remedy: "Mend the row (often a quote or delimiter is missing), or choose to drop such rows.".into(),
            });
            continue;
        }
        table.row_numbers.push(row);
        for (index, cell) in record.iter().enumerate() {
            let read = read_cell(cell, delimiter);
            let unusable = match (&mut values[index], read) {
                (Values::Numeric(numbers), Cell::Number(number)) => {
                    numbers.push(number);
                    None
                }
                (Values::Numeric(numbers), gap) => {
                    numbers.push(f64::NAN);
                    Some(if gap == Cell::Missing {
                        ProblemKind::Missing
                    } else {
                        ProblemKind::NotANumber
                    })
                }
                (Values::Text { codes, .. }, Cell::Missing) => {
                    codes.push(None);
                    Some(ProblemKind::Missing)
                }
                (Values::Text { texts, codes }, _) => {
                    let code = *known[index].entry(cell.to_owned()).or_insert_with(|| {
                        texts.push(cell.to_owned());
                        texts.len() as u32 - 1
                    });
                    codes.push(Some(code));
                    None
                }
            };
            if let Some(kind) = unusable {
                let what = if kind == ProblemKind::Missing {
                    "has no value"
                } else {
                    "is not a number"
                };
                table.report(Problem {
                    kind,
                    severity: Severity::Error,
                    row: Some(row),
                    line,
                    column: Some(names[index].clone()),
                    message: format!("Row {row}, column \"{}\" {what}.", names[index]),
                    remedy: "Mend the cell, leave out the column, or choose to drop such rows or to fill the gaps.".into(),
                });
            }
        }
    }
    table.columns = names
        .into_iter()
        .zip(values)
        .map(|(name, values)| Column { name, values })
        .collect();
    Ok(())
}

fn report_columns(table: &mut Table) {
    let rows = table.rows();
    for stats in table.stats() {
        let (kind, message, remedy) = match stats.kind {
            ColumnKind::Empty => (
                ProblemKind::Constant,
                format!("Column \"{}\" has no values.", stats.name),
                "It is left out.",
            ),
            ColumnKind::Constant => (
                ProblemKind::Constant,
                format!("Column \"{}\" has the same value in every row.", stats.name),
                "It carries nothing and is left out.",
            ),
            _ if rows > 3
                && stats.distinct == rows.min(1000)
                && looks_like_identifier(&stats.name) =>
            {
                (
                    ProblemKind::Identifier,
                    format!("Column \"{}\" looks like an identifier.", stats.name),
                    "Leave it out of the features, unless its value says something about the record.",
                )
            }
            _ => continue,
        };
        table.report(Problem {
            kind,
            severity: Severity::Warning,
            row: None,
            line: None,
            column: Some(stats.name),
            message,
            remedy: remedy.into(),
        });
    }
}

fn looks_like_identifier(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["id", "index", "mrn", "patient", "record", "column 1"].contains(&name.as_str())
        || name.ends_with("_id")
        || name.ends_with(" id")
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
