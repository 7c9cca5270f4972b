//! Lists of objects to upload, with the digests of those that are made.

use crate::bridge::{from_js, to_js};
use crate::link::digest;
use confide_client::workflow::{Digests, Item, ObjectJob};
use confide_protocol::Digest;
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

/// An object to make, for the page.
#[derive(Serialize)]
struct ItemView {
    job: ObjectJob,
    /// `relinearisation`, `galois`, `sparse`, `features`, `labels`, `records` or `validation`.
    kind: &'static str,
    /// `locked` or `key`.
    form: &'static str,
    /// As a real number: JavaScript has no other below 2^53.
    bytes: f64,
}

/// Items for the page.
pub(crate) fn items(list: &[Item]) -> Result<JsValue, JsValue> {
    let view = |item: &Item| ItemView {
        job: item.job,
        kind: kind(&item.job),
        form: if item.job.has_slots() {
            "locked"
        } else {
            "key"
        },
        bytes: item.bytes as f64,
    };
    to_js(&list.iter().map(view).collect::<Vec<_>>())
}

/// The kind of an object in one word.
pub(crate) fn kind(job: &ObjectJob) -> &'static str {
    match job {
        ObjectJob::Features { .. } => "features",
        ObjectJob::Labels { .. } => "labels",
        ObjectJob::Records { .. } => "records",
        ObjectJob::Validation { .. } => "validation",
        ObjectJob::RelinKey { .. } => "relinearisation",
        ObjectJob::GaloisKey { .. } => "galois",
        ObjectJob::SparseKey { .. } => "sparse",
        ObjectJob::Images { .. } => "images",
    }
}

#[derive(Serialize, Deserialize)]
struct Known {
    job: ObjectJob,
    digest: String,
}

/// Digests for the page to keep.
pub(crate) fn digests_out(digests: &Digests) -> Result<JsValue, JsValue> {
    let known = |(job, digest): (&ObjectJob, &Digest)| Known {
        job: *job,
        digest: digest.to_hex(),
    };
    to_js(&digests.iter().map(known).collect::<Vec<_>>())
}

/// Digests that the page kept.
pub(crate) fn digests_in(value: JsValue) -> Result<Digests, JsValue> {
    let known: Vec<Known> = from_js(value)?;
    known
        .iter()
        .map(|known| Ok((known.job, digest(&known.digest)?)))
        .collect()
}
