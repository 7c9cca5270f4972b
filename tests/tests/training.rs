//! Whole jobs at full security, against the real worker: right, repeatable, and past any crash.

use std::time::{Duration, Instant};

use confide_protocol::{JobReport, JobSpec, JobState, ObjectKind};
use confide_tests::{
    party::{Party, done, output},
    table::{Table, Upload},
    worker::Worker,
};
use confide_train::{predict_clear, train_clear};

/// Largest difference between encrypted and clear weights and logits: noise is far below it, any
/// mistake far above.
const TOLERANCE: f64 = 2e-3;

fn largest_difference(left: &[Vec<f64>], right: &[Vec<f64>]) -> f64 {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().flatten().zip(right.iter().flatten());
    pairs.fold(0.0, |most, (a, b)| f64::max(most, (a - b).abs()))
}

async fn train_undisturbed(
    job: JobSpec,
    upload: &Upload,
) -> (Party, Worker, tempfile::TempDir, JobReport) {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&upload.objects).await;
    let report = done(party.run(job).await.unwrap());
    (party, worker, dir, report)
}

/// Trains and predicts on one worker, and again on one that is killed in the middle of the job.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_gives_the_clear_programs_result_and_the_same_bytes_after_a_kill() {
    let table = Table::new(300, 12, 3);
    let upload = table.encrypt();
    let (mut party, worker, _dir, report) = train_undisturbed(table.train(&upload), &upload).await;
    let head = output(&report, ObjectKind::Head);
    assert!(report.peak_rss_bytes > 0 && !report.seconds.is_empty());
    println!("{report:?}");
    // The prediction by which jobs are admitted holds.
    let (peak, predicted) = (report.peak_rss_bytes, table.plan.costs.memory_bytes);
    println!("{peak} bytes held, {predicted} predicted");
    // The program itself, built for tests, holds about 35 MB before any job.
    let program = 35 << 20;
    assert!(peak < predicted * 5 / 4 + program, "{peak} {predicted}");

    let opener = table.opener();
    let weights = opener.open_head(&party.download(head).await).unwrap();
    let clear = train_clear(&table.plan, &table.rows, &table.labels).unwrap();
    let difference = largest_difference(&weights, &clear);
    println!("weights differ by {difference:.2e}");
    assert!(difference < TOLERANCE, "{weights:?} {clear:?}");
    let largest = clear
        .iter()
        .flatten()
        .fold(0.0, |m, w| f64::max(m, w.abs()));
    assert!(largest > 100.0 * TOLERANCE, "the head learned something");

    let report = done(party.run(table.predict(&upload, head)).await.unwrap());
    let scores = party.download(output(&report, ObjectKind::Scores)).await;
    let logits = opener.open_scores(&scores, table.records.len()).unwrap();
    let clear = predict_clear(&table.plan, &table.rows, &table.labels, &table.records).unwrap();
    let difference = largest_difference(&logits, &clear);
    println!("logits differ by {difference:.2e}");
    assert!(difference < TOLERANCE, "{logits:?} {clear:?}");
    assert!(worker.terminate().await);

    // The same job on a worker that dies twice on the way.
    let dir = tempfile::tempdir().unwrap();
    let mut worker = Worker::start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&upload.objects).await;
    let id = party.start(table.train(&upload)).await.unwrap();
    for _ in 0..2 {
        let working = |state: &JobState| matches!(state, JobState::Running { done, total, .. } if *done > 0 && done < total);
        party.job_until(id, working).await;
        worker.kill().await;
        let namespace = party.session.token().namespace().to_hex();
        let jobs = dir.path().join("clients").join(namespace).join("jobs");
        let spec = jobs.join(id.0.to_hex()).join("spec.v1");
        assert!(spec.exists(), "the job had not ended when the worker died");
        worker = Worker::start(dir.path(), &[]).await;
        party.url = worker.url();
    }
    let report = done(party.job_until(id, JobState::is_final).await);
    assert_eq!(output(&report, ObjectKind::Head), head);
    assert!(party.connections() >= 3);
    assert!(worker.terminate().await);
}

/// Cancel ends a real job at an operation's boundary, and a stop of the worker keeps it for later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_and_shutdown_stop_a_real_job_soon() {
    let table = Table::new(300, 12, 3);
    let upload = table.encrypt();
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &["--log-format", "json"]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&upload.objects).await;
    let working = |state: &JobState| matches!(state, JobState::Running { done, .. } if *done > 0);

    let id = party.start(table.train(&upload)).await.unwrap();
    party.job_until(id, working).await;
    let asked = Instant::now();
    party.session.cancel_job(id);
    let end = party.job_until(id, JobState::is_final).await;
    assert_eq!(end, JobState::Cancelled);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );

    let id = party.start(table.train(&upload)).await.unwrap();
    party.job_until(id, working).await;
    let asked = Instant::now();
    assert!(worker.terminate().await);
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );

    let worker = Worker::start(dir.path(), &[]).await;
    party.url = worker.url();
    done(party.job_until(id, JobState::is_final).await);
    assert!(worker.terminate().await);
}
