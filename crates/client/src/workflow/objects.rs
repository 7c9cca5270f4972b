//! The objects that are uploaded, and the factory that makes them.

use super::classify::from_model;
use super::{from_engine, from_train};
use crate::ClientError;
use crate::session::Object;
use confide_ckks::{
    Complex64, Encoder, Encryptor, KeyGenerator, KeyKind, Parameters, SecretKey, SeededCiphertext,
    SeededSwitchingKey,
};
use confide_model::InferencePlan;
use confide_protocol::ObjectKind;
use confide_train::TrainingPlan;
use serde::{Deserialize, Serialize};

/// One object to be made. Small and without data: it can be sent to a browser worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ObjectJob {
    /// Features of training records.
    Features {
        /// Place in the plan's order.
        index: usize,
    },
    /// Labels of training records.
    Labels {
        /// Block of rows.
        index: usize,
    },
    /// Records to predict.
    Records {
        /// Batch of records.
        batch: usize,
        /// Place in the batch.
        index: usize,
    },
    /// The relinearisation key.
    RelinKey {
        /// Highest level at which it is used.
        level: usize,
    },
    /// The key of an automorphism.
    GaloisKey {
        /// Galois element.
        element: u64,
        /// Highest level at which it is used.
        level: usize,
    },
    /// A key to or from the sparse secret of bootstrapping.
    SparseKey {
        /// Which of the two.
        kind: KeyKind,
        /// Highest level at which it is used.
        level: usize,
    },
    /// Images to classify.
    Images {
        /// Job.
        job: usize,
        /// Place in the plan's order.
        index: usize,
    },
    /// Records that validate a training while it runs.
    Validation {
        /// Place in the plan's order.
        index: usize,
    },
}

impl ObjectJob {
    /// What the worker is told that the object is.
    pub fn kind(&self) -> ObjectKind {
        match *self {
            Self::Features { .. } => ObjectKind::Features,
            Self::Labels { .. } => ObjectKind::Labels,
            Self::Records { .. } | Self::Validation { .. } => ObjectKind::Records,
            Self::RelinKey { .. } => ObjectKind::RelinearisationKey,
            Self::GaloisKey { element, .. } => ObjectKind::GaloisKey { element },
            Self::SparseKey { .. } => ObjectKind::SparseKey,
            Self::Images { .. } => ObjectKind::Images,
        }
    }

    /// Whether the object holds encrypted data, and the factory needs its slots.
    pub fn has_slots(&self) -> bool {
        self.switching_key().is_none()
    }

    /// The key that it is, and the highest level at which it is used; none for data.
    pub fn switching_key(&self) -> Option<(KeyKind, usize)> {
        match *self {
            Self::RelinKey { level } => Some((KeyKind::Relin, level)),
            Self::GaloisKey { element, level } => Some((KeyKind::Galois(element), level)),
            Self::SparseKey { kind, level } => Some((kind, level)),
            Self::Features { .. }
            | Self::Labels { .. }
            | Self::Records { .. }
            | Self::Images { .. }
            | Self::Validation { .. } => None,
        }
    }

    /// The object that a key is.
    pub fn of_key(kind: KeyKind, level: usize) -> Self {
        match kind {
            KeyKind::Relin => Self::RelinKey { level },
            KeyKind::Galois(element) => Self::GaloisKey { element, level },
            KeyKind::ToSparse(_) | KeyKind::FromSparse(_) => Self::SparseKey { kind, level },
        }
    }

    /// Name for people and the ledger.
    pub fn name(&self) -> String {
        match self {
            Self::Features { index } => format!("features {}", index + 1),
            Self::Labels { index } => format!("labels {}", index + 1),
            Self::Records { batch, index } => format!("records {}.{}", batch + 1, index + 1),
            Self::Validation { index } => format!("validation records {}", index + 1),
            Self::RelinKey { .. } => "relinearisation key".to_owned(),
            Self::GaloisKey { element, .. } => format!("rotation key {element}"),
            Self::SparseKey { kind, .. } => kind.to_string(),
            Self::Images { job, index } => format!("images {}.{}", job + 1, index + 1),
        }
    }
}

/// An object to be made, with its exact size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What to make.
    pub job: ObjectJob,
    /// Name for people.
    pub name: String,
    /// Bytes that it will have.
    pub bytes: u64,
}

impl Item {
    /// An object of a training plan.
    ///
    /// # Errors
    /// `CC-5004` for a key that the parameters do not have.
    pub(super) fn of_training(
        job: ObjectJob,
        plan: &TrainingPlan,
        params: &Parameters,
    ) -> Result<Self, ClientError> {
        let level = match job {
            ObjectJob::Records { .. } | ObjectJob::Validation { .. } => plan.prediction_level(),
            _ => plan.data_level(),
        };
        Self::new(job, params, level)
    }

    /// An object; data are at `level`.
    ///
    /// # Errors
    /// `CC-5004` for a key that the parameters do not have.
    pub(super) fn new(
        job: ObjectJob,
        params: &Parameters,
        level: usize,
    ) -> Result<Self, ClientError> {
        let bytes = match job.switching_key() {
            Some((kind, level)) => SeededSwitchingKey::encoded_len_of(params, kind, level)
                .map_err(|error| from_engine(&error))?,
            None => SeededCiphertext::encoded_len(params, level),
        };
        Ok(Self {
            job,
            name: job.name(),
            bytes: bytes as u64,
        })
    }

    /// The keys of a plan, in its order.
    pub(super) fn keys(plan: &TrainingPlan, params: &Parameters) -> Result<Vec<Self>, ClientError> {
        let keys = plan.switching_keys().into_iter();
        keys.map(|(kind, level)| Self::new(ObjectJob::of_key(kind, level), params, level))
            .collect()
    }
}

/// Makes keys and ciphertexts of one plan from the master seed. The same seed, plan and data give the same bytes, so
/// an interrupted upload resumes. Holds the secret key; make one in each thread.
///
/// Nothing of an object stays here: besides the tables of the parameters, a factory needs the memory of the one
/// object that it makes ([`KeyGenerator::switching_key_bytes`]), however many there are. At N = 2^16 with 27 + 7
/// primes in 4 digits a browser's module peaks at 137 MiB with all tables, 50 of them the key's bytes.
pub struct ObjectFactory {
    params: Parameters,
    generator: KeyGenerator,
    secret: SecretKey,
    encryptor: Encryptor,
    encoder: Encoder,
    data_level: usize,
    prediction_level: usize,
}

impl ObjectFactory {
    /// A factory for a plan that has been accepted.
    ///
    /// # Errors
    /// `CC-5004` when the parameters are refused.
    pub fn new(seed: &[u8; 32], plan: &TrainingPlan) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_train)?;
        Ok(Self {
            data_level: plan.data_level(),
            prediction_level: plan.prediction_level(),
            ..Self::of_parameters(seed, params)
        })
    }

    /// A factory for an inference plan that has been accepted.
    ///
    /// # Errors
    /// `CC-5004` when the parameters are refused.
    pub fn of_inference(seed: &[u8; 32], plan: &InferencePlan) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_model)?;
        Ok(Self {
            data_level: plan.image_level(),
            ..Self::of_parameters(seed, params)
        })
    }

    /// A factory for an accepted plan of features that a training reads: under the secret of the training.
    ///
    /// # Errors
    /// `CC-5004` when the parameters are refused.
    pub fn of_features(
        seed: &[u8; 32],
        plan: &InferencePlan,
        training: &TrainingPlan,
    ) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_model)?;
        let other = training.parameters().map_err(from_train)?;
        let generator = KeyGenerator::under_secret_of(&params, &other, seed)
            .map_err(|error| from_engine(&error))?;
        Ok(Self {
            data_level: plan.image_level(),
            ..Self::of_generator(seed, params, generator)
        })
    }

    fn of_parameters(seed: &[u8; 32], params: Parameters) -> Self {
        let generator = KeyGenerator::new(&params, seed);
        Self::of_generator(seed, params, generator)
    }

    fn of_generator(seed: &[u8; 32], params: Parameters, generator: KeyGenerator) -> Self {
        Self {
            secret: generator.secret_key(),
            encryptor: Encryptor::new(&params, seed),
            encoder: Encoder::new(&params),
            generator,
            data_level: params.program_level(),
            prediction_level: params.program_level(),
            params,
        }
    }

    /// Makes one object; `slots` are those that the run gives for the job, none for keys.
    ///
    /// # Errors
    /// `CC-5004` when the engine refuses, `CC-5013` when a data object comes without slots.
    pub fn make(
        &self,
        job: &ObjectJob,
        slots: Option<&[Complex64]>,
    ) -> Result<Object, ClientError> {
        let level = match *job {
            ObjectJob::Records { .. } | ObjectJob::Validation { .. } => self.prediction_level,
            _ => self.data_level,
        };
        let bytes = match job.switching_key() {
            Some((kind, level)) => self.generator.switching_key_bytes(kind, level),
            None => self.encrypt(job, slots, level)?.to_bytes(&self.params),
        };
        Ok(Object::new(
            job.name(),
            job.kind(),
            bytes.map_err(|error| from_engine(&error))?,
        ))
    }

    fn encrypt(
        &self,
        job: &ObjectJob,
        slots: Option<&[Complex64]>,
        level: usize,
    ) -> Result<SeededCiphertext, ClientError> {
        let slots = slots.ok_or_else(|| {
            ClientError::new(
                "CC-5013",
                format!("No data were given for {}.", job.name()),
                "Report this as a fault.",
            )
        })?;
        let scale = self.params.scale_at(level);
        let plain = self
            .encoder
            .encode(slots, level, scale)
            .map_err(|error| from_engine(&error))?;
        self.encryptor
            .encrypt_seeded(&self.secret, &plain, job.name().as_bytes())
            .map_err(|error| from_engine(&error))
    }
}
