//! Training on the sample beside concrete-ml's `SGDClassifier`: the same records, the same held-out ones.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::python::Environment;
use crate::demo::build_programs;
use crate::process;
use crate::running;
use crate::workspace::Workspace;

const TABLE: &str = "samples/wisconsin.csv";
const LABEL: &str = "diagnosis";
const WHEEL: Environment = Environment {
    wheel: "concrete-ml",
    module: "concrete.ml",
    pythons: &["python3.11", "python3.10", "python3.12", "python3"],
};

/// One system's training.
#[derive(Clone, Debug, Serialize)]
struct Row {
    system: String,
    /// Records that the iterations used, and those of one iteration.
    records: u64,
    batch: u64,
    iterations: u64,
    /// Iterations on ciphertexts, as the compute party counts them.
    seconds_training: f64,
    /// Everything: keys, encryption, transfer, training.
    seconds_total: f64,
    records_per_second: f64,
    accuracy_encrypted: f64,
    accuracy_clear: f64,
    key_bytes: u64,
    data_bytes: u64,
}

/// What the peer's script prints.
#[derive(Debug, Deserialize)]
struct Peer {
    peer: String,
    batch: u64,
    iterations: u64,
    seconds_total: f64,
    seconds_training: f64,
    key_bytes: u64,
    data_bytes: u64,
    /// After `iterations`.
    accuracy_encrypted: f64,
    /// After `long_iterations`, in the library's simulation of encryption and without it.
    accuracy_simulated: f64,
    accuracy_clear: f64,
    long_iterations: u64,
}

/// Trains with both in turn and prints the table. concrete-ml runs `iterations` of its own.
///
/// # Errors
/// When concrete-ml cannot be installed, or either side fails.
pub fn run(workspace: &Workspace, iterations: u32, json: bool) -> Result<()> {
    let python = WHEEL
        .install(workspace)
        .context("concrete-ml cannot be measured here")?;
    build_programs(workspace)?;
    let folder = workspace.target.join("peers/training");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let predictions = folder.join("predictions.csv");
    let mut rows = Vec::new();
    for (name, arguments) in [
        ("Confide, within the levels", [].as_slice()),
        (
            "Confide, with bootstraps",
            ["--epochs", "8", "--batch", "512"].as_slice(),
        ),
    ] {
        rows.push(ours(workspace, &folder, &predictions, name, arguments)?);
    }
    let (peer, simulated) = theirs(workspace, &python, &predictions, iterations)?;
    rows.push(peer);
    if json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
    } else {
        print(&rows, &simulated);
    }
    Ok(())
}

/// A client and a worker, each a process, over the socket.
fn ours(
    workspace: &Workspace,
    folder: &Path,
    predictions: &Path,
    name: &str,
    arguments: &[&str],
) -> Result<Row> {
    let (mut worker, address) =
        running::worker(workspace, &folder.join("worker"), None, &|| false)?;
    let mut command = Command::new(workspace.release_binary("confide"));
    command
        .current_dir(&workspace.root)
        .args(["train", "--worker", &format!("ws://{address}")])
        .args(["--csv", TABLE, "--label", LABEL, "--test-fraction", "0.2"])
        .args(["--seed", "1", "--json", "--out"])
        .arg(predictions)
        .args(arguments);
    let found = captured(&mut command)?;
    worker.stop()?;
    let report: Value = serde_json::from_str(found.trim()).context("the report of the training")?;
    our_row(name, &report).context("the report of the training lacks a figure")
}

/// The figures of `confide train --json`.
fn our_row(name: &str, report: &Value) -> Option<Row> {
    let records = report["train_rows"].as_u64()?;
    let iterations = report["plan"]["iterations"].as_u64()?;
    let phases = report["worker_seconds"].as_array()?;
    let of_iterations = phases.iter().filter(|phase| {
        phase[0]
            .as_str()
            .is_some_and(|name| !name.starts_with(READING))
    });
    let seconds_training = of_iterations.filter_map(|phase| phase[1].as_f64()).sum();
    // Every iteration uses all records; with bootstraps too, because the minibatches asked for hold the whole table.
    let used = records * iterations;
    Some(Row {
        system: name.into(),
        records: used,
        batch: records,
        iterations,
        seconds_training,
        seconds_total: report["seconds_total"].as_f64()?,
        records_per_second: used as f64 / seconds_training,
        accuracy_encrypted: report["accuracy_encrypted"].as_f64()?,
        accuracy_clear: report["accuracy_converged"].as_f64()?,
        key_bytes: report["ledger"]["evaluation_key_bytes"].as_u64()?,
        data_bytes: report["ledger"]["ciphertext_bytes"].as_u64()?,
    })
}

/// How the worker's phase before the training proper begins.
const READING: &str = "read keys";

fn theirs(
    workspace: &Workspace,
    python: &PathBuf,
    predictions: &Path,
    iterations: u32,
) -> Result<(Row, String)> {
    eprintln!("  concrete-ml, {iterations} iterations on ciphertexts: minutes each");
    let mut command = Command::new(python);
    command
        .arg(workspace.root.join("tools/peers/concrete_training.py"))
        .arg("--csv")
        .arg(workspace.root.join(TABLE))
        .args(["--label", LABEL, "--test-rows"])
        .arg(predictions)
        .args(["--iterations", &iterations.to_string()])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let found = captured(&mut command)?;
    let line = found
        .lines()
        .rev()
        .find(|line| line.starts_with('{'))
        .context("concrete-ml's script printed no figures")?;
    let peer: Peer = serde_json::from_str(line).context("the figures of concrete-ml")?;
    let used = peer.batch * peer.iterations;
    let row = Row {
        system: peer.peer,
        records: used,
        batch: peer.batch,
        iterations: peer.iterations,
        seconds_training: peer.seconds_training,
        seconds_total: peer.seconds_total,
        records_per_second: used as f64 / peer.seconds_training,
        accuracy_encrypted: peer.accuracy_encrypted,
        accuracy_clear: peer.accuracy_clear,
        key_bytes: peer.key_bytes,
        data_bytes: peer.data_bytes,
    };
    let simulated = format!(
        "{:.2} % after {} iterations in its simulation",
        100.0 * peer.accuracy_simulated,
        peer.long_iterations
    );
    Ok((row, simulated))
}

fn captured(command: &mut Command) -> Result<String> {
    let described = process::describe(command);
    eprintln!("  $ {described}");
    let found = process::capture(command.stdin(Stdio::null()))?;
    if !found.success {
        let reason = found.stderr.trim().lines().last().unwrap_or("no reason");
        bail!("`{described}` failed: {reason}");
    }
    Ok(found.stdout)
}

fn print(rows: &[Row], simulated: &str) {
    println!(
        "Training on {TABLE}, a fifth held out, the same records for all. In the clear: Confide's converged head; \
         concrete-ml's own program without encryption. concrete-ml reaches {simulated}."
    );
    println!(
        "| system | records an iteration | iterations | training, s | all, s | records a second | ratio | accuracy \
         (in the clear) | keys, MB | data, MB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let theirs = rows.last().map_or(f64::NAN, |row| row.records_per_second);
    for row in rows {
        println!(
            "| {} | {} | {} | {:.1} | {:.1} | {:.3} | {:.0}x | {:.2} % ({:.2} %) | {:.1} | {:.3} |",
            row.system,
            row.batch,
            row.iterations,
            row.seconds_training,
            row.seconds_total,
            row.records_per_second,
            row.records_per_second / theirs,
            100.0 * row.accuracy_encrypted,
            100.0 * row.accuracy_clear,
            row.key_bytes as f64 / 1e6,
            row.data_bytes as f64 / 1e6,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_no_training() {
        let report = serde_json::json!({
            "train_rows": 456, "seconds_total": 9.0, "accuracy_encrypted": 0.97, "accuracy_converged": 0.98,
            "plan": {"iterations": 4},
            "worker_seconds": [[READING, 5.0], ["unpack records", 1.0], ["iteration 1", 3.0]],
            "ledger": {"evaluation_key_bytes": 10, "ciphertext_bytes": 20},
        });
        let row = our_row("ours", &report).unwrap();
        assert_eq!((row.records, row.seconds_training), (1824, 4.0));
        assert_eq!(row.records_per_second, 456.0);
        assert!(our_row("ours", &serde_json::json!({"train_rows": 1})).is_none());
    }
}
