//! `cargo demo`: the whole product on the sample, from nothing to a served page.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::process;
use crate::steps::Steps;
use crate::web;
use crate::workspace::Workspace;

/// The first port that is tried.
const FIRST_PORT: u16 = 8443;
/// How many ports are tried after it.
const PORTS: u16 = 100;
/// How long the worker may take to listen, and to stop when asked.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How to run the demo.
#[derive(clap::Args)]
pub struct Options {
    /// End after the result instead of serving the page
    #[arg(long)]
    exit: bool,
}

/// Builds all, trains on the sample through a worker, and serves the page until Ctrl-C.
///
/// # Errors
/// When something does not build, the worker does not start or the training fails.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let sample = workspace.root.join("samples/wisconsin.csv");
    if !sample.is_file() {
        bail!(
            "the sample {} is missing from this checkout",
            sample.display()
        );
    }
    let mut steps = Steps::default();
    let dist = steps.run("build the page", || {
        let release = web::Options {
            release: true,
            ..web::Options::default()
        };
        web::build(workspace, &release)
    })?;
    steps.run("build the worker and the terminal client", || {
        build_programs(workspace)
    })?;

    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))
        .context("cannot listen for Ctrl-C")?;

    let address = free_address()?;
    let data = workspace.target.join("demo-data");
    let mut worker = Running::start(
        "confide-worker",
        Command::new(workspace.release_binary("confide-worker"))
            .arg("--listen")
            .arg(address.to_string())
            .arg("--data")
            .arg(&data)
            .arg("--web")
            .arg(&dist),
    )?;
    wait_until_listening(&mut worker, address, &interrupted)?;

    let trained = steps.run("train on the sample, encrypted", || {
        let mut client = Running::start(
            "confide",
            Command::new(workspace.release_binary("confide"))
                .current_dir(&workspace.root)
                .args(["train", "--worker", &format!("ws://{address}")])
                .arg("--csv")
                .arg(workspace.short(&sample))
                .args(["--label", "diagnosis", "--test-fraction", "0.2"])
                .args(["--seed", "1"]),
        )?;
        finish(&mut client, &mut worker, &interrupted)
    });
    steps.print_summary();
    trained?;
    if options.exit {
        return worker.stop();
    }
    println!("\nThe page is served at http://{address}/ (Ctrl-C stops the worker).");
    while !interrupted.load(Ordering::SeqCst) {
        if let Some(status) = worker.ended()? {
            bail!("the worker ended by itself ({status})");
        }
        sleep(Duration::from_millis(200));
    }
    eprintln!("Stopping the worker.");
    worker.stop()
}

/// Builds both programs, each by itself: built together, cargo would unify their features and
/// the worker would hold code for secret keys.
///
/// # Errors
/// When one does not build.
pub fn build_programs(workspace: &Workspace) -> Result<()> {
    for package in ["confide-worker", "confide-cli"] {
        let mut cargo = process::cargo(&workspace.root);
        process::run(cargo.args(["build", "--release", "--package", package]))?;
    }
    Ok(())
}

/// The first free port of this machine from 8443 on.
fn free_address() -> Result<SocketAddr> {
    (FIRST_PORT..FIRST_PORT + PORTS)
        .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
        .find(|address| TcpListener::bind(address).is_ok())
        .with_context(|| format!("no free port from {FIRST_PORT} on"))
}

fn wait_until_listening(
    worker: &mut Running,
    address: SocketAddr,
    interrupted: &AtomicBool,
) -> Result<()> {
    let start = Instant::now();
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if let Some(status) = worker.ended()? {
            bail!("the worker ended before it listened on {address} ({status})");
        }
        if interrupted.load(Ordering::SeqCst) {
            bail!("interrupted");
        }
        if start.elapsed() > START_LIMIT {
            bail!("the worker does not listen on {address} after {START_LIMIT:?}");
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Waits for the client; a worker that dies or Ctrl-C ends the wait.
fn finish(client: &mut Running, worker: &mut Running, interrupted: &AtomicBool) -> Result<()> {
    loop {
        if let Some(status) = client.ended()? {
            if interrupted.load(Ordering::SeqCst) {
                bail!("interrupted");
            }
            if !status.success() {
                bail!("`confide train` failed ({status})");
            }
            return Ok(());
        }
        if let Some(status) = worker.ended()? {
            bail!("the worker ended during the training ({status})");
        }
        if interrupted.load(Ordering::SeqCst) {
            bail!("interrupted");
        }
        sleep(Duration::from_millis(50));
    }
}

/// A program that does not outlive this value: asked to stop, then killed.
struct Running {
    name: &'static str,
    child: Child,
    status: Option<ExitStatus>,
}

impl Running {
    fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        eprintln!("  $ {}", process::describe(command));
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name,
            child,
            status: None,
        })
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Asks the program to stop, and kills it when it does not.
    fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)
                .with_context(|| format!("cannot signal {}", self.name))?;
        }
        let start = Instant::now();
        while start.elapsed() < STOP_LIMIT {
            if self.ended()?.is_some() {
                return Ok(());
            }
            sleep(Duration::from_millis(20));
        }
        eprintln!("{} did not stop within {STOP_LIMIT:?}: killed", self.name);
        self.child.kill()?;
        self.status = Some(self.child.wait()?);
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.stop().is_err() {
            // The last resort; the program may already be gone.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_passed_over() {
        let first = free_address().unwrap();
        let _held = TcpListener::bind(first).unwrap();
        assert!(free_address().unwrap().port() > first.port());
    }

    #[test]
    fn a_child_ends_with_its_value() {
        let running = Running::start("sleep", Command::new("sleep").arg("600")).unwrap();
        let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_ok());
        drop(running);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }
}
