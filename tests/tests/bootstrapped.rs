//! Training with bootstraps at full security against the real worker: right, and the same bytes past a kill.

use std::path::Path;

use confide_protocol::{Digest, JobReport, JobState, ObjectKind};
use confide_tests::{
    party::Party,
    table::{Table, Upload, opener},
    worker::Worker,
};
use confide_train::bootstrapped::BootstrapWish;
use confide_train::{PlanRequest, TrainingPlan};

/// Largest difference between encrypted and clear weights and logits.
const TOLERANCE: f64 = 5e-3;

fn done(state: JobState) -> JobReport {
    match state {
        JobState::Done(report) => report,
        other => panic!("{other:?}"),
    }
}

fn head_of(report: &JobReport) -> Digest {
    let mut outputs = report.outputs.iter();
    let found = outputs.find(|(kind, _, _)| *kind == ObjectKind::Head);
    found.expect("the job made it").1
}

fn plan(rows: usize, features: usize) -> TrainingPlan {
    let mut request = PlanRequest::new(rows, features, 2);
    request.predict_rows_hint = 9;
    request.max_upload_bytes = 4_000_000_000;
    request.max_memory_bytes = 12 << 30;
    request.bootstrapping = Some(BootstrapWish {
        batch: rows.div_ceil(2),
        ..BootstrapWish::new(2)
    });
    TrainingPlan::of_request(&request, &Default::default()).expect("a plan exists")
}

/// Whether the job has saved where it stands.
fn has_checkpoint(data: &Path) -> bool {
    let clients = std::fs::read_dir(data.join("clients")).expect("clients");
    let jobs = clients.flatten().flat_map(|client| {
        let jobs = std::fs::read_dir(client.path().join("jobs"));
        jobs.into_iter().flatten().flatten()
    });
    jobs.into_iter()
        .any(|job| job.path().join("checkpoint.v1").exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn training_with_bootstraps_goes_on_where_it_was_killed() {
    let table = Table::new(300, 3, 2);
    let plan = plan(300, 4);
    assert!(plan.bootstraps() >= 1, "{plan}");
    let upload = Upload::new(&plan, (&table.rows, &table.labels), &table.records);
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&upload.objects).await;

    // Undisturbed.
    let id = party.start(upload.train(&plan)).await.unwrap();
    let report = done(party.job_until(id, JobState::is_final).await);
    println!("{report:?}");
    let head = head_of(&report);
    let count = |name: &str| {
        report
            .counts
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, n)| *n)
    };
    assert_eq!(count("bootstraps"), Some(plan.bootstraps() as u64));
    assert_eq!(count("steps"), Some(plan.steps() as u64));
    assert!(
        !has_checkpoint(dir.path()),
        "an ended job leaves no checkpoint"
    );
    let (peak, predicted) = (report.peak_rss_bytes, plan.costs().memory_bytes);
    println!("{peak} bytes held, {predicted} predicted");
    assert!(peak < predicted * 5 / 4, "{peak} {predicted}");

    let opener = opener(&plan);
    let weights = opener.open_head(&party.download(head).await).unwrap();
    let reference = plan.reference(&table.rows, &table.labels).unwrap();
    assert!(reference.largest <= plan.range(), "{}", reference.largest);
    for (found, expected) in weights
        .iter()
        .flatten()
        .zip(reference.weights.iter().flatten())
    {
        assert!(
            (found - expected).abs() < TOLERANCE,
            "{weights:?} {reference:?}"
        );
    }
    let job = upload.predict(&plan, head, table.records.len());
    let report = done(party.run(job).await.unwrap());
    let (_, scores, _) = report.outputs[0];
    let scores = party.download(scores).await;
    let logits = opener.open_scores(&scores, table.records.len()).unwrap();
    for (record, logits) in table.records.iter().zip(&logits) {
        let pairs = record.iter().zip(&reference.weights[0]);
        let expected: f64 = pairs.map(|(x, w)| x * w).sum();
        assert!(
            (logits[0] - expected).abs() < TOLERANCE,
            "{logits:?} {expected}"
        );
    }
    assert!(worker.terminate().await);

    // Killed after the first checkpoint: another client's store, the same job.
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&upload.objects).await;
    let id = party.start(upload.train(&plan)).await.unwrap();
    party.job_until(id, |_| has_checkpoint(dir.path())).await;
    worker.kill().await;
    let worker = Worker::start(dir.path(), &["--log-format", "json"]).await;
    party.url = worker.url();
    let report = done(party.job_until(id, JobState::is_final).await);
    assert_eq!(head_of(&report), head, "the same bytes as undisturbed");
    let count = |name: &str| {
        report
            .counts
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, n)| *n)
    };
    assert_eq!(count("bootstraps"), Some(plan.bootstraps() as u64));
    assert!(worker.terminate().await);
}
