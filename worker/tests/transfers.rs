//! Uploads and downloads: cut, resumed, taken over, limited, and kept apart by client.

mod common;

use common::{Peer, Worker, object};
use confide_protocol::{CHUNK_BYTES, ClientMessage, Digest, WorkerMessage, code, encode_chunk};
use confide_worker::config::Settings;

#[tokio::test]
async fn objects_go_up_and_come_down() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    for (transfer, size) in [(1, 1), (2, CHUNK_BYTES), (3, 11 * CHUNK_BYTES + 17)] {
        let data = object(size, 3);
        let (digest, sent) = peer.upload(transfer, &data).await.unwrap();
        assert_eq!(sent, size as u64);
        // Known already: nothing is sent again.
        assert_eq!(peer.upload(transfer, &data).await.unwrap(), (digest, 0));
        assert!(peer.have(vec![digest]).await.is_empty());
        // Whole, and from the middle on.
        let from = size / 2 / CHUNK_BYTES * CHUNK_BYTES;
        for start in [0, from] {
            let have = data[..start].to_vec();
            assert_eq!(peer.download(transfer, digest, have).await.unwrap(), data);
        }
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_cut_upload_resumes_also_at_a_worker_started_anew() {
    let dir = tempfile::tempdir().unwrap();
    let data = object(6 * CHUNK_BYTES + 5, 0);
    let digest = Digest::of(&data);
    let size = data.len() as u64;
    let chunk = |index: usize| &data[index * CHUNK_BYTES..(index + 1) * CHUNK_BYTES];

    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    assert_eq!(peer.put(4, digest, size).await, Ok(0));
    for index in 0..2 {
        peer.chunk(4, index as u32, chunk(index)).await.unwrap();
    }
    // The third is cut in the middle: the frame never arrives whole.
    peer.cut();

    let mut peer = Peer::connect(&worker.url, 1).await;
    assert_eq!(peer.put(9, digest, size).await, Ok(2 * CHUNK_BYTES as u64));
    peer.chunk(9, 2, chunk(2)).await.unwrap();
    worker.stop().await;

    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let there = 3 * CHUNK_BYTES as u64;
    assert_eq!(peer.have(vec![digest]).await, vec![(digest, there)]);
    assert_eq!(peer.upload(1, &data).await, Ok((digest, size - there)));
    assert_eq!(peer.download(1, digest, vec![]).await.unwrap(), data);
    worker.stop().await;
}

#[tokio::test]
async fn a_new_connection_takes_an_upload_over() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let data = object(3 * CHUNK_BYTES, 0);
    let digest = Digest::of(&data);
    let size = data.len() as u64;
    let mut old = Peer::connect(&worker.url, 1).await;
    old.put(1, digest, size).await.unwrap();
    old.chunk(1, 0, &data[..CHUNK_BYTES]).await.unwrap();
    // The old connection still seems alive to the worker.
    let mut new = Peer::connect(&worker.url, 1).await;
    assert_eq!(new.put(1, digest, size).await, Ok(CHUNK_BYTES as u64));
    let late = old.chunk(1, 1, &data[CHUNK_BYTES..2 * CHUNK_BYTES]).await;
    assert_eq!(late, Err(code::UNKNOWN_TRANSFER.to_owned()));
    for index in 1..3 {
        let chunk = &data[index * CHUNK_BYTES..(index + 1) * CHUNK_BYTES];
        new.chunk(1, index as u32, chunk).await.unwrap();
    }
    let done = new.message().await;
    assert!(matches!(done, WorkerMessage::PutDone { .. }), "{done:?}");
    old.cut();
    assert_eq!(new.download(1, digest, vec![]).await.unwrap(), data);
    worker.stop().await;
}

#[tokio::test]
async fn damaged_chunks_and_false_digests_leave_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let data = object(2 * CHUNK_BYTES, 0);
    let digest = Digest::of(&data);
    peer.put(1, digest, data.len() as u64).await.unwrap();
    peer.chunk(1, 0, &data[..CHUNK_BYTES]).await.unwrap();
    let mut damaged = encode_chunk(1, 1, &data[CHUNK_BYTES..]).unwrap();
    damaged[5000] ^= 4;
    // The window was full: what was sent behind the damage is dropped without further errors.
    peer.raw(damaged.clone()).await;
    peer.raw(damaged).await;
    assert_eq!(peer.error().await, code::CHUNK_DIGEST);
    peer.ping().await;
    // What came before the damage is good.
    let (_, sent) = peer.upload(2, &data).await.unwrap();
    assert_eq!(sent, CHUNK_BYTES as u64);

    let false_digest = Digest([9; 32]);
    peer.put(3, false_digest, 10).await.unwrap();
    assert_eq!(
        peer.chunk(3, 0, &[1; 10]).await,
        Err(code::OBJECT_DIGEST.to_owned())
    );
    assert_eq!(peer.have(vec![false_digest]).await, vec![(false_digest, 0)]);

    peer.put(4, Digest([8; 32]), 10).await.unwrap();
    assert_eq!(
        peer.chunk(4, 0, &[1; 11]).await,
        Err(code::CHUNK_ORDER.to_owned())
    );
    assert_eq!(
        peer.chunk(77, 0, &[1; 11]).await,
        Err(code::UNKNOWN_TRANSFER.to_owned())
    );
    worker.stop().await;
}

#[tokio::test]
async fn quotas_hold_before_a_byte_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        max_object_bytes: Some("2MiB".parse().unwrap()),
        max_client_bytes: Some("3MiB".parse().unwrap()),
        max_store_bytes: Some("5MiB".parse().unwrap()),
        ..Settings::default()
    };
    let worker = Worker::with(dir.path(), settings).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let mib = CHUNK_BYTES;
    let too_large = peer.put(1, Digest([1; 32]), 2 * mib as u64 + 1).await;
    assert_eq!(too_large, Err(code::OBJECT_TOO_LARGE.to_owned()));
    for size in [0, u64::MAX] {
        assert!(peer.put(1, Digest([1; 32]), size).await.is_err());
    }

    let first = object(2 * mib, 1);
    let (digest, _) = peer.upload(1, &first).await.unwrap();
    // An announced upload is charged in full before it comes.
    peer.put(2, Digest([2; 32]), mib as u64).await.unwrap();
    let over = peer.put(3, Digest([3; 32]), 1).await;
    assert_eq!(over, Err(code::QUOTA.to_owned()));
    // Closed without a byte, it is charged nothing; another client has limits of its own.
    peer.cut();
    let mut other = Peer::connect(&worker.url, 2).await;
    other.upload(1, &first).await.unwrap();
    let mut peer = Peer::connect(&worker.url, 1).await;
    let full = other.put(3, Digest([3; 32]), mib as u64).await;
    assert_eq!(full, Ok(0));
    // The store as a whole is full.
    let full = peer.put(3, Digest([4; 32]), 1).await;
    assert_eq!(full, Err(code::DISK_FULL.to_owned()));

    peer.send(&ClientMessage::Delete {
        request: 5,
        digests: vec![digest, Digest([44; 32])],
    })
    .await;
    let deleted = peer.message().await;
    let expected = WorkerMessage::Deleted {
        request: 5,
        objects: 1,
        bytes: 2 * mib as u64,
    };
    assert_eq!(deleted, expected);
    peer.upload(4, &object(mib, 5)).await.unwrap();
    worker.stop().await;

    // The account is the same after a start.
    let settings = Settings {
        max_client_bytes: Some("1MiB".parse().unwrap()),
        ..Settings::default()
    };
    let worker = Worker::with(dir.path(), settings).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    let over = peer.put(1, Digest([6; 32]), 1).await;
    assert_eq!(over, Err(code::QUOTA.to_owned()));
    worker.stop().await;
}

#[tokio::test]
async fn transfers_at_once_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    for transfer in 0..4 {
        peer.put(transfer, Digest([transfer as u8; 32]), 5)
            .await
            .unwrap();
    }
    let fifth = peer.put(4, Digest([4; 32]), 5).await;
    assert_eq!(fifth, Err(code::TOO_MANY_TRANSFERS.to_owned()));
    let again = peer.put(3, Digest([5; 32]), 5).await;
    assert_eq!(again, Err(code::UNEXPECTED.to_owned()));
    worker.stop().await;
}

#[tokio::test]
async fn a_digest_opens_nothing_of_another_client() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut owner = Peer::connect(&worker.url, 1).await;
    let data = object(5000, 0);
    let (digest, _) = owner.upload(1, &data).await.unwrap();

    let mut thief = Peer::connect(&worker.url, 2).await;
    assert_eq!(thief.have(vec![digest]).await, vec![(digest, 0)]);
    let got = thief.download(1, digest, vec![]).await;
    assert_eq!(got, Err(code::UNKNOWN_OBJECT.to_owned()));
    let started = thief.start(common::job("echo", digest)).await;
    assert_eq!(started.unwrap_err(), code::UNKNOWN_OBJECT);
    thief
        .send(&ClientMessage::Delete {
            request: 1,
            digests: vec![digest],
        })
        .await;
    let deleted = thief.message().await;
    assert!(
        matches!(deleted, WorkerMessage::Deleted { objects: 0, .. }),
        "{deleted:?}"
    );
    // Announcing it does not give it either: it has to be sent.
    assert_eq!(thief.put(2, digest, 5000).await, Ok(0));
    thief.send(&ClientMessage::DeleteAll { request: 3 }).await;
    thief.message().await;
    assert_eq!(owner.download(1, digest, vec![]).await.unwrap(), data);
    worker.stop().await;
}
