//! Classifying images with a network of the worker, without I/O.
//!
//! 1. [`ClassifySetup`] takes a card and images, plants canaries, and words the request for a plan.
//! 2. [`ClassifySetup::accept`] checks the worker's plan and gives a [`ClassifyRun`].
//! 3. For each job: [`ClassifyRun::image_items`] lists what to upload beside [`ClassifyRun::key_items`],
//!    [`ClassifyRun::job`] words the job, [`ScoreOpener`] decrypts what comes back.
//! 4. [`ClassifyRun::results`] checks canaries and ranges, and names the classes.

mod canary;
mod results;
mod run;

pub use results::{Classification, Guard, classification_csv};
pub(super) use run::image_slots;
pub use run::{ClassifyRun, ScoreOpener};

use super::from_engine;
use super::setup::WorkerFacts;
use super::trial::trial;
use crate::ClientError;
use crate::intake::Picture;
use canary::{Canary, Places};
use confide_model::{Card, InferencePlan, InferenceRequest, ModelError, Weights};

/// An image of the data party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedImage {
    /// File name, or number.
    pub name: String,
    /// Bytes by channel, row and column, of the size that the card wants.
    pub pixels: Vec<u8>,
    /// Class, where it is known: an index into the card's.
    pub class: Option<usize>,
}

impl NamedImage {
    /// A PNG or JPEG file as an input of a card's network.
    ///
    /// # Errors
    /// Those of [`Picture::read`] and [`fits`].
    pub fn read(
        card: &Card,
        name: &str,
        file: &[u8],
        class: Option<usize>,
    ) -> Result<Self, ClientError> {
        let image = Self {
            name: name.to_owned(),
            pixels: Picture::read(file)?.to_input(card.input.shape),
            class,
        };
        fits(card, &image).map(|()| image)
    }
}

/// What is computed on the images, and within which limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassifyOptions {
    /// Largest memory of the worker, if less than it allows.
    pub max_memory_bytes: Option<u64>,
    /// Images in a ciphertext, if that is to be fixed.
    pub batch: Option<usize>,
}

/// A model's card with images.
#[derive(Clone, Debug)]
pub struct ClassifySetup {
    card: Card,
    images: Vec<NamedImage>,
    options: ClassifyOptions,
    /// Planted ones.
    canaries: Vec<Canary>,
    /// How many of the images are to be canaries, and the weights to compute their outputs with.
    own: Option<(usize, Weights)>,
    places: Places,
}

impl ClassifySetup {
    /// Checks card and images. `seed` is the key's: it decides where canaries sit, which nobody else can know.
    ///
    /// # Errors
    /// `CC-5040` for a card that is not valid, `CC-5041` for an image that does not fit it, or without images.
    pub fn new(
        card: &[u8],
        images: Vec<NamedImage>,
        options: ClassifyOptions,
        seed: &[u8; 32],
    ) -> Result<Self, ClientError> {
        let card = Card::parse(card).map_err(from_model)?;
        if images.is_empty() {
            return Err(ClientError::new(
                "CC-5041",
                "There are no images.",
                "Choose a folder with PNG or JPEG files.",
            ));
        }
        images.iter().try_for_each(|image| fits(&card, image))?;
        let places = Places::new(seed, images.iter().map(|image| image.pixels.as_slice()));
        Ok(Self {
            card,
            images,
            options,
            canaries: Vec::new(),
            own: None,
            places,
        })
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The images.
    pub fn images(&self) -> &[NamedImage] {
        &self.images
    }

    /// Tries the network on some of the images, with its weights, before any is encrypted: what the user should know, if they are
    /// unlike those that it was made for.
    ///
    /// # Errors
    /// `CC-5040` for weights that are not those of the card.
    pub fn trial(&self, weights: &[u8]) -> Result<Option<String>, ClientError> {
        let output = self.card.architecture.output();
        trial(&self.card, weights, output, &self.images)
    }

    /// Makes canaries of `count` of the images, at least one in each job, chosen at random: their outputs are computed
    /// here with the model's weights. They take no room, and cannot be told from the others.
    ///
    /// # Errors
    /// `CC-5040` for weights that are not those of the card.
    pub fn canaries_of_images(&mut self, weights: &[u8], count: usize) -> Result<(), ClientError> {
        let weights = self.card.read_weights(weights).map_err(from_model)?;
        self.own = (count > 0).then_some((count, weights));
        Ok(())
    }

    /// Adds images whose outputs the card's provider has published, in case the weights are kept private.
    ///
    /// # Errors
    /// `CC-5040` for known answers that are not those of the card, or have no image that can be made here.
    pub fn canaries_of_answers(&mut self, golden: &[u8], count: usize) -> Result<(), ClientError> {
        let golden = self.card.read_golden(golden).map_err(from_model)?;
        let known = Canary::known(&self.card, &golden);
        if known.is_empty() && count > 0 {
            return Err(ClientError::new(
                "CC-5040",
                "The model's known answers belong to no image that can be made here.",
                "Go on without canaries, or use a model whose weights are offered.",
            ));
        }
        self.canaries.extend(known.into_iter().cycle().take(count));
        Ok(())
    }

    /// The request for a plan under the worker's limits and the user's.
    pub fn request(&self, worker: &WorkerFacts) -> InferenceRequest {
        let images = self.images.len() + self.canaries.len();
        let mut request = InferenceRequest::new(&self.card, images);
        let memory = self.options.max_memory_bytes.unwrap_or(u64::MAX);
        request.max_memory_bytes = memory.min(worker.memory_bytes);
        request.max_store_bytes = worker.max_client_bytes;
        request.threads = worker.threads.max(1);
        request.batch = self.options.batch;
        request
    }

    /// The request as it travels.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen.
    pub fn request_bytes(&self, worker: &WorkerFacts) -> Result<Vec<u8>, ClientError> {
        confide_protocol::to_bytes(&self.request(worker)).map_err(|error| from_engine(&error))
    }

    /// Checks a plan from the worker against this setup's own request, and gives every image its place.
    ///
    /// # Errors
    /// `CC-5002` when the plan does not follow from its choices or breaks a limit, `CC-5004` when it cannot be read or
    /// is not 128-bit secure, `CC-5042` when there are fewer canaries than jobs.
    pub fn accept(self, plan: &[u8], worker: &WorkerFacts) -> Result<ClassifyRun, ClientError> {
        let plan: InferencePlan =
            confide_protocol::from_bytes(plan).map_err(|error| from_engine(&error))?;
        plan.check(&self.card, &self.request(worker))
            .map_err(from_model)?;
        ClassifyRun::new(self, plan)
    }
}

/// Refuses an image that cannot be an input of a card's network.
///
/// # Errors
/// `CC-5041` for another number of pixels, values beyond the promised range, or a class that the card does not have.
pub fn fits(card: &Card, image: &NamedImage) -> Result<(), ClientError> {
    unfit(card, image).map_or(Ok(()), |problem| {
        Err(ClientError::new(
            "CC-5041",
            format!("Image {} does not fit the model: {problem}.", image.name),
            "Choose another model, or leave out the image.",
        ))
    })
}

/// Why an image cannot be an input.
fn unfit(card: &Card, image: &NamedImage) -> Option<String> {
    let planes = match card.normalise(&image.pixels) {
        Ok(planes) => planes,
        Err(error) => return Some(error.to_string()),
    };
    let largest = planes.iter().flatten().fold(0.0_f64, |m, x| m.max(x.abs()));
    // The card's bound is rounded.
    if largest > card.input_bound() * 1.0001 {
        let bound = card.input_bound();
        return Some(format!(
            "normalised, its largest value is {largest:.3}, the model's range ends at {bound:.3}"
        ));
    }
    image
        .class
        .filter(|class| *class >= card.classes.len())
        .map(|class| {
            format!(
                "it is of class {class}, the model has {}",
                card.classes.len()
            )
        })
}

/// An error of the model layer in the data party's words.
pub(super) fn from_model(error: ModelError) -> ClientError {
    match error {
        ModelError::NoPlan { .. } => ClientError::new(
            "CC-5001",
            format!("No plan fits: {error}."),
            "Choose fewer images, or a worker with more memory.",
        ),
        ModelError::Deviation { .. } => ClientError::new(
            "CC-5002",
            format!(
                "The worker's plan is not one that follows from its own choices: {error}; it is refused."
            ),
            "Check that worker and client are of one release; else do not use this worker.",
        ),
        ModelError::Card(_)
        | ModelError::Checksum { .. }
        | ModelError::Weights(_)
        | ModelError::Tensor { .. }
        | ModelError::Layer { .. } => ClientError::new(
            "CC-5040",
            format!("The model is not valid: {error}."),
            "Choose another model, and tell its provider.",
        ),
        other => from_engine(&other),
    }
}
