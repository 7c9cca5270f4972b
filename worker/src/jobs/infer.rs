//! Evaluates a network on encrypted images.

use std::sync::{Arc, Mutex, PoisonError};

use confide_ckks::bootstrap::Bootstrapper;
use confide_ckks::{Ciphertext, Encoder};
use confide_model::features::MASK_BITS;
use confide_model::inference::{FeatureEnd, InferencePlan, InferenceRequest, operations};
use confide_model::{CkksLayers, ModelError, Plan, Program, Tensor};
use confide_protocol::{
    Digest, JobReport, Limits, ObjectKind, WireError, code, from_bytes, to_bytes,
};
use confide_tensor::{CkksEvaluator, CostModel, Observer, TensorError};

use super::{Objects, Stopped, Watch, load, observe};
use crate::{
    fault,
    models::{Models, Offered},
};

const ASK: &str = "Ask this worker for a plan.";

/// A job whose plan is of a model that this worker has.
pub(super) struct Job<'a> {
    plan: InferencePlan,
    offered: &'a Offered,
    keys: &'a [Digest],
    images: &'a [Digest],
}

impl<'a> Job<'a> {
    /// Reads the plan of a job.
    ///
    /// # Errors
    /// `CF-3001` and `CF-3011`.
    pub(super) fn read(
        plan: &[u8],
        [keys, images]: [&'a [Digest]; 2],
        models: &'a Models,
    ) -> Result<Self, WireError> {
        let plan: InferencePlan = from_bytes(plan).map_err(|error| {
            let message = format!("the plan cannot be read: {error}");
            fault::client(code::PLAN_MALFORMED, message, ASK)
        })?;
        let offered = models.find(&plan.task.card)?;
        Ok(Self {
            plan,
            offered,
            keys,
            images,
        })
    }

    /// Checks plan, lists of objects and memory, before anything is loaded.
    ///
    /// # Errors
    /// `CF-3002`, `CF-3003` and `CF-3005`.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), WireError> {
        let (plan, card) = (&self.plan, &self.offered.card);
        let mut request = InferenceRequest::new(card, plan.task.images);
        request.until.clone_from(&plan.task.until);
        request.spare_levels = plan.task.spare_levels;
        request.gathering = plan.task.gathering;
        (request.max_memory_bytes, request.max_store_bytes) = (u64::MAX, u64::MAX);
        plan.check(card, &request).map_err(|error| {
            let message = format!("this worker would not make this plan: {error}");
            fault::client(code::PLAN_REFUSED, message, ASK)
        })?;
        for (what, need, have) in [
            ("keys", plan.keys.len(), self.keys.len()),
            ("image ciphertexts", plan.inputs, self.images.len()),
        ] {
            if need != have {
                return Err(fault::client(
                    code::JOB_OBJECTS,
                    format!("the plan needs {need} {what}, the job lists {have}"),
                    "Send exactly the objects of the plan.",
                ));
            }
        }
        // Derived again by the check, so that it is not the client's word.
        if plan.costs.memory_bytes > limits.max_memory_bytes {
            return Err(fault::limit(
                code::MEMORY,
                "the job's memory",
                plan.costs.memory_bytes,
                limits.max_memory_bytes,
                ASK,
            ));
        }
        Ok(())
    }
}

/// Answers a request with a plan, both as bytes, for so many threads of a machine.
///
/// # Errors
/// `CF-3001`, `CF-3010` or `CF-3011`.
pub(super) fn plan(
    request: &[u8],
    limits: &Limits,
    models: &Models,
    threads: usize,
    cost: &CostModel,
) -> Result<Vec<u8>, WireError> {
    let mut request: InferenceRequest = from_bytes(request).map_err(|error| {
        fault::client(
            code::PLAN_MALFORMED,
            format!("the plan request cannot be read: {error}"),
            "Check that both programs are of the same release.",
        )
    })?;
    let offered = models.find(&request.card)?;
    // The client may ask for less than the limits allow, not for more.
    request.max_memory_bytes = request.max_memory_bytes.min(limits.max_memory_bytes);
    request.max_store_bytes = request.max_store_bytes.min(limits.max_client_bytes);
    request.threads = threads;
    let plan = confide_model::inference::plan(&offered.card, &request, cost);
    let plan = plan.map_err(|error| {
        let remedy = "Allow more memory or storage, or ask for fewer images at once.";
        fault::client(code::NO_PLAN, error.to_string(), remedy)
    })?;
    tracing::info!(
        model = offered.card.name,
        images = plan.task.images,
        jobs = plan.jobs(),
        memory_bytes = plan.costs.memory_bytes,
        seconds = plan.costs.worker_seconds(),
        "inference planned"
    );
    to_bytes(&plan).map_err(|error| {
        let message = format!("the plan cannot be sent: {error}");
        fault::worker(code::INTERNAL, message, "Report this.")
    })
}

/// Runs an admitted job. The same inputs give the same bytes on every machine: evaluation is exact arithmetic modulo
/// primes and uses no randomness. Images are read when their run begins and freed as they are used up.
pub(super) fn run(
    job: &Job<'_>,
    objects: &dyn Objects,
    watch: &dyn Watch,
) -> Result<JobReport, Stopped> {
    let progress = observe::Progress::new(watch, "read keys");
    let plan = &job.plan;
    let params = plan.parameters().map_err(|error| refused(&error))?;
    let Prepared {
        program,
        end,
        counted,
    } = prepare(job)?;
    let keys = load::keys_in_order(&plan.switching_keys(), &params, job.keys, objects, watch)?;
    let encoder = Encoder::new(&params);
    let canonical = CkksEvaluator::new(&params, &keys);
    let set = plan.bootstraps().map_err(|error| refused(&error))?;
    let bootstrapper = set.map(|set| Bootstrapper::new(&set, &encoder, params.log_slots()));
    let bootstrapper = bootstrapper
        .transpose()
        .map_err(|error| load::scheme(&error))?;
    let stop_wanted = || watch.stop_wanted();
    let steps = Mutex::new(Steps::new(&counted));
    let steps = || steps.lock().unwrap_or_else(PoisonError::into_inner);
    let parts = |share: f64| steps().report(&progress, share);
    let layers = || {
        let layers = CkksLayers::new(&params, &encoder, &keys)
            .with_working_bytes(plan.choice.working_bytes)
            .with_stop(&stop_wanted)
            .with_parts(&parts);
        match &bootstrapper {
            Some(bootstrapper) => layers.with_refresh(bootstrapper),
            None => layers,
        }
    };
    let (channels, phases) = program.input_shape();
    let mut failed = None;
    let mut stop = |stopped| {
        failed = Some(stopped);
        ModelError::Evaluation(TensorError::Cancelled)
    };
    let mut input = |run: usize| -> Result<Tensor<Ciphertext>, ModelError> {
        progress.enter("read images");
        // Admission has counted them.
        let own = &job.images[run * channels * phases..][..channels * phases];
        let level = plan.image_level();
        let read = load::fresh("images", &params, &canonical, level, own, objects, watch);
        let mut read = read.map_err(&mut stop)?.into_iter().map(Arc::new);
        let tensor = (0..channels)
            .map(|_| read.by_ref().take(phases).collect())
            .collect();
        steps().report(&progress, 0.0);
        Ok(tensor)
    };
    let output = program.run(&layers(), &mut input, &mut |name, _, _| {
        let mut steps = steps();
        steps.finish(name);
        steps.report(&progress, 0.0);
        Ok(())
    });
    let mut output = match output {
        Ok(output) => output,
        Err(error) => return Err(failed.unwrap_or_else(|| stopped(&error))),
    };
    if let Some(end) = &end {
        progress.enter("gather features");
        let layers = layers().with_mask_bits(MASK_BITS);
        output = end.pack(&layers, output).map_err(|error| stopped(&error))?;
    }
    progress.enter("write results");
    let kind = match plan.task.until {
        None => ObjectKind::Scores,
        Some(_) => ObjectKind::ImageFeatures,
    };
    let mut outputs = Vec::with_capacity(plan.outputs);
    for ciphertext in output.iter().flatten() {
        let bytes = ciphertext
            .to_bytes(&params)
            .map_err(|error| load::scheme(&error))?;
        outputs.push((kind, objects.write(kind, &bytes)?, bytes.len() as u64));
    }
    let mut counts = vec![
        ("keys".to_owned(), keys.len() as u64),
        ("key bytes in memory".to_owned(), keys.memory() as u64),
        ("ciphertexts read".to_owned(), job.images.len() as u64),
    ];
    counts.extend(operations(&counted));
    Ok(JobReport {
        outputs,
        seconds: summed(progress.seconds()),
        peak_rss_bytes: 0,
        counts,
    })
}

/// The program with the model's weights, what follows it, and what both need.
struct Prepared {
    program: Program,
    end: Option<FeatureEnd>,
    counted: Plan,
}

fn prepare(job: &Job<'_>) -> Result<Prepared, Stopped> {
    let plan = &job.plan;
    let model = job.offered.load()?;
    let program = plan.program(&model).map_err(|error| refused(&error))?;
    let card = &job.offered.card;
    let end = plan.end(card, &program).map_err(|error| refused(&error))?;
    let counted = plan
        .covers(card, &program)
        .map_err(|error| refused(&error))?;
    Ok(Prepared {
        program,
        end,
        counted,
    })
}

/// The steps of a program in order, with the work that each one takes.
struct Steps {
    /// Name, and predicted microseconds of one thread.
    all: Vec<(String, f64)>,
    total: f64,
    at: usize,
    done: f64,
}

impl Steps {
    fn new(counted: &Plan) -> Self {
        let all = counted.steps(&CostModel::default());
        Self {
            total: all.iter().map(|(_, micros)| micros).sum(),
            all,
            at: 0,
            done: 0.0,
        }
    }

    /// A step has ended, and merges before it.
    fn finish(&mut self, name: &str) {
        while let Some((step, micros)) = self.all.get(self.at) {
            self.done += micros;
            self.at += 1;
            if step == name {
                break;
            }
        }
    }

    /// Tells of the step that is under way, a share of which is done.
    fn report(&self, progress: &observe::Progress<'_>, share: f64) {
        let next = self.all.get(self.at);
        let (name, micros) = next.map_or(("write results", 0.0), |(name, micros)| (name, *micros));
        let done = self.done + share * micros;
        progress.progress(done as u64, self.total as u64, name);
    }
}

/// Seconds by phase, in the order in which phases were first entered.
fn summed(seconds: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let mut sums: Vec<(String, f64)> = Vec::new();
    for (name, taken) in seconds {
        match sums.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += taken,
            None => sums.push((name, taken)),
        }
    }
    sums
}

fn refused(error: &ModelError) -> Stopped {
    fault::client(code::PLAN_REFUSED, error.to_string(), ASK).into()
}

fn stopped(error: &ModelError) -> Stopped {
    match error {
        ModelError::Evaluation(error) => observe::stopped(error),
        other => {
            let message = format!("the computation failed: {other}");
            fault::worker(code::COMPUTE, message, "Report this with the plan.").into()
        }
    }
}
