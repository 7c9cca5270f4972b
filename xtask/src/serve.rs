//! A folder served to a browser on this machine, and what its page sends back.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context, Result, bail};

/// The most bytes that a page may send.
const LONGEST_BODY: u64 = 1 << 20;

/// A server on a free port of 127.0.0.1. It runs until the program ends.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// Bodies that pages posted to `/result`.
    pub results: Receiver<String>,
}

/// Serves the files below `folder`. Pages are isolated from other origins, which gives them exact clocks.
///
/// # Errors
/// When no port can be had.
pub fn serve(folder: PathBuf) -> Result<Server> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port of 127.0.0.1 is free")?;
    let address = listener.local_addr()?;
    let (sender, results) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (folder, sender) = (folder.clone(), sender.clone());
            // A browser that goes away in the middle is no fault of the measurement.
            thread::spawn(move || answer(&stream, &folder, &sender));
        }
    });
    Ok(Server { address, results })
}

fn answer(stream: &TcpStream, folder: &Path, results: &Sender<String>) -> Result<()> {
    let mut reader = BufReader::new(stream).take(LONGEST_BODY);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next(), words.next());
    let (method, target) = (method.unwrap_or_default(), target.unwrap_or_default());
    let length = content_length(&mut reader)?;
    if method == "POST" && target == "/result" {
        let mut body = vec![0; length.min(LONGEST_BODY as usize)];
        reader.read_exact(&mut body)?;
        results.send(String::from_utf8_lossy(&body).into_owned())?;
        return respond(stream, "204 No Content", "text/plain", &[]);
    }
    match file(folder, target).and_then(|path| Ok((fs::read(&path)?, path))) {
        Ok((bytes, path)) if method == "GET" => {
            respond(stream, "200 OK", media_type(&path), &bytes)
        }
        _ => respond(stream, "404 Not Found", "text/plain", b"not here"),
    }
}

/// Reads the headers.
fn content_length(reader: &mut impl BufRead) -> Result<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(length);
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
}

/// The file that a target names, below `folder`.
fn file(folder: &Path, target: &str) -> Result<PathBuf> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let relative = Path::new(path.trim_start_matches('/'));
    let inside = |part: Component| matches!(part, Component::Normal(_));
    if !relative.components().all(inside) {
        bail!("{target} leaves the folder");
    }
    let path = folder.join(relative);
    Ok(if path.is_dir() {
        path.join("index.html")
    } else {
        path
    })
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}

fn respond(mut stream: &TcpStream, status: &str, media: &str, body: &[u8]) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nCross-Origin-Opener-Policy: same-origin\r\n\
         Cross-Origin-Embedder-Policy: require-corp\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_page_gets_files_and_sends_results() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index.html"), "<p>page</p>").unwrap();
        let server = serve(folder.path().to_path_buf()).unwrap();
        let page = exchange(server.address, "GET /?a=1 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("<p>page</p>"));
        let sent = "POST /result HTTP/1.1\r\nContent-Length: 2\r\n\r\nok";
        assert!(exchange(server.address, sent).starts_with("HTTP/1.1 204"));
        assert_eq!(server.results.recv().unwrap(), "ok");
    }

    #[test]
    fn nothing_outside_the_folder_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(folder.path().join("secret.txt"), "no").unwrap();
        let server = serve(inner).unwrap();
        for target in ["/../secret.txt", "/a/../../secret.txt", "/missing"] {
            let request = format!("GET {target} HTTP/1.1\r\n\r\n");
            assert!(exchange(server.address, &request).starts_with("HTTP/1.1 404"));
        }
    }
}
