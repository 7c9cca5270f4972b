//! The runner that computes on ciphertexts.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use confide_protocol::{
    Digest, JobReport, JobSpec, Limits, ModelEntry, WireError, code, from_bytes, to_bytes,
};
use confide_tensor::{CostModel, hand_out_seconds};
use confide_train::{PlanRequest, TrainError, TrainingPlan};

use super::{
    JobRunner, Objects, Stopped, Watch, admission, bootstrapped, infer, load, predict, train,
};
use crate::{fault, models::Models};

/// Largest tables that a plan is searched for: the search takes time before any limit is known.
const MAX_ROWS: usize = 1 << 21;
const MAX_FEATURES: usize = 1 << 12;
const MAX_CLASSES: usize = 64;

/// Plans and runs training and prediction on ciphertexts.
#[derive(Debug)]
pub struct Compute {
    threads: usize,
    /// Times of this machine, for the plans.
    model: CostModel,
    models: Models,
    /// A search for a plan keeps a core busy; one at a time leaves the others to the jobs.
    planning: Mutex<()>,
}

impl Compute {
    /// A runner whose plans count on so many threads of this machine, whose speed it measures first.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let model = calibrated(threads);
        tracing::info!(
            factor = model.machine_factor,
            memory_seconds_per_gigabyte = model.memory_nanos,
            reference = confide_tensor::MACHINE,
            "time against the reference machine"
        );
        Self {
            threads,
            model,
            models: Models::default(),
            planning: Mutex::new(()),
        }
    }

    /// Evaluates these networks, too.
    #[must_use]
    pub fn with_models(self, models: Models) -> Self {
        Self { models, ..self }
    }
}

impl JobRunner for Compute {
    fn plan(&self, request: &[u8], limits: &Limits) -> Result<Vec<u8>, WireError> {
        let mut request: PlanRequest = from_bytes(request).map_err(|error| {
            fault::client(
                code::PLAN_MALFORMED,
                format!("the plan request cannot be read: {error}"),
                "Check that both programs are of the same release.",
            )
        })?;
        for (what, have, limit) in [
            (
                "rows",
                request.rows.max(request.predict_rows_hint),
                MAX_ROWS,
            ),
            ("features", request.features, MAX_FEATURES),
            ("classes", request.classes, MAX_CLASSES),
        ] {
            if have > limit {
                return Err(fault::client(
                    code::NO_PLAN,
                    format!("the table has {have} {what}, this worker plans for at most {limit}"),
                    "Train on a part of the table.",
                ));
            }
        }
        // The client may ask for less than the limits allow, not for more.
        request.max_upload_bytes = request.max_upload_bytes.min(limits.max_client_bytes);
        request.max_memory_bytes = request.max_memory_bytes.min(limits.max_memory_bytes);
        request.threads = self.threads;
        let plan = {
            let _one = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
            TrainingPlan::of_request(&request, &self.model).map_err(|error| no_plan(&error))?
        };
        tracing::info!(
            rows = plan.shape().rows,
            features = plan.shape().features,
            classes = plan.shape().classes,
            steps = plan.steps(),
            bootstraps = plan.bootstraps(),
            memory_bytes = plan.costs().memory_bytes,
            upload_bytes = plan.upload().total(),
            "plan made"
        );
        to_bytes(&plan).map_err(|error| {
            fault::worker(
                code::INTERNAL,
                format!("the plan cannot be sent: {error}"),
                "Report this.",
            )
        })
    }

    fn models(&self) -> Vec<ModelEntry> {
        self.models.list()
    }

    fn model_file(&self, digest: &Digest) -> Option<PathBuf> {
        self.models.file(digest).map(Path::to_owned)
    }

    fn plan_inference(&self, request: &[u8], limits: &Limits) -> Result<Vec<u8>, WireError> {
        let _one = self.planning.lock().unwrap_or_else(PoisonError::into_inner);
        infer::plan(request, limits, &self.models, self.threads, &self.model)
    }

    fn check(&self, spec: &JobSpec, limits: &Limits) -> Result<(), WireError> {
        match spec {
            JobSpec::Infer { plan, keys, images } => {
                infer::Job::read(plan, [keys, images], &self.models)?.check(limits)
            }
            _ => admission::admit(spec, limits).map(drop),
        }
    }

    fn output_bytes(&self, spec: &JobSpec) -> u64 {
        match (spec, admission::decode(spec.plan())) {
            (JobSpec::Train { .. }, Ok(plan)) => {
                // Scores have one prime, the widest; a head has one more for each level.
                let head = plan.prediction_level() + 1;
                (plan.validation_outputs() + head) as u64 * plan.score_bytes()
            }
            (JobSpec::Predict { .. }, Ok(plan)) => plan.score_bytes(),
            (JobSpec::Infer { .. }, _) | (_, Err(_)) => 0,
        }
    }

    fn run(
        &self,
        spec: &JobSpec,
        objects: &dyn Objects,
        watch: &dyn Watch,
    ) -> Result<JobReport, Stopped> {
        match spec {
            JobSpec::Infer { plan, keys, images } => {
                let job = infer::Job::read(plan, [keys, images], &self.models)?;
                infer::run(&job, objects, watch)
            }
            JobSpec::Train {
                plan,
                relin,
                galois,
                features,
                labels,
                sparse,
                validation,
            } => {
                let inputs = train::Inputs {
                    keys: load::Keys {
                        relin,
                        galois,
                        sparse,
                    },
                    features,
                    labels,
                    validation,
                };
                match &admission::decode(plan)? {
                    TrainingPlan::Levelled(plan) => train::run(plan, inputs, objects, watch),
                    TrainingPlan::Bootstrapped(plan) => {
                        bootstrapped::train(plan, inputs, objects, watch)
                    }
                }
            }
            JobSpec::Predict {
                plan,
                relin,
                galois,
                head,
                rows,
                records,
            } => {
                let inputs = predict::Inputs {
                    keys: load::Keys {
                        relin,
                        galois,
                        sparse: &[],
                    },
                    head,
                    rows: *rows,
                    records,
                };
                predict::run(&admission::decode(plan)?, inputs, objects, watch)
            }
        }
    }
}

/// The cost model of this machine; the reference machine's if it cannot be measured. As many threads work at once as will compute, each by
/// itself: a core alone may run faster than it can beside the others.
fn calibrated(threads: usize) -> CostModel {
    let factor = || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let model = pool.map(|pool| pool.install(CostModel::calibrated));
        let failed = match model {
            Ok(Ok(model)) => return Some(model.machine_factor),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(error = failed, "this machine's speed is not known");
        None
    };
    let usual = CostModel::default();
    let machine_factor = mean_of(threads, factor).unwrap_or(usual.machine_factor);
    let byte = mean_of(threads, || Some(hand_out_seconds())).unwrap_or_default();
    CostModel {
        machine_factor,
        // Each thread is handed out memory meanwhile.
        memory_nanos: 1e9 * byte / threads.max(1) as f64,
        ..usual
    }
}

/// The mean of what as many threads measure at once; none where none of them can.
fn mean_of(threads: usize, measure: impl Fn() -> Option<f64> + Sync) -> Option<f64> {
    let found: Vec<f64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(&measure)).collect();
        let measured = threads
            .into_iter()
            .map(|thread| thread.join().ok().flatten());
        measured.flatten().collect()
    });
    (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
}

fn no_plan(error: &TrainError) -> WireError {
    let remedy = match error {
        TrainError::NoPlan { .. } | TrainError::Shape { .. } => {
            "Allow more upload or memory, or train on fewer features or records."
        }
        _ => "Report this with the size of the table.",
    };
    fault::client(code::NO_PLAN, error.to_string(), remedy)
}
