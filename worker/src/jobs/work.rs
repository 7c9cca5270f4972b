//! What both kinds of job take from the plan.

use confide_ckks::EvaluationKeys;
use confide_protocol::code;
use confide_tensor::{KeySwitchShape, Ledger, Op};
use confide_train::{Costs, TrainError, TrainingPlan};

use super::Stopped;
use crate::fault;

/// The planner's phases of prediction.
const PREDICTION: [&str; 1] = ["predict"];

/// The operations of a report.
const OPERATIONS: [(&str, Op); 5] = [
    ("bootstraps", Op::Refresh),
    ("rotations and conjugations", Op::KeySwitch),
    ("relinearisations", Op::Relinearise),
    ("products", Op::Product),
    ("rescales", Op::Rescale),
];

/// What follows from an admitted plan.
pub(super) fn checked<T>(derived: Result<T, TrainError>) -> Result<T, Stopped> {
    derived.map_err(|error| {
        Stopped::Failed(fault::client(
            code::PLAN_REFUSED,
            error.to_string(),
            "Ask this worker for a plan.",
        ))
    })
}

/// What key switching costs under a plan.
pub(super) fn key_switch_shape(plan: &TrainingPlan) -> Result<KeySwitchShape, Stopped> {
    match plan {
        TrainingPlan::Levelled(plan) => Ok(plan.key_switch_shape()),
        TrainingPlan::Bootstrapped(plan) => checked(plan.key_switch_shape()),
    }
}

/// Predicted work of training alone, in the units of progress.
pub(super) fn of_training(costs: &Costs) -> u64 {
    costs.work_micros.saturating_sub(of_phases(costs))
}

/// Predicted work of one batch of predictions, in the units of progress.
pub(super) fn of_prediction(plan: &TrainingPlan) -> u64 {
    of_phases(plan.costs())
}

fn of_phases(costs: &Costs) -> u64 {
    let all = costs.worker_seconds();
    let prediction: f64 = costs
        .phases
        .iter()
        .filter(|phase| PREDICTION.contains(&phase.name.as_str()))
        .map(|phase| phase.seconds)
        .sum();
    let share = if all > 0.0 { prediction / all } else { 0.0 };
    (costs.work_micros as f64 * share).round() as u64
}

/// Figures for the report: what was held, read and done.
pub(super) fn counts(
    keys: &EvaluationKeys,
    ciphertexts: usize,
    ledger: &Ledger,
) -> Vec<(String, u64)> {
    let held = [
        ("keys", keys.len() as u64),
        ("key bytes in memory", keys.memory() as u64),
        ("ciphertexts read", ciphertexts as u64),
    ];
    let done = OPERATIONS.map(|(name, op)| (name, ledger.count(op)));
    let all = held.into_iter().chain(done);
    all.map(|(name, count)| (name.to_owned(), count)).collect()
}

/// Sets the figure of an operation.
pub(super) fn set(figures: &mut [(String, u64)], op: Op, count: u64) {
    let names = OPERATIONS.iter().filter(|(_, other)| *other == op);
    for (name, _) in names {
        for figure in figures.iter_mut().filter(|(other, _)| other == name) {
            figure.1 = count;
        }
    }
}
