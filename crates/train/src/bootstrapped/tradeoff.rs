//! Rotation keys to upload against time of the worker: baby steps of the bootstraps' matrices.

use confide_tensor::CostModel;
use serde::{Deserialize, Serialize};

use super::{BootstrapWish, BootstrappedChoice, BootstrappedPlan, Preset, measure};
use crate::error::{TrainError, shape};
use crate::minibatch::TileLayout;
use crate::planner::PlanRequest;

/// Numbers of baby steps that are weighed: twice as many halve the giant steps, of which each costs a key switch, and
/// add as many keys as they are themselves.
pub const BABY_STEPS: [usize; 4] = [2, 4, 8, 16];

/// What one number of baby steps means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KeyTradeoff {
    /// Baby steps of each matrix.
    pub baby: usize,
    /// Bytes of all keys to upload.
    pub key_bytes: u64,
    /// Predicted seconds of the worker.
    pub worker_seconds: f64,
    /// Whether the limits of the request allow it.
    pub allowed: bool,
}

/// Refuses numbers that no planner offers.
pub(super) fn checked(baby: usize) -> Result<usize, TrainError> {
    let offered = BABY_STEPS.contains(&baby);
    let needed = || format!("one of {BABY_STEPS:?}");
    offered
        .then_some(baby)
        .ok_or_else(|| shape("baby steps", needed(), baby))
}

impl BootstrappedPlan {
    /// The plan of a request for training with bootstraps: the layout with the fewest key switches, and of
    /// [`BABY_STEPS`] within the limits the one with the shortest time of upload, both parties' computing included.
    ///
    /// # Errors
    /// As [`BootstrappedPlan::derive`]; [`TrainError::NoPlan`] when it breaks a limit of the request.
    pub fn of_request(
        request: &PlanRequest,
        wish: &BootstrapWish,
        model: &CostModel,
    ) -> Result<Self, TrainError> {
        Self::of_request_at(Preset::N16, request, wish, model)
    }

    /// As [`BootstrappedPlan::of_request`] with a preset.
    ///
    /// # Errors
    /// As [`BootstrappedPlan::of_request`].
    pub fn of_request_at(
        preset: Preset,
        request: &PlanRequest,
        wish: &BootstrapWish,
        model: &CostModel,
    ) -> Result<Self, TrainError> {
        let table = request.shape();
        let batch = wish.batch.min(table.rows);
        let sizes = [table.rows, table.features, table.classes];
        let kind = (wish.loss, wish.hidden);
        let layout = match wish.network {
            None => TileLayout::best_for(kind, preset.log_n(), sizes, batch)?,
            Some(network) => TileLayout::of_rows(kind, preset.log_n(), sizes, network.cells)?,
        };
        let choice = |baby| BootstrappedChoice {
            preset,
            baby,
            batch,
            columns: layout.columns,
            hidden: wish.hidden,
            recipe: wish.recipe(),
            validation: wish.validation,
            network: wish.network,
        };
        let first = Self::derive_on(&table, &choice(preset.baby()), request.threads, model)?;
        let (schedule, validation) = (&first.schedule, &first.validation);
        // Levels do not depend on baby steps, so one run on counters serves all.
        let on = (&first.bootstrapping()?, wish.network.is_some());
        let measured = measure(&first.layout, schedule, validation, on)?;
        let (mut tradeoffs, mut best, mut refused) = (Vec::new(), None, None);
        for baby in BABY_STEPS {
            let set = preset.parameters(baby)?;
            let program = (first.layout.clone(), schedule.clone(), validation.clone());
            let on = (request.threads, model);
            let plan = Self::assemble(&table, &choice(baby), program, &set, &measured, on)?;
            let allowed = request.limits_of(&plan.upload, &plan.costs);
            tradeoffs.push(KeyTradeoff {
                baby,
                key_bytes: plan.upload.keys,
                worker_seconds: plan.costs.worker_seconds(),
                allowed: allowed.is_ok(),
            });
            if let Err(error) = allowed {
                refused.get_or_insert(error);
                continue;
            }
            let seconds = plan.upload.total() as f64 / request.upload_rate.max(1) as f64
                + plan.costs.worker_seconds()
                + plan.costs.client_seconds;
            if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
                best = Some((seconds, plan));
            }
        }
        match (best, refused) {
            (Some((_, plan)), _) => Ok(Self { tradeoffs, ..plan }),
            (None, Some(error)) => Err(error),
            // There is at least one number of baby steps.
            (None, None) => Ok(first),
        }
    }
}
