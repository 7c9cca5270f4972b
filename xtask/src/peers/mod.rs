//! Other libraries beside this one: the same operations, on the same machine, in turn.

mod bootstrap;
mod browser;
mod crates;
mod lines;
mod python;
mod table;
mod training;

use anyhow::{Result, bail};
use clap::Args;

use crate::process;
use crate::workspace::Workspace;
use lines::Line;

/// Options of `cargo xtask peers`.
#[derive(Args)]
pub struct Options {
    /// log2 of the ring degree; several with commas
    #[arg(long, value_delimiter = ',', default_value = "15", value_parser = clap::value_parser!(u32).range(13..=16))]
    log_n: Vec<u32>,
    /// Threads of both sides, for the peers that have threads; several with commas
    #[arg(long, value_delimiter = ',', default_value = "1")]
    threads: Vec<u32>,
    /// Rounds of ours and theirs in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds that our bench gives to each operation in a round
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Only these peers; several with commas
    #[arg(long, value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(names()))]
    only: Vec<String>,
    /// node-seal beside our wasm instead, at N = 2^15, in headless Chromium and in Node
    #[arg(long, conflicts_with_all = ["log_n", "threads", "seconds", "only"])]
    browser: bool,
    /// Full-slot bootstraps beside poulpy's presets instead, at N = 2^16
    #[arg(long, conflicts_with_all = ["log_n", "seconds", "only", "browser"])]
    bootstrap: bool,
    /// Training on the sample beside concrete-ml's SGDClassifier instead
    #[arg(long, conflicts_with_all = ["log_n", "threads", "rounds", "seconds", "only", "browser", "bootstrap"])]
    training: bool,
    /// Iterations that concrete-ml runs on ciphertexts
    #[arg(long, default_value_t = 3, requires = "training", value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Print one JSON object a line instead of the table
    #[arg(long)]
    json: bool,
}

/// What both sides run at.
#[derive(Clone, Copy)]
struct Setting {
    log_n: u32,
    threads: u32,
    seconds: f64,
}

/// A library, or a build of one, to stand beside ours.
trait Peer {
    /// The name for `--only` and for messages.
    fn name(&self) -> &'static str;

    /// Whether it has anything to measure there, as far as is known before it is installed.
    fn runs_at(&self, setting: &Setting) -> bool;

    /// Puts it under `target/peers`, or finds it there.
    ///
    /// # Errors
    /// When it cannot be had here: the reason, in a line. The peer is then left out.
    fn install(&mut self, workspace: &Workspace) -> Result<()>;

    /// One round. A line with only the peer's time is paired with our native bench's line of the
    /// same operation, degree and threads; a line that holds both times (both sides in one
    /// process, or in one browser) is a pair already.
    ///
    /// # Errors
    /// When its bench fails.
    fn measure(&self, workspace: &Workspace, setting: &Setting) -> Result<Vec<Line>>;

    /// Whether its lines hold only its own times, so that our native bench has to run beside it.
    fn needs_ours(&self) -> bool {
        true
    }
}

/// All peers, in the order of the table.
fn all() -> Vec<Box<dyn Peer>> {
    vec![
        Box::new(python::Wheel::seal()),
        Box::new(python::Wheel::openfhe()),
        Box::new(python::Wheel::desilo()),
        Box::new(crates::Crate::tfhe_ntt()),
        Box::new(crates::Crate::poulpy()),
    ]
}

fn names() -> Vec<&'static str> {
    all().iter().map(|peer| peer.name()).collect()
}

/// Installs the peers, measures in turn and prints medians and ratios.
///
/// # Errors
/// When our own bench cannot be built or run. A peer that cannot be installed, or fails, is named
/// in the output with the reason and left out.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.browser {
        let lines = browser::measure(workspace, options.rounds)?;
        browser::print(&lines, options.json);
        return Ok(());
    }
    if options.bootstrap {
        return bootstrap::run(workspace, options.rounds, &options.threads, options.json);
    }
    if options.training {
        return training::run(workspace, options.iterations, options.json);
    }
    let mut peers = all();
    peers.retain(|peer| options.only.is_empty() || options.only.iter().any(|n| n == peer.name()));
    peers.retain_mut(|peer| match peer.install(workspace) {
        Ok(()) => true,
        Err(error) => {
            eprintln!("  {} is left out: {error:#}", peer.name());
            false
        }
    });
    if peers.is_empty() {
        bail!("no other library could be installed; see the reasons above");
    }
    if peers.iter().any(|peer| peer.needs_ours()) {
        build_ours(workspace)?;
    }

    let mut lines = Vec::new();
    for &log_n in &options.log_n {
        for &threads in &options.threads {
            let setting = Setting {
                log_n,
                threads,
                seconds: options.seconds,
            };
            lines.extend(rounds(workspace, options.rounds, &mut peers, &setting)?);
        }
    }
    let rows = table::rows(&lines);
    if options.json {
        table::print_json(&rows)
    } else {
        table::print(&rows);
        Ok(())
    }
}

/// Builds our native benches.
fn build_ours(workspace: &Workspace) -> Result<()> {
    process::run(process::cargo(&workspace.root).args(["build", "--release", "-p", "confide-cli"]))
}

/// Ours, theirs, ours, theirs. A peer that fails is not asked again.
fn rounds(
    workspace: &Workspace,
    rounds: u32,
    peers: &mut Vec<Box<dyn Peer>>,
    setting: &Setting,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for round in 1..=rounds {
        eprintln!(
            "  N = 2^{}, threads {}, round {round} of {rounds}",
            setting.log_n, setting.threads
        );
        let mut failed = Vec::new();
        for peer in peers.iter().filter(|peer| peer.runs_at(setting)) {
            if peer.needs_ours() {
                lines.extend(ours(workspace, setting)?);
            }
            match peer.measure(workspace, setting) {
                Ok(found) => lines.extend(found),
                Err(error) => {
                    eprintln!("  {} is left out: {error:#}", peer.name());
                    failed.push(peer.name());
                }
            }
        }
        peers.retain(|peer| !failed.contains(&peer.name()));
    }
    Ok(lines)
}

/// One round of our own native bench.
fn ours(workspace: &Workspace, setting: &Setting) -> Result<Vec<Line>> {
    lines::of(
        std::process::Command::new(workspace.release_binary("confide"))
            .args(["bench", "engine", "--json"])
            .args(["--log-n", &setting.log_n.to_string()])
            .args(["--threads", &setting.threads.to_string()])
            .args(["--seconds", &setting.seconds.to_string()]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_has_its_own_name() {
        let mut found = names();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), all().len());
    }
}
