//! Trains a head on minibatches of ciphertexts, with bootstraps between, from checkpoint to checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use confide_ckks::bootstrap::Bootstrapper;
use confide_ckks::{Ciphertext, Encoder, Parameters};
use confide_protocol::{Digest, JobReport, ObjectKind, Output};
use confide_tensor::{CkksEvaluator, CostModel, Evaluator, Ledger, Observed, Op, TensorError};
use confide_train::bootstrapped::{BootstrappedPlan, KeptFeatures, head, validation_scores};
use confide_train::minibatch::{Batch, TileLayout, Trainer, TrainingState};

use super::checkpoint::Checkpoint;
use super::train::Inputs;
use super::{Objects, Stopped, Watch, kept, load, observe, work};

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
        outputs,
    } = saved.unwrap_or_default();
    watch.made(&outputs);
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
        kept: work::checked(plan.kept_features())?,
        inputs: &inputs,
        params,
        evaluator: &evaluator,
        observed: &observed,
        progress: &progress,
        objects,
        watch,
        held: BTreeMap::new(),
        failed: None,
    };
    let mut validation = Validation {
        params,
        objects,
        watch,
        records: records.validation()?,
        outputs,
    };
    let mut failed = None;
    let ended = trainer.run(
        state,
        &mut |batch| records.batch(batch),
        &mut |action, state| {
            let mut save = || {
                if plan.validation.is_due(action, state.step) {
                    validation.store(&observed, &trainer, state)?;
                }
                let counts = counts(&before, &observed.ledger());
                let so_far = (observed.done(), counts, &*validation.outputs);
                objects.save_checkpoint(&Checkpoint::write(state, so_far, params)?)?;
                Ok(())
            };
            save().map_err(|stopped| {
                failed = Some(stopped);
                TensorError::Cancelled
            })
        },
    );
    let state = match ended {
        Ok(state) => state,
        Err(error) => {
            let reason = failed.or(records.failed);
            return Err(reason.unwrap_or_else(|| observe::stopped(&error)));
        }
    };
    observed.phase("head");
    let head = head(&observed, &trainer, &state).map_err(|error| observe::stopped(&error))?;
    let bytes = head
        .to_bytes(params)
        .map_err(|error| load::scheme(&error))?;
    let digest = objects.write(ObjectKind::Head, &bytes)?;
    let read = inputs.features.len() + inputs.labels.len() + inputs.validation.len();
    let mut figures = work::counts(&keys, read, &Ledger::default());
    for (op, count) in counts(&before, &observed.ledger()) {
        work::set(&mut figures, op, count);
    }
    figures.push(("steps".to_owned(), state.step as u64));
    let mut outputs = vec![(ObjectKind::Head, digest, bytes.len() as u64)];
    outputs.append(&mut validation.outputs);
    Ok(JobReport {
        outputs,
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

/// The way of scores to the data party: made from a state, stored, told. Nothing comes back and nothing is changed by it.
struct Validation<'a> {
    params: &'a Parameters,
    objects: &'a dyn Objects,
    watch: &'a dyn Watch,
    /// Tiles of each row block.
    records: Vec<Vec<Ciphertext>>,
    /// All scores so far.
    outputs: Vec<Output>,
}

impl Validation<'_> {
    /// Scores the records with a state.
    fn store<E: Evaluator<Ct = Ciphertext>>(
        &mut self,
        ev: &E,
        trainer: &Trainer<'_, E>,
        state: &TrainingState<Ciphertext>,
    ) -> Result<(), Stopped> {
        let scores = validation_scores(ev, trainer, state, &self.records)
            .map_err(|error| observe::stopped(&error))?;
        let kind = ObjectKind::Validation {
            step: state.step as u32,
        };
        for scores in scores {
            let bytes = scores
                .to_bytes(self.params)
                .map_err(|error| load::scheme(&error))?;
            let digest = self.objects.write(kind, &bytes)?;
            self.outputs.push((kind, digest, bytes.len() as u64));
        }
        self.watch.made(&self.outputs);
        Ok(())
    }
}

/// Most bytes of encrypted records that are kept between steps; beyond that they are read again.
const MAX_HELD: usize = 2 << 30;

/// The encrypted records, read from the store as steps need them.
struct Records<'a> {
    plan: &'a BootstrappedPlan,
    /// Where the features are this worker's own.
    kept: Option<KeptFeatures>,
    inputs: &'a Inputs<'a>,
    params: &'a Parameters,
    evaluator: &'a CkksEvaluator<'a>,
    /// The same with progress, for what takes time.
    observed: &'a Observed<'a, CkksEvaluator<'a>, observe::Progress<'a>>,
    progress: &'a observe::Progress<'a>,
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

    /// Tiles of each block of validation records.
    fn validation(&self) -> Result<Vec<Vec<Ciphertext>>, Stopped> {
        let records = self.fresh(
            "validation records",
            self.plan.prediction_level,
            self.inputs.validation,
        )?;
        let mut records = records.into_iter();
        let tiles = self.plan.layout.tiles();
        Ok((0..self.plan.validation.blocks(&self.plan.layout))
            .map(|_| records.by_ref().take(tiles).collect())
            .collect())
    }

    fn fresh(
        &self,
        what: &str,
        level: usize,
        digests: &[Digest],
    ) -> Result<Vec<Ciphertext>, Stopped> {
        let Self {
            params,
            evaluator,
            objects,
            watch,
            ..
        } = *self;
        load::fresh(what, params, evaluator, level, digests, objects, watch)
    }

    /// The worker's own features, refreshed.
    fn refreshed(
        &self,
        kept: &KeptFeatures,
        digests: &[Digest],
    ) -> Result<Vec<Ciphertext>, Stopped> {
        self.progress.enter("refresh features");
        let tiles = kept::read(kept, digests, self.objects, self.watch)?;
        let refreshed = tiles.iter().map(|tile| kept.refreshed(self.observed, tile));
        refreshed
            .map(|tile| tile.map_err(|error| observe::stopped(&error)))
            .collect()
    }

    fn read(&self, index: usize) -> Result<Batch<Ciphertext>, Stopped> {
        let layout: &TileLayout = &self.plan.layout;
        let (blocks, tiles) = (layout.blocks(), layout.tiles());
        let fresh = |what, digests| self.fresh(what, self.plan.data_level, digests);
        // Admission has counted both lists.
        let features = &self.inputs.features[index * blocks * tiles..][..blocks * tiles];
        let labels = &self.inputs.labels[index * blocks..][..blocks];
        let features = match &self.kept {
            None => fresh("features", features)?,
            Some(kept) => self.refreshed(kept, features)?,
        };
        let mut features = features.into_iter();
        Ok(Batch {
            tiles: (0..blocks)
                .map(|_| features.by_ref().take(tiles).collect())
                .collect(),
            labels: fresh("labels", labels)?,
        })
    }
}
