//! The networks that this worker evaluates: a folder of model folders, each read and checked once at the start.
//! Cards stay in memory; weights are read again for each job.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use confide_model::{CARD, Card, Model};
use confide_protocol::{
    Digest, MAX_MODELS, MAX_NAME_BYTES, ModelEntry, ModelFile, WireError, code,
};

use crate::fault;

/// Checked models by card.
#[derive(Debug, Default)]
pub struct Models {
    offered: Vec<Offered>,
    files: HashMap<Digest, PathBuf>,
}

/// A model that is offered.
#[derive(Debug)]
pub struct Offered {
    folder: PathBuf,
    /// The card.
    pub card: Card,
    entry: ModelEntry,
}

impl Models {
    /// Reads every folder of `directory` that has a card. One that is not valid is logged and left out. Weights are
    /// offered to clients unless they are to be kept private.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn read(directory: &Path, private_weights: bool) -> io::Result<Self> {
        let mut folders: Vec<PathBuf> = fs::read_dir(directory)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<_>>()?;
        folders.retain(|folder| folder.join(CARD).is_file());
        folders.sort();
        let mut models = Self::default();
        for folder in folders {
            let name = folder.display().to_string();
            if models.offered.len() == MAX_MODELS {
                tracing::warn!(name, "too many models, left out");
                continue;
            }
            match Offered::read(folder, private_weights) {
                Ok((offered, files)) => {
                    tracing::info!(
                        model = offered.card.name,
                        id = offered.card.id_hex(),
                        "model offered"
                    );
                    models.offered.push(offered);
                    models.files.extend(files);
                }
                Err(reason) => tracing::warn!(name, reason, "no valid model, left out"),
            }
        }
        Ok(models)
    }

    /// What clients are told.
    #[must_use]
    pub fn list(&self) -> Vec<ModelEntry> {
        let entries = self.offered.iter();
        entries.map(|offered| offered.entry.clone()).collect()
    }

    /// The file of a model that clients may fetch.
    #[must_use]
    pub fn file(&self, digest: &Digest) -> Option<&Path> {
        self.files.get(digest).map(PathBuf::as_path)
    }

    /// The model with this [`Card::id`].
    ///
    /// # Errors
    /// `CF-3011`.
    pub fn find(&self, card: &[u8; 32]) -> Result<&Offered, WireError> {
        let found = self.offered.iter().find(|one| one.card.id == *card);
        found.ok_or_else(|| {
            fault::client(
                code::UNKNOWN_MODEL,
                "this worker does not have the model",
                "Ask it for its list of models.",
            )
        })
    }
}

impl Offered {
    fn read(
        folder: PathBuf,
        private_weights: bool,
    ) -> Result<(Self, Vec<(Digest, PathBuf)>), String> {
        let card = Model::read(&folder)
            .map_err(|error| error.to_string())?
            .card;
        if card.name.is_empty() || card.name.len() > MAX_NAME_BYTES {
            return Err(format!("its name has {} bytes", card.name.len()));
        }
        let mut files = Vec::new();
        let mut file = |name: &str| {
            let path = folder.join(name);
            let bytes = fs::read(&path).map_err(|error| format!("{name}: {error}"))?;
            let digest = Digest::of(&bytes);
            files.push((digest, path));
            Ok::<_, String>(ModelFile {
                digest,
                bytes: bytes.len() as u64,
            })
        };
        let [weights, golden] = card.files();
        let entry = ModelEntry {
            name: card.name.clone(),
            card: file(CARD)?,
            golden: file(golden)?,
            weights: (!private_weights).then(|| file(weights)).transpose()?,
        };
        let offered = Self {
            folder,
            card,
            entry,
        };
        Ok((offered, files))
    }

    /// Reads the model again, for a job.
    ///
    /// # Errors
    /// `CF-2006` if the files are not what they were when the worker started.
    pub fn load(&self) -> Result<Model, WireError> {
        let failed = |reason: String| {
            tracing::error!(model = self.card.name, reason, "model cannot be read");
            fault::worker(
                code::STORE,
                "the worker cannot read the model any more",
                "Ask its operator to look at its log.",
            )
        };
        let model = Model::read(&self.folder).map_err(|error| failed(error.to_string()))?;
        if model.card.id == self.card.id {
            Ok(model)
        } else {
            Err(failed("it has changed since the start".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tiny")
    }

    fn copy(to: &Path) {
        fs::create_dir(to).unwrap();
        for file in fs::read_dir(folder()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }

    #[test]
    fn models_are_checked_once_and_again_when_they_are_used() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["good", "damaged"] {
            copy(&dir.path().join(name));
        }
        fs::create_dir(dir.path().join("no model")).unwrap();
        fs::write(dir.path().join("damaged/weights.safetensors"), b"other").unwrap();
        let models = Models::read(dir.path(), false).unwrap();
        let list = models.list();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0].name, "tiny");
        let weights = list[0].weights.expect("offered");
        assert!(models.file(&weights.digest).is_some());
        let private = Models::read(dir.path(), true).unwrap();
        assert_eq!(private.list()[0].weights, None);
        assert!(private.file(&weights.digest).is_none());
        assert!(private.file(&list[0].card.digest).is_some());

        let id = models.offered[0].card.id;
        assert!(models.find(&id).unwrap().load().is_ok());
        assert_eq!(models.find(&[0; 32]).unwrap_err().code, code::UNKNOWN_MODEL);
        let card = dir.path().join("good").join(CARD);
        let text = fs::read_to_string(&card).unwrap();
        fs::write(&card, text.replace("fixture", "picture")).unwrap();
        assert_eq!(
            models.find(&id).unwrap().load().unwrap_err().code,
            code::STORE
        );
    }
}
