//! Trains a head on ciphertexts.

use confide_ckks::Parameters;
use confide_protocol::{Digest, JobReport, ObjectKind};
use confide_tensor::{CkksEvaluator, CostModel, Observed};
use confide_train::{Plan, TrainingInputs, train};

use super::{Objects, Stopped, Watch, load, observe, work};

/// Objects of a training job, in the plan's order.
pub(super) struct Inputs<'a> {
    pub keys: load::Keys<'a>,
    pub features: &'a [Digest],
    pub labels: &'a [Digest],
    pub validation: &'a [Digest],
}

/// Runs an admitted job. The same inputs give the same bytes on every machine: evaluation is
/// exact arithmetic modulo primes and uses no randomness.
pub(super) fn run(
    plan: &Plan,
    inputs: Inputs<'_>,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<JobReport, Stopped> {
    let progress = observe::Progress::new(watch, "read keys and records");
    let params: Parameters = work::checked(plan.parameters())?;
    let keys = load::keys(&plan.switching_keys(), &params, inputs.keys, objects, watch)?;
    let evaluator = CkksEvaluator::new(&params, &keys);
    let fresh = |what, digests| {
        let level = plan.data_level;
        load::fresh(what, &params, &evaluator, level, digests, objects, watch)
    };
    let ciphertexts = TrainingInputs {
        features: fresh("features", inputs.features)?,
        labels: fresh("labels", inputs.labels)?,
    };
    let observed = Observed::new(
        &evaluator,
        &progress,
        CostModel::default(),
        plan.key_switch_shape(),
        work::of_training(&plan.costs),
    );
    let head = train(&observed, &plan.layout, &plan.schedule, ciphertexts)
        .map_err(|error| observe::stopped(&error))?;
    let bytes = head
        .to_bytes(&params)
        .map_err(|error| load::scheme(&error))?;
    let digest = objects.write(ObjectKind::Head, &bytes)?;
    let counts = work::counts(
        &keys,
        inputs.features.len() + inputs.labels.len(),
        &observed.ledger(),
    );
    Ok(JobReport {
        outputs: vec![(ObjectKind::Head, digest, bytes.len() as u64)],
        seconds: progress.seconds(),
        peak_rss_bytes: 0,
        counts,
    })
}
