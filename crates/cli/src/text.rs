//! Written records: reading folders of them, and turning them into numbers with the language model.

use crate::failure::Failure;
use crate::progress::Progress;
use confide_client::ClientError;
use confide_client::intake::{Table, TextSource, read_csv};
use confide_text::TextModel;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Texts that are read between two looks at the clock, for each thread.
const AT_ONCE: usize = 8;
/// Where the language model lies unless the user says otherwise.
pub const USUAL_MODEL: &str = "models/minilm-l6-v2/text.safetensors";
/// Variable that names another file.
pub const MODEL_VARIABLE: &str = "CONFIDE_TEXT_MODEL";
/// Longest file of a folder.
const MAX_FILE: u64 = 4 << 20;

/// The language model's file.
#[derive(clap::Args, Clone, Debug)]
pub struct TextModelFile {
    /// File of the language model, which `cargo xtask text-model` makes
    #[arg(
        long,
        value_name = "FILE",
        default_value = USUAL_MODEL,
        env = MODEL_VARIABLE
    )]
    pub text_model: PathBuf,
}

/// The column of texts.
#[derive(clap::Args, Clone, Debug)]
pub struct TextOptions {
    /// Column of written records: a language model turns each into 384 numbers on this machine, beside the other features
    #[arg(long, value_name = "COLUMN")]
    pub text: Option<String>,
    #[command(flatten)]
    pub model: TextModelFile,
}

impl TextOptions {
    /// Puts numbers in the place of the texts, where there is a column of texts.
    pub fn embed(&self, table: &mut Table, progress: &mut Progress) -> Result<(), Failure> {
        match &self.text {
            Some(column) => {
                let model = self.model.read()?;
                embed(&model, column, table, progress)
            }
            None => Ok(()),
        }
    }
}

impl TextModelFile {
    /// Puts numbers in the place of texts as a training did it.
    pub fn embed_as(
        &self,
        source: Option<&TextSource>,
        table: &mut Table,
        progress: &mut Progress,
    ) -> Result<(), Failure> {
        let Some(source) = source else { return Ok(()) };
        let model = self.read()?;
        if model.digest() != source.model {
            let message = "The head was trained with another language model than this one.";
            let remedy = "Use the version of Confide that trained it.";
            return Err(ClientError::new("CC-6071", message, remedy).into());
        }
        embed(&model, &source.column, table, progress)
    }

    /// Reads the model and checks its digest.
    pub fn read(&self) -> Result<TextModel, Failure> {
        let path = self.text_model.display();
        let remedy = "`cargo xtask text-model` makes the file models/minilm-l6-v2/text.safetensors; --text-model says where \
                      it lies.";
        let failed = |what: String| ClientError::new("CC-6070", what, remedy);
        let bytes = std::fs::read(&self.text_model).map_err(|error| {
            failed(format!(
                "The language model {path} cannot be read: {error}."
            ))
        })?;
        let model = TextModel::minilm(&bytes);
        Ok(model.map_err(|error| {
            failed(format!(
                "The language model {path} cannot be used: {error}."
            ))
        })?)
    }
}

fn embed(
    model: &TextModel,
    column: &str,
    table: &mut Table,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let texts = table.texts(column)?;
    let total = texts.len() as u64;
    progress.phase("embed", "Reading the texts", total, false);
    let begun = Instant::now();
    let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
    for some in texts.chunks(AT_ONCE * rayon::current_num_threads()) {
        vectors.par_extend(some.par_iter().map(|text| model.embed(text)));
        let done = vectors.len() as u64;
        let left = begun.elapsed().as_millis() as u64 * (total - done) / done;
        progress.set(done, total, Some(left));
    }
    let source = TextSource {
        column: column.to_owned(),
        model: model.digest().to_owned(),
    };
    Ok(table.with_vectors(source, &vectors)?)
}

/// A folder of text files as a table: columns `file`, `label` (the folder that a file lies in) and `text`.
pub fn read_folder(folder: &Path) -> Result<Table, Failure> {
    let mut rows: Vec<[String; 3]> = Vec::new();
    for path in entries(folder)? {
        let label = name(&path);
        match path.is_dir() {
            true => {
                for file in entries(&path)? {
                    rows.extend(row(&file, &label)?);
                }
            }
            false => rows.extend(row(&path, "")?),
        }
    }
    let mut csv = "file,label,text\n".to_owned();
    for row in &rows {
        push_row(&mut csv, row.iter().map(String::as_str));
    }
    Ok(read_csv(csv.as_bytes())?)
}

/// A row of CSV.
pub fn push_row<'a>(csv: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (place, cell) in cells.enumerate() {
        if place > 0 {
            csv.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            csv.push('"');
            csv.push_str(&cell.replace('"', "\"\""));
            csv.push('"');
        } else {
            csv.push_str(cell);
        }
    }
    csv.push('\n');
}

fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error: std::io::Error| Failure::file("read", folder, &error);
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| Ok(entry.map_err(failed)?.path()))
        .collect::<Result<_, Failure>>()?;
    paths.sort();
    Ok(paths)
}

/// File, label and text of a text file; nothing for other files.
fn row(path: &Path, label: &str) -> Result<Option<[String; 3]>, Failure> {
    if path.extension().is_none_or(|extension| extension != "txt") {
        return Ok(None);
    }
    let failed = |error: std::io::Error| Failure::file("read", path, &error);
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_FILE {
        let message = format!(
            "{} has {bytes} bytes; a record has at most {MAX_FILE}.",
            path.display()
        );
        return Err(ClientError::new("CC-6072", message, "Cut it into records.").into());
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    // A table has no zero bytes.
    Ok(Some([
        name(path),
        label.to_owned(),
        text.replace('\0', " "),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_folders_is_a_table_with_labels() {
        let folder = std::env::temp_dir().join(format!("confide-text-{}", std::process::id()));
        for (label, file, text) in [
            ("benign", "a.txt", "No \"finding\",\nnothing."),
            ("malignant", "b.txt", "A lump"),
            ("malignant", "c.txt", "Another, larger"),
            ("malignant", "notes.pdf", "left out"),
        ] {
            std::fs::create_dir_all(folder.join(label)).unwrap();
            std::fs::write(folder.join(label).join(file), text).unwrap();
        }
        let table = read_folder(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let table = table.unwrap();
        assert_eq!(table.rows(), 3);
        let texts = ["No \"finding\",\nnothing.", "A lump", "Another, larger"];
        assert_eq!(table.texts("text").unwrap(), texts);
        assert_eq!(table.texts("label").unwrap(), ["benign", "malignant"]);
    }
}
