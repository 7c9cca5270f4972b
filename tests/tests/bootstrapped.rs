//! Training with bootstraps at full security against the real worker: right, and the same bytes past a kill.

use std::path::Path;

use confide_protocol::{JobState, ObjectKind, Output};
use confide_tests::{
    party::{Party, done, output},
    table::{Table, Upload, opener},
    worker::Worker,
};
use confide_train::bootstrapped::BootstrapWish;
use confide_train::minibatch::minibatch_reference;
use confide_train::{Activation, PlanRequest, TrainingPlan};

/// Largest difference between encrypted and clear weights and logits.
const TOLERANCE: f64 = 5e-3;
/// Of a logit: a sum over four features with the errors of their weights.
const LOGIT_TOLERANCE: f64 = 4.0 * TOLERANCE;
/// Records whose scores come back on the way.
const VALIDATION: usize = 20;

fn plan(rows: usize, features: usize) -> TrainingPlan {
    let mut request = PlanRequest::new(rows, features, 2);
    request.predict_rows_hint = 9;
    request.max_upload_bytes = 4_000_000_000;
    request.max_memory_bytes = 12 << 30;
    request.bootstrapping = Some(BootstrapWish {
        batch: rows.div_ceil(2),
        validation: VALIDATION,
        ..BootstrapWish::new(2)
    });
    TrainingPlan::of_request(&request, &Default::default()).expect("a plan exists")
}

/// Scores that a running job has made.
fn scores_so_far(state: &JobState) -> &[Output] {
    match state {
        JobState::Running { outputs, .. } => outputs,
        _ => &[],
    }
}

/// Logits of records with weights in the clear.
fn logits_of(weights: &[Vec<f64>], records: &[Vec<f64>]) -> Vec<f64> {
    let logit = |record: &Vec<f64>| record.iter().zip(&weights[0]).map(|(x, w)| x * w).sum();
    records.iter().map(logit).collect()
}

fn assert_near(found: &[Vec<f64>], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found[0] - expected).abs() < LOGIT_TOLERANCE,
            "{found:?} {expected}"
        );
    }
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
    let state = party
        .job_until(id, |state| !scores_so_far(state).is_empty())
        .await;
    let early = scores_so_far(&state)[0];
    assert_eq!(early.0, ObjectKind::Validation { step: 2 });
    let first_scores = party.download(early.1).await;
    // The end may have come meanwhile.
    party.session.attach_job(id);
    let report = done(party.job_until(id, JobState::is_final).await);
    println!("{report:?}");
    let head = output(&report, ObjectKind::Head);
    let kinds: Vec<_> = report.outputs.iter().map(|(kind, _, _)| *kind).collect();
    let after = |step| ObjectKind::Validation { step };
    assert_eq!(kinds, [ObjectKind::Head, after(2), after(4)]);
    assert_eq!(report.outputs[1], early);
    let outputs = report.outputs.clone();
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

    // What was told on the way: the scores of the head as it was then.
    let last_scores = party.download(outputs[2].1).await;
    let TrainingPlan::Bootstrapped(inner) = &plan else {
        panic!("bootstraps were asked for");
    };
    assert_eq!(inner.validation.points, [2, 4]);
    let validation = &table.rows[..VALIDATION];
    minibatch_reference(
        &inner.layout,
        &inner.schedule,
        &table.rows,
        &table.labels,
        Activation::Polynomial,
        &mut |step, weights| {
            let scores = match step + 1 {
                2 => &first_scores,
                4 => &last_scores,
                _ => return,
            };
            assert_eq!(scores.len() as u64, plan.score_bytes());
            let found = opener.open_scores(scores, VALIDATION).unwrap();
            assert_near(&found, &logits_of(weights, validation));
        },
    )
    .unwrap();

    let job = upload.predict(&plan, head, table.records.len());
    let report = done(party.run(job).await.unwrap());
    let (_, scores, _) = report.outputs[0];
    let scores = party.download(scores).await;
    let logits = opener.open_scores(&scores, table.records.len()).unwrap();
    assert_near(&logits, &logits_of(&reference.weights, &table.records));
    assert!(worker.terminate().await);

    // Killed after the first scores: another client's store, the same job.
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&upload.objects).await;
    let id = party.start(upload.train(&plan)).await.unwrap();
    party
        .job_until(id, |state| !scores_so_far(state).is_empty())
        .await;
    assert!(has_checkpoint(dir.path()));
    worker.kill().await;
    let worker = Worker::start(dir.path(), &["--log-format", "json"]).await;
    party.url = worker.url();
    let report = done(party.job_until(id, JobState::is_final).await);
    assert_eq!(report.outputs, outputs, "the same bytes as undisturbed");
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
