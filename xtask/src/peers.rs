//! Other libraries beside this one: the same operations, on the same machine, in turn.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::process::{self, on_path};
use crate::workspace::Workspace;

/// Options of `cargo xtask peers`.
#[derive(Args)]
pub struct Options {
    /// Rounds of ours and theirs in turn
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Threads of OpenFHE and of ours (SEAL has one)
    #[arg(long, default_value_t = 1)]
    threads: u32,
    /// log2 of the ring degree
    #[arg(long, default_value_t = 15)]
    log_n: u32,
    /// Print one JSON object a line instead of the table
    #[arg(long)]
    json: bool,
}

/// A library that a Python wheel brings.
struct Peer {
    wheel: &'static str,
    script: &'static str,
    /// Python versions that the wheel was built for, best first.
    pythons: &'static [&'static str],
    threads: bool,
}

const PEERS: [Peer; 2] = [
    Peer {
        wheel: "tenseal",
        script: "seal_engine.py",
        pythons: &[
            "python3.11",
            "python3.12",
            "python3.10",
            "python3.9",
            "python3",
        ],
        threads: false,
    },
    Peer {
        wheel: "openfhe",
        script: "openfhe_engine.py",
        pythons: &["python3.10", "python3"],
        threads: true,
    },
];

/// An operation at one ring: what both sides of a ratio share.
type Key = (String, u64);

/// Installs the peers, measures in turn and prints medians and ratios.
///
/// # Errors
/// When our own bench cannot be built or run. A peer that cannot be installed is named in the
/// output and left out.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    process::run(process::cargo(&workspace.root).args([
        "build",
        "--release",
        "-p",
        "confide-cli",
    ]))?;
    let installed: Vec<(&Peer, PathBuf)> = PEERS
        .iter()
        .filter_map(|peer| match install(workspace, peer) {
            Ok(python) => Some((peer, python)),
            Err(error) => {
                eprintln!("  {} is left out: {error:#}", peer.wheel);
                None
            }
        })
        .collect();
    if installed.is_empty() {
        bail!("no other library could be installed from PyPI; see the reasons above");
    }

    let mut ours: BTreeMap<Key, Vec<Value>> = BTreeMap::new();
    let mut theirs: BTreeMap<(Key, String), Vec<Value>> = BTreeMap::new();
    for round in 1..=options.rounds {
        eprintln!("  round {round} of {}", options.rounds);
        for line in measure(&mut our_bench(workspace, options))? {
            ours.entry(key(&line)?).or_default().push(line);
        }
        for (peer, python) in &installed {
            for line in measure(&mut peer_bench(workspace, peer, python, options))? {
                let name = text(&line, "peer")?;
                theirs.entry((key(&line)?, name)).or_default().push(line);
            }
        }
    }
    print(options, &ours, &theirs)
}

fn our_bench(workspace: &Workspace, options: &Options) -> Command {
    let mut command = Command::new(workspace.release_binary("confide"));
    command
        .args(["bench", "engine", "--json", "--log-n"])
        .arg(options.log_n.to_string())
        .arg("--threads")
        .arg(options.threads.to_string());
    command
}

fn peer_bench(workspace: &Workspace, peer: &Peer, python: &Path, options: &Options) -> Command {
    let mut command = Command::new(python);
    command
        .arg(workspace.root.join("tools/peers").join(peer.script))
        .args(["--log-n", &options.log_n.to_string()]);
    let threads = if peer.threads { options.threads } else { 1 };
    command.env("OMP_NUM_THREADS", threads.to_string());
    command
}

/// A Python environment under the target folder with the wheel in it.
fn install(workspace: &Workspace, peer: &Peer) -> Result<PathBuf> {
    let folder = workspace.target.join("peers").join(peer.wheel);
    let python = folder.join("bin/python");
    let module = peer.wheel;
    let works = |python: &Path| {
        process::capture(Command::new(python).args(["-c", &format!("import {module}")]))
            .is_ok_and(|found| found.success)
    };
    if works(&python) {
        return Ok(python);
    }
    let mut reason = "no Python interpreter was found".to_owned();
    for name in peer.pythons {
        let Some(base) = interpreter(name) else {
            continue;
        };
        let _ = std::fs::remove_dir_all(&folder);
        let made = process::capture(Command::new(&base).args(["-m", "venv"]).arg(&folder))?;
        if !made.success {
            reason = format!("{name} cannot make an environment: {}", made.stderr.trim());
            continue;
        }
        eprintln!("  installing {} for {name}", peer.wheel);
        let pip = process::capture(
            Command::new(&python)
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .arg(peer.wheel)
                .stdin(Stdio::null()),
        )?;
        if pip.success && works(&python) {
            return Ok(python);
        }
        reason = format!("its wheel does not work with {name}: {}", pip.stderr.trim());
    }
    bail!(reason)
}

/// The interpreter of that version, also where a version manager keeps several.
fn interpreter(name: &str) -> Option<PathBuf> {
    let answers = |path: &Path| {
        process::capture(Command::new(path).arg("--version")).is_ok_and(|found| found.success)
    };
    let found = on_path(name).filter(|path| answers(path));
    found.or_else(|| {
        let version = name.strip_prefix("python")?;
        let home = PathBuf::from(std::env::var_os("HOME")?);
        std::fs::read_dir(home.join(".pyenv/versions"))
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| {
                path.file_name()
                    .is_some_and(|v| v.to_string_lossy().starts_with(&format!("{version}.")))
            })
            .map(|path| path.join("bin/python"))
            .filter(|path| answers(path))
    })
}

/// Runs a bench to its end and reads its lines.
fn measure(command: &mut Command) -> Result<Vec<Value>> {
    let line = process::describe(command);
    let found = process::capture(command.stdin(Stdio::null()))?;
    if !found.success {
        bail!("`{line}` failed:\n{}", found.stderr);
    }
    found
        .stdout
        .lines()
        .filter(|row| row.starts_with('{'))
        .map(|row| serde_json::from_str(row).with_context(|| format!("a line of `{line}`: {row}")))
        .collect()
}

fn key(line: &Value) -> Result<Key> {
    Ok((
        text(line, "op")?,
        line["n"].as_u64().context("a measurement without `n`")?,
    ))
}

fn text(line: &Value, field: &str) -> Result<String> {
    Ok(line[field]
        .as_str()
        .with_context(|| format!("a measurement without `{field}`"))?
        .to_owned())
}

/// The median of a field over the rounds.
fn median(lines: &[Value], field: &str) -> Result<f64> {
    let mut values: Vec<f64> = lines.iter().filter_map(|l| l[field].as_f64()).collect();
    values.sort_by(f64::total_cmp);
    values
        .get(values.len() / 2)
        .copied()
        .with_context(|| format!("no measurement of `{field}`"))
}

fn print(
    options: &Options,
    ours: &BTreeMap<Key, Vec<Value>>,
    theirs: &BTreeMap<(Key, String), Vec<Value>>,
) -> Result<()> {
    if !options.json {
        println!(
            "{:<20} {:>6} {:>9} {:>11} {:<28} {:>9} {:>11} {:>7}",
            "operation", "N", "log Q+P", "ours ms", "peer", "log Q+P", "peer ms", "ratio"
        );
    }
    for ((key, peer), lines) in theirs {
        let Some(mine) = ours.get(key) else { continue };
        let (ours_ms, peer_ms) = (median(mine, "ours_ms")?, median(lines, "peer_ms")?);
        let (my, their) = (&mine[0], &lines[0]);
        if options.json {
            let row = serde_json::json!({
                "op": key.0, "n": key.1,
                "log_q": my["log_q"], "log_p": my["log_p"], "threads": my["threads"],
                "ours_ms": ours_ms, "peer": peer,
                "peer_log_q": their["log_q"], "peer_log_p": their["log_p"],
                "peer_threads": their["threads"], "peer_ms": peer_ms,
                "ratio": peer_ms / ours_ms,
            });
            println!("{row}");
        } else {
            println!(
                "{:<20} {:>6} {:>9} {:>11.3} {:<28} {:>9} {:>11.3} {:>6.1}x",
                key.0,
                key.1,
                format!("{}+{}", my["log_q"], my["log_p"]),
                ours_ms,
                peer,
                format!("{}+{}", their["log_q"], their["log_p"]),
                peer_ms,
                peer_ms / ours_ms
            );
        }
    }
    Ok(())
}
