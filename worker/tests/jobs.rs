//! Jobs: attached, repeated, cancelled, limited, in turn, and never without an end.

mod common;

use common::{Peer, Worker, is_running, job, object};
use confide_protocol::{ClientMessage, JobState, ObjectKind, WorkerMessage, code};

fn queued(state: &JobState) -> Option<u32> {
    match state {
        JobState::Queued { position } => Some(*position),
        _ => None,
    }
}

#[tokio::test]
async fn a_job_is_run_once_and_its_end_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let data = object(3000, 1);
    let (digest, _) = peer.upload(1, &data).await.unwrap();
    let (id, _) = peer.start(job("echo", digest)).await.unwrap();
    let JobState::Done(report) = peer.end_of(id).await else {
        panic!("not done");
    };
    let (_, output, size) = report.outputs[0];
    assert_eq!(size, 3004);
    let bytes = peer.download(1, output, vec![]).await.unwrap();
    assert_eq!(bytes, [b"echo", data.as_slice()].concat());
    assert!(report.peak_rss_bytes > 1 << 20);

    let done = JobState::Done(report);
    let again = peer.start(job("echo", digest)).await.unwrap();
    assert_eq!(again, (id, done.clone()));
    assert_eq!(worker.runs(), 1);
    worker.stop().await;

    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    peer.send(&ClientMessage::AttachJob {
        request: 2,
        job: id,
    })
    .await;
    assert_eq!(peer.job_answer().await.unwrap(), (id, done));
    // Another client cannot even see it.
    let mut other = Peer::connect(&worker.url, 2).await;
    for message in [
        ClientMessage::AttachJob {
            request: 2,
            job: id,
        },
        ClientMessage::CancelJob {
            request: 2,
            job: id,
        },
    ] {
        other.send(&message).await;
        assert_eq!(other.error().await, code::UNKNOWN_JOB);
    }
    // With its result deleted, it runs again.
    peer.send(&ClientMessage::Delete {
        request: 3,
        digests: vec![output],
    })
    .await;
    peer.message().await;
    let (_, state) = peer.start(job("echo", digest)).await.unwrap();
    assert!(!state.is_final(), "{state:?}");
    peer.end_of(id).await;
    assert_eq!(worker.runs(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn what_a_running_job_has_made_can_be_fetched_and_is_told_again_after_a_restart() {
    let made = |state: &JobState| match state {
        JobState::Running { outputs, .. } => outputs.first().copied(),
        _ => None,
    };
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let (digest, _) = peer.upload(1, &object(10, 1)).await.unwrap();
    let (id, _) = peer.start(job("makes", digest)).await.unwrap();
    let state = peer.wait_for(id, |state| made(state).is_some()).await;
    let told = made(&state).unwrap();
    assert_eq!((told.0, told.2), (ObjectKind::Validation { step: 3 }, 4));
    // Whoever comes later hears of it at once.
    let mut later = Peer::connect(&worker.url, 1).await;
    later
        .send(&ClientMessage::AttachJob {
            request: 2,
            job: id,
        })
        .await;
    let (_, state) = later.job_answer().await.unwrap();
    assert_eq!(made(&state), Some(told));
    worker.stop().await;

    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let (_, state) = peer.start(job("makes", digest)).await.unwrap();
    if made(&state).is_none() {
        peer.wait_for(id, |state| made(state) == Some(told)).await;
    }
    let mut other = Peer::connect(&worker.url, 1).await;
    assert_eq!(other.download(1, told.1, vec![]).await.unwrap(), b"part");
    worker.stop().await;
}

#[tokio::test]
async fn a_job_whose_outputs_would_not_fit_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let (digest, _) = peer.upload(1, &object(10, 1)).await.unwrap();
    let refused = peer.start(job("huge", digest)).await;
    assert_eq!(refused.unwrap_err(), code::QUOTA);
    assert_eq!(worker.runs(), 0);
    worker.stop().await;
}

#[tokio::test]
async fn failures_and_panics_are_ends_and_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let (digest, _) = peer.upload(1, &object(10, 1)).await.unwrap();
    for (plan, expected) in [("fail", code::COMPUTE), ("panic", code::INTERNAL)] {
        for _ in 0..2 {
            let (id, _) = peer.start(job(plan, digest)).await.unwrap();
            let end = peer.end_of(id).await;
            assert!(
                matches!(&end, JobState::Failed(error) if error.code == expected),
                "{end:?}"
            );
        }
    }
    assert_eq!(worker.runs(), 4);
    let refused = peer.start(job("refuse", digest)).await;
    assert_eq!(refused.unwrap_err(), code::PLAN_REFUSED);
    // After all that the queue still works.
    let (id, _) = peer.start(job("echo", digest)).await.unwrap();
    assert!(matches!(peer.end_of(id).await, JobState::Done(_)));
    worker.stop().await;
}

#[tokio::test]
async fn cancel_ends_running_and_waiting_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let (digest, _) = peer.upload(1, &object(10, 1)).await.unwrap();
    let running = peer.start_running(job("slow 1", digest)).await;
    let (waiting, state) = peer.start(job("slow 2", digest)).await.unwrap();
    assert_eq!(queued(&state), Some(1));
    // The third is one too many.
    let third = peer.start(job("slow 3", digest)).await;
    assert_eq!(third.unwrap_err(), code::TOO_MANY_JOBS);
    // What a job needs cannot be deleted under it.
    peer.send(&ClientMessage::Delete {
        request: 5,
        digests: vec![digest],
    })
    .await;
    assert_eq!(peer.error().await, code::OBJECT_IN_USE);

    for id in [waiting, running] {
        let sent = std::time::Instant::now();
        peer.send(&ClientMessage::CancelJob {
            request: 4,
            job: id,
        })
        .await;
        assert_eq!(peer.end_of(id).await, JobState::Cancelled);
        assert!(sent.elapsed().as_secs_f64() < 2.0);
    }
    // A cancelled job is over, and can be started again.
    peer.send(&ClientMessage::AttachJob {
        request: 6,
        job: running,
    })
    .await;
    assert_eq!(peer.job_answer().await.unwrap().1, JobState::Cancelled);
    let again = peer.start_running(job("slow 1", digest)).await;
    assert_eq!(again, running);

    peer.send(&ClientMessage::DeleteAll { request: 7 }).await;
    loop {
        match peer.message().await {
            WorkerMessage::Deleted {
                request, objects, ..
            } => {
                assert_eq!((request, objects), (7, 1));
                break;
            }
            WorkerMessage::JobUpdate { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let clients = dir.path().join("clients");
    assert_eq!(std::fs::read_dir(&clients).unwrap().count(), 0);
    // A second time there is nothing to delete, and what another party has stays.
    let mut other = Peer::connect(&worker.url, 2).await;
    other.upload(1, &object(10, 1)).await.unwrap();
    peer.send(&ClientMessage::DeleteAll { request: 8 }).await;
    let nothing = WorkerMessage::Deleted {
        request: 8,
        objects: 0,
        bytes: 0,
    };
    assert_eq!(peer.message().await, nothing);
    assert_eq!(std::fs::read_dir(&clients).unwrap().count(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn clients_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut first = Peer::connect(&worker.url, 1).await;
    let mut second = Peer::connect(&worker.url, 2).await;
    let mut third = Peer::connect(&worker.url, 3).await;
    let data = object(10, 1);
    let (digest, _) = first.upload(1, &data).await.unwrap();
    second.upload(1, &data).await.unwrap();
    third.upload(1, &data).await.unwrap();
    let blocker = third.start_running(job("slow", digest)).await;
    let (a, _) = first.start(job("slow a", digest)).await.unwrap();
    let (b, state) = first.start(job("slow b", digest)).await.unwrap();
    assert_eq!(queued(&state), Some(2));
    // The second client's first job passes the first client's second one.
    let (c, state) = second.start(job("echo c", digest)).await.unwrap();
    assert_eq!(queued(&state), Some(2));
    first.wait_for(b, |state| queued(state) == Some(3)).await;

    third
        .send(&ClientMessage::CancelJob {
            request: 1,
            job: blocker,
        })
        .await;
    first.wait_for(a, is_running).await;
    first
        .send(&ClientMessage::CancelJob { request: 1, job: a })
        .await;
    assert!(matches!(second.end_of(c).await, JobState::Done(_)));
    first.wait_for(b, is_running).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_stop_interrupts_and_the_next_start_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let (digest, _) = peer.upload(1, &object(10, 1)).await.unwrap();
    let slow = peer.start_running(job("slow", digest)).await;
    let (echo, _) = peer.start(job("echo", digest)).await.unwrap();
    let began = std::time::Instant::now();
    let stop = tokio::spawn(worker.stop());
    loop {
        match peer.message().await {
            WorkerMessage::ShuttingDown => break,
            WorkerMessage::JobUpdate { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    peer.closed().await;
    stop.await.unwrap();
    assert!(began.elapsed().as_secs() < 5);

    // Graceful stops are not the job's doing, however many there are.
    for _ in 0..4 {
        let worker = Worker::start(dir.path()).await;
        let mut peer = Peer::connect(&worker.url, 1).await;
        peer.send(&ClientMessage::AttachJob {
            request: 2,
            job: slow,
        })
        .await;
        peer.wait_for(slow, is_running).await;
        worker.stop().await;
    }
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    peer.send(&ClientMessage::CancelJob {
        request: 2,
        job: slow,
    })
    .await;
    assert_eq!(peer.end_of(slow).await, JobState::Cancelled);
    peer.send(&ClientMessage::AttachJob {
        request: 3,
        job: echo,
    })
    .await;
    let done = peer.end_of(echo).await;
    assert!(matches!(done, JobState::Done(_)), "{done:?}");
    worker.stop().await;
}

#[tokio::test]
async fn plans_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    peer.send(&ClientMessage::RequestPlan {
        request: 3,
        plan_request: vec![1, 2, 3],
    })
    .await;
    let plan = peer.message().await;
    let expected = WorkerMessage::Plan {
        request: 3,
        plan: vec![3, 2, 1],
    };
    assert_eq!(plan, expected);
    worker.stop().await;
}
