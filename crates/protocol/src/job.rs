//! Jobs: what a client asks to be computed, and what becomes of it.

use serde::{Deserialize, Serialize};

use crate::{Digest, MAX_DIGESTS, ProtocolError, Token, WireError, to_bytes};

/// What an object is for. Used for accounts; the object's own header is checked when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObjectKind {
    /// The key that brings products back to two parts.
    RelinearisationKey,
    /// The key of one automorphism X -> X^element.
    GaloisKey {
        /// The Galois element, odd and below 2N.
        element: u64,
    },
    /// Encrypted features of training records.
    Features,
    /// Encrypted labels of training records.
    Labels,
    /// Encrypted records to predict.
    Records,
    /// An encrypted trained head.
    Head,
    /// Encrypted predictions.
    Scores,
    /// A key to or from the sparse secret of bootstrapping.
    SparseKey,
    /// Encrypted images.
    Images,
    /// Encrypted features that a network made of images.
    ImageFeatures,
    /// Encrypted scores of validation records, made while a training goes on. Several of one step are in the order of
    /// the records.
    Validation {
        /// Steps of the training that were done.
        step: u32,
    },
}

/// An object that a job made: kind, digest, bytes.
pub type Output = (ObjectKind, Digest, u64);

/// A job. Plans are bytes of `confide-train` or `confide-model`; objects are named by digest and must be in
/// the client's store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobSpec {
    /// Train a head.
    Train {
        /// The plan, `bincode` of `confide_train::TrainingPlan`.
        plan: Vec<u8>,
        /// The relinearisation key.
        relin: Digest,
        /// Galois element and key, exactly those of the plan.
        galois: Vec<(u64, Digest)>,
        /// Feature ciphertexts in the plan's order.
        features: Vec<Digest>,
        /// Label ciphertexts in the plan's order.
        labels: Vec<Digest>,
        /// Keys to and from the sparse secret, in the plan's order; none without bootstraps.
        sparse: Vec<Digest>,
        /// Validation records in the plan's order; none without validation.
        validation: Vec<Digest>,
    },
    /// Predict records with a trained head.
    Predict {
        /// The plan, `bincode` of `confide_train::TrainingPlan`.
        plan: Vec<u8>,
        /// The relinearisation key.
        relin: Digest,
        /// Galois element and key, exactly those that the plan needs for predictions.
        galois: Vec<(u64, Digest)>,
        /// The head that a training job returned.
        head: Digest,
        /// Records in this batch; their layout in the ciphertexts depends on it.
        rows: u32,
        /// Record ciphertexts in the plan's order.
        records: Vec<Digest>,
    },
    /// Evaluate a network on images.
    Infer {
        /// The plan, `bincode` of `confide_model::InferencePlan`.
        plan: Vec<u8>,
        /// The keys in the plan's order.
        keys: Vec<Digest>,
        /// Image ciphertexts in the plan's order: by run, channel and phase.
        images: Vec<Digest>,
    },
}

impl JobSpec {
    /// The job's name: the same job under the same token is the same job.
    ///
    /// # Errors
    /// [`ProtocolError::Oversized`] when the job does not fit a control frame.
    pub fn id(&self, token: &Token) -> Result<JobId, ProtocolError> {
        JobId::of(self, &token.namespace())
    }

    /// Every object that the job reads.
    #[must_use]
    pub fn inputs(&self) -> Vec<Digest> {
        let (relin, galois, rest) = match self {
            Self::Infer { keys, images, .. } => {
                return keys.iter().chain(images).copied().collect();
            }
            Self::Train {
                relin,
                galois,
                features,
                labels,
                sparse,
                validation,
                ..
            } => (
                relin,
                galois,
                [features.as_slice(), labels, sparse, validation],
            ),
            Self::Predict {
                relin,
                galois,
                head,
                records,
                ..
            } => (
                relin,
                galois,
                [std::slice::from_ref(head), records, &[], &[]],
            ),
        };
        std::iter::once(relin)
            .chain(galois.iter().map(|(_, digest)| digest))
            .chain(rest.into_iter().flatten())
            .copied()
            .collect()
    }

    /// The plan's bytes.
    #[must_use]
    pub fn plan(&self) -> &[u8] {
        match self {
            Self::Train { plan, .. } | Self::Predict { plan, .. } | Self::Infer { plan, .. } => {
                plan
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), ProtocolError> {
        let (galois, sparse, ciphertexts) = match self {
            Self::Train {
                galois,
                features,
                labels,
                sparse,
                validation,
                ..
            } => (
                galois.len(),
                sparse.len(),
                [features.len(), labels.len(), validation.len()],
            ),
            Self::Predict {
                galois, records, ..
            } => (galois.len(), 0, [1, records.len(), 0]),
            Self::Infer { keys, images, .. } => (keys.len(), 0, [images.len(), 0, 0]),
        };
        let [first, second, third] = ciphertexts;
        for (what, have) in [
            ("list of keys", galois),
            ("list of keys of the sparse secret", sparse),
            ("list of ciphertexts", first),
            ("list of ciphertexts", second),
            ("list of ciphertexts", third),
        ] {
            if have > MAX_DIGESTS {
                return Err(ProtocolError::TooMany {
                    what,
                    have,
                    limit: MAX_DIGESTS,
                });
            }
        }
        Ok(())
    }
}

/// Name of a job: keyed BLAKE3 of the encoded [`JobSpec`] under [`Token::namespace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub Digest);

impl JobId {
    /// The name of a job of the client with this [`Token::namespace`].
    ///
    /// # Errors
    /// As [`JobSpec::id`].
    pub fn of(job: &JobSpec, namespace: &Digest) -> Result<Self, ProtocolError> {
        let bytes = to_bytes(job)?;
        Ok(Self(blake3::keyed_hash(&namespace.0, &bytes).into()))
    }
}

/// Where a job stands. The last three are final and recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JobState {
    /// Waiting; `position` jobs run before it.
    Queued {
        /// Jobs before this one.
        position: u32,
    },
    /// Running.
    Running {
        /// What it is doing.
        phase: String,
        /// Units of work done.
        done: u64,
        /// Units of work in all.
        total: u64,
        /// Time since the job started, in milliseconds.
        elapsed_ms: u64,
        /// Estimate of the time left, in milliseconds, once there is one.
        remaining_ms: Option<u64>,
        /// Objects made so far; they can be fetched now and are among the report's outputs.
        outputs: Vec<Output>,
    },
    /// Finished.
    Done(JobReport),
    /// Ended with an error.
    Failed(WireError),
    /// Ended by the client's wish.
    Cancelled,
}

impl JobState {
    /// Whether the job has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Failed(_) | Self::Cancelled)
    }
}

/// What a finished job gave, and what it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobReport {
    /// Objects made. They can be fetched like any other object.
    pub outputs: Vec<Output>,
    /// Seconds by phase.
    pub seconds: Vec<(String, f64)>,
    /// Most memory that the worker held during the job, in bytes.
    pub peak_rss_bytes: u64,
    /// Operations by name.
    pub counts: Vec<(String, u64)>,
}
