//! What is kept of a training for later predictions.

use super::held_out::HeldOut;
use super::objects::ObjectJob;
use super::run::{Digests, TrainingRun};
use super::{from_engine, from_train};
use crate::ClientError;
use crate::intake::{PictureSource, TextSource};
use crate::prepare::Preprocessing;
use confide_protocol::Digest;
use confide_train::TrainingPlan;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 2;

/// A trained head as the data party keeps it: the plan, the preparation of records and the digests under which the
/// worker stores head and keys. Holds no key and no weights, but statistics of the training records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedModel {
    /// Format of the file.
    pub version: u32,
    /// Name of the label column.
    pub label: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Index of the positive class of two.
    pub positive: usize,
    /// The column of texts among the features, and the language model that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSource>,
    /// The column of pictures among the features, and the base model that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<PictureSource>,
    /// Preparation of records.
    pub preprocessing: Preprocessing,
    /// The plan of the training.
    pub plan: TrainingPlan,
    /// Digest of the encrypted head, hexadecimal.
    pub head: String,
    /// Evaluation keys with their digests, hexadecimal.
    pub keys: Vec<(ObjectJob, String)>,
    /// Fingerprint of the key that opens the predictions.
    pub key_fingerprint: String,
    /// What the head said of the held-out records, where that is kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
}

impl SavedModel {
    /// What to keep of a finished training. `key_fingerprint` is that of the vault.
    pub fn new(
        run: &TrainingRun,
        head: Digest,
        digests: &Digests,
        key_fingerprint: String,
    ) -> Self {
        Self {
            version: VERSION,
            label: run.setup.dataset.label.clone(),
            classes: run.setup.class_names(),
            positive: run.setup.positive,
            text: run.setup.dataset.text.clone(),
            pictures: run.setup.dataset.pictures.clone(),
            preprocessing: run.setup.preprocessing.clone(),
            plan: run.plan.clone(),
            head: head.to_hex(),
            keys: digests
                .iter()
                .filter(|(job, _)| !job.has_slots())
                .map(|(job, digest)| (*job, digest.to_hex()))
                .collect(),
            key_fingerprint,
            held_out: None,
        }
    }

    /// Keeps beside it what the head said of the held-out records: new ones are judged by them.
    #[must_use]
    pub fn with_held_out(mut self, held_out: HeldOut) -> Self {
        self.held_out = Some(held_out);
        self
    }

    /// As JSON.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen.
    pub fn to_json(&self) -> Result<String, ClientError> {
        serde_json::to_string(self).map_err(|error| from_engine(&error))
    }

    /// Reads and checks a model file.
    ///
    /// # Errors
    /// `CC-5030` not a model file, `CC-5031` made by another version, `CC-3005` and `CC-5002` when it does not hold
    /// together.
    pub fn from_json(text: &str) -> Result<Self, ClientError> {
        check_version(text, VERSION)?;
        let model: Self = serde_json::from_str(text).map_err(|_| no_model())?;
        model.check()?;
        Ok(model)
    }

    fn check(&self) -> Result<(), ClientError> {
        self.preprocessing.check()?;
        // The plan is derived again: nothing in it is taken from the file on trust.
        self.plan.check_derivation().map_err(from_train)?;
        let shape = self.plan.shape();
        let sizes = shape.classes == self.classes.len()
            && shape.features == self.preprocessing.columns()
            && self.positive < self.classes.len();
        let judged = |held: &HeldOut| held.is_sound() && held.classes == self.classes;
        let sizes = sizes && self.held_out.as_ref().is_none_or(judged);
        if sizes && self.digests().is_some() {
            Ok(())
        } else {
            Err(broken())
        }
    }

    /// Head and keys; `None` when one of them is not a digest.
    pub(super) fn digests(&self) -> Option<(Digest, Digests)> {
        let keys = self
            .keys
            .iter()
            .map(|(job, digest)| Some((*job, Digest::from_hex(digest)?)));
        Some((Digest::from_hex(&self.head)?, keys.collect::<Option<_>>()?))
    }
}

/// The text is no file of a model.
fn no_model() -> ClientError {
    let remedy = "Choose the file that was saved after training.";
    ClientError::new("CC-5030", "The file is not a Confide model.", remedy)
}

/// The parts of a model do not belong together.
pub(super) fn broken() -> ClientError {
    ClientError::new(
        "CC-5030",
        "The model file does not hold together.",
        "Use an undamaged copy of it.",
    )
}

/// Refuses what is no model file of this version.
pub(super) fn check_version(text: &str, known: u32) -> Result<(), ClientError> {
    #[derive(Deserialize)]
    struct OnlyVersion {
        version: u32,
    }
    let OnlyVersion { version } = serde_json::from_str(text).map_err(|_| no_model())?;
    match version == known {
        true => Ok(()),
        false => Err(ClientError::new(
            "CC-5031",
            format!("The model file has format {version}; this program reads {known}."),
            "Use the version of Confide that wrote it.",
        )),
    }
}
