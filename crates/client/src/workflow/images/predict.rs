//! Predicting new images with a head that the worker keeps: the network makes encrypted features of them, the head scores those.

use super::model::SavedImageModel;
use super::parts::{FeatureJobs, Part, feature_request, predict_job};
use crate::ClientError;
use crate::workflow::classify::{NamedImage, fits, from_model};
use crate::workflow::model::broken;
use crate::workflow::objects::{Item, ObjectJob};
use crate::workflow::report::predictions;
use crate::workflow::run::Digests;
use crate::workflow::{Prediction, WorkerFacts, from_engine, from_train};
use confide_ckks::{Complex64, Parameters};
use confide_model::{Card, InferencePlan, InferenceRequest};
use confide_protocol::{Digest, JobSpec};
use confide_train::TrainingPlan;

/// New images, before a plan is accepted.
pub struct ImagePredictionSetup {
    model: SavedImageModel,
    card: Card,
    images: Vec<NamedImage>,
}

impl ImagePredictionSetup {
    /// Takes all images, at the size of the model's card.
    ///
    /// # Errors
    /// `CC-5032` without images, `CC-5041` for one that does not fit the network.
    pub fn new(model: SavedImageModel, images: Vec<NamedImage>) -> Result<Self, ClientError> {
        let card = model.card()?;
        if images.is_empty() {
            return Err(ClientError::new(
                "CC-5032",
                "There are no images to predict.",
                "Choose a folder with PNG or JPEG files.",
            ));
        }
        images.iter().try_for_each(|image| fits(&card, image))?;
        Ok(Self {
            model,
            card,
            images,
        })
    }

    /// The request for a plan of the features.
    ///
    /// # Errors
    /// `CC-5040`, which does not happen for a model that was read.
    pub fn request(&self, worker: &WorkerFacts) -> Result<InferenceRequest, ClientError> {
        let model = &self.model;
        let like = Some(model.packing);
        let limits = (worker.memory_bytes, worker.max_client_bytes, worker.threads);
        feature_request(&self.card, &model.plan, self.images.len(), like, limits)
    }

    /// The request as it travels.
    ///
    /// # Errors
    /// As [`ImagePredictionSetup::request`].
    pub fn request_bytes(&self, worker: &WorkerFacts) -> Result<Vec<u8>, ClientError> {
        confide_protocol::to_bytes(&self.request(worker)?).map_err(|error| from_engine(&error))
    }

    /// Checks the worker's plan against this setup's own request.
    ///
    /// # Errors
    /// `CC-5002` when the plan does not follow from its choices or breaks a limit, `CC-5004` when it cannot be read or is not
    /// 128-bit secure, `CC-5030` for a broken model.
    pub fn accept(self, plan: &[u8], worker: &WorkerFacts) -> Result<ImagePrediction, ClientError> {
        let plan: InferencePlan =
            confide_protocol::from_bytes(plan).map_err(|error| from_engine(&error))?;
        plan.check(&self.card, &self.request(worker)?)
            .map_err(from_model)?;
        ImagePrediction::new(self, plan)
    }
}

/// New images with an accepted plan. Each of its jobs makes the features of its images in one ciphertext, which another job scores.
pub struct ImagePrediction {
    all: FeatureJobs,
    params: Parameters,
    model: SavedImageModel,
    head: Digest,
    /// Of keys of the network, and of the training.
    keys: [Digests; 2],
    rows: usize,
}

impl ImagePrediction {
    fn new(setup: ImagePredictionSetup, plan: InferencePlan) -> Result<Self, ClientError> {
        let ImagePredictionSetup {
            model,
            card,
            images,
        } = setup;
        let TrainingPlan::Bootstrapped(training) = &model.plan else {
            return Err(broken());
        };
        let (head, keys) = model.digests().ok_or_else(broken)?;
        let part = Part::new(&card, plan, (0..images.len()).collect())?;
        let text = model.network.clone().into_bytes();
        Ok(Self {
            rows: training.layout.block_rows(),
            params: model.plan.parameters().map_err(from_train)?,
            all: FeatureJobs::new(text, card, images, vec![part]),
            model,
            head,
            keys,
        })
    }

    /// The plan of the features, for factories.
    ///
    /// # Errors
    /// `CC-5030`, which does not happen.
    pub fn plan(&self) -> Result<&InferencePlan, ClientError> {
        self.all.plans().next().ok_or_else(broken)
    }

    /// The plan of the training, for openers and factories.
    pub fn training(&self) -> &TrainingPlan {
        &self.model.plan
    }

    /// Digest of the head.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// Jobs that make features.
    pub fn jobs(&self) -> usize {
        self.all.parts.iter().map(Part::jobs).sum()
    }

    /// Keys of the network, with the digests of those that the worker should still have: ask it which are missing.
    ///
    /// # Errors
    /// `CC-5004` for a key that the parameters do not have.
    pub fn network_keys(&self) -> Result<Vec<(Item, Option<Digest>)>, ClientError> {
        let known = |item: Item| {
            let digest = self.keys[0].get(&item.job).copied();
            (item, digest)
        };
        Ok(self.all.keys()?.into_iter().map(known).collect())
    }

    /// The same for keys of the training that scoring needs.
    ///
    /// # Errors
    /// `CC-5004` for a key that the parameters do not have.
    pub fn training_keys(&self) -> Result<Vec<(Item, Option<Digest>)>, ClientError> {
        let plan = &self.model.plan;
        let keys = plan.prediction_keys().into_iter().map(|(kind, level)| {
            let job = ObjectJob::of_key(kind, level);
            let item = Item::of_training(job, plan, &self.params)?;
            Ok((item, self.keys[1].get(&job).copied()))
        });
        keys.collect()
    }

    /// The image objects of a job.
    ///
    /// # Errors
    /// `CC-5014` for a job that is none of the run's.
    pub fn image_items(&self, job: usize) -> Result<Vec<Item>, ClientError> {
        self.all.items(job)
    }

    /// The slots of images, to be given to a factory; none for keys.
    ///
    /// # Errors
    /// `CC-5014` for an object that is not one of this run's.
    pub fn slots(&self, job: &ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError> {
        match *job {
            ObjectJob::Images { job, index } => self.all.slots(job, index).map(Some),
            _ => Ok(None),
        }
    }

    /// A job that makes features, once its objects are made: keys of the network and images.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn feature_job(&self, job: usize, digests: &Digests) -> Result<JobSpec, ClientError> {
        self.all.spec(job, digests)
    }

    /// The job that scores what a job has made. `digests` are those of the training's keys.
    ///
    /// # Errors
    /// `CC-5014` when a key is missing.
    pub fn predict_job(&self, features: Digest, digests: &Digests) -> Result<JobSpec, ClientError> {
        predict_job(&self.model.plan, self.rows, self.head, features, digests)
    }

    /// Rows of a ciphertext of scores, of which some belong to no image.
    pub fn score_rows(&self) -> usize {
        self.rows
    }

    /// Names of the classes, in the order of the probabilities.
    pub fn classes(&self) -> &[String] {
        &self.model.classes
    }

    /// Names of the images by row.
    pub fn names(&self) -> Vec<String> {
        let images = self.all.images.iter();
        images.map(|image| image.name.clone()).collect()
    }

    /// Classes and probabilities from the logits `[job][row][output]` of all rows. Rows are counted from 1 in the order of the images.
    ///
    /// # Errors
    /// `CC-5021` when some did not come back.
    pub fn predictions(&self, opened: &[Vec<Vec<f64>>]) -> Result<Vec<Prediction>, ClientError> {
        let part = self.all.parts.first().ok_or_else(broken)?;
        let (logits, rows) = (part.logits(opened)?, 1..=self.all.images.len());
        let rows: Vec<usize> = rows.collect();
        let model = &self.model;
        let how = (model.positive, model.plan.loss());
        Ok(predictions(&logits, &rows, &model.classes, how))
    }
}
