//! The objects that are uploaded, and the factory that makes them.

use super::{from_engine, from_train};
use crate::ClientError;
use crate::session::Object;
use confide_ckks::{
    Complex64, Encoder, Encryptor, KeyGenerator, KeyKind, Parameters, SecretKey, SeededCiphertext,
    SeededSwitchingKey,
};
use confide_protocol::ObjectKind;
use confide_train::Plan;
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
}

impl ObjectJob {
    /// What the worker is told that the object is.
    pub fn kind(&self) -> ObjectKind {
        match *self {
            Self::Features { .. } => ObjectKind::Features,
            Self::Labels { .. } => ObjectKind::Labels,
            Self::Records { .. } => ObjectKind::Records,
            Self::RelinKey { .. } => ObjectKind::RelinearisationKey,
            Self::GaloisKey { element, .. } => ObjectKind::GaloisKey { element },
        }
    }

    /// Whether the object holds encrypted data, and the factory needs its slots.
    pub fn has_slots(&self) -> bool {
        !matches!(self, Self::RelinKey { .. } | Self::GaloisKey { .. })
    }

    /// Name for people and the ledger.
    pub fn name(&self) -> String {
        match self {
            Self::Features { index } => format!("features {}", index + 1),
            Self::Labels { index } => format!("labels {}", index + 1),
            Self::Records { batch, index } => format!("records {}.{}", batch + 1, index + 1),
            Self::RelinKey { .. } => "relinearisation key".to_owned(),
            Self::GaloisKey { element, .. } => format!("rotation key {element}"),
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
    pub(super) fn new(job: ObjectJob, plan: &Plan, params: &Parameters) -> Self {
        let bytes = match job {
            ObjectJob::Features { .. } | ObjectJob::Labels { .. } => {
                SeededCiphertext::encoded_len(params, plan.data_level)
            }
            ObjectJob::Records { .. } => {
                SeededCiphertext::encoded_len(params, plan.prediction_level)
            }
            ObjectJob::RelinKey { level } | ObjectJob::GaloisKey { level, .. } => {
                SeededSwitchingKey::encoded_len(params, level)
            }
        };
        Self {
            job,
            name: job.name(),
            bytes: bytes as u64,
        }
    }

    /// The keys of a plan, relinearisation first.
    pub(super) fn keys(plan: &Plan, params: &Parameters) -> Vec<Self> {
        let galois = plan.keys.iter().map(|key| ObjectJob::GaloisKey {
            element: key.element,
            level: key.level,
        });
        std::iter::once(ObjectJob::RelinKey {
            level: plan.relin_level,
        })
        .chain(galois)
        .map(|job| Self::new(job, plan, params))
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
    pub fn new(seed: &[u8; 32], plan: &Plan) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_train)?;
        let generator = KeyGenerator::new(&params, seed);
        Ok(Self {
            secret: generator.secret_key(),
            encryptor: Encryptor::new(&params, seed),
            encoder: Encoder::new(&params),
            generator,
            params,
            data_level: plan.data_level,
            prediction_level: plan.prediction_level,
        })
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
        let key = |kind, level| self.generator.switching_key_bytes(kind, level);
        let bytes = match *job {
            ObjectJob::RelinKey { level } => key(KeyKind::Relin, level),
            ObjectJob::GaloisKey { element, level } => key(KeyKind::Galois(element), level),
            ObjectJob::Records { .. } => self
                .encrypt(job, slots, self.prediction_level)?
                .to_bytes(&self.params),
            ObjectJob::Features { .. } | ObjectJob::Labels { .. } => self
                .encrypt(job, slots, self.data_level)?
                .to_bytes(&self.params),
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
