//! Plan requests and jobs that a worker is sent, plans that a worker sends.
#![no_main]

use std::sync::LazyLock;

use confide_ckks::KeyKind;
use confide_client::workflow::TrainingSetup;
use confide_fuzz::{Input, sample_setup, worker_facts};
use confide_model::InferencePlan;
use confide_protocol::{Digest, JobSpec, Limits, from_bytes, to_bytes};
use confide_train::{PlanRequest, TrainingPlan};
use confide_worker::jobs::{Compute, JobRunner};
use confide_worker::models::Models;
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    chunk_bytes: 1 << 20,
    window_chunks: 8,
    max_object_bytes: 1 << 28,
    max_client_bytes: 1 << 32,
    max_jobs: 2,
    max_memory_bytes: 4 << 30,
    max_control_bytes: 1 << 20,
    idle_timeout_s: 60,
};

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => request(input.rest()),
        1 => job(&mut input),
        2 => inference(input.rest()),
        _ => answer(input.rest()),
    }
});

/// A worker plans whatever is asked; its plans are those that a data party accepts and a worker runs.
fn request(bytes: &[u8]) {
    let worker = Compute::new(2);
    if let Ok(request) = from_bytes::<PlanRequest>(bytes) {
        // The search through large tables takes the same way, and seconds.
        let cells = request.rows.saturating_mul(request.features);
        if cells > 1 << 18 && request.rows <= 1 << 21 && request.features <= 1 << 12 {
            return;
        }
    }
    let Ok(plan) = worker.plan(bytes, &LIMITS) else {
        return;
    };
    let request: PlanRequest = from_bytes(bytes).expect("it was planned for");
    let plan: TrainingPlan = from_bytes(&plan).expect("own plan");
    plan.check(&request).expect("a data party accepts the plan");
    worker
        .check(&matching_job(&plan), &LIMITS)
        .expect("a worker accepts its own plan");
}

/// The job that belongs to a plan.
fn matching_job(plan: &TrainingPlan) -> JobSpec {
    let digest = Digest([1; 32]);
    let (mut galois, mut sparse) = (Vec::new(), Vec::new());
    for (kind, _) in plan.switching_keys() {
        match kind {
            KeyKind::Relin => {}
            KeyKind::Galois(element) => galois.push((element, digest)),
            KeyKind::ToSparse(_) | KeyKind::FromSparse(_) => sparse.push(digest),
        }
    }
    JobSpec::Train {
        plan: to_bytes(plan).expect("a small plan"),
        relin: digest,
        galois,
        features: vec![digest; plan.feature_vectors()],
        labels: vec![digest; plan.label_vectors()],
        sparse,
        validation: vec![digest; plan.validation_vectors()],
    }
}

/// Whether deriving the plan again is quick.
fn is_small(plan: &TrainingPlan) -> bool {
    match plan {
        TrainingPlan::Levelled(plan) => plan.choice.log_n <= 14,
        TrainingPlan::Bootstrapped(_) => false,
    }
}

/// A job with a plan of the client's making: with its own list of objects, or with the one that the plan asks for.
fn job(input: &mut Input<'_>) {
    let fitting = input.byte() & 1 == 0;
    let bytes = input.rest();
    let spec = if fitting {
        let Ok(whole @ TrainingPlan::Levelled(_)) = from_bytes::<TrainingPlan>(bytes) else {
            return;
        };
        let TrainingPlan::Levelled(plan) = &whole else {
            return;
        };
        let layout = &plan.layout;
        let size = layout.blocks.checked_mul(layout.features / 2 + 1);
        if layout.pack_steps > 30 || size.is_none_or(|size| size > 4096) || plan.keys.len() > 4096 {
            return;
        }
        matching_job(&whole)
    } else {
        let Ok(spec) = from_bytes::<JobSpec>(bytes) else {
            return;
        };
        spec
    };
    if from_bytes::<TrainingPlan>(spec.plan()).is_ok_and(|plan| !is_small(&plan)) {
        return;
    }
    if Compute::new(2).check(&spec, &LIMITS).is_ok() {
        let plan: TrainingPlan = from_bytes(spec.plan()).expect("it was accepted");
        let params = plan.parameters().expect("an accepted plan is secure");
        assert!(params.log_qp() <= 430.0);
    }
}

/// Requests and jobs for a network.
fn inference(bytes: &[u8]) {
    static WORKER: LazyLock<Compute> = LazyLock::new(|| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");
        let models = Models::read(folder.as_ref(), false).expect("the project's models");
        Compute::new(2).with_models(models)
    });
    if let Ok(plan) = WORKER.plan_inference(bytes, &LIMITS) {
        let plan: InferencePlan = from_bytes(&plan).expect("own plan");
        plan.parameters().expect("secure");
        assert!(plan.costs.memory_bytes <= LIMITS.max_memory_bytes);
    }
    let job = JobSpec::Infer {
        plan: bytes.to_vec(),
        keys: vec![],
        images: vec![],
    };
    WORKER.check(&job, &LIMITS).expect_err("a plan needs keys");
}

/// A worker's answer to a data party.
fn answer(bytes: &[u8]) {
    static SETUP: LazyLock<TrainingSetup> = LazyLock::new(sample_setup);
    match from_bytes::<TrainingPlan>(bytes) {
        Ok(plan) if !is_small(&plan) => return,
        _ => {}
    }
    if let Ok(run) = SETUP.accept(bytes, &worker_facts()) {
        let plan = run.plan();
        assert!(plan.parameters().is_ok() && run.items().is_ok_and(|items| !items.is_empty()));
        assert!(plan.upload().total() <= SETUP.request(&worker_facts()).max_upload_bytes);
    }
}
