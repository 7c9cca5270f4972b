//! Networks as data, evaluated on ciphertexts.
//!
//! A [`Model`] is read from a folder and checked. [`Program::new`] makes its network ready for a batch of images, and
//! [`Program::run`] evaluates it on whatever implements [`LayerEvaluator`]: ciphertexts ([`CkksLayers`]), plain numbers
//! (`ClearEvaluator` of `confide-tensor`), or nothing at all, to count ([`CountEvaluator`]). [`reference::run`] is the
//! same network written as directly as possible, and [`Forward`] is it on plain numbers and fast. An [`InferencePlan`] is what a worker and a data party agree on before.
#![forbid(unsafe_code)]

mod card;
mod error;
pub mod features;
mod folded;
mod forward;
pub mod inference;
mod layout;
mod lower;
mod network;
mod ops;
pub mod plan;
mod program;
pub mod reference;
pub mod refresh;
pub mod samples;
mod steps;
mod taps;
mod weights;

pub use card::{
    Accuracy, CARD, Card, Case, ClosestRange, FORMAT, FeatureCard, Golden, InputCard, Model,
    Ranges, pattern,
};
pub use error::ModelError;
pub use forward::Forward;
pub use inference::{InferencePlan, InferenceRequest};
pub use layout::{Grid, Layout, Place};
pub use network::{INPUT, Layer, Network, Op, Shape};
pub use ops::{
    CkksLayers, CountCt, CountEvaluator, Counts, LayerEvaluator, LayerOp, LevelCounts, Reads,
    Shift, Sums,
};
pub use plan::Plan;
pub use program::{Program, Tensor, Watch};
pub use weights::Weights;
