//! Hostile and broken clients get an error; everyone else goes on.

mod common;

use std::time::Duration;

use common::{Incoming, Peer, Worker, hello, object};
use confide_protocol::{
    ClientMessage, Digest, MAX_CONTROL_BYTES, MAX_DIGESTS, MAX_FRAME_BYTES, PROTOCOL_VERSION, code,
    encode_client, to_bytes,
};
use confide_worker::config::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends one frame on a connection of its own and gives the code of the error; the worker must
/// then hang up.
async fn refused(url: &str, greet: bool, frame: Vec<u8>) -> String {
    let mut peer = match greet {
        true => Peer::connect(url, 66).await,
        false => Peer::silent(url).await,
    };
    peer.raw(frame).await;
    let error = peer.error().await;
    peer.closed().await;
    error
}

#[tokio::test]
async fn broken_frames_get_an_error_while_others_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut good = Peer::connect(&worker.url, 1).await;
    good.upload(1, &object(3000, 1)).await.unwrap();

    let url = &worker.url;
    let have = encode_client(&ClientMessage::Have {
        request: 1,
        digests: vec![Digest([1; 32])],
    })
    .unwrap();
    // Truncated, with bytes left over, of no kind, of no message, a chunk without data.
    assert_eq!(
        refused(url, true, have[..20].to_vec()).await,
        code::MALFORMED
    );
    let mut longer = have.clone();
    longer.push(0);
    assert_eq!(refused(url, true, longer).await, code::MALFORMED);
    assert_eq!(refused(url, true, vec![9, 1, 2]).await, code::MALFORMED);
    assert_eq!(refused(url, true, vec![0, 250]).await, code::MALFORMED);
    assert_eq!(refused(url, true, vec![]).await, code::MALFORMED);
    assert_eq!(refused(url, true, vec![1; 41]).await, code::MALFORMED);
    // A length of 2^60 in a short frame.
    let mut claim = vec![0, 2, 1, 253];
    claim.extend((1u64 << 60).to_le_bytes());
    assert_eq!(refused(url, true, claim).await, code::MALFORMED);
    // Oversized: as a control frame, as a list, as a WebSocket frame.
    let control = vec![0; MAX_CONTROL_BYTES + 1];
    assert_eq!(refused(url, true, control).await, code::OVERSIZED);
    let many = ClientMessage::Have {
        request: 1,
        digests: vec![Digest([1; 32]); MAX_DIGESTS + 1],
    };
    let mut list = vec![0];
    list.extend(to_bytes(&many).unwrap());
    assert_eq!(refused(url, true, list).await, code::OVERSIZED);
    // Versions, before and after this one, and a greeting that this version cannot read.
    for version in [0, PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1, 9] {
        let frame = encode_client(&hello(version, 66)).unwrap();
        assert_eq!(refused(url, false, frame).await, code::VERSION);
    }
    let unreadable = vec![0, 0, PROTOCOL_VERSION as u8 + 1, 255, 255, 255];
    assert_eq!(refused(url, false, unreadable).await, code::VERSION);
    // Anything before the greeting.
    assert_eq!(refused(url, false, have).await, code::UNEXPECTED);
    let chunk = confide_protocol::encode_chunk(1, 0, &[1]).unwrap();
    assert_eq!(refused(url, false, chunk).await, code::UNEXPECTED);

    // A frame beyond everything: the worker stops reading it, and says why if it still can.
    let mut flood = Peer::connect(url, 66).await;
    flood.try_raw(vec![1; 4 * MAX_FRAME_BYTES]).await;
    match flood.next().await {
        Incoming::Message(message) => {
            let text = format!("{message:?}");
            assert!(text.contains(code::OVERSIZED), "{text}");
        }
        Incoming::Closed => {}
        other => panic!("{other:?}"),
    }

    good.ping().await;
    good.upload(2, &object(3000, 2)).await.unwrap();
    worker.stop().await;
}

#[tokio::test]
async fn text_and_second_greetings_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut peer = Peer::connect(&worker.url, 1).await;
    peer.send(&hello(1, 2)).await;
    assert_eq!(peer.error().await, code::UNEXPECTED);
    // The connection goes on as the first client.
    peer.ping().await;
    worker.stop().await;
}

#[tokio::test]
async fn random_frames_never_stop_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path()).await;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..150 {
        let mut peer = Peer::connect(&worker.url, 3).await;
        for _ in 0..4 {
            let length = random() as usize % 120;
            // Mostly well-formed starts, so that the random part reaches every message.
            let mut frame = vec![(random() % 2) as u8, (random() % 13) as u8];
            frame.extend((0..length).map(|_| (random() >> 24) as u8));
            if !peer.try_raw(frame).await {
                break;
            }
        }
        peer.cut();
    }
    let mut good = Peer::connect(&worker.url, 1).await;
    good.upload(1, &object(3000, 1)).await.unwrap();
    worker.stop().await;
}

#[tokio::test]
async fn silence_ends_a_connection_and_connections_are_limited() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        idle_timeout: Some(2),
        max_connections: Some(2),
        ..Settings::default()
    };
    let worker = Worker::with(dir.path(), settings).await;
    // A client that answers pings stays, although it says nothing.
    let mut quiet = Peer::connect(&worker.url, 1).await;
    // A client that answers nothing at all.
    let address = worker.url["ws://".len()..].trim_end_matches("/socket");
    let mut dead = TcpStream::connect(address).await.unwrap();
    dead.write_all(upgrade_request(address, "").as_bytes())
        .await
        .unwrap();
    let mut answer = [0; 12];
    dead.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");

    let mut third = TcpStream::connect(address).await.unwrap();
    third
        .write_all(upgrade_request(address, "").as_bytes())
        .await
        .unwrap();
    third.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");

    let waited = tokio::time::Instant::now();
    let mut rest = Vec::new();
    let gone = async {
        tokio::join!(dead.read_to_end(&mut rest), async {
            for _ in 0..8 {
                tokio::time::sleep(Duration::from_millis(500)).await;
                quiet.ping().await;
            }
        })
    };
    let (read, ()) = tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .expect("a dead connection is closed");
    read.unwrap();
    assert!(waited.elapsed() >= Duration::from_secs(2));
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(rest.contains(code::IDLE), "it is told why: {rest}");
    worker.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        allow_origin: Some(vec!["https://clinic.example".into()]),
        ..Settings::default()
    };
    let worker = Worker::with(dir.path(), settings).await;
    let address = worker.url["ws://".len()..].trim_end_matches("/socket");
    for (origin, status) in [
        (format!("http://{address}"), "101"),
        ("https://clinic.example".to_owned(), "101"),
        ("http://evil.example".to_owned(), "403"),
        ("null".to_owned(), "403"),
    ] {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = upgrade_request(address, &format!("Origin: {origin}\r\n"));
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        socket.read_exact(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(answer, format!("HTTP/1.1 {status}"), "{origin}");
    }
    worker.stop().await;
}

fn upgrade_request(host: &str, more: &str) -> String {
    format!(
        "GET /socket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}
