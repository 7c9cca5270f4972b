//! Loss and accuracy while a training runs, from encrypted scores of records that were set aside.
//!
//! Scores come from the worker and end here. Which objects are fetched follows from the plan and from what the worker
//! told, never from a decrypted value, and neither the training nor any later message depends on what is drawn.

use std::collections::{BTreeMap, BTreeSet};

use confide_protocol::{Digest, ObjectKind, Output};
use confide_train::TrainingPlan;
use serde::{Deserialize, Serialize};

use super::opener::ResultOpener;
use super::run::{TrainingRun, batches};
use crate::ClientError;
use crate::metrics::{log_loss, most_probable, probabilities};

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps of the training that were done.
    pub step: usize,
    /// How often every record had been used.
    pub epoch: f64,
    /// Mean of `-ln p`, `p` the probability of the true class.
    pub loss: f64,
    /// Share of records put in the right class.
    pub accuracy: f64,
    /// Records.
    pub records: usize,
}

/// Follows the scores of one training.
pub struct Validation {
    plan: TrainingPlan,
    classes: Vec<usize>,
    positive: usize,
    /// Records of each block.
    blocks: Vec<usize>,
    /// Scores that the worker has told of, by step and block.
    told: BTreeMap<(usize, usize), Digest>,
    /// Logits that are opened.
    logits: BTreeMap<(usize, usize), Vec<Vec<f64>>>,
}

impl Validation {
    /// For the run of an accepted plan; without validation there is nothing to follow.
    pub fn new(run: &TrainingRun) -> Self {
        Self::of(
            run.plan().clone(),
            run.validation_classes(),
            run.setup.positive,
        )
    }

    fn of(plan: TrainingPlan, classes: Vec<usize>, positive: usize) -> Self {
        Self {
            blocks: batches(&plan, classes.len()).collect(),
            classes,
            positive,
            plan,
            told: BTreeMap::new(),
            logits: BTreeMap::new(),
        }
    }

    /// Most bytes that scores can have: a limit for downloads.
    pub fn max_bytes(&self) -> u64 {
        self.plan.score_bytes()
    }

    /// Takes the objects that a job has made so far; gives those to fetch that are new.
    ///
    /// # Errors
    /// `CC-5023` when they are not those of the plan: another step, too many, another size, or others than told before.
    pub fn told(&mut self, outputs: &[Output]) -> Result<Vec<Digest>, ClientError> {
        let (mut next, mut new) = (BTreeMap::new(), BTreeSet::new());
        for &(kind, digest, bytes) in outputs {
            let ObjectKind::Validation { step } = kind else {
                continue;
            };
            let step = step as usize;
            if self.plan.validation_points().binary_search(&step).is_err() {
                return Err(broken(format!("scores after step {step} are not planned")));
            }
            let block = next.entry(step).or_insert(0);
            let place = (step, *block);
            *block += 1;
            if *block > self.blocks.len() {
                let planned = self.blocks.len();
                return Err(broken(format!(
                    "more than {planned} scores came for step {step}"
                )));
            }
            if bytes != self.max_bytes() {
                let planned = self.max_bytes();
                return Err(broken(format!(
                    "scores have {bytes} bytes, {planned} are planned"
                )));
            }
            match self.told.insert(place, digest) {
                None => _ = new.insert(digest),
                Some(before) if before == digest => {}
                Some(_) => return Err(broken(format!("the scores of step {step} have changed"))),
            }
        }
        Ok(new.into_iter().collect())
    }

    /// Scores that have been told and not opened.
    pub fn waiting(&self) -> usize {
        self.told.len() - self.logits.len()
    }

    /// Whether an object is one of the scores.
    pub fn expects(&self, digest: &Digest) -> bool {
        self.told.values().any(|told| told == digest)
    }

    /// Refuses an end of the job at which scores are missing.
    ///
    /// # Errors
    /// `CC-5023`.
    pub fn ended(&self) -> Result<(), ClientError> {
        let (have, need) = (self.told.len(), self.plan.validation_outputs());
        if have == need {
            return Ok(());
        }
        Err(broken(format!(
            "{have} of {need} scores were there at the end"
        )))
    }

    /// Opens scores that have arrived; gives the points that are complete with them.
    ///
    /// # Errors
    /// `CC-5020` when they are no scores under the plan, or decrypt to nonsense.
    pub fn arrived(
        &mut self,
        opener: &ResultOpener,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<Vec<CurvePoint>, ClientError> {
        let places = self.told.iter().filter(|(_, told)| *told == digest);
        let places: Vec<_> = places.map(|(place, _)| *place).collect();
        for &(step, block) in &places {
            let logits = opener.open_scores(bytes, self.blocks[block])?;
            self.logits.insert((step, block), logits);
        }
        let points = places.iter().filter_map(|&(step, _)| self.point(step));
        Ok(points.collect())
    }

    /// All points that are complete, in the order of steps.
    pub fn points(&self) -> Vec<CurvePoint> {
        let steps = self.plan.validation_points().iter();
        steps.filter_map(|&step| self.point(step)).collect()
    }

    fn point(&self, step: usize) -> Option<CurvePoint> {
        let blocks: Option<Vec<_>> = (0..self.blocks.len())
            .map(|block| self.logits.get(&(step, block)))
            .collect();
        let rows = blocks?.into_iter().flatten();
        let rows: Vec<_> = rows
            .map(|logits| probabilities(logits, self.positive, self.plan.loss()))
            .collect();
        let right =
            |(row, class): &(&Vec<f64>, &usize)| most_probable(row, self.positive) == **class;
        let right = rows.iter().zip(&self.classes).filter(right).count();
        Some(CurvePoint {
            step,
            epoch: step as f64 / self.plan.epoch_steps().max(1) as f64,
            loss: log_loss(&self.classes, &rows)?,
            accuracy: right as f64 / self.classes.len() as f64,
            records: self.classes.len(),
        })
    }
}

fn broken(what: String) -> ClientError {
    ClientError::new(
        "CC-5023",
        format!("The worker's validation does not follow the plan: {what}."),
        "Check that worker and client are of one release; else do not use this worker.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use confide_train::PlanRequest;
    use confide_train::bootstrapped::BootstrapWish;

    fn validation() -> Validation {
        let mut request = PlanRequest::new(300, 9, 3);
        request.max_upload_bytes = 4_000_000_000;
        request.max_memory_bytes = 12 << 30;
        request.bootstrapping = Some(BootstrapWish {
            validation: 3000,
            ..BootstrapWish::new(2)
        });
        let plan = TrainingPlan::of_request(&request, &Default::default()).expect("a plan");
        Validation::of(plan, vec![0; 3000], 0)
    }

    fn output(validation: &Validation, step: u32, byte: u8) -> Output {
        let kind = ObjectKind::Validation { step };
        (kind, Digest([byte; 32]), validation.max_bytes())
    }

    #[test]
    fn every_object_is_fetched_once_however_often_it_is_told() {
        let mut validation = validation();
        let blocks = validation.blocks.len() as u8;
        assert!(blocks >= 2);
        let head = (ObjectKind::Head, Digest([9; 32]), 1);
        let first: Vec<_> = (0..blocks).map(|b| output(&validation, 1, b)).collect();
        let mut told = vec![head];
        told.extend(&first);
        assert_eq!(validation.told(&told).unwrap().len(), blocks as usize);
        assert_eq!(validation.told(&told).unwrap(), []);
        // A worker that has just started again has not read what it had.
        assert_eq!(validation.told(&[]).unwrap(), []);
        assert_eq!(validation.ended().unwrap_err().code, "CC-5023");
        told.extend((0..blocks).map(|b| output(&validation, 2, 10 + b)));
        assert_eq!(validation.told(&told).unwrap().len(), blocks as usize);
        validation.ended().unwrap();
        assert_eq!(validation.waiting(), 2 * blocks as usize);
        assert!(validation.points().is_empty());
    }

    #[test]
    fn what_the_plan_does_not_have_is_refused() {
        let mut large = output(&validation(), 1, 1);
        large.2 += 1;
        let many = vec![output(&validation(), 1, 1); 5];
        let other = output(&validation(), 3, 1);
        for told in [vec![large], many, vec![other]] {
            let error = validation().told(&told).unwrap_err();
            assert_eq!(error.code, "CC-5023", "{error:?}");
        }
        let mut changing = validation();
        let told = |byte| [output(&changing, 1, byte)];
        let (first, second) = (told(1), told(2));
        changing.told(&first).unwrap();
        assert_eq!(changing.told(&second).unwrap_err().code, "CC-5023");
    }
}
