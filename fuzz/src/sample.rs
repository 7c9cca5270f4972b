//! A small table, and a training planned for it.

use std::sync::LazyLock;

use confide_client::intake::{Selection, read_csv};
use confide_client::workflow::{TrainingOptions, TrainingSetup, WorkerFacts};
use confide_train::{Plan, PlanRequest, planner};

/// A table of twelve records with the things that tables have: gaps, quotes, text.
pub const SAMPLE_CSV: &str = "\
age,\"size, mm\",marker,ward,outcome
61,12.5,0.1,north,yes
44,11,0.7,south,no
53,19.25,-1e-3,\"north\",yes
70,8,0.44,east,no
38,10.5,2.5e1,south,no
66,21,0.9,north,yes
59,17.5,0.2,east,yes
41,9.5,0.6,south,no
47,,0.3,north,no
72,23,n/a,east,yes
50,10,0.8,south,no
63,18,0.15,north,yes
";

/// A worker with two threads and plenty of room.
pub fn worker_facts() -> WorkerFacts {
    WorkerFacts {
        threads: 2,
        memory_bytes: 4 << 30,
        max_client_bytes: 4 << 30,
    }
}

/// The sample table, ready to ask for a plan.
pub fn sample_setup() -> TrainingSetup {
    let table = read_csv(SAMPLE_CSV.as_bytes()).expect("the sample");
    let mut selection = Selection::all("outcome");
    selection.missing = confide_client::intake::MissingPolicy::FillMedian;
    let dataset = table.select(&selection).expect("the sample");
    TrainingSetup::new(dataset, TrainingOptions::default()).expect("the sample")
}

/// The request for a plan of the sample, in the smallest secure ring that holds a training.
pub fn sample_request() -> PlanRequest {
    let mut request = sample_setup().request(&worker_facts());
    request.max_iterations = 2;
    request.log_n = Some(14);
    request
}

/// The plan of the sample.
pub fn sample_plan() -> &'static Plan {
    static PLAN: LazyLock<Plan> =
        LazyLock::new(|| planner::plan(&sample_request()).expect("the sample has a plan"));
    &PLAN
}
