//! Control messages of both directions.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, JobId, JobSpec, JobState, MAX_DIGESTS, MAX_NAME_BYTES, ObjectKind, ProtocolError,
    Token, WireError,
};

/// From the data party to the worker. `request` is chosen by the client and comes back in the reply.
///
/// The order of the variants is the wire format: add at the end only, and raise the version for
/// anything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientMessage {
    /// First message of every connection. `version` stays its first field in all versions.
    Hello {
        /// [`crate::PROTOCOL_VERSION`].
        version: u16,
        /// Name of the program, for the worker's log.
        client: String,
        /// Owner of the objects and jobs.
        token: Token,
    },
    /// Ask for a plan.
    RequestPlan {
        /// Number of the request.
        request: u32,
        /// `bincode` of `confide_train::PlanRequest`.
        plan_request: Vec<u8>,
    },
    /// Ask which of these objects the worker lacks.
    Have {
        /// Number of the request.
        request: u32,
        /// At most [`MAX_DIGESTS`].
        digests: Vec<Digest>,
    },
    /// Announce an object. The chunks follow after `PutReady`.
    Put {
        /// Number of the request.
        request: u32,
        /// Number of the transfer, not in use on this connection for another upload.
        transfer: u32,
        /// BLAKE3 of the object.
        digest: Digest,
        /// Bytes of the object.
        size: u64,
        /// What it is for.
        kind: ObjectKind,
    },
    /// Start a job, attach to it if it is known, or hear its recorded end.
    StartJob {
        /// Number of the request.
        request: u32,
        /// The job.
        job: JobSpec,
    },
    /// Hear of a job's progress.
    AttachJob {
        /// Number of the request.
        request: u32,
        /// The job.
        job: JobId,
    },
    /// End a job.
    CancelJob {
        /// Number of the request.
        request: u32,
        /// The job.
        job: JobId,
    },
    /// Ask for an object from `offset` on.
    Get {
        /// Number of the request.
        request: u32,
        /// Number of the transfer, not in use on this connection for another download.
        transfer: u32,
        /// BLAKE3 of the object.
        digest: Digest,
        /// A multiple of the chunk size.
        offset: u64,
    },
    /// All chunks up to `index` of a download have arrived.
    ChunkAck {
        /// The download.
        transfer: u32,
        /// The last chunk that arrived.
        index: u32,
    },
    /// Delete objects of this client.
    Delete {
        /// Number of the request.
        request: u32,
        /// At most [`MAX_DIGESTS`].
        digests: Vec<Digest>,
    },
    /// End all jobs of this client and delete everything that the worker stores of it.
    DeleteAll {
        /// Number of the request.
        request: u32,
    },
    /// Ask for a [`WorkerMessage::Pong`].
    Ping {
        /// Comes back.
        nonce: u64,
    },
    /// Ask which networks the worker evaluates.
    ListModels {
        /// Number of the request.
        request: u32,
    },
    /// Ask for the plan of an inference; the answer is a [`WorkerMessage::Plan`].
    RequestInference {
        /// Number of the request.
        request: u32,
        /// `bincode` of `confide_model::InferenceRequest`.
        inference_request: Vec<u8>,
    },
}

impl ClientMessage {
    /// Checks the lengths of lists and names.
    pub(crate) fn check(&self) -> Result<(), ProtocolError> {
        let (what, have, limit) = match self {
            Self::Hello { client, .. } => ("client name", client.len(), MAX_NAME_BYTES),
            Self::Have { digests, .. } | Self::Delete { digests, .. } => {
                ("list of digests", digests.len(), MAX_DIGESTS)
            }
            Self::StartJob { job, .. } => return job.check(),
            _ => return Ok(()),
        };
        if have > limit {
            return Err(ProtocolError::TooMany { what, have, limit });
        }
        Ok(())
    }
}

/// From the worker to the data party.
///
/// The order of the variants is the wire format: add at the end only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkerMessage {
    /// Answer to `Hello`. `version` stays its first field in all versions.
    Welcome {
        /// [`crate::PROTOCOL_VERSION`].
        version: u16,
        /// Name and release of the worker.
        worker: String,
        /// What the worker allows this client.
        limits: Limits,
        /// Threads that compute.
        threads: u32,
        /// Memory that one job may use, in bytes.
        memory_bytes: u64,
    },
    /// Answer to `RequestPlan` and `RequestInference`.
    Plan {
        /// Number of the request.
        request: u32,
        /// `bincode` of `confide_train::TrainingPlan` or `confide_model::InferencePlan`.
        plan: Vec<u8>,
    },
    /// Answer to `Have`: what is missing, with the bytes that are already there of each.
    HaveReply {
        /// Number of the request.
        request: u32,
        /// Objects that are not complete.
        missing: Vec<(Digest, u64)>,
    },
    /// Answer to `Put`: send chunks from `offset` on.
    PutReady {
        /// Number of the request.
        request: u32,
        /// The transfer.
        transfer: u32,
        /// A multiple of the chunk size, or the object's size when it is already complete.
        offset: u64,
    },
    /// All chunks up to `index` of an upload have arrived.
    ChunkAck {
        /// The upload.
        transfer: u32,
        /// The last chunk that arrived.
        index: u32,
    },
    /// The object is complete, checked and on disk; the transfer is closed.
    PutDone {
        /// The transfer.
        transfer: u32,
        /// The object.
        digest: Digest,
    },
    /// Answer to `Get`; chunks follow.
    GetStart {
        /// Number of the request.
        request: u32,
        /// The transfer.
        transfer: u32,
        /// Bytes of the object.
        size: u64,
        /// Where the first chunk starts.
        offset: u64,
    },
    /// Where a job stands: the answer to job requests, and news of an attached job.
    JobUpdate {
        /// Number of the request, absent in news.
        request: Option<u32>,
        /// The job.
        job: JobId,
        /// Where it stands.
        state: JobState,
    },
    /// Answer to `Delete` and `DeleteAll`.
    Deleted {
        /// Number of the request.
        request: u32,
        /// Objects deleted.
        objects: u64,
        /// Bytes freed.
        bytes: u64,
    },
    /// Answer to `Ping`.
    Pong {
        /// From the `Ping`.
        nonce: u64,
    },
    /// Something was refused or failed. With `transfer`, that transfer is closed.
    Error {
        /// The request, if it was about one.
        request: Option<u32>,
        /// The transfer, if it was about one.
        transfer: Option<u32>,
        /// What happened.
        error: WireError,
    },
    /// The worker stops; connect again later, jobs go on then.
    ShuttingDown,
    /// Answer to `ListModels`.
    Models {
        /// Number of the request.
        request: u32,
        /// At most [`crate::MAX_MODELS`].
        models: Vec<ModelEntry>,
    },
}

/// A network that a worker evaluates. Its files are fetched like objects, by any client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelEntry {
    /// Name by the card.
    pub name: String,
    /// The card: what the network is, takes, promises and was trained on.
    pub card: ModelFile,
    /// Known answers.
    pub golden: ModelFile,
    /// The weights, unless the worker keeps them to itself.
    pub weights: Option<ModelFile>,
}

/// A file of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// BLAKE3 of the file.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: u64,
}

/// What a worker allows one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of data in a chunk.
    pub chunk_bytes: u32,
    /// Unacknowledged chunks a transfer.
    pub window_chunks: u32,
    /// Bytes of one object.
    pub max_object_bytes: u64,
    /// Bytes that the client may store.
    pub max_client_bytes: u64,
    /// Jobs that the client may have waiting or running.
    pub max_jobs: u32,
    /// Memory that one job may use, in bytes.
    pub max_memory_bytes: u64,
    /// Bytes of a control frame.
    pub max_control_bytes: u32,
    /// Seconds without any message after which the worker hangs up.
    pub idle_timeout_s: u32,
}
