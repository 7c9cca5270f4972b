//! What a session tells its owner.

use confide_protocol::{Digest, JobId, JobState, Limits, ModelEntry, ObjectKind, WireError};
use std::sync::Arc;

/// An object to be uploaded. Cheap to clone.
#[derive(Clone)]
pub struct Object {
    /// Name for people and for the ledger, for example `rotation key 5`.
    pub name: String,
    /// BLAKE3 of the bytes.
    pub digest: Digest,
    /// What it is for.
    pub kind: ObjectKind,
    /// The bytes, public by construction: a ciphertext or an evaluation key.
    pub bytes: Arc<Vec<u8>>,
}

impl Object {
    /// Hashes the bytes.
    pub fn new(name: impl Into<String>, kind: ObjectKind, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            digest: Digest::of(&bytes),
            kind,
            bytes: Arc::new(bytes),
        }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Object({}, {:?}, {} bytes)",
            self.name,
            self.digest,
            self.bytes.len()
        )
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The worker has greeted; unfinished work goes on by itself.
    Connected {
        /// Name and release of the worker.
        worker: String,
        /// What it allows.
        limits: Limits,
        /// Threads that compute.
        threads: u32,
        /// Memory that one job may use.
        memory_bytes: u64,
    },
    /// Answer to `request_plan` and `request_inference`.
    Plan {
        /// The request.
        request: u32,
        /// `bincode` of a plan.
        plan: Vec<u8>,
    },
    /// Answer to `list_models`.
    Models {
        /// The request.
        request: u32,
        /// The networks.
        models: Vec<ModelEntry>,
    },
    /// Answer to `have`.
    Have {
        /// The request.
        request: u32,
        /// Objects that the worker lacks, with the bytes it already has of each.
        missing: Vec<(Digest, u64)>,
    },
    /// An object is complete on the worker's disk.
    Uploaded {
        /// The object.
        digest: Digest,
    },
    /// An object has arrived whole.
    Downloaded {
        /// The object.
        digest: Digest,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A job's state, in answer or as news.
    Job {
        /// The job.
        job: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// Answer to `delete` and `delete_all`.
    Deleted {
        /// The request.
        request: u32,
        /// Objects deleted.
        objects: u64,
        /// Bytes freed.
        bytes: u64,
    },
    /// The worker answers a ping.
    Pong {
        /// From the ping.
        nonce: u64,
    },
    /// A request or a transfer ended with an error and is not tried again.
    Failed {
        /// The request, if it was one.
        request: Option<u32>,
        /// The object, if it was a transfer.
        digest: Option<Digest>,
        /// The job, if it was about one.
        job: Option<JobId>,
        /// What the worker said.
        error: WireError,
    },
    /// The worker stops; connect again later.
    ShuttingDown,
}
