//! What each phase of a command took: seconds, bytes, bootstraps.

use crate::link::Link;
use serde::Serialize;
use std::time::Instant;

/// A phase.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// From the end of the phase before.
    pub seconds: f64,
    /// Bytes of all frames sent.
    pub bytes_up: u64,
    /// Bytes of all frames received.
    pub bytes_down: u64,
    /// Of the worker.
    pub bootstraps: u64,
}

/// Phases in the order in which they first ended; those of one name add up.
pub struct Phases {
    since: Instant,
    bytes: [u64; 2],
    all: Vec<Phase>,
}

impl Phases {
    /// The first phase begins.
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            bytes: [0; 2],
            all: Vec::new(),
        }
    }

    /// A phase ends, and the next one begins.
    pub fn end(&mut self, name: &str, link: &Link, bootstraps: u64) {
        self.add(name, [link.bytes_up(), link.bytes_down()], bootstraps);
    }

    fn add(&mut self, name: &str, bytes: [u64; 2], bootstraps: u64) {
        let (now, before) = (Instant::now(), std::mem::replace(&mut self.bytes, bytes));
        let phase = Phase {
            name: name.to_owned(),
            seconds: (now - self.since).as_secs_f64(),
            bytes_up: bytes[0].saturating_sub(before[0]),
            bytes_down: bytes[1].saturating_sub(before[1]),
            bootstraps,
        };
        self.since = now;
        match self.all.iter_mut().find(|other| other.name == name) {
            None => self.all.push(phase),
            Some(sum) => {
                sum.seconds += phase.seconds;
                sum.bytes_up += phase.bytes_up;
                sum.bytes_down += phase.bytes_down;
                sum.bootstraps += phase.bootstraps;
            }
        }
    }

    /// All phases.
    pub fn all(self) -> Vec<Phase> {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_one_name_add_up() {
        let mut phases = Phases::new();
        phases.add("images", [100, 10], 0);
        phases.add("train", [130, 30], 4);
        phases.add("images", [200, 30], 1);
        let all = phases.all();
        let figures = |phase: &Phase| (phase.bytes_up, phase.bytes_down, phase.bootstraps);
        assert_eq!(all.len(), 2);
        assert_eq!(figures(&all[0]), (170, 10, 1));
        assert_eq!(figures(&all[1]), (30, 20, 4));
    }
}
