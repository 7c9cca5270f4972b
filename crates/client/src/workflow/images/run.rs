//! One training on images: objects, jobs, what comes back.

use super::ImageSetup;
use super::parts::{FeatureJobs, Part, missing, predict_job};
use crate::ClientError;
use crate::workflow::from_train;
use crate::workflow::objects::{Item, ObjectJob};
use crate::workflow::run::{Digests, digest_of, key_digests, plan_bytes};
use confide_ckks::{Complex64, Parameters};
use confide_model::{Card, InferencePlan};
use confide_protocol::{Digest, JobSpec};
use confide_train::TrainingPlan;
use confide_train::minibatch::TilePacker;

/// A training on images with accepted plans.
///
/// Jobs are numbered: those of the training images, then those of the test images. Each makes the features of its images in
/// one ciphertext, which stays at the worker.
pub struct ImageRun {
    pub(super) all: FeatureJobs,
    /// Numbers of classes, as they are named.
    pub(super) labels: Vec<usize>,
    /// By image, its row in the file.
    pub(super) rows: Vec<usize>,
    /// By image, what it shares with others; empty where nothing is shared.
    pub(super) groups: Vec<usize>,
    /// Name of the label column.
    pub(super) label: String,
    pub(super) classes: Vec<String>,
    pub(super) positive: usize,
    pub(super) training: TrainingPlan,
    params: Parameters,
    packer: TilePacker,
    rows_of_tile: usize,
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
        let (text, card) = (setup.text, setup.card);
        let parts = plans.into_iter().zip(setup.parts);
        let parts = parts
            .map(|(plan, images)| Part::new(&card, plan, images))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            packer: TilePacker::new(&plan.layout, &plan.schedule),
            rows_of_tile: plan.layout.block_rows(),
            params: training.parameters().map_err(from_train)?,
            classes: setup.classes.into_iter().map(|class| class.name).collect(),
            labels: setup.labels,
            rows: setup.rows,
            groups: setup.groups,
            label: setup.label,
            positive: setup.positive,
            notes: setup.notes,
            training,
            all: FeatureJobs::new(text, card, setup.images, parts),
        })
    }

    /// The plan of the training.
    pub fn training(&self) -> &TrainingPlan {
        &self.training
    }

    /// The plans of the features: of training images, then of test images.
    pub fn features(&self) -> impl Iterator<Item = &InferencePlan> {
        self.all.plans()
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.all.card
    }

    /// What the user should know, in plain sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Images that train, or those that test.
    pub(super) fn part(&self, part: usize) -> &[usize] {
        self.all.parts.get(part).map_or(&[], |part| &part.images)
    }

    /// Jobs that make features: of training images, and of test images after them.
    pub fn jobs(&self) -> [usize; 2] {
        let jobs = |part| self.all.parts.get::<usize>(part).map_or(0, Part::jobs);
        [jobs(0), jobs(1)]
    }

    /// The keys of all jobs that make features.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for accepted plans.
    pub fn feature_keys(&self) -> Result<Vec<Item>, ClientError> {
        self.all.keys()
    }

    /// The image objects of a job.
    ///
    /// # Errors
    /// `CC-5014` for a job that is none of the run's.
    pub fn image_items(&self, job: usize) -> Result<Vec<Item>, ClientError> {
        self.all.items(job)
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
            ObjectJob::Images { job, index } => self.all.slots(job, index).map(Some),
            ObjectJob::Labels { index } => {
                let (part, number) = self.all.part(index)?;
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

    /// A job that makes features, once its objects are made: keys of the network and images.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn feature_job(&self, job: usize, digests: &Digests) -> Result<JobSpec, ClientError> {
        self.all.spec(job, digests)
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
        let job =
            |one: &Digest| predict_job(&self.training, self.rows_of_tile, head, *one, digests);
        features.iter().map(job).collect()
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
        match self.all.parts.get(1) {
            Some(part) => part.logits(opened),
            None => Ok(Vec::new()),
        }
    }
}
