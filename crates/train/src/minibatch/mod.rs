//! Training by minibatches of encrypted rows, with bootstraps between: any number of rows and steps.
//!
//! The data party packs each minibatch with [`TilePacker`]; the compute party runs a [`Trainer`] from state to state.
//! Everything about the run is fixed before it by [`TileLayout`] and [`MinibatchSchedule`]. Derivations:
//! `docs/maths/training.md`, "Minibatches".

mod activation;
mod hidden;
mod layout;
mod pack;
mod plan;
mod polynomial;
mod program;
mod reference;
mod schedule;
mod softmax;
mod state;
mod window;

pub use layout::TileLayout;
pub use pack::TilePacker;
pub use plan::{ActionPlan, MinibatchPlan};
pub use program::Trainer;
pub(crate) use reference::plain_logits;
pub use reference::{Guarded, MinibatchReference, guard, minibatch_reference};
pub use schedule::{L2, Loss, LossKind, MinibatchSchedule, Recipe, StepPlan};
pub use softmax::Softmax;
pub use state::{Action, Batch, Source, TrainingState, Watch};
