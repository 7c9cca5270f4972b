//! Uploads through a network that fails, to the real worker.

use confide_client::session::{Event, Object};
use confide_protocol::{CHUNK_BYTES, ObjectKind};
use confide_tests::{party::Party, proxy::Proxy, worker::Worker};

fn object(chunks: usize, seed: u8) -> Object {
    let size = chunks * CHUNK_BYTES - 77;
    let bytes = (0..size).map(|i| (i * 31 + i / 251) as u8 ^ seed).collect();
    Object::new(format!("object {seed}"), ObjectKind::Features, bytes)
}

/// Cuts fall within frames. Nothing that the worker acknowledged is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_cut_in_the_middle_of_an_upload_resumes() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let cuts = vec![9_500_000, 5_000_001, 7_777_777];
    let proxy = Proxy::start(worker.address(), cuts).await;
    let mut party = Party::connect(proxy.url(), 1).await;
    let objects: Vec<Object> = (1..=5).map(|seed| object(8, seed)).collect();
    party.upload(&objects).await;
    assert_eq!(party.connections(), 4);
    for object in &objects {
        let bytes = party.download(object.digest).await;
        assert_eq!(*bytes, *object.bytes);
    }
    let total: u64 = objects.iter().map(|object| object.bytes.len() as u64).sum();
    let sent = party.session.bytes_up();
    // Each cut loses at most four windows of eight chunks, of what was not yet acknowledged.
    println!("{sent} bytes sent for {total}");
    assert!(sent < total + 3 * 12 * CHUNK_BYTES as u64);
    assert!(worker.terminate().await);
}

/// The worker dies in the middle of an upload; the next one goes on from its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_survives_the_death_of_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    let large = object(40, 9);
    party.session.upload(large.clone());
    // Some chunks are acknowledged, then it is dead.
    while party.session.upload_bytes_pending() > 30 * CHUNK_BYTES as u64 {
        party.session.ping(1);
        party
            .until(|event| matches!(event, Event::Pong { .. }).then_some(()))
            .await;
    }
    let acknowledged = large.bytes.len() as u64 - party.session.upload_bytes_pending();
    worker.kill().await;
    party.cut();
    let sent = party.session.bytes_up();

    let worker = Worker::start(dir.path(), &[]).await;
    party.url = worker.url();
    party.upload(std::slice::from_ref(&large)).await;
    let resent = party.session.bytes_up() - sent;
    let rest = large.bytes.len() as u64 - acknowledged;
    println!("{acknowledged} bytes were there, {resent} were sent after the death");
    assert!(resent < rest + 100_000);
    assert_eq!(*party.download(large.digest).await, *large.bytes);
    assert!(worker.terminate().await);
}

/// Several clients at once, each with a view of its own objects only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_upload_at_once_and_apart() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let mut tasks = Vec::new();
    for token in 1..=4 {
        let url = worker.url();
        tasks.push(tokio::spawn(async move {
            let mut party = Party::connect(url, token).await;
            let own: Vec<Object> = (0..3).map(|i| object(3, token * 10 + i)).collect();
            party.upload(&own).await;
            for object in &own {
                assert_eq!(*party.download(object.digest).await, *object.bytes);
            }
            own[0].digest
        }));
    }
    let mut digests = Vec::new();
    for task in tasks {
        digests.push(task.await.unwrap());
    }
    let mut party = Party::connect(worker.url(), 1).await;
    let request = party.session.have(digests.clone()).unwrap();
    let missing = party
        .until(|event| match event {
            Event::Have {
                request: answered,
                missing,
            } if *answered == request => Some(missing.clone()),
            _ => None,
        })
        .await;
    let missing: Vec<_> = missing.into_iter().map(|(digest, _)| digest).collect();
    assert_eq!(missing, digests[1..]);
    party.session.download(digests[1], 1 << 28);
    let error = party
        .until(|event| match event {
            Event::Failed { error, .. } => Some(error.clone()),
            _ => None,
        })
        .await;
    assert_eq!(error.code, confide_protocol::code::UNKNOWN_OBJECT);
    assert!(worker.terminate().await);
}
