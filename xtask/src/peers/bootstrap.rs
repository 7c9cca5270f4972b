//! Bootstraps beside poulpy's: sets differ in what they leave to a program, so a line says all of it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::crates::Crate;
use super::{Peer, Setting, build_ours};
use crate::process;
use crate::workspace::Workspace;

const LOG_N: u32 = 16;
const PEER: &str = "poulpy-ckks";

/// Our presets that the comparison holds for: arguments of `confide bench bootstrap`.
const OURS: [(&str, &[&str]); 2] = [("n16", &[]), ("n16, wide", &["--preset", "wide"])];

/// One set of one library, as its bench reports it.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Measured {
    /// Library and set.
    #[serde(default)]
    name: String,
    threads: u32,
    #[serde(alias = "peer_ms")]
    ms: f64,
    /// Bits of modulus that a program has from one bootstrap to the next.
    residual_bits: f64,
    precision_mean_bits: f64,
    precision_worst_bits: f64,
    /// Bytes of the keys on the wire, where the library tells.
    key_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
    /// The peer's set.
    #[serde(skip_serializing)]
    preset: Option<String>,
}

/// Runs both in turn and prints the medians.
///
/// # Errors
/// When poulpy or our bench cannot be built or run.
pub fn run(workspace: &Workspace, rounds: u32, threads: &[u32], json: bool) -> Result<()> {
    let mut poulpy = Crate::poulpy_bootstrap();
    poulpy
        .install(workspace)
        .context("poulpy cannot be measured here")?;
    build_ours(workspace)?;
    let mut found: BTreeMap<(u32, String), Vec<Measured>> = BTreeMap::new();
    for &threads in threads {
        let setting = Setting {
            log_n: LOG_N,
            threads,
            seconds: 0.0,
        };
        for round in 1..=rounds {
            eprintln!("  threads {threads}, round {round} of {rounds}");
            for (name, arguments) in OURS {
                let mut ours = Command::new(workspace.release_binary("confide"));
                ours.args(["bench", "bootstrap", "--json", "--runs", "1"])
                    .args(["--log-n", &LOG_N.to_string()])
                    .args(["--threads", &threads.to_string()])
                    .args(arguments);
                for mut line in lines(&mut ours)? {
                    line.name = format!("Confide {name}");
                    found
                        .entry((threads, line.name.clone()))
                        .or_default()
                        .push(line);
                }
            }
            for mut line in lines(poulpy.command(&setting)?.args(["--rounds", "1"]))? {
                line.name = format!("{PEER} {}", line.preset.as_deref().unwrap_or("?"));
                found
                    .entry((threads, line.name.clone()))
                    .or_default()
                    .push(line);
            }
        }
    }
    let rows: Vec<Measured> = found.into_values().filter_map(middle).collect();
    if json {
        for row in &rows {
            println!("{}", serde_json::to_string(row)?);
        }
        return Ok(());
    }
    print(&rows);
    Ok(())
}

/// The measurement with the median time.
fn middle(mut of: Vec<Measured>) -> Option<Measured> {
    of.sort_by(|a, b| a.ms.total_cmp(&b.ms));
    let middle = of.len() / 2;
    (middle < of.len()).then(|| of.swap_remove(middle))
}

fn lines(command: &mut Command) -> Result<Vec<Measured>> {
    let described = process::describe(command);
    let found = process::capture(command.stdin(Stdio::null()))?;
    if !found.success {
        let reason = found.stderr.trim().lines().last().unwrap_or("no reason");
        bail!("`{described}` failed: {reason}");
    }
    parse(&found.stdout).with_context(|| format!("the output of `{described}`"))
}

fn parse(text: &str) -> Result<Vec<Measured>> {
    text.lines()
        .filter(|row| row.starts_with('{'))
        .map(|row| serde_json::from_str(row).with_context(|| format!("the line {row}")))
        .collect()
}

fn print(rows: &[Measured]) {
    println!(
        "One full-slot bootstrap, N = 2^{LOG_N}. The ratio is to the fastest of poulpy's with these threads."
    );
    println!(
        "| set | threads | s | ratio | residual bits | ms a residual bit | precision, mean (worst) | keys, GB | peak, GB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let gigabytes = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!("{:.2}", bytes as f64 / 1e9),
        None => "-".to_owned(),
    };
    for row in rows {
        let fastest = rows
            .iter()
            .filter(|other| other.name.starts_with(PEER) && other.threads == row.threads)
            .map(|other| other.ms)
            .fold(f64::INFINITY, f64::min);
        println!(
            "| {} | {} | {:.2} | {:.2}x | {:.0} | {:.1} | {:.1} ({:.1}) | {} | {} |",
            row.name,
            row.threads,
            row.ms / 1e3,
            fastest / row.ms,
            row.residual_bits,
            row.ms / row.residual_bits,
            row.precision_mean_bits,
            row.precision_worst_bits,
            gigabytes(row.key_bytes),
            gigabytes(row.peak_rss_bytes),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = r#"{"bench":"bootstrap","n":65536,"threads":1,"ms":8000.0,"residual_bits":480.0,
        "precision_mean_bits":21.0,"precision_worst_bits":19.0,"key_bytes":1000,"peak_rss_bytes":2000}"#;
    const THEIRS: &str = r#"{"op":"bootstrap","n":65536,"threads":1,"peer":"poulpy-ckks 0.10","peer_ms":9000.0,
        "preset":"n16_a","residual_bits":500,"precision_mean_bits":22.0,"precision_worst_bits":20.0}"#;

    #[test]
    fn lines_of_both_sides_are_read() {
        let text = format!("{}\n{}", OURS.replace('\n', ""), THEIRS.replace('\n', ""));
        let found = parse(&text).unwrap();
        assert_eq!((found[0].ms, found[1].ms), (8000.0, 9000.0));
        assert_eq!(found[0].key_bytes, Some(1000));
        assert_eq!(found[1].preset.as_deref(), Some("n16_a"));
        assert!(parse("{\"ms\": 1}").is_err());
    }

    #[test]
    fn the_middle_of_three_is_reported() {
        let one = parse(&OURS.replace('\n', "")).unwrap().remove(0);
        let three = [3.0, 1.0, 2.0].map(|ms| Measured { ms, ..one.clone() });
        assert_eq!(middle(three.to_vec()).unwrap().ms, 2.0);
        assert!(middle(Vec::new()).is_none());
    }
}
