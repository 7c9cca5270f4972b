//! Predicts encrypted records with an encrypted head.

use confide_protocol::{Digest, JobReport, ObjectKind, code};
use confide_tensor::{CkksEvaluator, CostModel, Observed};
use confide_train::{TrainingPlan, bootstrapped, predict};

use super::{Objects, Stopped, Watch, kept, load, observe, work};
use crate::fault;

/// Objects of a prediction, in the plan's order.
pub(super) struct Inputs<'a> {
    pub keys: load::Keys<'a>,
    pub head: &'a Digest,
    pub rows: u32,
    pub records: &'a [Digest],
}

/// Runs an admitted job.
pub(super) fn run(
    plan: &TrainingPlan,
    inputs: Inputs<'_>,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<JobReport, Stopped> {
    let progress = observe::Progress::new(watch, "read keys and records");
    let params = work::checked(plan.parameters())?;
    let keys = load::keys(
        &plan.prediction_keys(),
        &params,
        inputs.keys,
        objects,
        watch,
    )?;
    let evaluator = CkksEvaluator::new(&params, &keys);
    let level = plan.prediction_level();
    let head = load::result("head", &params, &evaluator, level, inputs.head, objects)?;
    let records = match work::checked(plan.kept_features())? {
        None => load::fresh(
            "records",
            &params,
            &evaluator,
            level,
            inputs.records,
            objects,
            watch,
        )?,
        Some(kept) => kept::read(&kept, inputs.records, objects, watch)?
            .iter()
            .map(|tile| kept.records(&evaluator, level, tile))
            .collect::<Result<_, _>>()
            .map_err(|error| observe::stopped(&error))?,
    };
    let observed = Observed::new(
        &evaluator,
        &progress,
        CostModel::default(),
        work::key_switch_shape(plan)?,
        work::of_prediction(plan),
    );
    let scores = match plan {
        TrainingPlan::Levelled(plan) => {
            let rows = inputs.rows as usize;
            let batch = plan.layout.prediction(rows).map_err(|error| {
                let remedy = "Predict in several batches.";
                fault::client(code::JOB_OBJECTS, error.to_string(), remedy)
            })?;
            predict(&observed, &plan.layout, &batch, &head, records)
        }
        TrainingPlan::Bootstrapped(plan) => {
            let (layout, schedule) = (&plan.layout, &plan.schedule);
            bootstrapped::predict_block(&observed, layout, schedule, head, records)
        }
    }
    .map_err(|error| observe::stopped(&error))?;
    let bytes = scores
        .to_bytes(&params)
        .map_err(|error| load::scheme(&error))?;
    let digest = objects.write(ObjectKind::Scores, &bytes)?;
    let counts = work::counts(&keys, inputs.records.len() + 1, &observed.ledger());
    Ok(JobReport {
        outputs: vec![(ObjectKind::Scores, digest, bytes.len() as u64)],
        seconds: progress.seconds(),
        peak_rss_bytes: 0,
        counts,
    })
}
