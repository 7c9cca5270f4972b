//! Headless Chromium through its driver, which the test starts on a free port.

use std::{
    env,
    io::{self, Read, Write},
    path::Path,
    process::Stdio,
    time::Duration,
};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Time that a browser has to end when its test has failed.
const END: Duration = Duration::from_secs(10);

/// A browser with one window. Dropped, it ends.
pub struct Chromium {
    pub client: Client,
    session: String,
    port: u16,
    driver: Child,
    closed: bool,
}

impl Chromium {
    /// Starts driver and browser; downloads go to `downloads`.
    pub async fn start(downloads: &Path) -> Self {
        let program = env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let mut driver = Command::new(program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts; `cargo verify` sets it up");
        let output = driver.stdout.take().expect("its output is ours");
        let port = timeout(PATIENCE, port_of(BufReader::new(output)))
            .await
            .expect("chromedriver listens in time");
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(downloads))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("Chromium starts");
        let session = client
            .session_id()
            .await
            .expect("a session")
            .expect("its name");
        Self {
            client,
            session,
            port,
            driver,
            closed: false,
        }
    }

    /// Ends browser and driver.
    pub async fn close(mut self) {
        let closed = self.client.clone().close().await;
        closed.expect("the browser closes");
        self.closed = true;
        // The browser is gone; the driver has nothing to tidy up.
        let _ = self.driver.kill().await;
    }

    /// Sends a command of the Chrome DevTools protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post(
            "goog/cdp/execute",
            json!({ "cmd": command, "params": parameters }),
        )
        .await
    }

    /// Entries of a log since the last call: `browser` or `performance`.
    pub async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.post("se/log", json!({ "type": kind })).await;
        entries.as_array().cloned().unwrap_or_default()
    }

    /// The driver's own commands, which no WebDriver library knows.
    async fn post(&self, command: &str, body: Value) -> Value {
        let body = body.to_string();
        let mut socket = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("the driver answers");
        let request = format!(
            "POST /session/{}/{command} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.session,
            body.len()
        );
        socket
            .write_all(request.as_bytes())
            .await
            .expect("the driver takes the command");
        // The driver keeps the connection: the answer ends where its length says.
        let mut reader = BufReader::new(socket);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            let read = reader.read_line(&mut head).await;
            assert!(read.expect("the driver answers") > 0, "{command}: cut off");
            let line = head[start..].to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).await.expect("a whole answer");
        let body = String::from_utf8(body).expect("an answer is text");
        assert!(head.starts_with("HTTP/1.1 200"), "{command}: {body}");
        let answer: Value = serde_json::from_str(&body).expect("the body is JSON");
        answer["value"].clone()
    }
}

impl Drop for Chromium {
    /// A driver that is killed leaves its browser behind, so it is told to end that first.
    fn drop(&mut self) {
        if !self.closed
            && let Err(error) = end_session(self.port, &self.session)
        {
            eprintln!("the browser of a failed test stays: {error}");
        }
    }
}

fn end_session(port: u16, session: &str) -> io::Result<()> {
    let mut socket = std::net::TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(END))?;
    let request = format!(
        "DELETE /session/{session} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    // It answers when the browser is gone.
    socket.read_exact(&mut [0])
}

async fn port_of(output: impl tokio::io::AsyncBufRead + Unpin + Send + 'static) -> u16 {
    let mut lines = output.lines();
    while let Some(line) = lines.next_line().await.expect("its output can be read") {
        let number = line
            .split_once("started successfully on port ")
            .map(|(_, end)| end.trim_end_matches('.'));
        if let Some(port) = number.and_then(|number| number.parse().ok()) {
            // The pipe has to stay open, or the driver ends at its next line.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return port;
        }
    }
    panic!("chromedriver ended without a port");
}

fn capabilities(downloads: &Path) -> serde_json::Map<String, Value> {
    let mut options = json!({
        "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--no-first-run", "--window-size=1280,900",
        ],
        "prefs": { "download.default_directory": downloads, "download.prompt_for_download": false },
        "perfLoggingPrefs": { "enableNetwork": true },
    });
    if let Some(binary) = env::var_os("CHROME") {
        options["binary"] = binary.to_string_lossy().into();
    }
    let all = json!({
        "goog:chromeOptions": options,
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
    });
    all.as_object()
        .cloned()
        .expect("capabilities are an object")
}
