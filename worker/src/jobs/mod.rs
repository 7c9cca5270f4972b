//! What a job is to the worker: something that reads objects, computes, and stores objects.

mod admission;
mod bootstrapped;
mod checkpoint;
mod compute;
mod infer;
mod kept;
mod load;
mod observe;
mod predict;
mod train;
mod work;

pub use compute::Compute;

use std::path::PathBuf;

use confide_protocol::{
    Digest, JobReport, JobSpec, Limits, ModelEntry, ObjectKind, Output, WireError, code,
};

use crate::fault;

/// Makes plans and runs jobs. The transport knows nothing of what they compute.
pub trait JobRunner: Send + Sync + 'static {
    /// Answers a plan request with a plan, both as bytes.
    ///
    /// # Errors
    /// The request cannot be read, or no plan fits it and the limits.
    fn plan(&self, request: &[u8], limits: &Limits) -> Result<Vec<u8>, WireError>;

    /// The networks that can be evaluated.
    fn models(&self) -> Vec<ModelEntry> {
        Vec::new()
    }

    /// The file of a network that any client may fetch.
    fn model_file(&self, _digest: &Digest) -> Option<PathBuf> {
        None
    }

    /// Answers a request for an inference with a plan, both as bytes.
    ///
    /// # Errors
    /// The request cannot be read, is about an unknown model, or no plan fits it and the limits.
    fn plan_inference(&self, _request: &[u8], _limits: &Limits) -> Result<Vec<u8>, WireError> {
        Err(fault::client(
            code::UNKNOWN_MODEL,
            "this worker has no models",
            "Use another worker.",
        ))
    }

    /// Checks all of a job that can be checked without reading its objects: the plan, the list of
    /// objects, and the memory that it will need against the limits.
    ///
    /// # Errors
    /// What is wrong with the job.
    fn check(&self, spec: &JobSpec, limits: &Limits) -> Result<(), WireError>;

    /// Bytes of the objects that a checked job will store, for the client's account.
    fn output_bytes(&self, _spec: &JobSpec) -> u64 {
        0
    }

    /// Runs a checked job to its end. Called on the worker's compute threads.
    ///
    /// # Errors
    /// [`Stopped::Asked`] soon after `watch` says so, else what went wrong.
    fn run(
        &self,
        spec: &JobSpec,
        objects: &dyn Objects,
        watch: &dyn Watch,
    ) -> Result<JobReport, Stopped>;
}

/// The objects of the client whose job it is.
pub trait Objects: Sync {
    /// Bytes of an object, if it is there.
    fn size(&self, digest: &Digest) -> Option<u64>;

    /// Reads an object; its digest has been checked.
    ///
    /// # Errors
    /// Unknown, damaged, or the disk failed.
    fn read(&self, digest: &Digest) -> Result<Vec<u8>, WireError>;

    /// Stores a result.
    ///
    /// # Errors
    /// Over the client's limits, or the disk failed.
    fn write(&self, kind: ObjectKind, bytes: &[u8]) -> Result<Digest, WireError>;

    /// What the job saved last, if it was begun before.
    fn checkpoint(&self) -> Option<Vec<u8>>;

    /// Saves where the job stands; replaces what was saved before, at once or not at all.
    ///
    /// # Errors
    /// The disk failed.
    fn save_checkpoint(&self, bytes: &[u8]) -> Result<(), WireError>;
}

/// Whoever waits for the job.
pub trait Watch: Sync {
    /// Reports progress: units of work done, of all.
    fn progress(&self, phase: &str, done: u64, total: u64);

    /// Tells of all objects that the job has made so far and that can be fetched while it goes on.
    fn made(&self, _outputs: &[Output]) {}

    /// Whether the job is to stop. Asked at least every second or two.
    fn stop_wanted(&self) -> bool;
}

/// Why a job ended without a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Stopped {
    /// Because it was asked to.
    Asked,
    /// Because of an error.
    Failed(WireError),
}

impl From<WireError> for Stopped {
    fn from(error: WireError) -> Self {
        Self::Failed(error)
    }
}
