//! `cargo demo`: the whole product on the sample, from nothing to a served page.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::running::{self, Running};
use crate::steps::Steps;
use crate::web;
use crate::workspace::Workspace;

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

    let data = workspace.target.join("demo-data");
    let stopped = || interrupted.load(Ordering::SeqCst);
    let (mut worker, address) = running::worker(workspace, &data, Some(&dist), &stopped)?;

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
