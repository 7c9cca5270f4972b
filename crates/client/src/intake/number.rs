//! Reading one cell as a number.

/// What one cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    Missing,
    Text,
}

/// Whether a trimmed cell is one of the usual ways to write "no value".
pub(super) fn is_missing(cell: &str) -> bool {
    cell.is_empty()
        || cell == "?"
        || ["na", "n/a", "nan", "null", "#n/a"]
            .iter()
            .any(|word| cell.eq_ignore_ascii_case(word))
}

/// Reads a trimmed cell. A decimal comma is understood where the comma does not separate columns.
pub(super) fn read_cell(cell: &str, delimiter: u8) -> Cell {
    if is_missing(cell) {
        return Cell::Missing;
    }
    match read_number(cell, delimiter) {
        Some(number) => Cell::Number(number),
        None => Cell::Text,
    }
}

fn read_number(cell: &str, delimiter: u8) -> Option<f64> {
    // `f64::from_str` also reads words such as "inf" and "infinity".
    if cell
        .bytes()
        .any(|b| b.is_ascii_alphabetic() && b != b'e' && b != b'E')
    {
        return None;
    }
    let decimal_comma = delimiter != b',' && cell.matches(',').count() == 1 && !cell.contains('.');
    let parsed = if decimal_comma {
        cell.replace(',', ".").parse::<f64>()
    } else {
        cell.parse::<f64>()
    };
    parsed.ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_words_and_gaps_are_told_apart() {
        assert_eq!(read_cell("1.5", b','), Cell::Number(1.5));
        assert_eq!(read_cell("-1e-3", b','), Cell::Number(-0.001));
        assert_eq!(read_cell("1,5", b';'), Cell::Number(1.5));
        assert_eq!(read_cell("1,234.5", b';'), Cell::Text);
        for gap in ["", "?", "NA", "n/a", "NaN", "NULL"] {
            assert_eq!(read_cell(gap, b','), Cell::Missing);
        }
        for word in ["inf", "-infinity", "1e999", "12..5", "0x10", "twelve"] {
            assert_eq!(read_cell(word, b','), Cell::Text, "{word}");
        }
    }
}
