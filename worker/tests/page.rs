//! The page: served with its types and under headers that keep everything else out.

mod common;

use common::Worker;
use confide_worker::config::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Head and body of an answer, the head in lower case.
async fn get(worker: &Worker, path: &str, headers: &str) -> (String, Vec<u8>) {
    let address = worker.url["ws://".len()..].trim_end_matches("/socket");
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    (head, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn files_have_their_types_and_every_answer_the_policy() {
    let dir = tempfile::tempdir().unwrap();
    let web = dir.path().join("web");
    std::fs::create_dir(&web).unwrap();
    std::fs::write(dir.path().join("private"), "no").unwrap();
    for (name, content) in [
        ("index.html", "<!doctype html>"),
        ("app.js", "export {}"),
        ("app.wasm", "\0asm"),
        ("style.css", "a{}"),
    ] {
        std::fs::write(web.join(name), content.repeat(100)).unwrap();
    }
    let settings = Settings {
        web: Some(web),
        ..Settings::default()
    };
    let worker = Worker::with(&dir.path().join("data"), settings).await;
    for (path, status, kind) in [
        ("/", "200", "text/html"),
        ("/app.js", "200", "text/javascript"),
        ("/app.wasm", "200", "application/wasm"),
        ("/style.css", "200", "text/css"),
        ("/missing", "404", ""),
        ("/../private", "404", ""),
        ("/%2e%2e/private", "404", ""),
    ] {
        let (head, body) = get(&worker, path, "").await;
        assert!(
            head.starts_with(&format!("http/1.1 {status}")),
            "{path}: {head}"
        );
        assert!(
            head.contains(&format!("content-type: {kind}")) || kind.is_empty(),
            "{path}: {head}"
        );
        assert!(!body.starts_with(b"no"), "{path}");
        for header in [
            "content-security-policy: default-src 'none'; script-src 'self' 'wasm-unsafe-eval'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-embedder-policy: require-corp",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(header), "{path} lacks {header}: {head}");
        }
    }
    let (head, body) = get(&worker, "/app.wasm", "Accept-Encoding: gzip\r\n").await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(body.windows(2).any(|window| window == [0x1f, 0x8b]));
    let (head, body) = get(&worker, "/health", "").await;
    assert!(
        head.starts_with("http/1.1 200") && body == b"ok\n",
        "{head}"
    );
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_without_page_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        web: Some(dir.path().join("nowhere")),
        ..Settings::default()
    };
    let worker = Worker::with(&dir.path().join("data"), settings).await;
    let (head, _) = get(&worker, "/", "").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    worker.stop().await;
}
