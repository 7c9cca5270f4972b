//! From a dataset to a plan request, and from the worker's plan to a run.

use super::guard::guard;
use super::run::TrainingRun;
use super::{from_engine, from_train};
use crate::ClientError;
use crate::intake::{Class, Dataset, positive_class};
use crate::prepare::{FitOptions, Preprocessing, Split, set_aside_of, shuffle, split_dataset};
use confide_train::bootstrapped::BootstrapWish;
use confide_train::minibatch::LossKind;
use confide_train::{PlanRequest, TrainingPlan};
use serde::{Deserialize, Serialize};

/// Upload that is asked for first, in bytes.
const FIRST_UPLOAD: u64 = 140_000_000;
/// Upload that is tried before components are left out, in bytes.
const LARGEST_UPLOAD: u64 = 1_000_000_000;
/// Upload that is allowed for training with bootstraps, whose keys alone exceed a gigabyte.
const BOOTSTRAPPED_UPLOAD: u64 = 4_000_000_000;

/// Part of the training records that draws a curve unless the user says otherwise.
pub const VALIDATION_FRACTION: f64 = 0.1;
/// Most records that draw a curve: the standard error of an accuracy of 90 % is 1.3 points then.
const MOST_VALIDATION: usize = 512;
/// Most hidden units.
const MOST_HIDDEN: usize = 32;

/// What the user decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingOptions {
    /// Part of the records that tests the head, 0 to 0.9.
    pub test_fraction: f64,
    /// Seed of the split.
    pub seed: u64,
    /// Name of the positive class of two; chosen by `intake::positive_class` when absent.
    pub positive: Option<String>,
    /// Most components to keep.
    pub components: Option<usize>,
    /// Largest upload in bytes; when absent, 140 MB are tried first, then more.
    pub max_upload_bytes: Option<u64>,
    /// Bytes per second of the line to the worker; 100 Mbit/s when absent.
    pub upload_rate: Option<u64>,
    /// How often every record is used, in minibatches with bootstraps between; when absent, few steps on all records
    /// without bootstraps.
    pub epochs: Option<usize>,
    /// Most records in a minibatch.
    pub batch: Option<usize>,
    /// Part of the training records that is set aside to draw loss and accuracy of a long training on the way. They do
    /// not train, and nothing is chosen by them; the test records have no part in it.
    pub validation: Option<f64>,
    /// Which loss is minimised: the softmax needs epochs, and three classes or more.
    pub loss: LossKind,
    /// Penalty on the squared weights, 0 to 1; it needs epochs. The usual one when absent.
    pub l2: Option<f64>,
    /// Hidden units between features and classes, 2 to 32; they need epochs. A linear head when absent.
    pub hidden: Option<usize>,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self {
            test_fraction: 0.2,
            seed: 1,
            positive: None,
            components: None,
            max_upload_bytes: None,
            upload_rate: None,
            epochs: None,
            batch: None,
            validation: None,
            loss: LossKind::OneVsRest,
            l2: None,
            hidden: None,
        }
    }
}

impl TrainingOptions {
    /// Takes the records that draw a curve out of the training part of a split; none unless a long training is wanted
    /// with them.
    ///
    /// # Errors
    /// `CC-3001` for an impossible fraction.
    pub fn set_aside(
        &self,
        train: &mut Vec<usize>,
        dataset: &Dataset,
    ) -> Result<Vec<usize>, ClientError> {
        let (Some(_), Some(fraction)) = (self.epochs, self.validation) else {
            return Ok(Vec::new());
        };
        set_aside_of(dataset, train, fraction, MOST_VALIDATION, self.seed)
    }
}

/// What the worker said of itself in its greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerFacts {
    /// Threads that compute.
    pub threads: usize,
    /// Memory that one job may use, in bytes.
    pub memory_bytes: u64,
    /// Bytes that this client may store there.
    pub max_client_bytes: u64,
}

/// A dataset that is split and prepared.
#[derive(Clone, Debug)]
pub struct TrainingSetup {
    pub(super) dataset: Dataset,
    pub(super) options: TrainingOptions,
    pub(super) split: Split,
    /// Training records set aside, not in the split's training part.
    pub(super) validation: Vec<usize>,
    pub(super) preprocessing: Preprocessing,
    pub(super) positive: usize,
    pub(super) positive_reason: String,
    pub(super) notes: Vec<String>,
    upload: u64,
}

impl TrainingSetup {
    /// Splits the records and fits the preparation on the training part.
    ///
    /// # Errors
    /// Those of [`split_dataset`] and [`Preprocessing::fit`]; `CC-5010` when the positive class does not exist, `CC-5011` when
    /// a class has no training record or there are fewer than two, `CC-5015` for a softmax or hidden units without
    /// epochs, both together, or a softmax of two classes.
    pub fn new(dataset: Dataset, options: TrainingOptions) -> Result<Self, ClientError> {
        check_head(&options, dataset.classes.len())?;
        let (positive, positive_reason) = match &options.positive {
            None => positive_class(&dataset.classes),
            Some(name) => (
                class_named(name, &dataset.classes)?,
                "chosen by you".to_owned(),
            ),
        };
        let mut split = split_dataset(&dataset, options.test_fraction, options.seed)?;
        let validation = options.set_aside(&mut split.train, &dataset)?;
        if split.train.len() < 2 {
            return Err(ClientError::new(
                "CC-5011",
                "Fewer than two records are left to train.",
                "Add records.",
            ));
        }
        let preprocessing = fit(&dataset, &split, options.components)?;
        let mut notes = dataset.records.notes.clone();
        notes.extend(split.notes.clone());
        for class in dataset.classes.iter().filter(|class| class.rows < 10) {
            notes.push(format!(
                "Class \"{}\" has {} records only: its figures carry little weight.",
                class.name, class.rows
            ));
        }
        if preprocessing.components() < dataset.records.features.len()
            && options.components.is_some()
        {
            notes.push(format!(
                "The {} features are reduced to {} components.",
                dataset.records.features.len(),
                preprocessing.components()
            ));
        }
        let first = match options.epochs {
            None => FIRST_UPLOAD,
            Some(_) => BOOTSTRAPPED_UPLOAD,
        };
        let upload = options.max_upload_bytes.unwrap_or(first);
        Ok(Self {
            dataset,
            options,
            split,
            validation,
            preprocessing,
            positive,
            positive_reason,
            notes,
            upload,
        })
    }

    /// Number of training and test records.
    pub fn rows(&self) -> (usize, usize) {
        (self.split.train.len(), self.split.test.len())
    }

    /// Number of records set aside for a curve.
    pub fn validation_rows(&self) -> usize {
        self.validation.len()
    }

    /// The positive class of two, and why it is that one.
    pub fn positive(&self) -> (&str, &str) {
        (
            self.dataset
                .classes
                .get(self.positive)
                .map_or("", |class| &class.name),
            &self.positive_reason,
        )
    }

    /// Components that are encrypted.
    pub fn components(&self) -> usize {
        self.preprocessing.components()
    }

    /// What the user should know, in plain sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The request for a plan under the worker's limits and the user's.
    pub fn request(&self, worker: &WorkerFacts) -> PlanRequest {
        let (train, test) = self.rows();
        let mut request = PlanRequest::new(
            train,
            self.preprocessing.columns(),
            self.dataset.classes.len(),
        );
        request.predict_rows_hint = test.max(1);
        request.max_upload_bytes = self.upload.min(worker.max_client_bytes);
        request.max_memory_bytes = worker.memory_bytes;
        request.threads = worker.threads.max(1);
        request.upload_rate = self.options.upload_rate.unwrap_or(PlanRequest::UPLOAD_RATE);
        request.bootstrapping = self.options.epochs.map(|epochs| BootstrapWish {
            epochs,
            batch: self.options.batch.unwrap_or(BootstrapWish::BATCH),
            validation: self.validation.len(),
            loss: self.options.loss,
            l2: self.options.l2,
            hidden: self.options.hidden.unwrap_or(0),
            network: None,
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

    /// After the worker found no plan: asks for less. First a larger upload is allowed (unless the user set the
    /// limit), then a third of the components is left out, with a note. False when nothing is left to try.
    pub fn ask_for_less(&mut self, worker: &WorkerFacts) -> bool {
        const LARGER: &str = "The upload may take up to ";
        const FEWER: &str = "To fit the limits, the features are reduced to ";
        let most = LARGEST_UPLOAD.min(worker.max_client_bytes / 2);
        if self.options.max_upload_bytes.is_none() && self.upload < most {
            self.upload = (self.upload * 3).min(most);
            let megabytes = self.upload / 1_000_000;
            self.renew_note(
                LARGER,
                format!("{LARGER}{megabytes} MB: less does not hold this table."),
            );
            return true;
        }
        let fewer = self.components() * 2 / 3;
        if fewer < 1 || fewer == self.components() {
            return false;
        }
        self.preprocessing.keep_components(fewer);
        self.renew_note(FEWER, format!("{FEWER}{fewer} components."));
        true
    }

    /// Replaces the note that starts with these words.
    fn renew_note(&mut self, start: &str, note: String) {
        self.notes.retain(|old| !old.starts_with(start));
        self.notes.push(note);
    }

    /// Checks a plan from the worker against this setup's own request, and scales the features into its range.
    ///
    /// # Errors
    /// `CC-5002` when the plan does not follow from its choices or breaks a limit, `CC-5004` when it cannot be read or
    /// is not 128-bit secure, `CC-5012` when the features cannot be brought into range.
    pub fn accept(&self, plan: &[u8], worker: &WorkerFacts) -> Result<TrainingRun, ClientError> {
        let plan: TrainingPlan =
            confide_protocol::from_bytes(plan).map_err(|error| from_engine(&error))?;
        plan.check(&self.request(worker)).map_err(from_train)?;
        plan.parameters().map_err(from_train)?;
        let mut setup = self.clone();
        if matches!(plan, TrainingPlan::Bootstrapped(_)) {
            // Each minibatch is to look like the whole.
            shuffle(&mut setup.split.train, self.options.seed);
        }
        let guarded = guard(
            &plan,
            &setup.dataset.records,
            &setup.split.train,
            &setup.labels(&setup.split.train),
            &setup.preprocessing,
        )?;
        TrainingRun::new(setup, plan, guarded)
    }

    /// Classes of rows as the training program numbers them: with two classes, 1 is the positive one.
    pub(super) fn labels(&self, rows: &[usize]) -> Vec<usize> {
        let label = |&row: &usize| {
            let class = self.dataset.classes_of_rows[row];
            if self.dataset.classes.len() == 2 {
                usize::from(class == self.positive)
            } else {
                class
            }
        };
        rows.iter().map(label).collect()
    }

    /// Names of the classes in order.
    pub(super) fn class_names(&self) -> Vec<String> {
        self.dataset
            .classes
            .iter()
            .map(|class| class.name.clone())
            .collect()
    }
}

fn check_head(options: &TrainingOptions, classes: usize) -> Result<(), ClientError> {
    let refuse = |message: String, remedy: &str| Err(ClientError::new("CC-5015", message, remedy));
    if let Some(hidden) = options.hidden {
        if !(2..=MOST_HIDDEN).contains(&hidden) {
            let message = format!("{hidden} hidden units cannot be trained.");
            return refuse(message, "Choose 2 to 32.");
        }
        if options.loss == LossKind::Softmax {
            let message = "Hidden units are trained one-vs-rest only.".to_owned();
            return refuse(message, "Choose hidden units or the softmax.");
        }
        if options.epochs.is_none() {
            let message = "Hidden units need training with bootstraps.".to_owned();
            return refuse(
                message,
                "Say how often every record is to be used (--epochs).",
            );
        }
    }
    if options.loss != LossKind::Softmax {
        return Ok(());
    }
    if classes < 3 {
        let message = format!("A softmax needs three classes or more; there are {classes}.");
        return refuse(
            message,
            "Choose one-vs-rest: with two classes it is the same model.",
        );
    }
    if options.epochs.is_none() {
        let message = "A softmax needs training with bootstraps.".to_owned();
        return refuse(
            message,
            "Say how often every record is to be used (--epochs), or choose one-vs-rest.",
        );
    }
    Ok(())
}

fn fit(
    dataset: &Dataset,
    split: &Split,
    components: Option<usize>,
) -> Result<Preprocessing, ClientError> {
    Preprocessing::fit(
        &dataset.records,
        &split.train,
        FitOptions {
            components,
            ..FitOptions::default()
        },
    )
}

/// The place of a class, or `CC-5010`.
pub(super) fn class_named(name: &str, classes: &[Class]) -> Result<usize, ClientError> {
    let place = classes.iter().position(|class| class.name == name);
    place.ok_or_else(|| {
        let known: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        ClientError::new(
            "CC-5010",
            format!("There is no class \"{name}\"."),
            format!("The classes are: {}.", known.join(", ")),
        )
    })
}
