//! What a run has done: operations by phase, with their levels and seconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cost::Op;

/// Operations of one kind in one phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// How many.
    pub count: u64,
    /// Seconds of the threads that ran them. Those of a combined operation (product and relinearisation, product with a
    /// constant and rescale) are under its last part.
    pub seconds: f64,
    /// Lowest and highest level before the operation.
    pub levels: (usize, usize),
}

/// The ledger of a run. Phases of the same name are one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// By phase, in the order in which the phases began.
    pub phases: Vec<(String, BTreeMap<Op, Entry>)>,
}

impl Ledger {
    /// Adds operations (kind, level, how many) that took `seconds` together.
    pub fn note(&mut self, phase: &str, ops: &[(Op, usize, usize)], seconds: f64) {
        let found = self.phases.iter().position(|(name, _)| name == phase);
        let index = found.unwrap_or_else(|| {
            self.phases.push((phase.to_owned(), BTreeMap::new()));
            self.phases.len() - 1
        });
        for (position, &(op, level, count)) in ops.iter().enumerate() {
            let entry = self.phases[index].1.entry(op).or_insert(Entry {
                count: 0,
                seconds: 0.0,
                levels: (level, level),
            });
            entry.count += count as u64;
            entry.levels = (entry.levels.0.min(level), entry.levels.1.max(level));
            if position + 1 == ops.len() {
                entry.seconds += seconds;
            }
        }
    }

    /// How many operations of a kind there were.
    pub fn count(&self, op: Op) -> u64 {
        self.entries(op).map(|entry| entry.count).sum()
    }

    /// Thread seconds of a kind of operation.
    pub fn seconds(&self, op: Op) -> f64 {
        self.entries(op).map(|entry| entry.seconds).sum()
    }

    /// Rotations, conjugations and relinearisations.
    pub fn key_switches(&self) -> u64 {
        self.count(Op::KeySwitch) + self.count(Op::Relinearise)
    }

    /// Bootstraps.
    pub fn refreshes(&self) -> u64 {
        self.count(Op::Refresh)
    }

    fn entries(&self, op: Op) -> impl Iterator<Item = &Entry> {
        self.phases.iter().filter_map(move |(_, ops)| ops.get(&op))
    }
}

/// A clock where there is one.
pub(crate) struct Stopwatch(#[cfg(not(target_arch = "wasm32"))] std::time::Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(
            #[cfg(not(target_arch = "wasm32"))]
            std::time::Instant::now(),
        )
    }

    pub(crate) fn seconds(&self) -> f64 {
        #[cfg(not(target_arch = "wasm32"))]
        return self.0.elapsed().as_secs_f64();
        #[cfg(target_arch = "wasm32")]
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_summed_by_phase_and_kind() {
        let mut ledger = Ledger::default();
        ledger.note("a", &[(Op::Product, 5, 3), (Op::Relinearise, 5, 1)], 2.0);
        ledger.note("b", &[(Op::KeySwitch, 4, 1)], 1.0);
        ledger.note("a", &[(Op::Product, 2, 1), (Op::Relinearise, 2, 1)], 0.5);
        assert_eq!(ledger.phases.len(), 2);
        assert_eq!((ledger.count(Op::Product), ledger.key_switches()), (4, 3));
        assert_eq!(ledger.seconds(Op::Relinearise), 2.5);
        assert_eq!(ledger.phases[0].1[&Op::Relinearise].levels, (2, 5));
        assert_eq!((ledger.seconds(Op::Product), ledger.refreshes()), (0.0, 0));
        assert!(Stopwatch::start().seconds() >= 0.0);
    }
}
