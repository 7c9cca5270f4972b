//! The data party in a browser: thin wrappers that hand the logic of `confide-client` to JavaScript.
//!
//! A page has one instance in its engine worker (key, records, session, results) and one in each worker of the
//! pool that makes keys and locks records ([`factory`]). Nothing here runs on the page's own thread.
//! Plain values cross as plain objects; errors cross as objects with `code`, `blame`, `message` and `remedy`.
#![forbid(unsafe_code)]

mod archive;
mod base_model;
mod bridge;
mod classify;
mod columns;
mod evaluation;
mod factory;
mod image_prediction;
mod image_reader;
mod image_set;
mod image_training;
mod items;
mod key;
mod link;
mod locked;
mod prediction;
mod report;
mod text;
mod training;
mod workbench;

use wasm_bindgen::prelude::wasm_bindgen;

/// The bundled records: Wisconsin diagnostic breast cancer, 569 tumours with 30 measurements (UCI, CC BY 4.0).
#[wasm_bindgen(js_name = sampleRecords)]
pub fn sample_records() -> Vec<u8> {
    include_bytes!("../../samples/wisconsin.csv").to_vec()
}
