//! Pairs of measurements, their medians and ratios.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::lines::Line;

/// The peer's parameters count as equal to ours up to this share of log2(QP).
const TOLERANCE: f64 = 0.03;

/// What both sides of a ratio share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    n: u64,
    runtime: String,
    threads: u32,
    op: String,
}

impl Key {
    fn of(line: &Line) -> Self {
        Self {
            n: line.n,
            runtime: line.runtime.clone().unwrap_or_else(|| "native".into()),
            threads: line.threads,
            op: line.op.clone(),
        }
    }
}

/// One operation beside one peer.
#[derive(Debug, PartialEq, Serialize)]
pub struct Row {
    /// The operation.
    pub op: String,
    /// The ring degree.
    pub n: u64,
    /// Bits of our ciphertext modulus.
    pub log_q: Option<f64>,
    /// Bits of our special modulus.
    pub log_p: Option<f64>,
    /// Threads of both sides.
    pub threads: u32,
    /// Where both ran.
    pub runtime: String,
    /// Our kernels.
    pub backend: Option<String>,
    /// Our median over the rounds, in milliseconds.
    pub ours_ms: f64,
    /// The peer and its version.
    pub peer: String,
    /// Bits of its ciphertext modulus, if it tells.
    pub peer_log_q: Option<f64>,
    /// Bits of its special modulus, if it tells.
    pub peer_log_p: Option<f64>,
    /// Its median over the rounds, in milliseconds.
    pub peer_ms: f64,
    /// The peer's time over ours.
    pub ratio: f64,
    /// What a reader of the ratio has to know.
    pub note: String,
}

/// A row for every operation that both sides measured, in order of degree, runtime, threads,
/// operation and peer.
pub fn rows(lines: &[Line]) -> Vec<Row> {
    let mut ours: BTreeMap<Key, Vec<&Line>> = BTreeMap::new();
    let mut theirs: BTreeMap<(Key, &str), Vec<&Line>> = BTreeMap::new();
    for line in lines {
        match &line.peer {
            Some(peer) => theirs.entry((Key::of(line), peer)).or_default().push(line),
            None => ours.entry(Key::of(line)).or_default().push(line),
        }
    }
    theirs
        .into_iter()
        .filter_map(|((key, peer), lines)| {
            let both = lines.iter().any(|line| line.ours_ms.is_some());
            row(
                peer,
                if both { &lines } else { ours.get(&key)? },
                &lines,
                both,
            )
        })
        .collect()
}

fn row(peer: &str, ours: &[&Line], theirs: &[&Line], both: bool) -> Option<Row> {
    let (mine, their) = (ours.first()?, theirs.first()?);
    let ours_ms = median(ours.iter().filter_map(|line| line.ours_ms))?;
    let peer_ms = median(theirs.iter().filter_map(|line| line.peer_ms))?;
    let (peer_log_q, peer_log_p) = if both {
        (
            their.peer_log_q.or(mine.log_q),
            their.peer_log_p.or(mine.log_p),
        )
    } else {
        (their.log_q, their.log_p)
    };
    let key = Key::of(mine);
    let mut notes: Vec<String> = their.note.iter().cloned().collect();
    let sum = |q: Option<f64>, p: Option<f64>| Some(q? + p?);
    match (sum(mine.log_q, mine.log_p), sum(peer_log_q, peer_log_p)) {
        (Some(ours), Some(theirs)) if matched(ours, theirs) => {}
        (Some(_), Some(_)) => notes.push("log QP not matched".into()),
        _ => notes.push("log QP not known".into()),
    }
    Some(Row {
        op: key.op,
        n: key.n,
        log_q: mine.log_q,
        log_p: mine.log_p,
        threads: key.threads,
        runtime: key.runtime,
        backend: mine.backend.clone(),
        ours_ms,
        peer: peer.to_owned(),
        peer_log_q,
        peer_log_p,
        peer_ms,
        ratio: peer_ms / ours_ms,
        note: notes.join("; "),
    })
}

/// Whether two moduli have the same size, within the tolerance.
fn matched(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() <= TOLERANCE * ours
}

/// The middle value, or the mean of the two middle ones.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

/// One JSON object a line.
///
/// # Errors
/// Never in practice: rows hold numbers and text only.
pub fn print_json(rows: &[Row]) -> Result<()> {
    for row in rows {
        println!("{}", serde_json::to_string(row)?);
    }
    Ok(())
}

/// A table for people, in Markdown.
pub fn print(rows: &[Row]) {
    println!(
        "| operation | N | log Q+P | peer | its log Q+P | threads | ours ms | peer ms | ratio | note |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for row in rows {
        println!("{}", text(row));
    }
}

fn text(row: &Row) -> String {
    let mut note = row.note.clone();
    if row.runtime != "native" {
        note = [row.runtime.as_str(), note.as_str()]
            .join("; ")
            .trim_end_matches("; ")
            .to_owned();
    }
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {:.2}x | {} |",
        row.op,
        row.n,
        modulus(row.log_q, row.log_p),
        row.peer,
        modulus(row.peer_log_q, row.peer_log_p),
        row.threads,
        digits(row.ours_ms),
        digits(row.peer_ms),
        row.ratio,
        note
    )
}

fn modulus(log_q: Option<f64>, log_p: Option<f64>) -> String {
    match (log_q, log_p) {
        (Some(q), Some(p)) => format!("{q:.0}+{p:.0}"),
        _ => "not told".into(),
    }
}

/// Milliseconds to three significant digits or better.
fn digits(ms: f64) -> String {
    match ms {
        ms if ms < 1.0 => format!("{ms:.4}"),
        ms if ms < 100.0 => format!("{ms:.2}"),
        ms => format!("{ms:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(op: &str, threads: u32, ms: f64) -> Line {
        Line {
            op: op.into(),
            n: 32768,
            log_q: Some(660.0),
            log_p: Some(172.0),
            threads,
            ours_ms: Some(ms),
            ..Line::default()
        }
    }

    fn theirs(op: &str, threads: u32, log_q: f64, ms: f64) -> Line {
        Line {
            ours_ms: None,
            log_q: Some(log_q),
            peer: Some("Other 1.0".into()),
            peer_ms: Some(ms),
            ..ours(op, threads, 0.0)
        }
    }

    #[test]
    fn a_row_holds_medians_over_the_rounds_and_the_peers_time_over_ours() {
        let lines = [
            ours("rotate", 1, 10.0),
            theirs("rotate", 1, 660.0, 60.0),
            ours("rotate", 1, 12.0),
            theirs("rotate", 1, 660.0, 40.0),
            ours("rotate", 1, 90.0),
            theirs("rotate", 1, 660.0, 48.0),
        ];
        let rows = rows(&lines);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].ours_ms, rows[0].peer_ms), (12.0, 48.0));
        assert_eq!(rows[0].ratio, 4.0);
        assert_eq!(rows[0].note, "");
    }

    #[test]
    fn threads_and_operations_are_not_mixed() {
        let lines = [
            ours("rotate", 1, 10.0),
            ours("rotate", 2, 5.0),
            theirs("rotate", 2, 660.0, 20.0),
            theirs("encrypt", 1, 660.0, 20.0),
        ];
        let rows = rows(&lines);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].threads, rows[0].ratio), (2, 4.0));
    }

    #[test]
    fn a_line_with_both_times_is_a_pair_of_its_own() {
        let both = Line {
            ours_ms: Some(2.0),
            runtime: Some("chromium".into()),
            peer_log_p: Some(60.0),
            ..theirs("rotate", 1, 660.0, 8.0)
        };
        let rows = rows(&[ours("rotate", 1, 10.0), both]);
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].ours_ms, rows[0].ratio), (2.0, 4.0));
        assert_eq!(
            (rows[0].log_p, rows[0].peer_log_p),
            (Some(172.0), Some(60.0))
        );
        assert_eq!(rows[0].note, "log QP not matched");
    }

    #[test]
    fn a_modulus_of_another_size_is_said() {
        let found = |log_q| {
            rows(&[ours("rotate", 1, 1.0), theirs("rotate", 1, log_q, 1.0)])[0]
                .note
                .clone()
        };
        assert_eq!(found(684.0), "");
        assert_eq!(found(690.0), "log QP not matched");
    }

    #[test]
    fn the_median_of_an_even_number_is_between_the_middle_ones() {
        assert_eq!(median([4.0, 1.0, 2.0, 9.0].into_iter()), Some(3.0));
        assert_eq!(median(std::iter::empty()), None);
    }
}
