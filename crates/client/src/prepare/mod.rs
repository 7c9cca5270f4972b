//! From records to the numbers that are encrypted: split, fill, standardise, whiten, clip, scale.
//!
//! Everything is fitted on the training rows alone and stored as [`Preprocessing`], so that new records go
//! through the very same steps.

mod groups;
mod matrix;
mod preprocessing;
mod split;

pub use groups::{set_aside_of, split_dataset};
pub use matrix::Matrix;
pub use preprocessing::{FitOptions, Preprocessing};
pub(crate) use split::SplitMix;
pub use split::{Split, shuffle, split};
