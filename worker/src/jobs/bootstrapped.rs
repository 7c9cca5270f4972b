//! Trains a head on minibatches of ciphertexts, with bootstraps between, from checkpoint to checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use confide_ckks::bootstrap::Bootstrapper;
use confide_ckks::{Ciphertext, Encoder, Parameters};
use confide_protocol::{JobReport, ObjectKind};
use confide_tensor::{CkksEvaluator, CostModel, Evaluator, Ledger, Observed, Op, TensorError};
use confide_train::bootstrapped::{BootstrappedPlan, head};
use confide_train::minibatch::{Batch, TileLayout, Trainer};

use super::checkpoint::Checkpoint;
use super::train::Inputs;
use super::{Objects, Stopped, Watch, load, observe, work};

/// Operations that a checkpoint counts.
const COUNTED: [Op; 5] = [
    Op::Refresh,
    Op::KeySwitch,
    Op::Relinearise,
    Op::Product,
    Op::Rescale,
];

/// Runs an admitted job. The same inputs give the same bytes, wherever the run was interrupted: evaluation is exact
/// arithmetic modulo primes, and a state determines all that follows.
pub(super) fn train(
    plan: &BootstrappedPlan,
    inputs: Inputs<'_>,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<JobReport, Stopped> {
    let progress = observe::Progress::new(watch, "read keys");
    let set = work::checked(plan.bootstrapping())?;
    let params = set.params();
    let keys = load::keys(&plan.switching_keys(), params, inputs.keys, objects, watch)?;
    progress.enter("prepare bootstrapping");
    let encoder = Encoder::new(params);
    let bootstrappers = plan
        .log_periods
        .iter()
        .map(|&log_period| Bootstrapper::new(&set, &encoder, log_period))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| load::scheme(&error))?;
    drop(encoder);
    let evaluator = bootstrappers.iter().fold(
        CkksEvaluator::new(params, &keys),
        CkksEvaluator::with_refresh,
    );
    let saved = objects
        .checkpoint()
        .and_then(|bytes| Checkpoint::restore(&bytes, params, &evaluator));
    let Checkpoint {
        state,
        done,
        counts: before,
    } = saved.unwrap_or_default();
    let observed = Observed::new(
        &evaluator,
        &progress,
        work::checked(plan.cost_model(&CostModel::default()))?,
        work::checked(plan.key_switch_shape())?,
        work::of_training(&plan.costs),
    )
    .resumed_at(done);
    let trainer = Trainer::new(&observed, &plan.layout, &plan.schedule);
    let mut records = Records {
        plan,
        inputs: &inputs,
        params,
        evaluator: &evaluator,
        objects,
        watch,
        held: BTreeMap::new(),
        failed: None,
    };
    let mut unsaved = None;
    let ended = trainer.run(state, &mut |batch| records.batch(batch), &mut |_, state| {
        let so_far = (observed.done(), counts(&before, &observed.ledger()));
        let bytes = Checkpoint::write(state, so_far, params);
        let saved = bytes.and_then(|bytes| Ok(objects.save_checkpoint(&bytes)?));
        saved.map_err(|stopped| {
            unsaved = Some(stopped);
            TensorError::Cancelled
        })
    });
    let state = match ended {
        Ok(state) => state,
        Err(error) => {
            let reason = unsaved.or(records.failed);
            return Err(reason.unwrap_or_else(|| observe::stopped(&error)));
        }
    };
    observed.phase("head");
    let head = head(&observed, &trainer, &state).map_err(|error| observe::stopped(&error))?;
    let bytes = head
        .to_bytes(params)
        .map_err(|error| load::scheme(&error))?;
    let digest = objects.write(ObjectKind::Head, &bytes)?;
    let mut figures = work::counts(
        &keys,
        inputs.features.len() + inputs.labels.len(),
        &Ledger::default(),
    );
    for (op, count) in counts(&before, &observed.ledger()) {
        work::set(&mut figures, op, count);
    }
    figures.push(("steps".to_owned(), state.step as u64));
    Ok(JobReport {
        outputs: vec![(ObjectKind::Head, digest, bytes.len() as u64)],
        seconds: progress.seconds(),
        peak_rss_bytes: 0,
        counts: figures,
    })
}

/// Operations of an earlier start and of this one.
fn counts(before: &[(Op, u64)], ledger: &Ledger) -> Vec<(Op, u64)> {
    let earlier = |op| {
        let mut found = before.iter().filter(|(other, _)| *other == op);
        found.next().map_or(0, |(_, count)| *count)
    };
    COUNTED
        .map(|op| (op, earlier(op) + ledger.count(op)))
        .to_vec()
}

/// Most bytes of encrypted records that are kept between steps; beyond that they are read again.
const MAX_HELD: usize = 2 << 30;

/// The encrypted records, read from the store as steps need them.
struct Records<'a> {
    plan: &'a BootstrappedPlan,
    inputs: &'a Inputs<'a>,
    params: &'a Parameters,
    evaluator: &'a CkksEvaluator<'a>,
    objects: &'a dyn Objects,
    watch: &'a dyn Watch,
    held: BTreeMap<usize, Arc<Batch<Ciphertext>>>,
    failed: Option<Stopped>,
}

impl Records<'_> {
    fn batch(&mut self, index: usize) -> Result<Arc<Batch<Ciphertext>>, TensorError> {
        if let Some(batch) = self.held.get(&index) {
            return Ok(batch.clone());
        }
        let each = (self.plan.data_level + 1) * (16 << self.plan.layout.log_n);
        let blocks = self.plan.layout.blocks();
        let held = (self.held.len() + 1) * blocks * (self.plan.layout.tiles() + 1) * each;
        if held > MAX_HELD {
            // Minibatches come in turn: what is oldest here is needed last.
            self.held.clear();
        }
        let batch = self.read(index).map_err(|stopped| {
            self.failed = Some(stopped);
            TensorError::Cancelled
        })?;
        let batch = Arc::new(batch);
        self.held.insert(index, batch.clone());
        Ok(batch)
    }

    fn read(&self, index: usize) -> Result<Batch<Ciphertext>, Stopped> {
        let layout: &TileLayout = &self.plan.layout;
        let (blocks, tiles) = (layout.blocks(), layout.tiles());
        let fresh = |what, digests| {
            load::fresh(
                what,
                self.params,
                self.evaluator,
                self.plan.data_level,
                digests,
                self.objects,
                self.watch,
            )
        };
        // Admission has counted both lists.
        let features = &self.inputs.features[index * blocks * tiles..][..blocks * tiles];
        let labels = &self.inputs.labels[index * blocks..][..blocks];
        let mut features = fresh("features", features)?.into_iter();
        Ok(Batch {
            tiles: (0..blocks)
                .map(|_| features.by_ref().take(tiles).collect())
                .collect(),
            labels: fresh("labels", labels)?,
        })
    }
}
