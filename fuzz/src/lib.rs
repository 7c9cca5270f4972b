//! What the fuzz targets share: a small insecure scheme, a reader of fuzzer bytes, and a sample table.

mod input;
mod sample;
mod scheme;

pub use input::Input;
pub use sample::{SAMPLE_CSV, sample_plan, sample_request, sample_setup, worker_facts};
pub use scheme::{Scheme, schemes};
