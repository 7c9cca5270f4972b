//! Predicting new records with a head that the worker keeps.

use super::model::{SavedModel, broken};
use super::objects::{Item, ObjectJob};
use super::report::{Prediction, predictions};
use super::run::{Digests, batch_of, predict_jobs, record_jobs};
use super::{from_train, guard::to_rows};
use crate::ClientError;
use crate::intake::Records;
use confide_ckks::{Complex64, Parameters};
use confide_protocol::{Digest, JobSpec};
use confide_train::{TablePacker, TrainingPlan};

/// Predictions of one table of new records.
pub struct PredictionRun {
    model: SavedModel,
    plan: TrainingPlan,
    params: Parameters,
    packer: TablePacker,
    head: Digest,
    keys: Digests,
    rows: Vec<Vec<f64>>,
    row_numbers: Vec<usize>,
    notes: Vec<String>,
}

impl PredictionRun {
    /// Prepares records as those of the training were. `records` come from `Table::select_records` with the
    /// model's features.
    ///
    /// # Errors
    /// `CC-5030` when the model is broken, `CC-5032` without records, those of `Preprocessing::transform`.
    pub fn new(model: &SavedModel, records: &Records) -> Result<Self, ClientError> {
        if records.rows() == 0 {
            return Err(ClientError::new(
                "CC-5032",
                "There are no records to predict.",
                "Choose a table with rows.",
            ));
        }
        let (head, keys) = model.digests().ok_or_else(broken)?;
        let all: Vec<usize> = (0..records.rows()).collect();
        let (matrix, shortened) = model.preprocessing.transform(records, &all)?;
        let mut notes = records.notes.clone();
        if shortened > 0 {
            notes.push(format!(
                "{shortened} records lie far outside the training records and are shortened."
            ));
        }
        let plan = model.plan.clone();
        Ok(Self {
            params: plan.parameters().map_err(from_train)?,
            packer: TablePacker::new(&plan),
            model: model.clone(),
            plan,
            head,
            keys,
            rows: to_rows(&matrix),
            row_numbers: records.row_numbers.clone(),
            notes,
        })
    }

    /// The plan of the predictions, for factories and openers.
    pub fn plan(&self) -> &TrainingPlan {
        &self.plan
    }

    /// What the user should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Digest of the head.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// The keys that the worker should still have, with their digests: ask it which are missing.
    ///
    /// # Errors
    /// `CC-5004` for a key that the parameters do not have.
    pub fn keys(&self) -> Result<Vec<(Item, Digest)>, ClientError> {
        let needed = self.plan.prediction_keys();
        let keys = self.keys.iter().filter(|(job, _)| {
            job.switching_key()
                .is_some_and(|(kind, _)| needed.iter().any(|(other, _)| *other == kind))
        });
        keys.map(|(job, digest)| Ok((Item::of_training(*job, &self.plan, &self.params)?, *digest)))
            .collect()
    }

    /// The record objects to upload.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen.
    pub fn items(&self) -> Result<Vec<Item>, ClientError> {
        let jobs = record_jobs(&self.plan, self.rows.len())
            .into_iter()
            .flatten();
        jobs.map(|job| Item::of_training(job, &self.plan, &self.params))
            .collect()
    }

    /// The slots of a record object, to be given to a factory; none for keys.
    ///
    /// # Errors
    /// `CC-5003` for an object that is not one of this run's.
    pub fn slots(&self, job: &ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError> {
        let ObjectJob::Records { batch, index } = *job else {
            return Ok(None);
        };
        let packs = self
            .packer
            .records(batch_of(&self.plan, &self.rows, batch))
            .map_err(from_train)?;
        Ok(packs.into_iter().nth(index))
    }

    /// The jobs, each with its number of records, in order.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn jobs(&self, records: &Digests) -> Result<Vec<(JobSpec, usize)>, ClientError> {
        let mut digests = self.keys.clone();
        digests.extend(records);
        predict_jobs(&self.plan, self.head, &digests, self.rows.len())
    }

    /// Names of the classes, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.model.classes
    }

    /// Classes and probabilities from the logits of all batches, in order.
    pub fn predictions(&self, logits: &[Vec<f64>]) -> Vec<Prediction> {
        predictions(
            logits,
            &self.row_numbers,
            &self.model.classes,
            (self.model.positive, self.plan.loss()),
        )
    }
}
