//! Text files as a table: one written record a file, in folders that are named like their labels.

use super::folder::{inside, plain, shared};
use super::table::Table;
use super::write::write_csv;
use crate::ClientError;

/// Longest text file, in bytes.
pub const MAX_TEXT_BYTES: usize = 4 << 20;

/// Text files on their way to a table.
#[derive(Default)]
pub struct TextFiles {
    /// Plain path and content.
    files: Vec<(String, String)>,
}

impl TextFiles {
    /// The column of paths within the chosen folder.
    pub const FILE: &str = "file";
    /// The column of labels.
    pub const LABEL: &str = "label";
    /// The column of written records, where nothing else asks for another name.
    pub const TEXT: &str = "text";
    /// Its place.
    pub const TEXT_INDEX: usize = 2;

    /// Whether a path is that of a text file: one that ends in `.txt`, and is not hidden, as what some systems keep beside it is.
    pub fn is_one(path: &str) -> bool {
        let path = plain(path);
        let name = path.rsplit('/').next().unwrap_or_default();
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        !name.starts_with('.')
            && extension.is_some_and(|extension| extension.eq_ignore_ascii_case("txt"))
    }

    /// Takes a file in; `path` says in which folder it lies.
    ///
    /// # Errors
    /// `CC-1018` for one of more than [`MAX_TEXT_BYTES`] or that is no UTF-8 text.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), ClientError> {
        let unusable = |why: &str, remedy: &str| {
            ClientError::new("CC-1018", format!("{path} cannot be read: {why}."), remedy)
        };
        if bytes.len() > MAX_TEXT_BYTES {
            let why = format!(
                "it has {} bytes, and a record has at most {MAX_TEXT_BYTES}",
                bytes.len()
            );
            return Err(unusable(&why, "Cut it into records."));
        }
        let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| {
            unusable(
                "it is not UTF-8 text",
                "Save it as UTF-8 text, or leave it out.",
            )
        })?;
        // A table has no zero bytes.
        self.files.push((plain(path), text.replace('\0', " ")));
        Ok(())
    }

    /// The files as a table with a header, sorted by path: the path within the folder that holds all of them, the folder in there
    /// that holds the file (nothing for a file in none), and the text in a column of the name `text`.
    ///
    /// # Errors
    /// `CC-1019` when there is no file.
    pub fn csv(&self, text: &str) -> Result<String, ClientError> {
        if self.files.is_empty() {
            return Err(ClientError::new(
                "CC-1019",
                "There is no text file (.txt) in what was chosen.",
                "Choose a folder that holds a folder of text files for each label, or a CSV file.",
            ));
        }
        let root = shared(self.files.iter().map(|(path, _)| path));
        let mut rows: Vec<[&str; 3]> = self
            .files
            .iter()
            .map(|(path, text)| {
                let path = inside(path, root);
                let label = path.split_once('/').map_or("", |(folder, _)| folder);
                [path, label, text]
            })
            .collect();
        rows.sort_unstable();
        let header = [Self::FILE, Self::LABEL, text];
        write_csv(std::iter::once(header).chain(rows))
    }

    /// The paths of a table that was made here, by row.
    pub fn names(table: &Table) -> Vec<String> {
        let files = table.column(Self::FILE);
        let of = |row| files.map_or_else(String::new, |column| column.shown(row));
        (0..table.rows()).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::read_csv;

    fn table(files: &[(&str, &str)]) -> Result<String, ClientError> {
        let mut all = TextFiles::default();
        for (path, text) in files {
            all.add(path, text.as_bytes())?;
        }
        all.csv(TextFiles::TEXT)
    }

    #[test]
    fn folders_are_labels_and_files_are_sorted() {
        let files = [
            ("notes/malignant/c.txt", "Another, larger"),
            ("notes/malignant/2019/b.txt", "A lump"),
            ("notes/benign/a.txt", "\u{feff}No \"finding\",\nnothing.\0"),
            ("notes/new.txt", "New"),
        ];
        let csv = table(&files).unwrap();
        let table = read_csv(csv.as_bytes()).unwrap();
        let column = |name| table.texts(name).unwrap().to_vec();
        let paths = ["benign/a.txt", "malignant/2019/b.txt", "malignant/c.txt"];
        assert_eq!(column("file")[..3], paths);
        assert_eq!(column("label"), ["benign", "malignant"]);
        let texts = [
            "No \"finding\",\nnothing.",
            "A lump",
            "Another, larger",
            "New",
        ];
        assert_eq!(column("text"), texts);
        assert_eq!(table.columns[TextFiles::TEXT_INDEX].name, TextFiles::TEXT);
        let names = TextFiles::names(&table);
        assert_eq!((names.len(), names[3].as_str()), (4, "new.txt"));
    }

    #[test]
    fn several_chosen_folders_and_loose_files_are_taken() {
        let csv = table(&[("b\\2.txt", "x"), ("./a/1.txt", "y")]).unwrap();
        assert_eq!(csv, "file,label,text\na/1.txt,a,y\nb/2.txt,b,x\n");
        let csv = table(&[("2.txt", "x"), ("1.txt", "y")]).unwrap();
        assert_eq!(csv, "file,label,text\n1.txt,,y\n2.txt,,x\n");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_name() {
        let kinds = ["a/b.txt", "B.TXT", "a.txt/b.pdf", "._b.txt", "a/.b.txt"];
        assert_eq!(
            kinds.map(TextFiles::is_one),
            [true, true, false, false, false]
        );
        let mut all = TextFiles::default();
        assert_eq!(all.csv("note").unwrap_err().code, "CC-1019");
        let error = all.add("a/b.txt", &[0xff, 0xfe, 0]).unwrap_err();
        assert!(error.code == "CC-1018" && error.message.contains("a/b.txt"));
        let long = vec![b'x'; MAX_TEXT_BYTES + 1];
        assert_eq!(all.add("long.txt", &long).unwrap_err().code, "CC-1018");
    }
}
