//! One classification: objects, jobs, what comes back.

use super::canary::{Canary, Source};
use super::{ClassifySetup, NamedImage, from_model};
use crate::ClientError;
use crate::workflow::objects::{Item, ObjectJob};
use crate::workflow::opener::Opener;
use crate::workflow::run::{Digests, digest_of};
use confide_ckks::{Ciphertext, Complex64, Parameters};
use confide_model::{Card, InferencePlan, Program};
use confide_protocol::JobSpec;

/// What sits in a place of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Image(usize),
    /// One of the canaries, planted.
    Canary(usize),
}

/// Images with an accepted plan.
pub struct ClassifyRun {
    pub(super) card: Card,
    pub(super) images: Vec<NamedImage>,
    pub(super) canaries: Vec<Canary>,
    plan: InferencePlan,
    params: Parameters,
    pub(super) geometry: Program,
    /// By job.
    pub(super) seats: Vec<Vec<Seat>>,
}

impl ClassifyRun {
    pub(super) fn new(setup: ClassifySetup, plan: InferencePlan) -> Result<Self, ClientError> {
        let ClassifySetup {
            card,
            images,
            mut canaries,
            own,
            mut places,
            ..
        } = setup;
        let jobs = plan.jobs();
        if !canaries.is_empty() && canaries.len() < jobs {
            return Err(ClientError::new(
                "CC-5042",
                format!("There are {} canaries for {jobs} jobs.", canaries.len()),
                format!("Ask for {jobs} canaries at least."),
            ));
        }
        // Canaries take turns over the jobs, images fill what is left.
        let mut seats: Vec<Vec<Seat>> = vec![Vec::new(); jobs];
        for canary in 0..canaries.len() {
            seats[canary % jobs].push(Seat::Canary(canary));
        }
        let mut waiting = (0..images.len()).map(Seat::Image);
        for job in &mut seats {
            let mine: Vec<Seat> = std::mem::take(job);
            *job = waiting
                .by_ref()
                .take(plan.choice.images.saturating_sub(mine.len()))
                .collect();
            for canary in mine {
                job.insert(places.below(job.len() + 1), canary);
            }
        }
        if let Some((count, weights)) = own {
            for job in &seats {
                let own = job.iter().filter_map(|seat| match seat {
                    Seat::Image(image) => Some(*image),
                    Seat::Canary(_) => None,
                });
                let own: Vec<usize> = own.collect();
                for chosen in places.choose(own.len(), count.div_ceil(jobs)) {
                    let pixels = &images[own[chosen]].pixels;
                    let canary = Canary::of_image(&card, &weights, own[chosen], pixels);
                    canaries.push(canary.map_err(from_model)?);
                }
            }
        }
        Ok(Self {
            params: plan.parameters().map_err(from_model)?,
            geometry: plan.geometry(&card).map_err(from_model)?,
            card,
            images,
            canaries,
            plan,
            seats,
        })
    }

    /// The accepted plan. Its `Display` is for people.
    pub fn plan(&self) -> &InferencePlan {
        &self.plan
    }

    /// The model's card.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// The images.
    pub fn images(&self) -> &[NamedImage] {
        &self.images
    }

    /// Jobs, one after another: their images need not be in the worker's store at the same time.
    pub fn jobs(&self) -> usize {
        self.seats.len()
    }

    /// The keys, needed by all jobs.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for an accepted plan.
    pub fn key_items(&self) -> Result<Vec<Item>, ClientError> {
        let keys = self.plan.switching_keys().into_iter();
        keys.map(|(kind, level)| Item::new(ObjectJob::of_key(kind, level), &self.params, level))
            .collect()
    }

    /// The image objects of a job.
    ///
    /// # Errors
    /// `CC-5004`, which does not happen for an accepted plan.
    pub fn image_items(&self, job: usize) -> Result<Vec<Item>, ClientError> {
        let level = self.plan.image_level();
        (0..self.plan.inputs)
            .map(|index| Item::new(ObjectJob::Images { job, index }, &self.params, level))
            .collect()
    }

    /// The slots of an image object, to be given to a factory; none for keys.
    ///
    /// # Errors
    /// `CC-5014` for an object that is not one of this run's.
    pub fn slots(&self, job: &ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError> {
        let ObjectJob::Images { job, index } = *job else {
            return Ok(None);
        };
        let seats = self.seats.get(job).map_or(&[][..], Vec::as_slice);
        let pixels: Vec<&[u8]> = seats.iter().map(|seat| self.pixels(*seat)).collect();
        image_slots(&self.card, &self.geometry, &pixels, index).map(Some)
    }

    fn pixels(&self, seat: Seat) -> &[u8] {
        match seat {
            Seat::Image(image) => &self.images[image].pixels,
            Seat::Canary(canary) => match &self.canaries[canary].image {
                Source::Planted(pixels) => pixels,
                Source::Own(image) => &self.images[*image].pixels,
            },
        }
    }

    /// A job, once its objects are made.
    ///
    /// # Errors
    /// `CC-5014` when an object is missing.
    pub fn job(&self, job: usize, digests: &Digests) -> Result<JobSpec, ClientError> {
        let keys = self.plan.switching_keys().into_iter();
        let keys = keys.map(|(kind, level)| digest_of(digests, &ObjectJob::of_key(kind, level)));
        let images = (0..self.plan.inputs)
            .map(|index| digest_of(digests, &ObjectJob::Images { job, index }));
        Ok(JobSpec::Infer {
            plan: confide_protocol::to_bytes(&self.plan)
                .map_err(|error| super::from_engine(&error))?,
            keys: keys.collect::<Result<_, _>>()?,
            images: images.collect::<Result<_, _>>()?,
        })
    }
}

/// The slots of ciphertext `index` of a job's images, given by their pixels: by run, channel and phase.
pub(in crate::workflow) fn image_slots(
    card: &Card,
    geometry: &Program,
    images: &[&[u8]],
    index: usize,
) -> Result<Vec<Complex64>, ClientError> {
    let layout = geometry.input();
    let (channels, phases) = geometry.input_shape();
    let (run, channel, phase) = (
        index / (channels * phases),
        index / phases % channels,
        index % phases,
    );
    let images = images.chunks(layout.grid.batch()).nth(run).unwrap_or(&[]);
    let planes = images.iter().map(|pixels| {
        let mut planes = card.normalise(pixels)?;
        Ok(planes.swap_remove(channel))
    });
    let planes: Vec<Vec<f64>> = planes.collect::<Result<_, _>>().map_err(from_model)?;
    let planes: Vec<&[f64]> = planes.iter().map(Vec::as_slice).collect();
    let packed = layout.pack(&planes).map_err(from_model)?;
    let slots = packed.into_iter().nth(phase);
    let slots = slots.ok_or_else(|| {
        ClientError::new(
            "CC-5014",
            format!("There are no images number {index}."),
            "Report this as a fault.",
        )
    })?;
    Ok(slots.into_iter().map(Complex64::from).collect())
}

/// Decrypts the scores of one plan. What it gives must stay with the data party.
pub struct ScoreOpener {
    opener: Opener,
    level: usize,
}

impl ScoreOpener {
    /// An opener for a plan that has been accepted.
    ///
    /// # Errors
    /// `CC-5004` when the parameters are refused.
    pub fn new(seed: &[u8; 32], plan: &InferencePlan) -> Result<Self, ClientError> {
        Ok(Self {
            opener: Opener::new(seed, plan.parameters().map_err(from_model)?),
            level: plan.output_level,
        })
    }

    /// Bytes that an output has: a limit for downloads.
    pub fn max_bytes(&self) -> u64 {
        Ciphertext::encoded_len(self.opener.params(), self.level, 2) as u64
    }

    /// The slots of one output.
    ///
    /// # Errors
    /// `CC-5020` when the bytes are no result under this plan.
    pub fn open(&self, bytes: &[u8]) -> Result<Vec<f64>, ClientError> {
        let slots = self.opener.open(bytes, self.level)?;
        Ok(slots.into_iter().map(|slot| slot.re).collect())
    }
}
