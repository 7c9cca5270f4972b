//! A head on features that a network of the worker makes of encrypted images, without I/O.
//!
//! 1. [`ImageSetup`] takes a card, images and their classes, splits them, and words the request for a plan of the training.
//! 2. [`ImageSetup::accept`] checks that plan and gives a [`PlannedHead`], which words the requests for plans of the features: of
//!    the training images, then of the test images.
//! 3. [`PlannedHead::into_run`] gives an [`ImageRun`]: for each of its jobs, images to encrypt and a job that leaves features in the
//!    worker's store; then labels and keys to upload, a job that trains on them, and jobs that predict.
//! 4. [`ImageRun::report`] measures. Nothing but scores is decrypted.
//! 5. [`SavedImageModel`] keeps what later predictions need; [`ImagePredictionSetup`] and [`ImagePrediction`] do them.

mod clear;
mod model;
mod parts;
mod predict;
mod report;
mod run;

pub use clear::ClearHead;
pub use model::SavedImageModel;
pub use parts::Packing;
pub use predict::{ImagePrediction, ImagePredictionSetup};
pub use report::{ClearReport, ImageReport};
pub use run::ImageRun;

use super::classify::{NamedImage, fits, from_model};
use super::setup::{WorkerFacts, class_named};
use super::trial::trial;
use super::{from_engine, from_train};
use crate::ClientError;
use crate::intake::{Class, Dataset, Records, positive_class};
use crate::prepare::split_dataset;
use confide_model::inference::{Gathering, feature_shape};
use confide_model::{Card, InferencePlan, InferenceRequest};
use confide_train::bootstrapped::{BootstrapWish, NetworkFeatures, Preset};
use confide_train::minibatch::{LossKind, TileLayout};
use confide_train::{PlanRequest, TrainingPlan};
use std::collections::BTreeSet;

/// Most classes of a head.
const MAX_CLASSES: usize = 16;
/// Upload that is allowed for the training unless the user says otherwise: keys of bootstraps exceed a gigabyte.
const UPLOAD: u64 = 4_000_000_000;

/// What the user decides.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageOptions {
    /// Part of the images that tests the head, 0 to 0.9.
    pub test_fraction: f64,
    /// Seed of the split.
    pub seed: u64,
    /// Name of the positive class of two.
    pub positive: Option<String>,
    /// How often every image is used.
    pub epochs: usize,
    /// Which loss is minimised.
    pub loss: LossKind,
    /// Penalty on the squared weights, 0 to 1; the usual one when absent.
    pub l2: Option<f64>,
    /// Whether the network's ciphertexts are bootstrapped on the way; where its depth asks for it when absent.
    pub bootstrapped: Option<bool>,
    /// Largest memory of the worker, if less than it allows.
    pub max_memory_bytes: Option<u64>,
    /// Largest upload of the training in bytes.
    pub max_upload_bytes: Option<u64>,
    /// Bytes per second of the line to the worker.
    pub upload_rate: Option<u64>,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            test_fraction: 0.2,
            seed: 1,
            positive: None,
            epochs: 16,
            loss: LossKind::OneVsRest,
            l2: None,
            bootstrapped: None,
            max_memory_bytes: None,
            max_upload_bytes: None,
            upload_rate: None,
        }
    }
}

/// Images with their classes, split.
#[derive(Clone, Debug)]
pub struct ImageSetup {
    /// The card as it came.
    text: Vec<u8>,
    card: Card,
    images: Vec<NamedImage>,
    /// By image, an index into the classes.
    labels: Vec<usize>,
    /// By image, its row in the file.
    rows: Vec<usize>,
    /// By image, what it shares with others; empty where nothing is shared.
    groups: Vec<usize>,
    /// Name of the label column.
    label: String,
    classes: Vec<Class>,
    positive: usize,
    options: ImageOptions,
    /// Images that train, and those that test.
    parts: [Vec<usize>; 2],
    network: NetworkFeatures,
    notes: Vec<String>,
}

impl ImageSetup {
    /// Checks card, images and labels (one an image), and splits them.
    ///
    /// # Errors
    /// As [`ImageSetup::of_dataset`].
    pub fn new(
        card: &[u8],
        images: Vec<NamedImage>,
        labels: &[String],
        options: ImageOptions,
    ) -> Result<Self, ClientError> {
        if images.len() != labels.len() {
            let message = format!("{} images have {} labels.", images.len(), labels.len());
            return Err(ClientError::new(
                "CC-5011",
                message,
                "Give every image a label.",
            ));
        }
        let names: BTreeSet<&String> = labels.iter().collect();
        let class = |name: &&String| Class {
            name: (*name).clone(),
            rows: labels.iter().filter(|label| label == name).count(),
        };
        let number = |label| names.iter().position(|name| *name == label).unwrap_or(0);
        let dataset = Dataset {
            records: Records {
                features: Vec::new(),
                values: Vec::new(),
                row_numbers: (1..=labels.len()).collect(),
                notes: Vec::new(),
            },
            label: "label".to_owned(),
            classes_of_rows: labels.iter().map(number).collect(),
            classes: names.iter().map(class).collect(),
            groups: Vec::new(),
            text: None,
            pictures: None,
        };
        Self::labelled(card, images, dataset, options)
    }

    /// The same for a table of pictures that were read: `images` are those of `Table::with_images`, of which the dataset's rows
    /// say their places. Images of one group all train or all test.
    ///
    /// # Errors
    /// `CC-5040` for a card that is not valid or has no features for heads, `CC-5041` for an image that does not fit it or is
    /// not there, `CC-5010` when the positive class does not exist, `CC-5011` for one class, too many of them or too few images,
    /// `CC-5015` for a softmax of two classes, and those of [`split_dataset`].
    pub fn of_dataset(
        card: &[u8],
        images: &[NamedImage],
        dataset: Dataset,
        options: ImageOptions,
    ) -> Result<Self, ClientError> {
        let image = |place: usize| {
            let image = images.get(place).cloned();
            image.ok_or_else(|| {
                let remedy = "Read the pictures again.";
                ClientError::new("CC-5041", "The pictures are not complete.", remedy)
            })
        };
        let images = dataset.image_places().into_iter().map(image);
        let images = images.collect::<Result<_, _>>()?;
        Self::labelled(card, images, dataset, options)
    }

    /// From images by row of a dataset.
    fn labelled(
        text: &[u8],
        images: Vec<NamedImage>,
        dataset: Dataset,
        options: ImageOptions,
    ) -> Result<Self, ClientError> {
        let card = Card::parse(text).map_err(from_model)?;
        let [levels, cells] = feature_shape(&card).map_err(from_model)?;
        images.iter().try_for_each(|image| fits(&card, image))?;
        let classes = &dataset.classes;
        if !(2..=MAX_CLASSES).contains(&classes.len()) {
            let message = format!("The labels name {} different classes.", classes.len());
            let remedy = format!("Give the images 2 to {MAX_CLASSES} classes.");
            return Err(ClientError::new("CC-5011", message, remedy));
        }
        let positive = match &options.positive {
            None => positive_class(classes).0,
            Some(wanted) => class_named(wanted, classes)?,
        };
        if options.loss == LossKind::Softmax && classes.len() < 3 {
            return Err(ClientError::new(
                "CC-5015",
                "A softmax needs three classes or more.",
                "Choose one-vs-rest: with two classes it is the same model.",
            ));
        }
        let split = split_dataset(&dataset, options.test_fraction, options.seed)?;
        if split.train.len() < 2 {
            return Err(ClientError::new(
                "CC-5011",
                "Fewer than two images are left to train.",
                "Add images.",
            ));
        }
        let usual = NetworkFeatures::new(levels, cells);
        let network = NetworkFeatures {
            bootstrapped: options.bootstrapped.unwrap_or(usual.bootstrapped),
            ..usual
        };
        let mut setup = Self {
            parts: [split.train, split.test],
            notes: [dataset.records.notes, split.notes].concat(),
            text: text.to_vec(),
            card,
            images,
            labels: dataset.classes_of_rows,
            rows: dataset.records.row_numbers,
            groups: dataset.groups,
            label: dataset.label,
            classes: dataset.classes,
            positive,
            options,
            network,
        };
        setup.even()?;
        Ok(setup)
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Tries the network on some of the images, with its weights, before any is encrypted: what the user should know, if they are
    /// unlike those that it was made for.
    ///
    /// # Errors
    /// `CC-5040` for weights that are not those of the card.
    pub fn trial(&self, weights: &[u8]) -> Result<Option<String>, ClientError> {
        let layer = self.card.feature_layer();
        let layer = layer.unwrap_or_else(|| self.card.architecture.output());
        trial(&self.card, weights, layer, &self.images)
    }

    /// Adds something that the user should know.
    pub fn remark(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Images that train, and that test.
    pub fn counts(&self) -> [usize; 2] {
        [self.parts[0].len(), self.parts[1].len()]
    }

    /// The request for a plan of the training, under the worker's limits and the user's.
    pub fn request(&self, worker: &WorkerFacts) -> PlanRequest {
        let [train, test] = self.counts();
        let mut request = PlanRequest::new(train, self.columns(), self.classes.len());
        request.predict_rows_hint = test.max(1);
        let upload = self.options.max_upload_bytes.unwrap_or(UPLOAD);
        request.max_upload_bytes = upload.min(worker.max_client_bytes);
        request.max_memory_bytes = self.memory(worker);
        request.threads = worker.threads.max(1);
        request.upload_rate = self.options.upload_rate.unwrap_or(PlanRequest::UPLOAD_RATE);
        request.bootstrapping = Some(BootstrapWish {
            loss: self.options.loss,
            l2: self.options.l2,
            ..BootstrapWish::on_features(self.options.epochs, self.network)
        });
        request
    }

    /// The request as it travels.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen.
    pub fn request_bytes(&self, worker: &WorkerFacts) -> Result<Vec<u8>, ClientError> {
        confide_protocol::to_bytes(&self.request(worker)).map_err(|error| from_engine(&error))
    }

    /// Checks a plan of the training from the worker against this setup's own request.
    ///
    /// # Errors
    /// `CC-5002` when the plan does not follow from its choices or breaks a limit, `CC-5004` when it cannot be read or is not
    /// 128-bit secure, `CC-5044` when its ciphertexts cannot hold equally many images.
    pub fn accept(self, plan: &[u8], worker: &WorkerFacts) -> Result<PlannedHead, ClientError> {
        let plan: TrainingPlan =
            confide_protocol::from_bytes(plan).map_err(|error| from_engine(&error))?;
        plan.check(&self.request(worker)).map_err(from_train)?;
        plan.parameters().map_err(from_train)?;
        PlannedHead::new(self, plan)
    }

    /// Features of the card's network, and the constant 1 of the bias.
    fn columns(&self) -> usize {
        let features = self.card.features.as_ref();
        features.map_or(0, |card| card.rows.len()) + 1
    }

    fn memory(&self, worker: &WorkerFacts) -> u64 {
        let memory = self.options.max_memory_bytes.unwrap_or(u64::MAX);
        memory.min(worker.memory_bytes)
    }

    /// Gives to the test what is too many for equally full ciphertexts of features: a row of them without an image would train.
    /// Images of a group that trains as well are left out instead.
    fn even(&mut self) -> Result<(), ClientError> {
        let (log_n, loss, columns) = (Preset::N16.log_n(), self.options.loss, self.columns());
        let [train, test] = &mut self.parts;
        let jobs = |count: usize| {
            let sizes = [count, columns, self.classes.len()];
            let layout = TileLayout::of_rows((loss, 0), log_n, sizes, self.network.cells);
            Ok(layout.map_err(from_train)?.blocks().max(1))
        };
        // Fewer images may need fewer ciphertexts, which are to be equally full again.
        let mut count = train.len();
        while !count.is_multiple_of(jobs(count)?) {
            count -= 1;
        }
        let more = train.split_off(count);
        if more.is_empty() {
            return Ok(());
        }
        let (count, grouped) = (more.len(), !self.groups.is_empty());
        let done = match grouped {
            true => "are left out",
            false => "more test the head",
        };
        self.notes.push(format!(
            "{count} images {done}, so that ciphertexts are equally full."
        ));
        if !grouped {
            test.extend(more);
        }
        Ok(())
    }
}

/// A head with an accepted plan of its training; plans of the features come next.
pub struct PlannedHead {
    setup: ImageSetup,
    training: TrainingPlan,
    gathering: Gathering,
    features: Vec<InferencePlan>,
}

impl PlannedHead {
    fn new(setup: ImageSetup, training: TrainingPlan) -> Result<Self, ClientError> {
        let TrainingPlan::Bootstrapped(plan) = &training else {
            return Err(uneven("the plan is of another training"));
        };
        let gathering = parts::gathering(&training)?;
        let train = setup.parts[0].len();
        let jobs = gathering.jobs(train);
        if jobs != plan.layout.blocks() || !train.is_multiple_of(jobs) {
            return Err(uneven("its ciphertexts are not equally full"));
        }
        Ok(Self {
            setup,
            gathering,
            features: Vec::new(),
            training,
        })
    }

    /// Whether a plan of features is still to be asked for: of the training images, then of the test images, if there are any.
    pub fn wants_plan(&self) -> bool {
        let parts = self.setup.parts.iter().filter(|part| !part.is_empty());
        self.features.len() < parts.count()
    }

    /// The request for the next plan of features. Test images are as many to a ciphertext as training images and at their level, so
    /// that they need no keys of their own.
    ///
    /// # Errors
    /// `CC-5040`, which does not happen for the card of a setup.
    pub fn request(&self, worker: &WorkerFacts) -> Result<InferenceRequest, ClientError> {
        let setup = &self.setup;
        let like = self.features.first().map(Packing::of);
        let limits = (
            setup.memory(worker),
            worker.max_client_bytes,
            worker.threads,
        );
        let images = self.images().len();
        parts::feature_request(&setup.card, &self.training, images, like, limits)
    }

    /// The request as it travels.
    ///
    /// # Errors
    /// As [`PlannedHead::request`].
    pub fn request_bytes(&self, worker: &WorkerFacts) -> Result<Vec<u8>, ClientError> {
        confide_protocol::to_bytes(&self.request(worker)?).map_err(|error| from_engine(&error))
    }

    /// Checks the next plan of features against its own request.
    ///
    /// # Errors
    /// As [`ImageSetup::accept`].
    pub fn accept(&mut self, plan: &[u8], worker: &WorkerFacts) -> Result<(), ClientError> {
        let plan: InferencePlan =
            confide_protocol::from_bytes(plan).map_err(|error| from_engine(&error))?;
        plan.check(&self.setup.card, &self.request(worker)?)
            .map_err(from_model)?;
        if plan.jobs() != self.gathering.jobs(self.images().len()) {
            return Err(uneven("it has another number of jobs"));
        }
        // One factory makes the images of all parts.
        let level = self.features.first().map(InferencePlan::image_level);
        if level.is_some_and(|level| level != plan.image_level()) {
            return Err(uneven("its images are at another level"));
        }
        self.features.push(plan);
        Ok(())
    }

    /// The run, once all plans are accepted.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for accepted plans.
    pub fn into_run(self) -> Result<ImageRun, ClientError> {
        ImageRun::new(self.setup, self.training, self.features)
    }

    /// Images of the next plan.
    fn images(&self) -> &[usize] {
        self.setup
            .parts
            .get(self.features.len())
            .map_or(&[], Vec::as_slice)
    }
}

fn uneven(what: &str) -> ClientError {
    ClientError::new(
        "CC-5044",
        format!("The worker's plan cannot be used: {what}."),
        "Check that worker and client are of one release; report this if they are.",
    )
}
