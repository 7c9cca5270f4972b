//! What is kept of a training on images for later predictions.

use super::parts::{Packing, gathering};
use super::run::ImageRun;
use crate::ClientError;
use crate::workflow::classify::from_model;
use crate::workflow::model::{broken, check_version};
use crate::workflow::run::Digests;
use crate::workflow::{HeldOut, ObjectJob, from_engine, from_train};
use confide_model::Card;
use confide_protocol::Digest;
use confide_train::TrainingPlan;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;

/// A head on encrypted images as the data party keeps it: the network's card, the plan of the training, and the digests under
/// which the worker stores head and keys. Holds no key, no weights and no image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedImageModel {
    /// Format of the file.
    pub version: u32,
    /// The card of the network, as it came.
    pub network: String,
    /// Name of the label column.
    pub label: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// Index of the positive class of two.
    pub positive: usize,
    /// The plan of the training.
    pub plan: TrainingPlan,
    /// How the images that trained were packed.
    #[serde(flatten)]
    pub packing: Packing,
    /// Digest of the encrypted head, hexadecimal.
    pub head: String,
    /// Keys of the network with their digests, hexadecimal.
    pub network_keys: Vec<(ObjectJob, String)>,
    /// Keys of the training with their digests, hexadecimal.
    pub keys: Vec<(ObjectJob, String)>,
    /// Fingerprint of the key that opens the predictions.
    pub key_fingerprint: String,
    /// What the head said of the held-out images, where that is kept here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
}

impl SavedImageModel {
    /// What to keep of a finished training. `digests` are of the objects of the network and of those of the training;
    /// `key_fingerprint` is that of the vault.
    ///
    /// # Errors
    /// `CC-5030`, which does not happen for a run.
    pub fn new(
        run: &ImageRun,
        head: Digest,
        [network, training]: [&Digests; 2],
        key_fingerprint: String,
    ) -> Result<Self, ClientError> {
        let keys = |digests: &Digests| {
            let keys = digests.iter().filter(|(job, _)| !job.has_slots());
            keys.map(|(job, digest)| (*job, digest.to_hex())).collect()
        };
        Ok(Self {
            version: VERSION,
            network: String::from_utf8(run.all.text.clone()).map_err(|_| broken())?,
            label: run.label.clone(),
            classes: run.classes.clone(),
            positive: run.positive,
            plan: run.training.clone(),
            packing: Packing::of(run.features().next().ok_or_else(broken)?),
            head: head.to_hex(),
            network_keys: keys(network),
            keys: keys(training),
            key_fingerprint,
            held_out: None,
        })
    }

    /// Keeps beside it what the head said of the held-out images: new ones are judged by them.
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

    /// Whether a text is the beginning of such a model, and not of one on records.
    pub fn is_one(text: &str) -> bool {
        #[derive(Deserialize)]
        struct OnlyNetwork {
            #[serde(rename = "network")]
            _network: String,
        }
        serde_json::from_str::<OnlyNetwork>(text).is_ok()
    }

    /// Reads and checks a model file.
    ///
    /// # Errors
    /// `CC-5030` not a model file or not sound, `CC-5031` made by another version, `CC-5040` for the card of a network that cannot
    /// be used, `CC-5002` for a plan that does not follow from its choices.
    pub fn from_json(text: &str) -> Result<Self, ClientError> {
        check_version(text, VERSION)?;
        let model: Self = serde_json::from_str(text).map_err(|_| broken())?;
        model.card()?;
        // The plan is derived again: nothing in it is taken from the file on trust.
        model.plan.check_derivation().map_err(from_train)?;
        gathering(&model.plan)?;
        let held = model.held_out.as_ref();
        let judged = held.is_none_or(|held| held.is_sound() && held.classes == model.classes);
        let sizes = model.plan.shape().classes == model.classes.len();
        match sizes && judged && model.positive < model.classes.len() && model.digests().is_some() {
            true => Ok(model),
            false => Err(broken()),
        }
    }

    /// The card of the network.
    ///
    /// # Errors
    /// `CC-5040`.
    pub fn card(&self) -> Result<Card, ClientError> {
        Card::parse(self.network.as_bytes()).map_err(from_model)
    }

    /// Head, keys of the network and keys of the training; `None` when one of them is not a digest.
    pub(super) fn digests(&self) -> Option<(Digest, [Digests; 2])> {
        let keys = |keys: &[(ObjectJob, String)]| -> Option<Digests> {
            let keys = keys.iter();
            keys.map(|(job, digest)| Some((*job, Digest::from_hex(digest)?)))
                .collect()
        };
        let both = [keys(&self.network_keys)?, keys(&self.keys)?];
        Some((Digest::from_hex(&self.head)?, both))
    }
}
