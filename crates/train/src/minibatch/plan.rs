//! What a run needs, found by running it on counters: keys and their levels, operations, memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use confide_ckks::KeyKind;
use confide_tensor::{
    CostModel, Evaluator, KeySwitchShape, Op, PlanCt, PlanEvaluator, PlanReport, RefreshLevels,
    TensorError,
};

use super::layout::TileLayout;
use super::program::Trainer;
use super::schedule::MinibatchSchedule;
use super::state::{Action, Batch, TrainingState};

/// What an action of a run needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionPlan {
    /// The action.
    pub action: Action,
    /// Level of the point after it.
    pub level: usize,
    /// Key switches, without those of a bootstrap.
    pub key_switches: u64,
}

/// What a run needs. Validation and prediction with the final head are part of it.
#[derive(Debug, Clone, PartialEq)]
pub struct MinibatchPlan {
    /// Levels of refreshes; records are encrypted at the upper one.
    pub levels: RefreshLevels,
    /// The actions in order.
    pub actions: Vec<ActionPlan>,
    /// Operations by phase, keys and their levels, ciphertexts in memory (with those of one minibatch).
    pub report: PlanReport,
}

impl MinibatchPlan {
    /// Runs the schedule on counters.
    ///
    /// # Errors
    /// [`TensorError`] if a step does not fit the levels.
    pub fn derive(
        layout: &TileLayout,
        schedule: &MinibatchSchedule,
        levels: RefreshLevels,
    ) -> Result<Self, TensorError> {
        let ev = PlanEvaluator::new(layout.log_n, levels.output).with_refresh(levels);
        let tiles = || fresh(&ev, layout.tiles(), levels.output);
        let batch = Arc::new(Batch {
            tiles: (0..layout.blocks())
                .map(|_| tiles())
                .collect::<Result<_, _>>()?,
            labels: fresh(&ev, layout.blocks(), levels.output)?,
        });
        let trainer = Trainer::new(&ev, layout, schedule);
        let (mut actions, mut before) = (Vec::new(), 0);
        let end = trainer.run(
            TrainingState::start(),
            &mut |_| Ok(batch.clone()),
            &mut |action, state| {
                let report = ev.report();
                let now = report.count(Op::KeySwitch) + report.count(Op::Relinearise);
                actions.push(ActionPlan {
                    action,
                    level: state.point.as_ref().map_or(0, |point| ev.level(point)),
                    key_switches: now - before,
                });
                before = now;
                Ok(())
            },
        )?;
        trainer.scores(&end, &batch.tiles[..1])?;
        drop((end, batch));
        Ok(Self {
            levels,
            actions,
            report: ev.report(),
        })
    }

    /// Keys of the program together with those of its bootstraps, each once at the highest level at which it is used.
    pub fn switching_keys(&self, bootstrap: &[(KeyKind, usize)]) -> Vec<(KeyKind, usize)> {
        let relin = self.report.relin.map(|level| (KeyKind::Relin, level));
        let galois = self.report.galois.iter();
        let galois = galois.map(|(&element, &level)| (KeyKind::Galois(element), level));
        let mut keys = BTreeMap::new();
        for (kind, level) in relin
            .into_iter()
            .chain(galois)
            .chain(bootstrap.iter().copied())
        {
            let highest = keys.entry(kind).or_insert(level);
            *highest = level.max(*highest);
        }
        keys.into_iter().collect()
    }

    /// Bootstraps of the run.
    pub fn refreshes(&self) -> usize {
        let refreshes = self.actions.iter();
        refreshes
            .filter(|plan| plan.action == Action::Refresh)
            .count()
    }

    /// Predicted work of the whole run in microseconds of one thread, the unit of progress.
    pub fn micros(&self, cost: &CostModel, shape: &KeySwitchShape) -> f64 {
        self.report
            .micros(cost, shape)
            .iter()
            .map(|(_, micros)| micros)
            .sum()
    }

    /// Bytes of the ciphertexts in memory at the worst moment, with those of one minibatch, without keys.
    pub fn ciphertext_memory(&self, log_n: u32) -> u64 {
        self.report.peak_limbs as u64 * (8u64 << log_n.min(30))
    }
}

fn fresh(ev: &PlanEvaluator, count: usize, level: usize) -> Result<Vec<PlanCt>, TensorError> {
    (0..count).map(|_| ev.fresh(level)).collect()
}
