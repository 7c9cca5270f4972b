//! One training: objects, jobs, comparisons.

use super::from_train;
use super::guard::{Guarded, to_rows};
use super::objects::{Item, ObjectJob};
use super::report::ClearHeads;
use super::setup::TrainingSetup;
use crate::ClientError;
use confide_ckks::{Complex64, KeyKind, Parameters};
use confide_protocol::{Digest, JobSpec};
use confide_train::{Activation, TablePacker, TrainingPlan, train_converged};
use std::collections::BTreeMap;

/// Digests of the objects that were made.
pub type Digests = BTreeMap<ObjectJob, Digest>;

/// Steps of the run to convergence, for small and for large tables: whitened features need few.
const CONVERGED_STEPS: [usize; 2] = [400, 100];

/// A training with an accepted plan.
pub struct TrainingRun {
    pub(super) setup: TrainingSetup,
    pub(super) plan: TrainingPlan,
    params: Parameters,
    pub(super) guarded: Guarded,
    train_labels: Vec<usize>,
    /// Test records as they are encrypted.
    pub(super) test_rows: Vec<Vec<f64>>,
    /// Validation records as they are encrypted.
    validation_rows: Vec<Vec<f64>>,
    packer: TablePacker,
    notes: Vec<String>,
}

impl TrainingRun {
    pub(super) fn new(
        mut setup: TrainingSetup,
        plan: TrainingPlan,
        guarded: Guarded,
    ) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_train)?;
        setup.preprocessing = guarded.preprocessing.clone();
        let (test, shortened) = setup
            .preprocessing
            .transform(&setup.dataset.records, &setup.split.test)?;
        let (validation, _) = setup
            .preprocessing
            .transform(&setup.dataset.records, &setup.validation)?;
        let mut notes = setup.notes.clone();
        if !setup.validation.is_empty() {
            notes.push(format!(
                "{} training records are set aside: they draw the curve and do not train.",
                setup.validation.len()
            ));
        }
        notes.extend(guarded.notes.clone());
        if shortened > 0 {
            notes.push(format!(
                "{shortened} outlying test records are shortened likewise."
            ));
        }
        Ok(Self {
            packer: TablePacker::new(&plan),
            train_labels: setup.labels(&setup.split.train),
            test_rows: to_rows(&test),
            validation_rows: to_rows(&validation),
            params,
            guarded,
            setup,
            plan,
            notes,
        })
    }

    /// The accepted plan. Its `Display` is for people.
    pub fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    /// What the user should know, in plain sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Largest logit of the program on plain numbers, and the range that it must stay in.
    pub fn range(&self) -> (f64, f64) {
        (self.guarded.reference.largest, self.plan.range())
    }

    /// All objects to upload: data first, because they are made in no time, then the keys.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for an accepted plan.
    pub fn items(&self) -> Result<Vec<Item>, ClientError> {
        let data = self
            .data_jobs()
            .into_iter()
            .chain(self.validation_jobs())
            .chain(self.record_jobs().into_iter().flatten());
        let mut items = data
            .map(|job| Item::of_training(job, &self.plan, &self.params))
            .collect::<Result<Vec<_>, _>>()?;
        items.extend(Item::keys(&self.plan, &self.params)?);
        Ok(items)
    }

    /// Training data in the plan's order: features, then labels.
    fn data_jobs(&self) -> Vec<ObjectJob> {
        let features = (0..self.plan.feature_vectors()).map(|index| ObjectJob::Features { index });
        let labels = (0..self.plan.label_vectors()).map(|index| ObjectJob::Labels { index });
        features.chain(labels).collect()
    }

    /// Validation records in the plan's order.
    fn validation_jobs(&self) -> impl Iterator<Item = ObjectJob> {
        (0..self.plan.validation_vectors()).map(|index| ObjectJob::Validation { index })
    }

    /// The slots of a data object, to be given to a factory; none for keys.
    ///
    /// # Errors
    /// `CC-5003` for an object that is not one of this run's.
    pub fn slots(&self, job: &ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError> {
        match *job {
            ObjectJob::Features { index } => {
                self.packer.features(&self.guarded.rows, index).map(Some)
            }
            ObjectJob::Labels { index } => self.packer.labels(&self.train_labels, index).map(Some),
            ObjectJob::Records { batch, index } => {
                let rows = batch_of(&self.plan, &self.test_rows, batch);
                self.packer
                    .records(rows)
                    .map(|packs| packs.into_iter().nth(index))
            }
            ObjectJob::Validation { index } => {
                let tiles = self.plan.prediction_vectors(1).map_err(from_train)?.max(1);
                let rows = batch_of(&self.plan, &self.validation_rows, index / tiles);
                self.packer
                    .records(rows)
                    .map(|packs| packs.into_iter().nth(index % tiles))
            }
            ObjectJob::Images { .. }
            | ObjectJob::RelinKey { .. }
            | ObjectJob::GaloisKey { .. }
            | ObjectJob::SparseKey { .. } => Ok(None),
        }
        .map_err(from_train)
    }

    /// The training job, once all its objects are made.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn train_job(&self, digests: &Digests) -> Result<JobSpec, ClientError> {
        let keys = key_digests(&self.plan.switching_keys(), digests)?;
        let (mut features, mut labels) = (Vec::new(), Vec::new());
        for job in self.data_jobs() {
            let digest = digest_of(digests, &job)?;
            match job {
                ObjectJob::Labels { .. } => labels.push(digest),
                _ => features.push(digest),
            }
        }
        let validation = self.validation_jobs();
        let validation = validation.map(|job| digest_of(digests, &job));
        Ok(JobSpec::Train {
            plan: plan_bytes(&self.plan)?,
            relin: keys.relin,
            galois: keys.galois,
            features,
            labels,
            sparse: keys.sparse,
            validation: validation.collect::<Result<_, _>>()?,
        })
    }

    /// The jobs that predict the test records with a trained head, each with its number of records. None without
    /// test records.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn predict_jobs(
        &self,
        head: Digest,
        digests: &Digests,
    ) -> Result<Vec<(JobSpec, usize)>, ClientError> {
        predict_jobs(&self.plan, head, digests, self.test_rows.len())
    }

    /// The test records as they are encrypted, bias column included.
    pub fn test_records(&self) -> &[Vec<f64>] {
        &self.test_rows
    }

    /// Class of each test record, an index into the classes.
    pub fn test_classes(&self) -> Vec<usize> {
        self.setup
            .split
            .test
            .iter()
            .map(|&row| self.setup.dataset.classes_of_rows[row])
            .collect()
    }

    /// Class of each validation record, an index into the classes.
    pub(super) fn validation_classes(&self) -> Vec<usize> {
        let rows = self.setup.validation.iter();
        rows.map(|&row| self.setup.dataset.classes_of_rows[row])
            .collect()
    }

    /// The head in the clear, beside the encrypted one: the same program on plain numbers, and the exact sigmoid to
    /// convergence with the same penalty and features (see [`ClearHeads`]). Takes seconds for large tables: do it while the worker works.
    ///
    /// # Errors
    /// `CC-5003`, which does not happen.
    pub fn clear_heads(&self) -> Result<ClearHeads, ClientError> {
        let program = self.guarded.reference.weights.clone();
        if self.plan.hidden() > 0 {
            let (rows, exact) = (&self.guarded.rows, Activation::Sigmoid);
            let run = self.plan.reference_with(rows, &self.train_labels, exact);
            return Ok(ClearHeads {
                program,
                converged: run.map_err(from_train)?.weights,
            });
        }
        let shape = self.plan.shape();
        let size = self.guarded.rows.len() * shape.features * self.plan.outputs();
        let steps = CONVERGED_STEPS[usize::from(size > 10_000_000)];
        let converged = train_converged(
            shape,
            self.plan.loss(),
            self.plan.l2(),
            &self.guarded.rows,
            &self.train_labels,
            steps,
        )
        .map_err(from_train)?;
        Ok(ClearHeads {
            program,
            converged: converged.weights,
        })
    }

    fn record_jobs(&self) -> Vec<Vec<ObjectJob>> {
        record_jobs(&self.plan, self.test_rows.len())
    }
}

/// Batches of `rows` records, as large as the plan allows: the number of records in each.
pub(super) fn batches(plan: &TrainingPlan, rows: usize) -> impl Iterator<Item = usize> {
    let size = plan.max_prediction_rows().max(1);
    (0..rows.div_ceil(size)).map(move |batch| size.min(rows - batch * size))
}

/// The record objects of all batches.
pub(super) fn record_jobs(plan: &TrainingPlan, rows: usize) -> Vec<Vec<ObjectJob>> {
    let packs = |rows| plan.prediction_vectors(rows).unwrap_or(0);
    let jobs = |(batch, rows)| {
        (0..packs(rows))
            .map(|index| ObjectJob::Records { batch, index })
            .collect()
    };
    batches(plan, rows).enumerate().map(jobs).collect()
}

/// The records of one batch; none beyond the last.
pub(super) fn batch_of<'a>(
    plan: &TrainingPlan,
    rows: &'a [Vec<f64>],
    batch: usize,
) -> &'a [Vec<f64>] {
    let size = plan.max_prediction_rows();
    let start = batch.saturating_mul(size).min(rows.len());
    &rows[start..(start + size).min(rows.len())]
}

pub(super) fn predict_jobs(
    plan: &TrainingPlan,
    head: Digest,
    digests: &Digests,
    rows: usize,
) -> Result<Vec<(JobSpec, usize)>, ClientError> {
    let keys = key_digests(&plan.prediction_keys(), digests)?;
    let bytes = plan_bytes(plan)?;
    let job = |(jobs, rows): (Vec<ObjectJob>, usize)| {
        let records = jobs
            .iter()
            .map(|job| digest_of(digests, job))
            .collect::<Result<_, _>>()?;
        Ok((
            JobSpec::Predict {
                plan: bytes.clone(),
                relin: keys.relin,
                galois: keys.galois.clone(),
                head,
                records,
                rows: rows as u32,
            },
            rows,
        ))
    };
    record_jobs(plan, rows)
        .into_iter()
        .zip(batches(plan, rows))
        .map(job)
        .collect()
}

pub(super) fn plan_bytes(plan: &TrainingPlan) -> Result<Vec<u8>, ClientError> {
    confide_protocol::to_bytes(plan).map_err(|error| super::from_engine(&error))
}

pub(super) struct KeyDigests {
    pub(super) relin: Digest,
    pub(super) galois: Vec<(u64, Digest)>,
    pub(super) sparse: Vec<Digest>,
}

pub(super) fn key_digests(
    needed: &[(KeyKind, usize)],
    digests: &Digests,
) -> Result<KeyDigests, ClientError> {
    let (mut relin, mut galois, mut sparse) = (None, Vec::new(), Vec::new());
    for &(kind, level) in needed {
        let digest = digest_of(digests, &ObjectJob::of_key(kind, level))?;
        match kind {
            KeyKind::Relin => relin = Some(digest),
            KeyKind::Galois(element) => galois.push((element, digest)),
            KeyKind::ToSparse(_) | KeyKind::FromSparse(_) => sparse.push(digest),
        }
    }
    // Every program multiplies.
    let missing = || digest_of(&Digests::new(), &ObjectJob::RelinKey { level: 0 });
    Ok(KeyDigests {
        relin: relin.map_or_else(missing, Ok)?,
        galois,
        sparse,
    })
}

pub(super) fn digest_of(digests: &Digests, job: &ObjectJob) -> Result<Digest, ClientError> {
    digests.get(job).copied().ok_or_else(|| {
        ClientError::new(
            "CC-5014",
            format!("{} was not made.", job.name()),
            "Report this as a fault.",
        )
    })
}
