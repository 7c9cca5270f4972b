//! Which jobs are run: only those of a plan that this worker's own planner derives, with exactly
//! the objects that it needs, within the memory that it may use. All before anything is loaded.

use std::collections::BTreeSet;

use confide_ckks::KeyKind;
use confide_protocol::{Digest, JobSpec, Limits, WireError, code, from_bytes};
use confide_train::bootstrapped::BootstrapWish;
use confide_train::{Layout, Plan, PlanRequest, TrainError, TrainingPlan};

use crate::fault;

/// Most iterations, special primes, and pairs of features in all blocks: what deriving a plan
/// takes grows with them.
const MAX_ITERATIONS: usize = 32;
const MAX_SPECIAL_PRIMES: usize = 64;
const MAX_PAIRS: usize = 1 << 18;
/// Most epochs of a run with bootstraps; its steps times tiles are bounded by the plan itself.
const MAX_EPOCHS: usize = 10_000;

/// Reads a plan.
///
/// # Errors
/// `CF-3001`.
pub(super) fn decode(plan: &[u8]) -> Result<TrainingPlan, WireError> {
    from_bytes(plan).map_err(|error| {
        fault::client(
            code::PLAN_MALFORMED,
            format!("the plan cannot be read: {error}"),
            "Ask this worker for a plan.",
        )
    })
}

/// Checks a job, and gives its plan.
///
/// # Errors
/// `CF-3001` to `CF-3003` for what is wrong with it, `CF-3005` if it needs too much memory.
pub(super) fn admit(spec: &JobSpec, limits: &Limits) -> Result<TrainingPlan, WireError> {
    let plan = decode(spec.plan())?;
    let bootstrapping = match &plan {
        TrainingPlan::Levelled(plan) => {
            bounded(plan)?;
            None
        }
        TrainingPlan::Bootstrapped(plan) => {
            let choice = &plan.choice;
            check_bounds(&[
                ("epochs", choice.recipe.epochs, MAX_EPOCHS),
                ("threads", plan.costs.threads, 1 << 10),
            ])?;
            choice
                .layout(&plan.shape)
                .map_err(|error| refused(&error))?;
            Some(BootstrapWish {
                epochs: choice.recipe.epochs,
                batch: choice.batch,
                loss: choice.recipe.loss,
                l2: Some(choice.recipe.l2),
                hidden: choice.hidden,
                validation: choice.validation,
                network: choice.network,
            })
        }
    };
    let shape = plan.shape();
    let request = PlanRequest {
        rows: shape.rows,
        features: shape.features,
        classes: shape.classes,
        predict_rows_hint: shape.predict_rows,
        max_upload_bytes: u64::MAX,
        max_memory_bytes: u64::MAX,
        max_iterations: MAX_ITERATIONS,
        threads: plan.costs().threads,
        log_n: None,
        key_stride: None,
        upload_rate: PlanRequest::UPLOAD_RATE,
        bootstrapping,
    };
    // The lists of objects follow from fields that the check compares.
    plan.check(&request).map_err(|error| refused(&error))?;
    check_objects(spec, &plan)?;
    // Derived again by the check, so that it is not the client's word.
    if plan.costs().memory_bytes > limits.max_memory_bytes {
        return Err(fault::limit(
            code::MEMORY,
            "the job's memory",
            plan.costs().memory_bytes,
            limits.max_memory_bytes,
            "Choose a smaller plan.",
        ));
    }
    Ok(plan)
}

fn check_bounds(bounds: &[(&str, usize, usize)]) -> Result<(), WireError> {
    for (what, have, limit) in bounds {
        if have > limit {
            return Err(fault::client(
                code::PLAN_REFUSED,
                format!("the plan has {have} {what}, at most {limit} are run"),
                "Ask this worker for a plan.",
            ));
        }
    }
    Ok(())
}

/// Bounds what it takes to derive the plan again.
fn bounded(plan: &Plan) -> Result<(), WireError> {
    let choice = &plan.choice;
    check_bounds(&[
        ("iterations", choice.iterations, MAX_ITERATIONS),
        (
            "special primes",
            choice.special_bits.len(),
            MAX_SPECIAL_PRIMES,
        ),
        ("primes", plan.params.log_q.len(), 1 << 8),
        ("predicted rows", plan.shape.predict_rows, u32::MAX as usize),
        ("threads", plan.costs.threads, 1 << 10),
    ])?;
    let sizes = [plan.shape.rows, plan.shape.features, plan.shape.classes];
    let layout = Layout::new(choice.log_n, sizes, choice.pack_steps, choice.key_stride)
        .map_err(|error| refused(&error))?;
    let pairs = layout.blocks.saturating_mul(layout.pairs);
    check_bounds(&[("ciphertexts after unpacking", pairs, MAX_PAIRS)])
}

fn check_objects(spec: &JobSpec, plan: &TrainingPlan) -> Result<(), WireError> {
    let (galois, needed) = match spec {
        JobSpec::Train {
            galois,
            features,
            labels,
            sparse,
            validation,
            ..
        } => {
            count("feature ciphertexts", plan.feature_vectors(), features)?;
            count("label ciphertexts", plan.label_vectors(), labels)?;
            let records = plan.validation_vectors();
            count("ciphertexts of validation records", records, validation)?;
            let keys = plan.switching_keys();
            let encapsulation = |(kind, _): &&(KeyKind, _)| {
                matches!(kind, KeyKind::ToSparse(_) | KeyKind::FromSparse(_))
            };
            let needed = keys.iter().filter(encapsulation).count();
            count("keys of a sparse secret", needed, sparse)?;
            (galois, keys)
        }
        JobSpec::Predict {
            galois,
            rows,
            records,
            ..
        } => {
            let needed = plan
                .prediction_vectors(*rows as usize)
                .map_err(|error| objects(error.to_string()))?;
            count("record ciphertexts", needed, records)?;
            (galois, plan.prediction_keys())
        }
        JobSpec::Infer { .. } => {
            return Err(objects("a plan of a training for another job".to_owned()));
        }
    };
    let have: BTreeSet<u64> = galois.iter().map(|(element, _)| *element).collect();
    let need: BTreeSet<u64> = needed
        .iter()
        .filter_map(|(kind, _)| match kind {
            KeyKind::Galois(element) => Some(*element),
            _ => None,
        })
        .collect();
    if let Some(element) = have.difference(&need).next() {
        return Err(objects(format!("the plan has no Galois element {element}")));
    }
    if let Some(element) = need.difference(&have).next() {
        return Err(objects(format!(
            "the key for Galois element {element} is missing"
        )));
    }
    if have.len() != galois.len() {
        return Err(objects("a Galois element is listed twice".to_owned()));
    }
    Ok(())
}

fn count(what: &str, need: usize, have: &[Digest]) -> Result<(), WireError> {
    if need == have.len() {
        return Ok(());
    }
    Err(objects(format!(
        "the plan needs {need} {what}, the job lists {}",
        have.len()
    )))
}

fn objects(message: String) -> WireError {
    fault::client(
        code::JOB_OBJECTS,
        message,
        "Send exactly the objects of the plan.",
    )
}

fn refused(error: &TrainError) -> WireError {
    fault::client(
        code::PLAN_REFUSED,
        format!("this worker would not make this plan: {error}"),
        "Ask this worker for a plan.",
    )
}
