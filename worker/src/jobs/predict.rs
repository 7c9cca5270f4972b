//! Predicts encrypted records with an encrypted head.

use confide_protocol::{Digest, JobReport, ObjectKind, code};
use confide_tensor::{CkksEvaluator, CostModel, Observed};
use confide_train::{Plan, predict};

use super::{Objects, Stopped, Watch, load, observe, work};
use crate::fault;

/// Objects of a prediction, in the plan's order.
pub(super) struct Inputs<'a> {
    pub relin: &'a Digest,
    pub galois: &'a [(u64, Digest)],
    pub head: &'a Digest,
    pub rows: u32,
    pub records: &'a [Digest],
}

/// Runs an admitted job.
pub(super) fn run(
    plan: &Plan,
    inputs: Inputs<'_>,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<JobReport, Stopped> {
    let progress = observe::Progress::new(watch, "read keys and records");
    let params = work::parameters(plan)?;
    let batch = plan
        .layout
        .prediction(inputs.rows as usize)
        .map_err(|error| {
            fault::client(
                code::JOB_OBJECTS,
                error.to_string(),
                "Predict in several batches.",
            )
        })?;
    let keys = load::keys(plan, &params, inputs.relin, inputs.galois, objects, watch)?;
    let evaluator = CkksEvaluator::new(&params, &keys);
    let level = plan.prediction_level;
    let head = load::result("head", &params, &evaluator, level, inputs.head, objects)?;
    let records = load::fresh(
        "records",
        &params,
        &evaluator,
        level,
        inputs.records,
        objects,
        watch,
    )?;
    let observed = Observed::new(
        &evaluator,
        &progress,
        CostModel::default(),
        plan.key_switch_shape(),
        work::of_prediction(plan),
    );
    let scores = predict(&observed, &plan.layout, &batch, &head, records)
        .map_err(|error| observe::stopped(&error))?;
    let bytes = scores
        .to_bytes(&params)
        .map_err(|error| load::scheme(&error))?;
    let digest = objects.write(ObjectKind::Scores, &bytes)?;
    Ok(JobReport {
        outputs: vec![(ObjectKind::Scores, digest, bytes.len() as u64)],
        seconds: progress.seconds(),
        peak_rss_bytes: 0,
        counts: work::counts(&keys, inputs.records.len() + 1),
    })
}
