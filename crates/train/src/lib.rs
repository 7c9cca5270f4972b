//! Training a logistic head on ciphertexts: schedule, program, planner, and the data party's packing.
//!
//! The data party whitens its records, packs them with [`Packer`] and encrypts; the compute party runs [`train`] and
//! [`predict`] over any [`confide_tensor::Evaluator`]. [`Plan`] fixes everything that both have to agree on, and
//! [`planner`] finds the best one for given limits. [`minibatch`] trains for any number of steps with bootstraps between them:
//! `README.md` says which program suits what. Derivations: `docs/maths/packing.md`, `docs/maths/training.md`.
#![forbid(unsafe_code)]

pub mod bootstrapped;
mod clear;
mod error;
mod job;
mod layout;
pub mod minibatch;
mod pack;
pub mod plan;
pub mod planner;
mod predict;
mod program;
mod reference;
mod schedule;
mod sigmoid;
mod steps;

pub use clear::{predict_clear, train_clear};
pub use error::TrainError;
pub use job::{PlainRun, TablePacker, TrainingPlan};
pub use layout::{Layout, PredictionLayout};
pub use pack::Packer;
pub use plan::{Choice, Costs, KeySpec, Plan, UploadBytes};
pub use planner::{PlanRequest, plan};
pub use predict::predict;
pub use program::{TrainingInputs, train};
pub use reference::{Activation, Reference, train_converged, train_reference};
pub use schedule::Schedule;
pub use sigmoid::OddSigmoid;
