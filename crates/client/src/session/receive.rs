//! What a session does with frames from the worker.

use super::transfer::{ATTEMPTS, Link};
use super::{Event, Session, Stage};
use crate::ClientError;
use confide_protocol::{
    Blame, ChunkFrame, ChunkSender, ClientMessage, Frame, JobId, JobState, PROTOCOL_VERSION,
    ProtocolError, WINDOW_CHUNKS, WireError, WorkerMessage, code, decode_worker,
};

impl Session {
    /// Takes a binary message.
    ///
    /// # Errors
    /// `CC-4001` when the worker breaks the protocol: close the socket and connect again. `CC-4004` when it speaks
    /// another version: connecting again does not help.
    pub fn on_frame(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.bytes_down += bytes.len() as u64;
        match decode_worker(bytes).map_err(broken)? {
            Frame::Control(message) => self.on_message(message),
            Frame::Chunk(chunk) => self.on_chunk(&chunk),
        }
    }

    fn on_message(&mut self, message: WorkerMessage) -> Result<(), ClientError> {
        match message {
            WorkerMessage::Welcome {
                version,
                worker,
                limits,
                threads,
                memory_bytes,
            } => {
                if version != PROTOCOL_VERSION {
                    return Err(broken(ProtocolError::Version {
                        theirs: version,
                        ours: PROTOCOL_VERSION,
                    }));
                }
                if self.stage != Stage::Greeting {
                    return Err(unexpected("a second greeting"));
                }
                self.stage = Stage::Open;
                self.limits = Some(limits);
                self.events.push_back(Event::Connected {
                    worker,
                    limits,
                    threads,
                    memory_bytes,
                });
                self.take_up();
                Ok(())
            }
            WorkerMessage::Error {
                request,
                transfer,
                error,
            } => self.on_error(request, transfer, error),
            WorkerMessage::ShuttingDown => {
                self.events.push_back(Event::ShuttingDown);
                Ok(())
            }
            _ if self.stage != Stage::Open => Err(unexpected("a message before its greeting")),
            WorkerMessage::Plan { request, plan } => {
                self.answer(request, Event::Plan { request, plan })
            }
            WorkerMessage::Models { request, models } => {
                self.answer(request, Event::Models { request, models })
            }
            WorkerMessage::HaveReply { request, missing } => {
                self.answer(request, Event::Have { request, missing })
            }
            WorkerMessage::Deleted {
                request,
                objects,
                bytes,
            } => self.answer(
                request,
                Event::Deleted {
                    request,
                    objects,
                    bytes,
                },
            ),
            WorkerMessage::Pong { nonce } => {
                self.events.push_back(Event::Pong { nonce });
                Ok(())
            }
            WorkerMessage::PutReady {
                transfer, offset, ..
            } => self.on_put_ready(transfer, offset),
            WorkerMessage::ChunkAck { transfer, index } => self.on_ack(transfer, index),
            WorkerMessage::PutDone { transfer, .. } => {
                self.finish_upload(transfer);
                Ok(())
            }
            WorkerMessage::GetStart {
                transfer,
                size,
                offset,
                ..
            } => self.on_get_start(transfer, size, offset),
            WorkerMessage::JobUpdate {
                request,
                job,
                state,
            } => {
                self.on_job(request, job, state);
                Ok(())
            }
        }
    }

    /// After a greeting: everything that has no answer yet goes out (again).
    fn take_up(&mut self) {
        let waiting: Vec<ClientMessage> = self
            .requests
            .values()
            .chain(self.jobs.values())
            .cloned()
            .collect();
        for message in &waiting {
            self.push(message);
        }
        self.start_transfers();
    }

    fn answer(&mut self, request: u32, event: Event) -> Result<(), ClientError> {
        self.requests
            .remove(&request)
            .ok_or_else(|| unexpected("an answer that nobody asked for"))?;
        self.events.push_back(event);
        Ok(())
    }

    fn on_put_ready(&mut self, transfer: u32, offset: u64) -> Result<(), ClientError> {
        let window = self.limits.map_or(WINDOW_CHUNKS, |limits| {
            limits.window_chunks.clamp(1, WINDOW_CHUNKS)
        });
        let Some(upload) = self
            .uploads
            .iter_mut()
            .find(|upload| upload.transfer() == Some(transfer))
        else {
            return Err(unexpected("an answer to an upload that is not open"));
        };
        let size = upload.object.bytes.len() as u64;
        let sender = ChunkSender::new(transfer, size, offset, window).map_err(broken)?;
        upload.acknowledged = sender.acknowledged_bytes();
        let complete = sender.is_complete();
        upload.link = Link::Flowing(sender);
        if complete {
            self.finish_upload(transfer);
        }
        Ok(())
    }

    fn on_ack(&mut self, transfer: u32, index: u32) -> Result<(), ClientError> {
        // An upload may have been dropped while its last chunks were under way.
        for upload in &mut self.uploads {
            if let Link::Flowing(sender) = &mut upload.link
                && sender.transfer() == transfer
            {
                sender.acknowledge(index).map_err(broken)?;
                upload.acknowledged = sender.acknowledged_bytes();
            }
        }
        Ok(())
    }

    fn finish_upload(&mut self, transfer: u32) {
        if let Some(place) = self
            .uploads
            .iter()
            .position(|upload| upload.transfer() == Some(transfer))
            && let Some(upload) = self.uploads.remove(place)
        {
            self.events.push_back(Event::Uploaded {
                digest: upload.object.digest,
            });
            self.start_transfers();
        }
    }

    fn on_get_start(&mut self, transfer: u32, size: u64, offset: u64) -> Result<(), ClientError> {
        match self
            .downloads
            .iter_mut()
            .find(|download| download.transfer() == Some(transfer))
        {
            Some(download) => download.start(transfer, size, offset).map_err(broken),
            None => Err(unexpected("an answer to a download that is not open")),
        }
    }

    fn on_chunk(&mut self, chunk: &ChunkFrame<'_>) -> Result<(), ClientError> {
        let transfer = chunk.transfer;
        let Some(place) = self
            .downloads
            .iter()
            .position(|download| download.transfer() == Some(transfer))
        else {
            return Err(unexpected("a chunk of a download that is not open"));
        };
        let complete = self.downloads[place].accept(chunk).map_err(broken)?;
        self.push(&ClientMessage::ChunkAck {
            transfer,
            index: chunk.index,
        });
        if complete && let Some(download) = self.downloads.remove(place) {
            self.events.push_back(Event::Downloaded {
                digest: download.digest,
                bytes: download.bytes,
            });
            self.start_transfers();
        }
        Ok(())
    }

    fn on_job(&mut self, request: Option<u32>, job: JobId, state: JobState) {
        if let Some(request) = request {
            self.requests.remove(&request);
        }
        // News of a job that has ended for this session is stale.
        let followed = if state.is_final() {
            self.jobs.remove(&job).is_some()
        } else {
            self.jobs.contains_key(&job)
        };
        if followed {
            self.events.push_back(Event::Job { job, state });
        }
    }

    fn on_error(
        &mut self,
        request: Option<u32>,
        transfer: Option<u32>,
        error: WireError,
    ) -> Result<(), ClientError> {
        if error.code == code::VERSION {
            return Err(broken_version(error.message));
        }
        let asked = |link_request: u32| request == Some(link_request);
        let upload = self.uploads.iter().position(|upload| match upload.link {
            Link::Asked {
                request,
                transfer: number,
            } => asked(request) || transfer == Some(number),
            _ => transfer.is_some() && upload.transfer() == transfer,
        });
        if let Some(place) = upload {
            self.uploads[place].link = Link::Idle;
            self.uploads[place].attempts += 1;
            if !worth_another_try(&error, self.uploads[place].attempts)
                && let Some(upload) = self.uploads.remove(place)
            {
                self.fail(request, Some(upload.object.digest), None, error);
            }
            self.start_transfers();
            return Ok(());
        }
        let download = self
            .downloads
            .iter()
            .position(|download| match download.link {
                Link::Asked {
                    request,
                    transfer: number,
                } => asked(request) || transfer == Some(number),
                _ => transfer.is_some() && download.transfer() == transfer,
            });
        if let Some(place) = download {
            self.downloads[place].link = Link::Idle;
            self.downloads[place].attempts += 1;
            if !worth_another_try(&error, self.downloads[place].attempts)
                && let Some(download) = self.downloads.remove(place)
            {
                self.fail(request, Some(download.digest), None, error);
            }
            self.start_transfers();
            return Ok(());
        }
        let job = request.and_then(|number| {
            self.jobs
                .iter()
                .find(|(_, message)| job_request(message) == Some(number))
                .map(|(job, _)| *job)
        });
        if let Some(job) = job {
            self.jobs.remove(&job);
        }
        if let Some(number) = request {
            self.requests.remove(&number);
        }
        self.fail(request, None, job, error);
        Ok(())
    }

    fn fail(
        &mut self,
        request: Option<u32>,
        digest: Option<confide_protocol::Digest>,
        job: Option<JobId>,
        error: WireError,
    ) {
        self.events.push_back(Event::Failed {
            request,
            digest,
            job,
            error,
        });
    }
}

fn job_request(message: &ClientMessage) -> Option<u32> {
    match message {
        ClientMessage::StartJob { request, .. } | ClientMessage::AttachJob { request, .. } => {
            Some(*request)
        }
        _ => None,
    }
}

/// Damage on the way heals by sending again; a worker short of transfers takes them later.
fn worth_another_try(error: &WireError, attempts: u32) -> bool {
    attempts < ATTEMPTS && (error.blame == Blame::Network || error.code == code::TOO_MANY_TRANSFERS)
}

fn broken(error: ProtocolError) -> ClientError {
    match error {
        ProtocolError::Version { .. } => broken_version(error.to_string()),
        _ => ClientError::new(
            "CC-4001",
            format!("The worker broke the protocol: {error}."),
            "The connection is made again; if this goes on, check that both programs are of one release.",
        ),
    }
}

fn broken_version(message: String) -> ClientError {
    ClientError::new("CC-4004", message, "Update the older of the two programs.")
}

fn unexpected(what: &str) -> ClientError {
    ClientError::new(
        "CC-4001",
        format!("The worker sent {what}."),
        "The connection is made again; if this goes on, check that both programs are of one release.",
    )
}
