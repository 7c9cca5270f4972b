//! Written records: reading folders of them, and turning them into numbers with the language model.

use crate::failure::Failure;
use crate::progress::Progress;
use confide_client::ClientError;
use confide_client::intake::{MAX_TEXT_BYTES, Table, TextFiles, TextSource, read_csv};
use confide_text::TextModel;
use rayon::prelude::*;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Texts that are read between two looks at the clock, for each thread.
const AT_ONCE: usize = 8;
/// Where the language model lies unless the user says otherwise.
pub const USUAL_MODEL: &str = "models/minilm-l6-v2/text.safetensors";
/// Variable that names another file.
pub const MODEL_VARIABLE: &str = "CONFIDE_TEXT_MODEL";

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

/// The text files of a folder and of the folders in it as a table with a column `text`, as the page makes it ([`TextFiles`]).
pub fn read_folder(folder: &Path, text: &str) -> Result<Table, Failure> {
    let mut files = TextFiles::default();
    // A folder's own name is not that of a label.
    take_folder(folder, "records", &mut files)?;
    Ok(read_csv(files.csv(text)?.as_bytes())?)
}

/// Takes in the text files of a folder, which are named as if it were called `path`. Links to folders are not followed.
fn take_folder(folder: &Path, path: &str, files: &mut TextFiles) -> Result<(), Failure> {
    let unread = |error: std::io::Error| Failure::file("read", folder, &error);
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let path = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(unread)?.is_dir() {
            take_folder(&entry.path(), &path, files)?;
        } else if TextFiles::is_one(&path) {
            files.add(&path, &read_file(&entry.path())?)?;
        }
    }
    Ok(())
}

/// A file, read no further than to see that it is too long.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let unread = |error: std::io::Error| Failure::file("read", path, &error);
    let file = std::fs::File::open(path).map_err(unread)?;
    let mut bytes = Vec::new();
    file.take(MAX_TEXT_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unread)?;
    Ok(bytes)
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
            ("malignant/2019", "c.txt", "Another, larger"),
            ("malignant", "notes.pdf", "left out"),
        ] {
            std::fs::create_dir_all(folder.join(label)).unwrap();
            std::fs::write(folder.join(label).join(file), text).unwrap();
        }
        let table = read_folder(&folder, TextFiles::TEXT);
        let only = read_folder(&folder.join("benign"), "note");
        std::fs::remove_dir_all(&folder).unwrap();
        let table = table.unwrap();
        let names = ["benign/a.txt", "malignant/2019/c.txt", "malignant/b.txt"];
        assert_eq!(TextFiles::names(&table), names);
        let texts = ["No \"finding\",\nnothing.", "Another, larger", "A lump"];
        assert_eq!(table.texts("text").unwrap(), texts);
        assert_eq!(table.texts("label").unwrap(), ["benign", "malignant"]);
        let only = only.unwrap();
        assert_eq!(TextFiles::names(&only), ["a.txt"]);
        assert_eq!(only.texts("note").unwrap().len(), 1);
    }
}
