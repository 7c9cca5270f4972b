//! node-seal beside this engine, in headless Chromium and in Node.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::npm::{self, Package};
use crate::process::{self, on_path};
use crate::serve::{self, Server};
use crate::setup;
use crate::web::{self, VARIANTS};
use crate::workspace::Workspace;

/// The version that is installed from npm.
const NODE_SEAL: &str = "7.0.0";
const PEER: Package = Package {
    name: "node-seal",
    version: NODE_SEAL,
    integrity: None,
};
/// The crate with the operations.
const PACKAGE: &str = "confide-bench-wasm";
/// Primes of SEAL's modulus, which has as many bits as ours with special primes: about 49 bits each.
const SEAL_PRIMES: u32 = 17;
/// The longest that one measurement may take.
const PATIENCE: Duration = Duration::from_secs(900);

/// Measures in Chromium and in Node; answers a line for each measurement. A runtime that is missing is named and left
/// out.
///
/// # Errors
/// When node-seal cannot be installed, our wasm does not build, or a measurement fails.
pub fn measure(workspace: &Workspace, rounds: u32) -> Result<Vec<Value>> {
    let folder = workspace.target.join("peers/browser");
    stage(workspace, &folder)?;
    let peer = format!("node-seal {NODE_SEAL}");
    let mut lines = match setup::browser() {
        Ok(browser) => in_chromium(&browser.chromium, &folder, rounds, &peer)?,
        Err(error) => {
            eprintln!("  Chromium is left out: {error:#}");
            Vec::new()
        }
    };
    match in_node(&folder, rounds, &peer) {
        Ok(found) => lines.extend(found),
        Err(error) => eprintln!("  Node is left out: {error:#}"),
    }
    if lines.is_empty() {
        bail!("there is neither Chromium nor Node to measure in");
    }
    Ok(lines)
}

/// Puts scripts, both variants of our wasm and node-seal into one folder, as the page wants them.
fn stage(workspace: &Workspace, folder: &Path) -> Result<()> {
    let seal = npm::install(workspace, &PEER)?.join("dist");
    setup::wasm_target()?;
    web::replace_folder(folder)?;
    web::copy_folder(&workspace.root.join("tools/peers/browser"), folder)?;
    web::copy_folder(&seal, &folder.join("node-seal"))?;
    for variant in &VARIANTS {
        web::bindings(workspace, PACKAGE, variant, true, folder)?;
    }
    // Node reads the files as modules only if told.
    std::fs::write(folder.join("package.json"), r#"{"type":"module"}"#)?;
    Ok(())
}

fn in_chromium(chromium: &Path, folder: &Path, rounds: u32, peer: &str) -> Result<Vec<Value>> {
    let version = process::capture(Command::new(chromium).arg("--version"))?;
    let runtime: Vec<&str> = version.stdout.split_whitespace().take(2).collect();
    let server = serve::serve(folder.to_path_buf())?;
    let query = [
        ("rounds", rounds.to_string()),
        ("primes", SEAL_PRIMES.to_string()),
        ("peer", peer.replace(' ', "%20")),
        ("runtime", runtime.join("%20")),
    ]
    .map(|(name, value)| format!("{name}={value}"))
    .join("&");
    eprintln!("  measuring in {}", runtime.join(" "));
    let profile = folder.join("chromium-profile");
    let mut browser = Browser(
        Command::new(chromium)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(format!("http://{}/?{query}", server.address))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("Chromium does not start")?,
    );
    let result = result(&server, &mut browser)?;
    if let Some(error) = result["error"].as_str() {
        bail!("the page in Chromium failed: {error}");
    }
    let lines = result["lines"].as_array();
    lines.cloned().context("the page sent no lines")
}

/// Waits for the page's result, as long as the browser lives.
fn result(server: &Server, browser: &mut Browser) -> Result<Value> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match server.results.recv_timeout(Duration::from_secs(1)) {
            Ok(text) => return serde_json::from_str(&text).context("the page's result"),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = browser.0.try_wait()? {
                    bail!("Chromium ended before it had measured ({status})");
                }
            }
        }
    }
    bail!(
        "the page in Chromium sent nothing in {} s",
        PATIENCE.as_secs()
    )
}

/// A running browser; it ends with its owner.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn in_node(folder: &Path, rounds: u32, peer: &str) -> Result<Vec<Value>> {
    let node = on_path("node").context("there is none on PATH")?;
    eprintln!("  measuring in Node");
    let mut command = Command::new(&node);
    // Relaxed SIMD is behind a flag up to Node 20 and always on since.
    let flag = "--experimental-wasm-relaxed-simd";
    if process::capture(Command::new(&node).args([flag, "--version"])).is_ok_and(|f| f.success) {
        command.arg(flag);
    }
    command.arg(folder.join("node.mjs")).arg(folder);
    command.args([rounds.to_string(), SEAL_PRIMES.to_string(), peer.to_owned()]);
    let found = process::capture(command.stdin(Stdio::null()))?;
    if !found.success {
        // The first line says what Node cannot do; what follows is where.
        let reason = found.stderr.trim().lines().next().unwrap_or("no reason");
        bail!("{reason}");
    }
    found
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("a line of Node: {line}")))
        .collect()
}

/// Prints the lines as JSON or as a table.
pub fn print(lines: &[Value], json: bool) {
    if json {
        lines.iter().for_each(|line| println!("{line}"));
        return;
    }
    println!(
        "{:<17} {:<18} {:<8} {:>9} {:>12} {:<17} {:>9} {:>12} {:>7}",
        "operation", "in", "wasm", "log Q+P", "ours", "peer", "log Q+P", "peer", "ratio"
    );
    for line in lines.iter().filter(|line| line["ratio"].is_number()) {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        let bits = |q: &str, p: &str| format!("{}+{}", line[q], line[p]);
        let amount = |side: &str| {
            line[format!("{side}_ms")].as_f64().map_or_else(
                || format!("{} B", line[format!("{side}_bytes")]),
                |ms| format!("{ms:.2} ms"),
            )
        };
        println!(
            "{:<17} {:<18} {:<8} {:>9} {:>12} {:<17} {:>9} {:>12} {:>6.2}x",
            text("op"),
            text("runtime"),
            text("wasm"),
            bits("log_q", "log_p"),
            amount("ours"),
            text("peer"),
            bits("peer_log_q", "peer_log_p"),
            amount("peer"),
            line["ratio"].as_f64().unwrap_or_default()
        );
    }
    for line in lines.iter().filter(|line| line["op"] == "key_set_memory") {
        let mebibytes = |field: &str| line[field].as_f64().unwrap_or_default() / f64::from(1 << 20);
        println!(
            "{} rotation keys at N = {}, {:.0} MiB, {:.0} ms each: {:.0} MiB of wasm memory at the peak",
            line["keys"],
            line["n"],
            mebibytes("set_bytes"),
            line["ours_ms"].as_f64().unwrap_or_default(),
            mebibytes("wasm_bytes")
        );
    }
}
