//! Records of jobs: what was asked until it ends, and how it ended.

use std::{fs, io, path::PathBuf, time::SystemTime};

use confide_protocol::{
    Digest, JobId, JobSpec, JobState, ProtocolError, WireError, code, from_bytes, to_bytes,
};
use serde::{Deserialize, Serialize};

use super::{Namespace, Store, files};
use crate::fault;

/// Ended jobs that are remembered for each client.
const MAX_RECORDS: usize = 256;
const SPEC: &str = "spec.v1";
const STATE: &str = "state.v1";
const CHECKPOINT: &str = "checkpoint.v1";

/// Where a job stood when it was last written down. The order of the variants is the file format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum JobRecord {
    /// Waiting.
    Waiting,
    /// Running; the worker has begun it so many times and not ended it.
    Running {
        /// Starts so far, this one included.
        starts: u32,
    },
    /// Over.
    Ended(JobState),
}

/// A job that a stop of the worker left without an end.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredJob {
    /// Its owner.
    pub namespace: Namespace,
    /// Its name.
    pub id: JobId,
    /// What was asked.
    pub spec: JobSpec,
    /// Times that it was begun.
    pub starts: u32,
}

impl Store {
    /// Writes a new job down.
    ///
    /// # Errors
    /// The disk failed.
    pub fn record_job(
        &self,
        namespace: &Namespace,
        id: &JobId,
        spec: &JobSpec,
    ) -> Result<(), WireError> {
        let bytes = to_bytes(spec).map_err(internal)?;
        self.drop_old_records(namespace);
        files::write_atomic(&self.job_dir(namespace, id).join(SPEC), &bytes)
            .map_err(|error| fault::store("record a job", &error))?;
        self.record_state(namespace, id, &JobRecord::Waiting)
    }

    /// Writes down where a job stands. The end of a job removes what was asked.
    ///
    /// # Errors
    /// The disk failed.
    pub fn record_state(
        &self,
        namespace: &Namespace,
        id: &JobId,
        record: &JobRecord,
    ) -> Result<(), WireError> {
        let bytes = to_bytes(record).map_err(internal)?;
        let dir = self.job_dir(namespace, id);
        files::write_atomic(&dir.join(STATE), &bytes)
            .and_then(|()| match record {
                JobRecord::Ended(_) => {
                    files::remove(&dir.join(SPEC))?;
                    files::remove(&dir.join(CHECKPOINT))
                }
                JobRecord::Waiting | JobRecord::Running { .. } => Ok(()),
            })
            .map_err(|error| fault::store("record a job", &error))
    }

    /// What a job saved last; none if it has not, or its file cannot be read.
    #[must_use]
    pub fn checkpoint(&self, namespace: &Namespace, id: &JobId) -> Option<Vec<u8>> {
        let path = self.job_dir(namespace, id).join(CHECKPOINT);
        match fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(job = id.0.short(), %error, "checkpoint cannot be read");
                }
                None
            }
        }
    }

    /// Saves where a job stands, in place of what was saved before. A job that gets on is no job that takes the worker
    /// down: its starts count from here.
    ///
    /// # Errors
    /// The disk failed.
    pub fn save_checkpoint(
        &self,
        namespace: &Namespace,
        id: &JobId,
        bytes: &[u8],
    ) -> Result<(), WireError> {
        files::write_atomic(&self.job_dir(namespace, id).join(CHECKPOINT), bytes)
            .map_err(|error| fault::store("save a checkpoint", &error))?;
        self.record_state(namespace, id, &JobRecord::Running { starts: 1 })
    }

    /// How a job ended, if it is known and has.
    #[must_use]
    pub fn ended_job(&self, namespace: &Namespace, id: &JobId) -> Option<JobState> {
        let bytes = fs::read(self.job_dir(namespace, id).join(STATE)).ok()?;
        match from_bytes(&bytes) {
            Ok(JobRecord::Ended(state)) => Some(state),
            _ => None,
        }
    }

    /// All jobs without an end, oldest first. A record that cannot be read ends as a failure.
    ///
    /// # Errors
    /// The disk failed.
    pub fn unfinished_jobs(&self) -> io::Result<Vec<StoredJob>> {
        let mut found = Vec::new();
        for client in fs::read_dir(self.root.join("clients"))? {
            let client = client?;
            let Some(namespace) = client.file_name().to_str().and_then(Digest::from_hex) else {
                continue;
            };
            let Ok(jobs) = fs::read_dir(client.path().join("jobs")) else {
                continue;
            };
            for job in jobs {
                let job = job?;
                let Some(id) = job.file_name().to_str().and_then(Digest::from_hex) else {
                    continue;
                };
                if let Some(entry) = self.unfinished_job(namespace, JobId(id)) {
                    found.push(entry);
                }
            }
        }
        found.sort_by_key(|(since, job)| (*since, job.id));
        Ok(found.into_iter().map(|(_, job)| job).collect())
    }

    fn unfinished_job(&self, namespace: Namespace, id: JobId) -> Option<(SystemTime, StoredJob)> {
        let dir = self.job_dir(&namespace, &id);
        let state = fs::read(dir.join(STATE)).ok();
        let starts = match state.as_deref().map(from_bytes::<JobRecord>) {
            Some(Ok(JobRecord::Ended(_))) => return None,
            Some(Ok(JobRecord::Running { starts })) => starts,
            // Killed between the two writes of a new job, or before.
            Some(Ok(JobRecord::Waiting)) | None => 0,
            Some(Err(error)) => {
                tracing::error!(job = id.0.short(), %error, "record cannot be read");
                0
            }
        };
        let path = dir.join(SPEC);
        let since = fs::metadata(&path).and_then(|meta| meta.modified());
        let spec = fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|bytes| from_bytes(&bytes).map_err(|error| error.to_string()));
        match (since, spec) {
            (Ok(since), Ok(spec)) => Some((
                since,
                StoredJob {
                    namespace,
                    id,
                    spec,
                    starts,
                },
            )),
            (_, spec) => {
                let reason = spec.err().unwrap_or_default();
                tracing::error!(job = id.0.short(), reason, "job cannot be read, ended");
                let failure = fault::worker(
                    code::INTERNAL,
                    "the worker's record of this job was damaged",
                    "Start the job again.",
                );
                let record = JobRecord::Ended(JobState::Failed(failure));
                // Logged inside; the next start tries again.
                let _ = self.record_state(&namespace, &id, &record);
                None
            }
        }
    }

    /// Keeps the number of remembered jobs of a client bounded: the oldest ended ones go.
    fn drop_old_records(&self, namespace: &Namespace) {
        let Ok(jobs) = fs::read_dir(self.client_dir(namespace).join("jobs")) else {
            return;
        };
        let mut ended: Vec<_> = jobs
            .flatten()
            .filter(|job| !job.path().join(SPEC).exists())
            .filter_map(|job| {
                let state = fs::metadata(job.path().join(STATE)).ok()?;
                Some((state.modified().ok()?, job.path()))
            })
            .collect();
        if ended.len() < MAX_RECORDS {
            return;
        }
        ended.sort();
        for (_, dir) in &ended[..=ended.len() - MAX_RECORDS] {
            if let Err(error) = fs::remove_dir_all(dir) {
                tracing::warn!(%error, "cannot remove an old record");
            }
        }
    }

    fn job_dir(&self, namespace: &Namespace, id: &JobId) -> PathBuf {
        self.client_dir(namespace).join("jobs").join(id.0.to_hex())
    }
}

fn internal(error: ProtocolError) -> WireError {
    fault::worker(
        code::INTERNAL,
        format!("the job cannot be recorded: {error}"),
        "Report this.",
    )
}
