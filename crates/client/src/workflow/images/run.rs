//! One training on images: objects, jobs, what comes back.

use super::ImageSetup;
use crate::ClientError;
use crate::workflow::classify::{NamedImage, from_model, image_slots};
use crate::workflow::objects::{Item, ObjectJob};
use crate::workflow::run::{Digests, digest_of, key_digests, plan_bytes};
use crate::workflow::{from_engine, from_train};
use confide_ckks::{Complex64, KeyKind, Parameters};
use confide_model::features::FeatureRows;
use confide_model::{Card, InferencePlan, Program};
use confide_protocol::{Digest, JobSpec};
use confide_train::TrainingPlan;
use confide_train::minibatch::TilePacker;
use std::collections::BTreeSet;

/// Images that go the same way: those that train, or those that test.
pub(super) struct Part {
    pub(super) plan: InferencePlan,
    params: Parameters,
    geometry: Program,
    rows: FeatureRows,
    pub(super) images: Vec<usize>,
}

impl Part {
    /// Images of a job.
    fn job(&self, job: usize) -> &[usize] {
        let mut jobs = self.images.chunks(self.plan.choice.images);
        jobs.nth(job).unwrap_or(&[])
    }
}

/// A training on images with accepted plans.
///
/// Jobs are numbered: those of the training images, then those of the test images. Each makes the features of its images in
/// one ciphertext, which stays at the worker.
pub struct ImageRun {
    pub(super) card: Card,
    pub(super) images: Vec<NamedImage>,
    /// Numbers of classes, as they are named.
    pub(super) labels: Vec<usize>,
    pub(super) classes: Vec<String>,
    pub(super) positive: usize,
    pub(super) training: TrainingPlan,
    params: Parameters,
    packer: TilePacker,
    rows_of_tile: usize,
    pub(super) parts: Vec<Part>,
    pub(super) notes: Vec<String>,
}

impl ImageRun {
    pub(super) fn new(
        setup: ImageSetup,
        training: TrainingPlan,
        plans: Vec<InferencePlan>,
    ) -> Result<Self, ClientError> {
        let TrainingPlan::Bootstrapped(plan) = &training else {
            return Err(super::uneven("it is of a training without bootstraps"));
        };
        let (card, mut parts) = (setup.card, Vec::new());
        for (plan, images) in plans.into_iter().zip(setup.parts) {
            let geometry = plan.geometry(&card).map_err(from_model)?;
            let end = plan.end(&card, &geometry).map_err(from_model)?;
            let end = end.ok_or_else(|| super::uneven("it gathers no features"))?;
            parts.push(Part {
                params: plan.parameters().map_err(from_model)?,
                rows: end.rows().clone(),
                geometry,
                images,
                plan,
            });
        }
        Ok(Self {
            packer: TilePacker::new(&plan.layout, &plan.schedule),
            rows_of_tile: plan.layout.block_rows(),
            params: training.parameters().map_err(from_train)?,
            classes: setup.classes.into_iter().map(|class| class.name).collect(),
            images: setup.images,
            labels: setup.labels,
            positive: setup.positive,
            notes: setup.notes,
            training,
            card,
            parts,
        })
    }

    /// The plan of the training.
    pub fn training(&self) -> &TrainingPlan {
        &self.training
    }

    /// The plans of the features: of training images, then of test images.
    pub fn features(&self) -> impl Iterator<Item = &InferencePlan> {
        self.parts.iter().map(|part| &part.plan)
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// What the user should know, in plain sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Jobs that make features: of training images, and of test images after them.
    pub fn jobs(&self) -> [usize; 2] {
        let jobs = |part| {
            self.parts
                .get::<usize>(part)
                .map_or(0, |part| part.plan.jobs())
        };
        [jobs(0), jobs(1)]
    }

    /// The part that a job belongs to, and its number there.
    fn part(&self, job: usize) -> Result<(&Part, usize), ClientError> {
        let mut left = job;
        for part in &self.parts {
            match left.checked_sub(part.plan.jobs()) {
                None => return Ok((part, left)),
                Some(less) => left = less,
            }
        }
        Err(missing("job", job))
    }

    /// The keys of all jobs that make features.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for accepted plans.
    pub fn feature_keys(&self) -> Result<Vec<Item>, ClientError> {
        let all = self
            .parts
            .iter()
            .flat_map(|part| part.plan.switching_keys());
        let all: BTreeSet<(KeyKind, usize)> = all.collect();
        let Some(first) = self.parts.first() else {
            return Ok(Vec::new());
        };
        let keys = all.into_iter();
        keys.map(|(kind, level)| Item::new(ObjectJob::of_key(kind, level), &first.params, level))
            .collect()
    }

    /// The image objects of a job.
    ///
    /// # Errors
    /// `CC-5014` for a job that is none of the run's.
    pub fn image_items(&self, job: usize) -> Result<Vec<Item>, ClientError> {
        let (part, _) = self.part(job)?;
        let level = part.params.max_level();
        (0..part.plan.inputs)
            .map(|index| Item::new(ObjectJob::Images { job, index }, &part.params, level))
            .collect()
    }

    /// Labels and keys of the training.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for accepted plans.
    pub fn training_items(&self) -> Result<Vec<Item>, ClientError> {
        let labels = (0..self.jobs()[0]).map(|index| ObjectJob::Labels { index });
        let mut items = labels
            .map(|job| Item::of_training(job, &self.training, &self.params))
            .collect::<Result<Vec<_>, _>>()?;
        items.extend(Item::keys(&self.training, &self.params)?);
        Ok(items)
    }

    /// The slots of images or labels, to be given to a factory; none for keys.
    ///
    /// # Errors
    /// `CC-5014` for an object that is not one of this run's.
    pub fn slots(&self, job: &ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError> {
        match *job {
            ObjectJob::Images { job, index } => {
                let (part, number) = self.part(job)?;
                let pixels = part.job(number).iter();
                let pixels: Vec<&[u8]> = pixels
                    .map(|&image| self.images[image].pixels.as_slice())
                    .collect();
                image_slots(&self.card, &part.geometry, &pixels, index).map(Some)
            }
            ObjectJob::Labels { index } => {
                let (part, number) = self.part(index)?;
                let own = part.job(number);
                let label = |image: usize| Some(self.program_label(*own.get(image)?));
                let rows = part.rows.images_of_rows().into_iter().next();
                let rows = rows.ok_or_else(|| missing("labels", index))?;
                let labels: Vec<Option<usize>> =
                    rows.into_iter().map(|image| label(image?)).collect();
                let slots = self.packer.label_block(&labels);
                slots.map(Some).map_err(from_train)
            }
            _ => Ok(None),
        }
    }

    /// The class of an image as the training program numbers it: with two classes, 1 is the positive one.
    pub(super) fn program_label(&self, image: usize) -> usize {
        match self.classes.len() {
            2 => usize::from(self.labels[image] == self.positive),
            _ => self.labels[image],
        }
    }

    /// A job that makes features, once its objects are made.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn feature_job(&self, job: usize, digests: &Digests) -> Result<JobSpec, ClientError> {
        let (part, _) = self.part(job)?;
        let keys = part.plan.switching_keys().into_iter();
        let keys = keys.map(|(kind, level)| digest_of(digests, &ObjectJob::of_key(kind, level)));
        let images = (0..part.plan.inputs)
            .map(|index| digest_of(digests, &ObjectJob::Images { job, index }));
        Ok(JobSpec::Infer {
            plan: confide_protocol::to_bytes(&part.plan).map_err(|error| from_engine(&error))?,
            keys: keys.collect::<Result<_, _>>()?,
            images: images.collect::<Result<_, _>>()?,
        })
    }

    /// The job that trains on kept features: those of each job of training images, in order.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn train_job(
        &self,
        features: &[Digest],
        digests: &Digests,
    ) -> Result<JobSpec, ClientError> {
        let jobs = self.jobs()[0];
        let features = features
            .get(..jobs)
            .ok_or_else(|| missing("features", jobs))?;
        let keys = key_digests(&self.training.switching_keys(), digests)?;
        let labels = (0..jobs).map(|index| digest_of(digests, &ObjectJob::Labels { index }));
        Ok(JobSpec::Train {
            plan: plan_bytes(&self.training)?,
            relin: keys.relin,
            galois: keys.galois,
            features: features.to_vec(),
            labels: labels.collect::<Result<_, _>>()?,
            sparse: keys.sparse,
            validation: Vec::new(),
        })
    }

    /// The jobs that predict test images from their kept features: those of each job of test images, in order.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn predict_jobs(
        &self,
        head: Digest,
        features: &[Digest],
        digests: &Digests,
    ) -> Result<Vec<JobSpec>, ClientError> {
        let keys = key_digests(&self.training.prediction_keys(), digests)?;
        let plan = plan_bytes(&self.training)?;
        let job = |digest: &Digest| JobSpec::Predict {
            plan: plan.clone(),
            relin: keys.relin,
            galois: keys.galois.clone(),
            head,
            rows: self.rows_of_tile as u32,
            records: vec![*digest],
        };
        Ok(features.iter().map(job).collect())
    }

    /// Rows of a ciphertext of scores, of which some belong to no image.
    pub fn score_rows(&self) -> usize {
        self.rows_of_tile
    }

    /// Logits of the test images in their order, from those `[job][row][output]` of all rows.
    ///
    /// # Errors
    /// `CC-5021` for another number of them.
    pub fn logits(&self, opened: &[Vec<Vec<f64>>]) -> Result<Vec<Vec<f64>>, ClientError> {
        let Some(part) = self.parts.get(1) else {
            return Ok(Vec::new());
        };
        let each = part.plan.choice.images.max(1);
        let logit = |place: usize| {
            let row = part.rows.row(place % each).row;
            opened.get(place / each)?.get(row).cloned()
        };
        let logits: Option<Vec<_>> = (0..part.images.len()).map(logit).collect();
        logits.ok_or_else(|| {
            ClientError::new(
                "CC-5021",
                "Predictions of some images did not come back.",
                "Train again; report this if it goes on.",
            )
        })
    }
}

fn missing(what: &str, number: usize) -> ClientError {
    ClientError::new(
        "CC-5014",
        format!("There is no {what} number {number}."),
        "Report this as a fault.",
    )
}
