//! Everything between a dataset and a report, without I/O.
//!
//! 1. [`TrainingSetup`] splits and prepares the records and words the request for a plan.
//! 2. [`TrainingSetup::accept`] checks the worker's plan, scales the features into its range, and gives a
//!    [`TrainingRun`].
//! 3. [`TrainingRun::items`] lists the objects to upload; any number of [`ObjectFactory`]s, each in a thread or
//!    browser worker of its own, make them from the key's seed.
//! 4. The run words the jobs from the objects' digests; [`ResultOpener`] decrypts what comes back.
//! 5. [`TrainingRun::report`] measures. [`SavedModel`] keeps what later predictions need, [`PredictionRun`] does them.
//!
//! [`classify`] does the same for images and a network that the worker has, [`images`] for a head on what such a network makes of
//! images.

pub mod classify;
mod export;
mod guard;
mod held_out;
pub mod images;
mod model;
mod objects;
mod opener;
mod predict;
mod report;
mod run;
mod setup;
mod trial;
mod validation;

pub use export::{patients_csv, results_csv};
pub use held_out::{HeldOut, Judged};
pub use model::SavedModel;
pub use objects::{Item, ObjectFactory, ObjectJob};
pub use opener::ResultOpener;
pub use predict::PredictionRun;
pub use report::{ClassRows, ClearHeads, Outcome, PlanSummary, Prediction, TrainingReport};
pub use run::{Digests, TrainingRun};
pub use setup::{TrainingOptions, TrainingSetup, VALIDATION_FRACTION, WorkerFacts};
pub use validation::{CurvePoint, Validation};

use crate::ClientError;
use confide_train::TrainError;

/// An error of the training layer in the data party's words.
fn from_train(error: TrainError) -> ClientError {
    match error {
        TrainError::NoPlan {
            what,
            needed,
            available,
            remedy,
        } => ClientError::new(
            "CC-5001",
            format!("No plan fits: {what} of {needed} is needed, {available} is allowed."),
            format!("You can {remedy}."),
        ),
        TrainError::Deviation { field, .. } => ClientError::new(
            "CC-5002",
            format!(
                "The worker's plan is not one that follows from its own choices ({field}); it is refused."
            ),
            "Check that worker and client are of one release; else do not use this worker.",
        ),
        TrainError::Shape {
            what,
            needed,
            available,
        } => ClientError::new(
            "CC-5003",
            format!("The table does not fit: {what} is {available}, possible is {needed}."),
            "Choose fewer rows, features or classes.",
        ),
        other => from_engine(&other),
    }
}

/// An error of the engine: nothing that a user did, unless bytes were damaged.
fn from_engine(error: &dyn std::error::Error) -> ClientError {
    ClientError::new(
        "CC-5004",
        format!("The encryption engine refused: {error}."),
        "Check that worker and client are of one release; report this if they are.",
    )
}
