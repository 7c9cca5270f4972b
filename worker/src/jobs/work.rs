//! What both kinds of job take from the plan.

use confide_ckks::{EvaluationKeys, Parameters};
use confide_protocol::code;
use confide_train::Plan;

use super::Stopped;
use crate::fault;

/// Name of the planner's phase of prediction.
const PREDICT: &str = "predict";

/// The checked parameters of an admitted plan.
pub(super) fn parameters(plan: &Plan) -> Result<Parameters, Stopped> {
    plan.parameters().map_err(|error| {
        Stopped::Failed(fault::client(
            code::PLAN_REFUSED,
            error.to_string(),
            "Ask this worker for a plan.",
        ))
    })
}

/// Predicted work of training alone, in the units of progress.
pub(super) fn of_training(plan: &Plan) -> u64 {
    plan.costs.work_micros.saturating_sub(of_prediction(plan))
}

/// Predicted work of one batch of predictions, in the units of progress.
pub(super) fn of_prediction(plan: &Plan) -> u64 {
    let all = plan.costs.worker_seconds();
    let prediction: f64 = plan
        .costs
        .phases
        .iter()
        .filter(|phase| phase.name == PREDICT)
        .map(|phase| phase.seconds)
        .sum();
    let share = if all > 0.0 { prediction / all } else { 0.0 };
    (plan.costs.work_micros as f64 * share).round() as u64
}

/// Figures for the report.
pub(super) fn counts(keys: &EvaluationKeys, ciphertexts: usize) -> Vec<(String, u64)> {
    vec![
        ("keys".to_owned(), keys.len() as u64),
        ("key bytes in memory".to_owned(), keys.memory() as u64),
        ("ciphertexts read".to_owned(), ciphertexts as u64),
    ]
}
