//! A language model that turns written records into vectors, in the clear, where the records are.
//!
//! The same code runs in a browser and in a terminal and gives the same numbers to the bit. [`TextModel`] reads the
//! file that `cargo xtask text-model` makes; [`quantise()`] is how it is made.
#![forbid(unsafe_code)]

mod attention;
mod error;
mod file;
mod lanes;
mod linear;
mod maths;
mod model;
mod quantise;
mod wordpiece;

pub use error::TextError;
pub use model::{MINILM_DIGEST, TextModel};
pub use quantise::quantise;
