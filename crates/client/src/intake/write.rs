//! Lines as CSV bytes: what [`read_csv`](super::read_csv) reads.

use crate::ClientError;
use std::fmt::Display;

/// Lines of cells as CSV, the header among them; cells are quoted where they have to be.
///
/// # Errors
/// `CC-5022` for lines of different lengths, which whoever calls rules out.
pub fn write_csv<Line>(lines: impl IntoIterator<Item = Line>) -> Result<String, ClientError>
where
    Line: IntoIterator,
    Line::Item: AsRef<[u8]>,
{
    let failed = |what: &dyn Display| {
        ClientError::new(
            "CC-5022",
            format!("The table cannot be written: {what}."),
            "Try again.",
        )
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    for line in lines {
        writer.write_record(line).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_have_to_be() {
        let written = write_csv([["a", "b"], ["x, \"y\"\nz", ""]]).unwrap();
        assert_eq!(written, "a,b\n\"x, \"\"y\"\"\nz\",\n");
        assert_eq!(write_csv([vec![""], vec!["b"]]).unwrap(), "\"\"\nb\n");
        let uneven = write_csv([vec!["a"], vec!["b", "c"]]);
        assert_eq!(uneven.unwrap_err().code, "CC-5022");
    }
}
