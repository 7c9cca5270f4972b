//! Classes of image files from a CSV file.

use std::collections::BTreeSet;

use crate::ClientError;

/// Longest file of labels, in bytes.
const MAX_LABELS: usize = 64 << 20;

/// File names and labels, in the file's order: two columns, of which the first line may be a header.
///
/// # Errors
/// `CC-1022` for a file that is too long, is no UTF-8, or has a line of another form, an empty cell or a file name that came
/// before; the message says which line.
pub fn read_labels(bytes: &[u8]) -> Result<Vec<(String, String)>, ClientError> {
    if bytes.len() > MAX_LABELS {
        return Err(wrong(format!(
            "the file of labels has {} bytes",
            bytes.len()
        )));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| wrong("the file of labels is no UTF-8 text".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut labels, mut seen) = (Vec::new(), BTreeSet::new());
    for (index, record) in reader.records().enumerate() {
        let line = index + 1;
        let record =
            record.map_err(|_| wrong(format!("line {line} of the labels cannot be read")))?;
        let [file, label] = [record.get(0), record.get(1)].map(Option::unwrap_or_default);
        if record.len() != 2 || file.is_empty() || label.is_empty() {
            return Err(wrong(format!(
                "line {line} of the labels is no file name and label"
            )));
        }
        if index == 0 && !is_picture(file) {
            continue;
        }
        if !seen.insert(file.to_owned()) {
            return Err(wrong(format!(
                "{file} has two labels, in line {line} again"
            )));
        }
        labels.push((file.to_owned(), label.to_owned()));
    }
    if labels.is_empty() {
        return Err(wrong("the file of labels names no image".to_owned()));
    }
    Ok(labels)
}

/// Whether a file name is that of a PNG or JPEG file.
pub fn is_picture(name: &str) -> bool {
    let extension = name
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase());
    extension.is_some_and(|known| ["png", "jpg", "jpeg"].contains(&known.as_str()))
}

fn wrong(what: String) -> ClientError {
    let mut letters = what.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    let message = format!("{}{}.", first.unwrap_or_default(), letters.as_str());
    ClientError::new(
        "CC-1022",
        message,
        "Write a line for each image: its file name, a comma, its label.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &[u8]) -> String {
        let error = read_labels(text).expect_err("not labels");
        assert_eq!(error.code, "CC-1022");
        error.message
    }

    #[test]
    fn labels_with_and_without_a_header() {
        let expected = vec![
            ("a/1.png".to_owned(), "CT".to_owned()),
            ("2.JPG".to_owned(), "x, y".to_owned()),
        ];
        let lines = "a/1.png, CT\r\n2.JPG,\"x, y\"\n";
        assert_eq!(read_labels(lines.as_bytes()), Ok(expected.clone()));
        let headed = format!("\u{feff}file,label\n{lines}");
        assert_eq!(read_labels(headed.as_bytes()), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert!(
            refused(b"file,label\n1.png,a\n1.png,b\n").contains("1.png has two labels, in line 3")
        );
        assert!(refused(b"file,label\n1.png\n").contains("Line 2"));
        assert!(refused(b"1.png,a\n2.png,\n").contains("Line 2"));
        assert!(refused(b"1.png,a,b\n").contains("Line 1"));
        assert!(refused(b"file,label\n").contains("no image"));
        assert!(refused(&[0xff, 0xfe, 0]).contains("UTF-8"));
    }
}
