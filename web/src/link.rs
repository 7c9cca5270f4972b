//! The session with the worker, driven by the page's socket.

use crate::bridge::{Fault, array32, from_js, internal, throw, to_js};
use confide_client::ledger::{Entry, Form};
use confide_client::session::{Event, Object, Session};
use confide_client::workflow::{ObjectJob, WorkerFacts};
use confide_protocol::{Digest, JobId, JobState, ModelEntry, ModelFile, ObjectKind, Output};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// The program's name in the worker's log.
const NAME: &str = concat!("confide-web ", env!("CARGO_PKG_VERSION"));

/// The conversation with the worker. The page opens sockets, hands over what they receive and sends what
/// [`Link::poll_send`] gives.
#[wasm_bindgen]
pub struct Link {
    pub(crate) session: Session,
    /// Downloads that wait to be opened.
    downloads: BTreeMap<Digest, Vec<u8>>,
    /// What jobs have made so far.
    made: BTreeMap<JobId, Vec<Output>>,
}

/// Something that happened, for the page.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum EventView {
    Connected {
        worker: String,
        facts: WorkerFacts,
    },
    Plan {
        request: u32,
        plan: Vec<u8>,
    },
    Have {
        request: u32,
        missing: Vec<String>,
    },
    Uploaded {
        digest: String,
    },
    Downloaded {
        digest: String,
    },
    Models {
        request: u32,
        models: Vec<ModelView>,
    },
    Job {
        job: String,
        state: StateView,
    },
    Deleted {
        request: u32,
        objects: u64,
        bytes: u64,
    },
    Failed {
        request: Option<u32>,
        digest: Option<String>,
        job: Option<String>,
        error: Fault,
    },
    ShuttingDown,
}

/// A network of the worker, for the page.
#[derive(Serialize)]
struct ModelView {
    name: String,
    card: FileView,
    /// Known answers.
    golden: FileView,
    /// Nothing where the worker keeps them to itself.
    weights: Option<FileView>,
}

/// A file of a network.
#[derive(Serialize)]
struct FileView {
    digest: String,
    bytes: f64,
}

impl From<ModelFile> for FileView {
    fn from(file: ModelFile) -> Self {
        Self {
            digest: file.digest.to_hex(),
            bytes: file.bytes as f64,
        }
    }
}

impl From<ModelEntry> for ModelView {
    fn from(entry: ModelEntry) -> Self {
        Self {
            name: entry.name,
            card: entry.card.into(),
            golden: entry.golden.into(),
            weights: entry.weights.map(FileView::from),
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
enum StateView {
    Queued {
        position: u32,
    },
    Running {
        phase: String,
        done: u64,
        total: u64,
        elapsed_ms: u64,
        remaining_ms: Option<u64>,
        /// Scores of validation records that can be fetched.
        scores: usize,
    },
    Done {
        outputs: Vec<(String, u64)>,
        seconds: f64,
        peak_bytes: u64,
        /// The worker's ledger: operations by name.
        counts: Vec<(String, u64)>,
        /// The worker's ledger: seconds by phase.
        phases: Vec<(String, f64)>,
        /// Scores of validation records.
        scores: usize,
    },
    Failed {
        error: Fault,
    },
    Cancelled,
}

/// A line of the ledger, for the page.
#[derive(Serialize)]
struct EntryView<'a> {
    time: u64,
    name: &'a str,
    /// `locked`, `key` or `plain`.
    form: &'static str,
    /// What can be read in it.
    about: &'a str,
    bytes: u64,
}

impl<'a> EntryView<'a> {
    fn new(entry: &'a Entry) -> Self {
        let (form, about) = match &entry.form {
            Form::Ciphertext => ("locked", ""),
            Form::EvaluationKey => ("key", ""),
            Form::Plain(about) => ("plain", about.as_str()),
        };
        Self {
            time: entry.time_ms,
            name: &entry.name,
            form,
            about,
            bytes: entry.bytes,
        }
    }
}

#[wasm_bindgen]
impl Link {
    /// A session that is not connected. `token` is the second half of the key's secret.
    ///
    /// # Errors
    /// When the token has not 32 bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(token: &[u8]) -> Result<Link, JsValue> {
        let session = Session::new(array32(token)?, NAME);
        Ok(Self {
            session,
            downloads: BTreeMap::new(),
            made: BTreeMap::new(),
        })
    }

    /// The socket has opened.
    #[wasm_bindgen(js_name = onOpen)]
    pub fn on_open(&mut self) {
        self.session.on_open();
    }

    /// The socket is gone.
    #[wasm_bindgen(js_name = onClose)]
    pub fn on_close(&mut self) {
        self.session.on_close();
    }

    /// Takes a message from the socket.
    ///
    /// # Errors
    /// When the worker breaks the protocol: close the socket.
    #[wasm_bindgen(js_name = onFrame)]
    pub fn on_frame(&mut self, bytes: &[u8]) -> Result<(), JsValue> {
        self.session.on_frame(bytes).map_err(throw)
    }

    /// The next frame to send, if any.
    #[wasm_bindgen(js_name = pollSend)]
    pub fn poll_send(&mut self, now_ms: f64) -> Option<Vec<u8>> {
        self.session.poll_send(now_ms as u64)
    }

    /// Everything that happened since the last call.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn events(&mut self) -> Result<JsValue, JsValue> {
        let mut views = Vec::new();
        while let Some(event) = self.session.poll_event() {
            views.extend(self.view(event));
        }
        to_js(&views)
    }

    /// Asks for a plan; the answer names this request.
    #[wasm_bindgen(js_name = requestPlan)]
    pub fn request_plan(&mut self, request: Vec<u8>) -> u32 {
        self.session.request_plan(request)
    }

    /// Asks for the plan of an inference; the answer names this request.
    #[wasm_bindgen(js_name = requestInference)]
    pub fn request_inference(&mut self, request: Vec<u8>) -> u32 {
        self.session.request_inference(request)
    }

    /// Asks which networks the worker has; the answer names this request.
    #[wasm_bindgen(js_name = listModels)]
    pub fn list_models(&mut self) -> u32 {
        self.session.list_models()
    }

    /// Asks which of these objects the worker lacks.
    ///
    /// # Errors
    /// For what is no digest, and for more than 4,096.
    pub fn have(&mut self, digests: Vec<String>) -> Result<u32, JsValue> {
        self.session.have(self::digests(&digests)?).map_err(throw)
    }

    /// Deletes objects at the worker.
    ///
    /// # Errors
    /// For what is no digest, and for more than 4,096.
    pub fn delete(&mut self, digests: Vec<String>) -> Result<u32, JsValue> {
        self.session.delete(self::digests(&digests)?).map_err(throw)
    }

    /// A file of the worker's that was downloaded, and is no secret.
    ///
    /// # Errors
    /// When it is not there.
    #[wasm_bindgen(js_name = takeFile)]
    pub fn take_file(&mut self, hex: &str) -> Result<Vec<u8>, JsValue> {
        Ok(self.take(hex)?.1)
    }

    /// Uploads an object that a factory made.
    ///
    /// # Errors
    /// For a job or digest of the wrong shape.
    pub fn upload(&mut self, job: JsValue, hex: &str, bytes: Vec<u8>) -> Result<(), JsValue> {
        let job: ObjectJob = from_js(job)?;
        let (name, kind) = (job.name(), job.kind());
        self.session.upload(Object {
            name,
            digest: digest(hex)?,
            kind,
            bytes: Arc::new(bytes),
        });
        Ok(())
    }

    /// Uploads that are not complete.
    #[wasm_bindgen(getter, js_name = uploadsPending)]
    pub fn uploads_pending(&self) -> usize {
        self.session.uploads_pending()
    }

    /// Bytes of pending uploads that the worker has not acknowledged.
    #[wasm_bindgen(getter, js_name = bytesPending)]
    pub fn bytes_pending(&self) -> f64 {
        self.session.upload_bytes_pending() as f64
    }

    /// Fetches an object of at most `limit` bytes; it waits here to be opened.
    ///
    /// # Errors
    /// For what is no digest.
    pub fn download(&mut self, hex: &str, limit: f64) -> Result<(), JsValue> {
        self.session.download(digest(hex)?, limit as u64);
        Ok(())
    }

    /// Follows a job that was started earlier.
    ///
    /// # Errors
    /// For what is no name of a job.
    pub fn attach(&mut self, job: &str) -> Result<(), JsValue> {
        self.session.attach_job(JobId(digest(job)?));
        Ok(())
    }

    /// Ends a job.
    ///
    /// # Errors
    /// For what is no name of a job.
    pub fn cancel(&mut self, job: &str) -> Result<u32, JsValue> {
        Ok(self.session.cancel_job(JobId(digest(job)?)))
    }

    /// Forgets uploads that are not complete.
    #[wasm_bindgen(js_name = dropUploads)]
    pub fn drop_uploads(&mut self) {
        self.session.drop_uploads();
    }

    /// Deletes all that the worker stores for this key.
    #[wasm_bindgen(js_name = deleteAll)]
    pub fn delete_all(&mut self) -> u32 {
        self.session.delete_all()
    }

    /// Asks for a sign of life.
    pub fn ping(&mut self) {
        self.session.ping(0);
    }

    /// Everything that has left in this session, in order.
    ///
    /// # Errors
    /// Never for values that come from here.
    pub fn ledger(&self) -> Result<JsValue, JsValue> {
        let views: Vec<EntryView<'_>> = self
            .session
            .ledger()
            .entries
            .iter()
            .map(EntryView::new)
            .collect();
        to_js(&views)
    }

    /// Bytes of all frames sent.
    #[wasm_bindgen(getter, js_name = bytesUp)]
    pub fn bytes_up(&self) -> f64 {
        self.session.bytes_up() as f64
    }

    /// Bytes of all frames received.
    #[wasm_bindgen(getter, js_name = bytesDown)]
    pub fn bytes_down(&self) -> f64 {
        self.session.bytes_down() as f64
    }
}

impl Link {
    /// Takes a download out.
    pub(crate) fn take(&mut self, hex: &str) -> Result<(Digest, Vec<u8>), JsValue> {
        let name = digest(hex)?;
        let bytes = self.downloads.remove(&name);
        bytes
            .map(|bytes| (name, bytes))
            .ok_or_else(|| internal("a result was opened before it arrived", &name.short()))
    }

    /// What a job has made so far.
    pub(crate) fn made(&self, job: &str) -> Result<&[Output], JsValue> {
        let made = self.made.get(&JobId(digest(job)?));
        Ok(made.map_or(&[], Vec::as_slice))
    }

    fn view(&mut self, event: Event) -> Option<EventView> {
        Some(match event {
            Event::Connected {
                worker,
                limits,
                threads,
                memory_bytes,
            } => EventView::Connected {
                worker,
                facts: WorkerFacts {
                    threads: threads as usize,
                    memory_bytes,
                    max_client_bytes: limits.max_client_bytes,
                },
            },
            Event::Plan { request, plan } => EventView::Plan { request, plan },
            Event::Have { request, missing } => EventView::Have {
                request,
                missing: missing.iter().map(|(digest, _)| digest.to_hex()).collect(),
            },
            Event::Uploaded { digest } => EventView::Uploaded {
                digest: digest.to_hex(),
            },
            Event::Downloaded { digest, bytes } => {
                self.downloads.insert(digest, bytes);
                EventView::Downloaded {
                    digest: digest.to_hex(),
                }
            }
            Event::Job { job, state } => {
                match &state {
                    JobState::Running { outputs, .. } => {
                        self.made.insert(job, outputs.clone());
                    }
                    JobState::Done(report) => {
                        self.made.insert(job, report.outputs.clone());
                    }
                    _ => {}
                }
                EventView::Job {
                    job: job.0.to_hex(),
                    state: Self::state(state),
                }
            }
            Event::Deleted {
                request,
                objects,
                bytes,
            } => EventView::Deleted {
                request,
                objects,
                bytes,
            },
            Event::Models { request, models } => EventView::Models {
                request,
                models: models.into_iter().map(ModelView::from).collect(),
            },
            Event::Pong { .. } => return None,
            Event::Failed {
                request,
                digest,
                job,
                error,
            } => EventView::Failed {
                request,
                digest: digest.map(|digest| digest.to_hex()),
                job: job.map(|job| job.0.to_hex()),
                error: error.into(),
            },
            Event::ShuttingDown => EventView::ShuttingDown,
        })
    }

    fn state(state: JobState) -> StateView {
        match state {
            JobState::Queued { position } => StateView::Queued { position },
            JobState::Running {
                phase,
                done,
                total,
                elapsed_ms,
                remaining_ms,
                outputs,
            } => StateView::Running {
                phase,
                done,
                total,
                elapsed_ms,
                remaining_ms,
                scores: scores(&outputs),
            },
            JobState::Done(report) => StateView::Done {
                outputs: report
                    .outputs
                    .iter()
                    .map(|(_, digest, size)| (digest.to_hex(), *size))
                    .collect(),
                seconds: report.seconds.iter().map(|(_, seconds)| seconds).sum(),
                peak_bytes: report.peak_rss_bytes,
                counts: report.counts.clone(),
                phases: report.seconds.clone(),
                scores: scores(&report.outputs),
            },
            JobState::Failed(error) => StateView::Failed {
                error: error.into(),
            },
            JobState::Cancelled => StateView::Cancelled,
        }
    }
}

/// Scores of validation records among the objects of a job.
fn scores(outputs: &[Output]) -> usize {
    let kinds = outputs.iter().map(|(kind, _, _)| kind);
    kinds
        .filter(|kind| matches!(kind, ObjectKind::Validation { .. }))
        .count()
}

/// Digests from their hexadecimal digits.
fn digests(texts: &[String]) -> Result<Vec<Digest>, JsValue> {
    texts.iter().map(|text| digest(text)).collect()
}

/// A digest from its hexadecimal digits.
pub(crate) fn digest(hex: &str) -> Result<Digest, JsValue> {
    Digest::from_hex(hex).ok_or_else(|| internal("a digest was expected", ""))
}
