//! Programs on encrypted vectors, written once and run by different evaluators.
//!
//! A program is a function over an [`Evaluator`]. [`CkksEvaluator`] runs it on ciphertexts, [`ClearEvaluator`] on plain
//! complex numbers with the same levels enforced, and [`PlanEvaluator`] on nothing at all: it records which operations
//! and keys the program needs at which levels. Levels, keys, memory and time of a plan come from that run, so they
//! cannot drift away from the program.
#![forbid(unsafe_code)]

mod ckks;
mod clear;
mod cost;
mod error;
mod evaluator;
mod ledger;
mod observe;
mod plan;
mod slots;

pub use ckks::CkksEvaluator;
pub use clear::{ClearCt, ClearEvaluator};
pub use cost::{CostModel, Held, KeySwitchShape, MACHINE, Op, RingCost, Terms};
#[cfg(not(target_arch = "wasm32"))]
pub use cost::{hand_out_seconds, rotation_seconds};
pub use error::TensorError;
pub use evaluator::{Evaluator, RefreshLevels};
pub use ledger::{Entry, Ledger};
pub use observe::{NoObserver, Observed, Observer};
pub use plan::{OpCounts, PlanCt, PlanEvaluator, PlanReport};
pub use slots::SlotRing;
