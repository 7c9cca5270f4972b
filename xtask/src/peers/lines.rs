//! What a bench prints: one JSON object a line for each measurement.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::process;

/// One measurement, of ours, of a peer's, or of both in one process.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Line {
    /// The operation.
    pub op: String,
    /// The ring degree.
    pub n: u64,
    /// Bits of the ciphertext modulus: the peer's in a line without `ours_ms`, and absent where
    /// the peer does not tell.
    pub log_q: Option<f64>,
    /// Bits of the special modulus, likewise.
    pub log_p: Option<f64>,
    /// Threads of whoever was measured.
    pub threads: u32,
    /// Our median in milliseconds.
    pub ours_ms: Option<f64>,
    /// Our kernels.
    pub backend: Option<String>,
    /// The peer and its version.
    pub peer: Option<String>,
    /// The peer's median in milliseconds.
    pub peer_ms: Option<f64>,
    /// In a line with both times: bits of the peer's ciphertext modulus where they are not ours.
    pub peer_log_q: Option<f64>,
    /// Likewise of its special modulus.
    pub peer_log_p: Option<f64>,
    /// Where both ran; "native" when absent.
    pub runtime: Option<String>,
    /// What a reader of the ratio has to know.
    pub note: Option<String>,
}

/// Runs a bench to its end and reads its lines.
///
/// # Errors
/// When it cannot be started, fails, or prints an object that is no measurement.
pub fn of(command: &mut Command) -> Result<Vec<Line>> {
    let described = process::describe(command);
    let found = process::capture(command.stdin(Stdio::null()))?;
    if !found.success {
        // The end of a trace back is what says why.
        let reason = found.stderr.trim().lines().last().unwrap_or("no reason");
        bail!("`{described}` failed: {reason}");
    }
    parse(&found.stdout).with_context(|| format!("the output of `{described}`"))
}

/// The measurements in a bench's output; rows that are no objects are remarks.
///
/// # Errors
/// When an object is no measurement.
pub fn parse(text: &str) -> Result<Vec<Line>> {
    text.lines()
        .filter(|row| row.starts_with('{'))
        .map(|row| serde_json::from_str(row).with_context(|| format!("the line {row}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_measurements_and_other_rows_are_not() {
        let text = "loading\n{\"op\":\"ntt\",\"n\":32768,\"log_q\":50,\"log_p\":0,\"threads\":1,\
                    \"ours_ms\":0.1,\"backend\":\"ifma\",\"peer\":null}\n";
        let lines = parse(text).unwrap();
        assert_eq!(lines.len(), 1);
        assert_eq!((lines[0].op.as_str(), lines[0].n), ("ntt", 32768));
        assert_eq!((lines[0].ours_ms, lines[0].peer_ms), (Some(0.1), None));
        assert!(parse("{\"op\":\"ntt\"}").is_err());
    }
}
