//! The evaluator on nothing: counts operations, keys and live memory of a program.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::cost::{CostModel, KeySwitchShape, Op};
use crate::error::{TensorError, need_finite, need_level, need_period};
use crate::evaluator::{Evaluator, RefreshLevels};
use crate::slots::SlotRing;

/// How often each operation runs at each level.
pub type OpCounts = BTreeMap<(Op, usize), u64>;

/// What a program needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanReport {
    /// Operation counts of each phase, in the order in which the phases began.
    pub phases: Vec<(String, OpCounts)>,
    /// Galois elements with the highest level at which each one is used.
    pub galois: BTreeMap<u64, usize>,
    /// Highest level at which a product is relinearised, if any is.
    pub relin: Option<usize>,
    /// Most limbs of polynomials alive at once in ciphertexts.
    pub peak_limbs: usize,
    /// log2 of the periods of refreshed vectors: their bootstraps need keys of their own.
    pub refreshed: BTreeSet<u32>,
    /// Lowest level of any ciphertext.
    pub lowest_level: Option<usize>,
}

impl PlanReport {
    /// How often `op` runs, over all levels and phases.
    pub fn count(&self, op: Op) -> u64 {
        let all = self.phases.iter().flat_map(|(_, counts)| counts);
        all.filter(|((kind, _), _)| *kind == op)
            .map(|(_, count)| count)
            .sum()
    }

    /// Microseconds of single-thread work of each phase.
    pub fn micros(&self, cost: &CostModel, shape: &KeySwitchShape) -> Vec<(String, f64)> {
        let phase = |counts: &OpCounts| {
            counts
                .iter()
                .map(|(&(op, level), &count)| cost.micros(op, level, shape) * count as f64)
                .sum()
        };
        self.phases
            .iter()
            .map(|(name, counts)| (name.clone(), phase(counts)))
            .collect()
    }
}

#[derive(Default)]
struct State {
    report: PlanReport,
    live: usize,
}

/// An imagined ciphertext: its level, and a share in the count of live limbs.
pub struct PlanCt {
    level: usize,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // The state is plain counters: a panic elsewhere leaves nothing half done.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PlanCt {
    fn new(level: usize, state: &Arc<Mutex<State>>) -> Self {
        let mut counters = lock(state);
        counters.live += 2 * (level + 1);
        counters.report.peak_limbs = counters.report.peak_limbs.max(counters.live);
        let lowest = counters
            .report
            .lowest_level
            .map_or(level, |lowest| lowest.min(level));
        counters.report.lowest_level = Some(lowest);
        drop(counters);
        Self {
            level,
            state: state.clone(),
        }
    }
}

impl Clone for PlanCt {
    fn clone(&self) -> Self {
        Self::new(self.level, &self.state)
    }
}

impl Drop for PlanCt {
    fn drop(&mut self) {
        lock(&self.state).live -= 2 * (self.level + 1);
    }
}

/// Runs programs on imagined ciphertexts and reports what they need.
pub struct PlanEvaluator {
    ring: SlotRing,
    max_level: usize,
    refresh: Option<RefreshLevels>,
    state: Arc<Mutex<State>>,
}

impl PlanEvaluator {
    /// For the ring of degree `2^log_n` and levels `0 ..= max_level`.
    pub fn new(log_n: u32, max_level: usize) -> Self {
        Self {
            ring: SlotRing::new(log_n),
            max_level,
            refresh: None,
            state: Arc::default(),
        }
    }

    /// Refreshes between these levels.
    #[must_use]
    pub fn with_refresh(mut self, levels: RefreshLevels) -> Self {
        self.refresh = Some(levels);
        self
    }

    /// A fresh ciphertext at `level`.
    ///
    /// # Errors
    /// [`TensorError::LevelTooHigh`].
    pub fn fresh(&self, level: usize) -> Result<PlanCt, TensorError> {
        if level > self.max_level {
            let op = "PlanEvaluator::fresh";
            return Err(TensorError::LevelTooHigh {
                op,
                needed: level,
                available: self.max_level,
            });
        }
        Ok(PlanCt::new(level, &self.state))
    }

    /// What has been recorded so far.
    pub fn report(&self) -> PlanReport {
        lock(&self.state).report.clone()
    }

    fn record(&self, op: Op, level: usize, times: u64) {
        let mut state = lock(&self.state);
        if state.report.phases.is_empty() {
            state.report.phases.push((String::new(), OpCounts::new()));
        }
        if let Some((_, counts)) = state.report.phases.last_mut() {
            *counts.entry((op, level)).or_default() += times;
        }
    }

    fn aligned(&self, a: &PlanCt, b: &PlanCt) -> usize {
        if a.level != b.level {
            // The higher operand is scaled down first.
            let level = a.level.min(b.level);
            self.record(Op::Scale, level + 1, 1);
            self.record(Op::Rescale, level + 1, 1);
        }
        a.level.min(b.level)
    }

    fn galois(&self, a: &PlanCt, element: u64) -> PlanCt {
        if element == 1 {
            return a.clone();
        }
        self.record(Op::KeySwitch, a.level, 1);
        let mut state = lock(&self.state);
        let level = state.report.galois.entry(element).or_default();
        *level = a.level.max(*level);
        drop(state);
        PlanCt::new(a.level, &self.state)
    }
}

impl Evaluator for PlanEvaluator {
    type Ct = PlanCt;

    fn slots(&self) -> usize {
        self.ring.slots()
    }

    fn max_level(&self) -> usize {
        self.max_level
    }

    fn level(&self, a: &PlanCt) -> usize {
        a.level
    }

    fn add(&self, a: &PlanCt, b: &PlanCt) -> Result<PlanCt, TensorError> {
        let level = self.aligned(a, b);
        self.record(Op::Add, level, 1);
        Ok(PlanCt::new(level, &self.state))
    }

    fn sub(&self, a: &PlanCt, b: &PlanCt) -> Result<PlanCt, TensorError> {
        self.add(a, b)
    }

    fn add_const(&self, a: &PlanCt, c: f64) -> Result<PlanCt, TensorError> {
        need_finite("add_const", c)?;
        self.record(Op::Add, a.level, 1);
        Ok(PlanCt::new(a.level, &self.state))
    }

    fn mul(&self, a: &PlanCt, b: &PlanCt) -> Result<PlanCt, TensorError> {
        self.dot(&[(a, b)])
    }

    fn dot(&self, pairs: &[(&PlanCt, &PlanCt)]) -> Result<PlanCt, TensorError> {
        let level = pairs.iter().map(|(a, b)| a.level.min(b.level)).min();
        let level = level.ok_or(TensorError::TooFewOperands {
            op: "dot",
            needed: 1,
            available: 0,
        })?;
        need_level("dot", 1, level)?;
        let mut aligned = Vec::new();
        for operand in pairs.iter().flat_map(|(a, b)| [a, b]) {
            if operand.level != level {
                self.record(Op::Scale, level + 1, 1);
                self.record(Op::Rescale, level + 1, 1);
                aligned.push(PlanCt::new(level, &self.state));
            }
        }
        self.record(Op::Product, level, pairs.len() as u64);
        self.record(Op::Relinearise, level, 1);
        let mut state = lock(&self.state);
        state.report.relin = state.report.relin.max(Some(level));
        drop(state);
        Ok(PlanCt::new(level - 1, &self.state))
    }

    fn mul_const_to(&self, a: &PlanCt, c: f64, level: usize) -> Result<PlanCt, TensorError> {
        need_finite("mul_const_to", c)?;
        need_level("mul_const_to", level + 1, a.level)?;
        self.record(Op::Scale, level + 1, 1);
        self.record(Op::Rescale, level + 1, 1);
        Ok(PlanCt::new(level, &self.state))
    }

    fn rotate(&self, a: &PlanCt, k: i64) -> Result<PlanCt, TensorError> {
        Ok(self.galois(a, self.ring.rotation(k)))
    }

    fn conjugate(&self, a: &PlanCt) -> Result<PlanCt, TensorError> {
        Ok(self.galois(a, self.ring.conjugation()))
    }

    fn mul_monomial(&self, a: &PlanCt, _k: i64) -> Result<PlanCt, TensorError> {
        self.record(Op::Monomial, a.level, 1);
        Ok(PlanCt::new(a.level, &self.state))
    }

    fn mul_periodic_to(
        &self,
        a: &PlanCt,
        values: &[f64],
        level: usize,
    ) -> Result<PlanCt, TensorError> {
        const OP: &str = "mul_periodic_to";
        need_level(OP, level + 1, a.level)?;
        need_period(OP, values.len(), self.slots())?;
        self.record(Op::Mask, level + 1, 1);
        self.record(Op::Rescale, level + 1, 1);
        Ok(PlanCt::new(level, &self.state))
    }

    fn refresh_levels(&self) -> Option<RefreshLevels> {
        self.refresh
    }

    fn refresh(&self, a: &PlanCt, log_period: u32) -> Result<PlanCt, TensorError> {
        let levels = self.refresh.ok_or(TensorError::NoRefresh { log_period })?;
        need_level("refresh", levels.input, a.level)?;
        if a.level > levels.input {
            self.record(Op::Scale, levels.input + 1, 1);
            self.record(Op::Rescale, levels.input + 1, 1);
        }
        self.record(Op::Refresh, levels.output, 1);
        lock(&self.state).report.refreshed.insert(log_period);
        Ok(PlanCt::new(levels.output, &self.state))
    }

    fn phase(&self, name: &str) {
        lock(&self.state)
            .report
            .phases
            .push((name.to_owned(), OpCounts::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_keys_and_memory_are_recorded() {
        let ev = PlanEvaluator::new(10, 3);
        ev.phase("first");
        let a = ev.fresh(3).expect("level 3");
        let b = ev.rotate(&a, 2).expect("plan");
        let c = ev.dot(&[(&a, &b), (&b, &b)]).expect("plan");
        drop((a, b));
        ev.phase("second");
        let d = ev.rotate(&c, 2).expect("plan");
        let _e = ev.conjugate(&d).expect("plan");
        let report = ev.report();
        assert_eq!(report.galois, BTreeMap::from([(25, 3), (2047, 2)]));
        assert_eq!(report.relin, Some(3));
        assert_eq!(report.peak_limbs, 2 * (4 + 4 + 3));
        assert_eq!(
            [Op::KeySwitch, Op::Relinearise, Op::Product].map(|op| report.count(op)),
            [3, 1, 2]
        );
        assert_eq!(
            report.phases[1].1,
            BTreeMap::from([((Op::KeySwitch, 2), 2)])
        );
        assert_eq!(report.lowest_level, Some(2));
        assert!(ev.fresh(4).is_err());
    }
}
