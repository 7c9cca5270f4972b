//! Layers on nothing: what a network needs, counted by running it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use confide_tensor::{CostModel, Evaluator, KeySwitchShape, Op, SlotRing, TensorError};

use super::LayerEvaluator;

/// The operations of layers that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayerOp {
    /// One of a program's operations.
    Program(Op),
    /// The decomposition that hoisted rotations share.
    Decompose,
    /// One hoisted rotation.
    Rotation,
    /// A mask on a vector.
    Mask,
    /// A weight times a vector, added to a sum.
    MultiplyAdd,
}

/// How often each operation runs at each level.
pub type LevelCounts = BTreeMap<(LayerOp, usize), u64>;

/// What a network needs.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// How often each operation runs at each level, by phase in order.
    pub phases: Vec<(String, LevelCounts)>,
    /// Galois elements with the highest level at which each one is used.
    pub galois: BTreeMap<u64, usize>,
    /// Highest level of a relinearisation.
    pub relin: Option<usize>,
    /// Most limbs of polynomials alive at once in vectors.
    pub peak_limbs: usize,
    /// Lowest level of any vector.
    pub lowest_level: Option<usize>,
}

/// Nanoseconds of a product of a residue with a weight, added, on one thread; measured at N = 2^16.
const MULTIPLY_ADD_NANOS: f64 = 0.12;
/// Share of a rotation that hoisting spares from the second on; measured at N = 2^16.
const HOISTED_SHARE: f64 = 0.43;

impl Counts {
    /// How often `op` runs.
    pub fn count(&self, op: LayerOp) -> u64 {
        let all = self.phases.iter().flat_map(|(_, counts)| counts);
        all.filter(|((kind, _), _)| *kind == op)
            .map(|(_, count)| count)
            .sum()
    }

    /// Microseconds of single-thread work of each phase; phases of one name count together.
    pub fn micros(&self, cost: &CostModel, shape: &KeySwitchShape) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (name, micros) in self.steps(cost, shape) {
            *sums.entry(name).or_default() += micros;
        }
        sums
    }

    /// Microseconds of single-thread work of each phase in order.
    pub(crate) fn steps<'a>(
        &'a self,
        cost: &'a CostModel,
        shape: &'a KeySwitchShape,
    ) -> impl Iterator<Item = (String, f64)> + 'a {
        self.phases.iter().map(|(name, counts)| {
            let micros = |(&(op, level), &count): (&(LayerOp, usize), &u64)| {
                micros(cost, shape, op, level) * count as f64
            };
            (name.clone(), counts.iter().map(micros).sum())
        })
    }

    /// Bytes of all switching keys: residues in memory, and as they travel (one half seeded, packed at `bits`).
    pub fn key_bytes(&self, shape: &KeySwitchShape, bits: f64) -> (u64, u64) {
        let words = |level: usize| {
            let (limbs, n) = (level + 1 + shape.special, 1_usize << shape.log_n);
            ((level + 1).div_ceil(shape.alpha) * limbs * n) as u64
        };
        let all: u64 = self
            .galois
            .values()
            .copied()
            .chain(self.relin)
            .map(words)
            .sum();
        (16 * all, (all as f64 * bits / 8.0) as u64)
    }
}

fn micros(cost: &CostModel, shape: &KeySwitchShape, op: LayerOp, level: usize) -> f64 {
    let words = (2 * (level + 1)) as f64 * f64::from(1_u32 << shape.log_n);
    let rotation = || cost.micros(Op::KeySwitch, level, shape);
    match op {
        LayerOp::Program(op) => cost.micros(op, level, shape),
        LayerOp::Decompose => HOISTED_SHARE * rotation(),
        LayerOp::Rotation => (1.0 - HOISTED_SHARE) * rotation(),
        LayerOp::Mask => cost.micros(Op::Scale, level, shape),
        LayerOp::MultiplyAdd => words * MULTIPLY_ADD_NANOS / 1000.0,
    }
}

#[derive(Default)]
struct State {
    counts: Counts,
    live: usize,
}

impl State {
    fn record(&mut self, op: LayerOp, level: usize, times: u64) {
        if self.counts.phases.is_empty() {
            self.counts.phases.push((String::new(), BTreeMap::new()));
        }
        if let Some((_, counts)) = self.counts.phases.last_mut() {
            *counts.entry((op, level)).or_default() += times;
        }
    }
}

/// An imagined vector.
pub struct CountCt {
    level: usize,
    state: Arc<Mutex<State>>,
}

impl CountCt {
    fn new(level: usize, state: &Arc<Mutex<State>>) -> Self {
        let mut now = lock(state);
        now.live += 2 * (level + 1);
        now.counts.peak_limbs = now.counts.peak_limbs.max(now.live);
        let lowest = now
            .counts
            .lowest_level
            .map_or(level, |lowest| lowest.min(level));
        now.counts.lowest_level = Some(lowest);
        drop(now);
        Self {
            level,
            state: state.clone(),
        }
    }
}

impl Clone for CountCt {
    fn clone(&self) -> Self {
        Self::new(self.level, &self.state)
    }
}

impl Drop for CountCt {
    fn drop(&mut self) {
        lock(&self.state).live -= 2 * (self.level + 1);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Plain counters: a panic elsewhere leaves nothing half done.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts what layers need.
pub struct CountEvaluator {
    ring: SlotRing,
    max_level: usize,
    working_bytes: usize,
    state: Arc<Mutex<State>>,
}

impl CountEvaluator {
    /// For the ring of degree `2^log_n`, levels `0 ..= max_level`, and that many bytes of rotated ciphertexts at once.
    pub fn new(log_n: u32, max_level: usize, working_bytes: usize) -> Self {
        Self {
            ring: SlotRing::new(log_n),
            max_level,
            working_bytes,
            state: Arc::default(),
        }
    }

    /// A fresh vector at the highest level.
    pub fn fresh(&self) -> CountCt {
        self.vector(self.max_level)
    }

    /// What has been counted so far.
    pub fn counts(&self) -> Counts {
        lock(&self.state).counts.clone()
    }

    fn vector(&self, level: usize) -> CountCt {
        CountCt::new(level, &self.state)
    }

    fn record(&self, op: LayerOp, level: usize, times: u64) {
        lock(&self.state).record(op, level, times);
    }

    fn galois(&self, element: u64, level: usize) -> bool {
        if element == 1 {
            return false;
        }
        let mut state = lock(&self.state);
        let highest = state.counts.galois.entry(element).or_default();
        *highest = level.max(*highest);
        true
    }

    fn automorphism(&self, a: &CountCt, element: u64) -> CountCt {
        if self.galois(element, a.level) {
            self.record(LayerOp::Program(Op::KeySwitch), a.level, 1);
        }
        self.vector(a.level)
    }

    fn lower(&self, op: &'static str, a: &CountCt) -> Result<usize, TensorError> {
        let error = TensorError::LevelTooLow {
            op,
            needed: 1,
            available: a.level,
        };
        a.level.checked_sub(1).ok_or(error)
    }
}

impl Evaluator for CountEvaluator {
    type Ct = CountCt;

    fn slots(&self) -> usize {
        self.ring.slots()
    }

    fn max_level(&self) -> usize {
        self.max_level
    }

    fn level(&self, a: &CountCt) -> usize {
        a.level
    }

    fn add(&self, a: &CountCt, b: &CountCt) -> Result<CountCt, TensorError> {
        let level = a.level.min(b.level);
        for operand in [a, b].into_iter().filter(|operand| operand.level > level) {
            self.mul_const_to(operand, 1.0, level)?;
        }
        self.record(LayerOp::Program(Op::Add), level, 1);
        Ok(self.vector(level))
    }

    fn sub(&self, a: &CountCt, b: &CountCt) -> Result<CountCt, TensorError> {
        self.add(a, b)
    }

    fn add_const(&self, a: &CountCt, _c: f64) -> Result<CountCt, TensorError> {
        self.record(LayerOp::Program(Op::Add), a.level, 1);
        Ok(self.vector(a.level))
    }

    fn mul(&self, a: &CountCt, b: &CountCt) -> Result<CountCt, TensorError> {
        self.dot(&[(a, b)])
    }

    fn dot(&self, pairs: &[(&CountCt, &CountCt)]) -> Result<CountCt, TensorError> {
        const OP: &str = "dot";
        let lowest = pairs
            .iter()
            .flat_map(|(a, b)| [*a, *b])
            .min_by_key(|a| a.level);
        let lowest = lowest.ok_or(TensorError::TooFewOperands {
            op: OP,
            needed: 1,
            available: 0,
        })?;
        let below = self.lower(OP, lowest)?;
        let mut state = lock(&self.state);
        state.record(
            LayerOp::Program(Op::Product),
            lowest.level,
            pairs.len() as u64,
        );
        state.record(LayerOp::Program(Op::Relinearise), lowest.level, 1);
        state.counts.relin = state.counts.relin.max(Some(lowest.level));
        drop(state);
        Ok(self.vector(below))
    }

    fn mul_const_to(&self, a: &CountCt, _c: f64, level: usize) -> Result<CountCt, TensorError> {
        let op = "mul_const_to";
        if a.level <= level {
            return Err(TensorError::LevelTooLow {
                op,
                needed: level + 1,
                available: a.level,
            });
        }
        self.record(LayerOp::Program(Op::Scale), level + 1, 1);
        self.record(LayerOp::Program(Op::Rescale), level + 1, 1);
        Ok(self.vector(level))
    }

    fn mul_periodic_to(
        &self,
        a: &CountCt,
        _values: &[f64],
        level: usize,
    ) -> Result<CountCt, TensorError> {
        let lowered = self.mul_const_to(a, 1.0, level)?;
        self.record(LayerOp::Program(Op::Mask), level + 1, 1);
        Ok(lowered)
    }

    fn rotate(&self, a: &CountCt, k: i64) -> Result<CountCt, TensorError> {
        Ok(self.automorphism(a, self.ring.rotation(k)))
    }

    fn conjugate(&self, a: &CountCt) -> Result<CountCt, TensorError> {
        Ok(self.automorphism(a, self.ring.conjugation()))
    }

    fn mul_monomial(&self, a: &CountCt, _k: i64) -> Result<CountCt, TensorError> {
        self.record(LayerOp::Program(Op::Monomial), a.level, 1);
        Ok(self.vector(a.level))
    }

    fn phase(&self, name: &str) {
        lock(&self.state)
            .counts
            .phases
            .push((name.to_owned(), BTreeMap::new()));
    }
}

impl LayerEvaluator for CountEvaluator {
    type Mask = ();
    type Sum = CountCt;

    fn mask(&self, _cells: &[bool], _level: usize) -> Result<(), TensorError> {
        Ok(())
    }

    fn rotations(&self, a: &CountCt, ks: &[i64]) -> Result<Vec<CountCt>, TensorError> {
        let switched = ks
            .iter()
            .filter(|&&k| self.galois(self.ring.rotation(k), a.level))
            .count();
        if switched > 0 {
            self.record(LayerOp::Decompose, a.level, 1);
            self.record(LayerOp::Rotation, a.level, switched as u64);
        }
        Ok(ks.iter().map(|_| self.vector(a.level)).collect())
    }

    fn masked(&self, a: CountCt, (): &()) -> Result<CountCt, TensorError> {
        self.record(LayerOp::Mask, a.level, 1);
        Ok(a)
    }

    fn combine(
        &self,
        sums: Option<Vec<CountCt>>,
        terms: &[&CountCt],
        rows: &[Vec<f64>],
    ) -> Result<Vec<CountCt>, TensorError> {
        const OP: &str = "combine";
        let first = terms.first().ok_or(TensorError::TooFewOperands {
            op: OP,
            needed: 1,
            available: 0,
        })?;
        self.lower(OP, first)?;
        self.record(
            LayerOp::MultiplyAdd,
            first.level,
            (terms.len() * rows.len()) as u64,
        );
        let new: Vec<CountCt> = rows.iter().map(|_| self.vector(first.level)).collect();
        let Some(sums) = sums else { return Ok(new) };
        self.record(LayerOp::Program(Op::Add), first.level, new.len() as u64);
        Ok(sums)
    }

    fn finish(&self, sum: CountCt, _constant: f64) -> Result<CountCt, TensorError> {
        let below = self.lower("finish", &sum)?;
        self.record(LayerOp::Program(Op::Rescale), sum.level, 1);
        Ok(self.vector(below))
    }

    fn working_set(&self, level: usize) -> usize {
        (self.working_bytes / (16 * (level + 1) * self.ring.degree())).max(1)
    }
}
