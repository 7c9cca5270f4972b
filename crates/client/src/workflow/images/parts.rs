//! Images on their way to features that stay at the worker: which go into which job, and into which ciphertexts.

use crate::ClientError;
use crate::workflow::classify::{NamedImage, from_model, image_slots};
use crate::workflow::objects::{Item, ObjectJob};
use crate::workflow::run::{Digests, digest_of, key_digests, plan_bytes};
use crate::workflow::{from_engine, from_train};
use confide_ckks::{Complex64, KeyKind, Parameters};
use confide_model::features::FeatureRows;
use confide_model::inference::Gathering;
use confide_model::{Card, InferencePlan, InferenceRequest, Program};
use confide_protocol::{Digest, JobSpec};
use confide_train::TrainingPlan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Images that go the same way: those that train, those that test, or new ones.
pub(super) struct Part {
    plan: InferencePlan,
    params: Parameters,
    geometry: Program,
    pub(super) rows: FeatureRows,
    pub(super) images: Vec<usize>,
}

impl Part {
    /// `images` under an accepted plan.
    pub(super) fn new(
        card: &Card,
        plan: InferencePlan,
        images: Vec<usize>,
    ) -> Result<Self, ClientError> {
        let geometry = plan.geometry(card).map_err(from_model)?;
        let end = plan.end(card, &geometry).map_err(from_model)?;
        let end = end.ok_or_else(|| super::uneven("it gathers no features"))?;
        Ok(Self {
            params: plan.parameters().map_err(from_model)?,
            rows: end.rows().clone(),
            geometry,
            images,
            plan,
        })
    }

    pub(super) fn jobs(&self) -> usize {
        self.plan.jobs()
    }

    /// Images of a job.
    pub(super) fn job(&self, job: usize) -> &[usize] {
        let mut jobs = self.images.chunks(self.plan.choice.images.max(1));
        jobs.nth(job).unwrap_or(&[])
    }

    /// Logits of the images in their order, from those `[job][row][output]` of all rows.
    pub(super) fn logits(&self, opened: &[Vec<Vec<f64>>]) -> Result<Vec<Vec<f64>>, ClientError> {
        let each = self.plan.choice.images.max(1);
        let logit = |place: usize| {
            let row = self.rows.row(place % each).row;
            opened.get(place / each)?.get(row).cloned()
        };
        let logits: Option<Vec<_>> = (0..self.images.len()).map(logit).collect();
        logits.ok_or_else(|| {
            ClientError::new(
                "CC-5021",
                "Predictions of some images did not come back.",
                "Start again; report this if it goes on.",
            )
        })
    }
}

/// Images, the network that reads them, and the jobs that leave features. Jobs are numbered through all parts.
pub(super) struct FeatureJobs {
    /// The card as it came.
    pub(super) text: Vec<u8>,
    pub(super) card: Card,
    pub(super) images: Vec<NamedImage>,
    pub(super) parts: Vec<Part>,
}

impl FeatureJobs {
    pub(super) fn new(
        text: Vec<u8>,
        card: Card,
        images: Vec<NamedImage>,
        parts: Vec<Part>,
    ) -> Self {
        Self {
            text,
            card,
            images,
            parts,
        }
    }

    pub(super) fn plans(&self) -> impl Iterator<Item = &InferencePlan> {
        self.parts.iter().map(|part| &part.plan)
    }

    /// The part that a job belongs to, and its number there.
    pub(super) fn part(&self, job: usize) -> Result<(&Part, usize), ClientError> {
        let mut left = job;
        for part in &self.parts {
            match left.checked_sub(part.jobs()) {
                None => return Ok((part, left)),
                Some(less) => left = less,
            }
        }
        Err(missing("job", job))
    }

    /// The keys of all jobs.
    pub(super) fn keys(&self) -> Result<Vec<Item>, ClientError> {
        let all = self.plans().flat_map(InferencePlan::switching_keys);
        let all: BTreeSet<(KeyKind, usize)> = all.collect();
        let Some(first) = self.parts.first() else {
            return Ok(Vec::new());
        };
        let keys = all.into_iter();
        keys.map(|(kind, level)| Item::new(ObjectJob::of_key(kind, level), &first.params, level))
            .collect()
    }

    /// The image objects of a job.
    pub(super) fn items(&self, job: usize) -> Result<Vec<Item>, ClientError> {
        let (part, _) = self.part(job)?;
        let level = part.plan.image_level();
        (0..part.plan.inputs)
            .map(|index| Item::new(ObjectJob::Images { job, index }, &part.params, level))
            .collect()
    }

    /// The slots of an image object.
    pub(super) fn slots(&self, job: usize, index: usize) -> Result<Vec<Complex64>, ClientError> {
        let (part, number) = self.part(job)?;
        let pixels = part.job(number).iter();
        let pixels: Vec<&[u8]> = pixels
            .map(|&image| self.images[image].pixels.as_slice())
            .collect();
        image_slots(&self.card, &part.geometry, &pixels, index)
    }

    /// A job, once its objects are made.
    pub(super) fn spec(&self, job: usize, digests: &Digests) -> Result<JobSpec, ClientError> {
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
}

/// The rows that a training reads features from.
pub(super) fn gathering(training: &TrainingPlan) -> Result<Gathering, ClientError> {
    let kept = training.kept_features().map_err(from_train)?;
    let (TrainingPlan::Bootstrapped(plan), Some(kept)) = (training, kept) else {
        return Err(super::uneven("the plan is of another training"));
    };
    Ok(Gathering {
        log_n: plan.layout.log_n,
        columns: plan.layout.columns,
        scale: plan.schedule.data_scale * kept.factor(),
        bootstrapped: plan
            .choice
            .network
            .is_some_and(|network| network.bootstrapped),
    })
}

/// How the images of a run are packed: those that come later go the same way, and need no further keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packing {
    /// Images in a ciphertext.
    pub batch: usize,
    /// Their level, where they are bootstrapped on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<usize>,
}

impl Packing {
    /// That of an accepted plan.
    pub(super) fn of(plan: &InferencePlan) -> Self {
        Self {
            batch: plan.choice.batch,
            entry: plan.choice.entry,
        }
    }
}

/// The request for a plan of features of so many images, packed `like` others of the run, if there are any. `limits` are the worker's
/// memory, bytes of this client and threads.
pub(super) fn feature_request(
    card: &Card,
    training: &TrainingPlan,
    images: usize,
    like: Option<Packing>,
    (memory, store, threads): (u64, u64, usize),
) -> Result<InferenceRequest, ClientError> {
    let request = InferenceRequest::features(card, images, gathering(training)?);
    let mut request = request.map_err(from_model)?;
    request.batch = like.map(|packing| packing.batch);
    request.entry = like.and_then(|packing| packing.entry);
    request.max_memory_bytes = memory;
    request.max_store_bytes = store.saturating_sub(training.upload().total());
    request.threads = threads.max(1);
    Ok(request)
}

/// The job that scores one ciphertext of kept features, all its `rows`. `digests` are those of the training's keys.
pub(super) fn predict_job(
    training: &TrainingPlan,
    rows: usize,
    head: Digest,
    features: Digest,
    digests: &Digests,
) -> Result<JobSpec, ClientError> {
    let keys = key_digests(&training.prediction_keys(), digests)?;
    Ok(JobSpec::Predict {
        plan: plan_bytes(training)?,
        relin: keys.relin,
        galois: keys.galois,
        head,
        rows: rows as u32,
        records: vec![features],
    })
}

pub(super) fn missing(what: &str, number: usize) -> ClientError {
    ClientError::new(
        "CC-5014",
        format!("There is no {what} number {number}."),
        "Report this as a fault.",
    )
}
