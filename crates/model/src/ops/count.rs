//! Layers on nothing: what a network needs, counted by running it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use confide_tensor::{
    CostModel, Evaluator, KeySwitchShape, Op, RefreshLevels, SlotRing, TensorError,
};

use super::{LayerEvaluator, PeriodicSums, Reads, Sums, THREADS, fitting, scratch};

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
    /// Periodic weights as long as one vector together: encoded, and transformed at each limb.
    Weights,
    /// The division of a sum of rotated vectors by the special primes and a rescale in one.
    Divide,
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
    /// Most limbs of polynomials alive at once, in vectors and in what a layer needs for itself.
    pub peak_limbs: usize,
    /// Lowest level of any vector.
    pub lowest_level: Option<usize>,
}

/// Nanoseconds of processor time at N = 2^16. Those of digits and divisions are three times what the kernels take alone, as the
/// first layers of ResNet-20 did on a machine that others used; they are not fitted to whole evaluations yet.
mod nanos {
    /// A residue of a digit: its transform and its share of the base conversion.
    pub const DECOMPOSE: f64 = 7.8;
    /// A residue of a digit times both halves of a key.
    pub const ROTATION: f64 = 1.8;
    /// A residue times a weight, added.
    pub const MULTIPLY_ADD: f64 = 0.1;
    /// A residue of a periodic weight.
    pub const WEIGHTS: f64 = 6.0;
    /// A residue of a sum that is divided.
    pub const DIVIDE: f64 = 9.0;
}

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
}

fn micros(cost: &CostModel, shape: &KeySwitchShape, op: LayerOp, level: usize) -> f64 {
    let extended = (level + 1 + shape.special) as f64 * f64::from(1_u32 << shape.log_n);
    let digits = (level + 1).div_ceil(shape.alpha.max(1)) as f64;
    let nanos = match op {
        LayerOp::Program(op) => return cost.micros(op, level, shape),
        LayerOp::Decompose => digits * extended * nanos::DECOMPOSE,
        LayerOp::Rotation => digits * extended * nanos::ROTATION,
        // In the cache, with the rotation that it follows.
        LayerOp::Mask => 0.0,
        LayerOp::MultiplyAdd => 2.0 * extended * nanos::MULTIPLY_ADD,
        LayerOp::Weights => extended * nanos::WEIGHTS,
        LayerOp::Divide => 2.0 * extended * nanos::DIVIDE,
    };
    nanos / 1000.0
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
    /// Special primes that it has limbs for: sums of rotations have them.
    special: usize,
    state: Arc<Mutex<State>>,
}

impl CountCt {
    fn new(level: usize, special: usize, state: &Arc<Mutex<State>>) -> Self {
        let mut now = lock(state);
        now.live += 2 * (level + 1 + special);
        now.counts.peak_limbs = now.counts.peak_limbs.max(now.live);
        let lowest = now
            .counts
            .lowest_level
            .map_or(level, |lowest| lowest.min(level));
        now.counts.lowest_level = Some(lowest);
        drop(now);
        Self {
            level,
            special,
            state: state.clone(),
        }
    }
}

impl Clone for CountCt {
    fn clone(&self) -> Self {
        Self::new(self.level, self.special, &self.state)
    }
}

impl Drop for CountCt {
    fn drop(&mut self) {
        lock(&self.state).live -= 2 * (self.level + 1 + self.special);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Plain counters: a panic elsewhere leaves nothing half done.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a layer makes of its inputs.
struct Read {
    level: usize,
    /// Special primes of its sums.
    special: usize,
    decomposed: usize,
    /// Sources that are not inputs as they are, about.
    made: usize,
}

/// Counts what layers need.
pub struct CountEvaluator {
    ring: SlotRing,
    shape: KeySwitchShape,
    max_level: usize,
    working_bytes: u64,
    /// Levels of a refresh, and limbs that it needs for itself.
    refresh: Option<(RefreshLevels, usize)>,
    state: Arc<Mutex<State>>,
}

impl CountEvaluator {
    /// For key switches of a shape, levels `0 ..= max_level`, and that many bytes for a layer beside what it reads and makes.
    pub fn new(shape: KeySwitchShape, max_level: usize, working_bytes: u64) -> Self {
        Self {
            ring: SlotRing::new(shape.log_n),
            shape,
            max_level,
            working_bytes,
            refresh: None,
            state: Arc::default(),
        }
    }

    /// Refreshes between these levels; each time `limbs` limbs are needed beside all vectors that are alive.
    pub fn with_refresh(self, levels: RefreshLevels, limbs: usize) -> Self {
        Self {
            refresh: Some((levels, limbs)),
            ..self
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
        self.sum(level, 0)
    }

    fn sum(&self, level: usize, special: usize) -> CountCt {
        CountCt::new(level, special, &self.state)
    }

    /// What a layer needs for itself, beside all vectors that are alive.
    fn scratch(&self, level: usize, inputs: usize, sources: usize) {
        let degree = self.ring.degree();
        let bytes = scratch(degree, (level, self.digits(level)), (inputs, sources));
        let limb = (degree * size_of::<u64>()) as u64;
        self.beside((bytes / limb) as usize);
    }

    /// Limbs that are needed beside all vectors that are alive.
    fn beside(&self, limbs: usize) {
        let mut state = lock(&self.state);
        let limbs = state.live + limbs;
        state.counts.peak_limbs = state.counts.peak_limbs.max(limbs);
    }

    /// Counts what is made of the inputs of a layer.
    fn read(&self, reads: &Reads<'_, CountCt, ()>) -> Result<Read, TensorError> {
        let op = "shifted_sums";
        let first = reads.inputs.first().ok_or(TensorError::TooFewOperands {
            op,
            needed: 1,
            available: 0,
        })?;
        let level = first.level;
        self.lower(op, first)?;
        let mut rotated = vec![false; reads.inputs.len()];
        let (mut rotations, mut masks) = (0, 0);
        for &(input, shift) in &reads.sources {
            let shift = &reads.shifts[shift];
            let turned = self.galois(self.ring.rotation(shift.rotation), level);
            rotated[input] |= turned;
            rotations += usize::from(turned);
            masks += usize::from(shift.mask.is_some());
        }
        let decomposed = rotated.iter().filter(|&&turned| turned).count();
        for (op, times) in [
            (LayerOp::Decompose, decomposed),
            (LayerOp::Rotation, rotations),
            (LayerOp::Mask, masks),
        ] {
            if times > 0 {
                self.record(op, level, times as u64);
            }
        }
        Ok(Read {
            level,
            special: if decomposed > 0 {
                self.shape.special
            } else {
                0
            },
            decomposed,
            made: rotations.max(masks),
        })
    }

    fn digits(&self, level: usize) -> usize {
        (level + 1).div_ceil(self.shape.alpha)
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
        if a.level <= level {
            return Err(TensorError::LevelTooLow {
                op: "mul_periodic_to",
                needed: level + 1,
                available: a.level,
            });
        }
        self.record(LayerOp::Program(Op::Mask), level + 1, 1);
        self.record(LayerOp::Program(Op::Rescale), level + 1, 1);
        Ok(self.vector(level))
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

    fn refresh_levels(&self) -> Option<RefreshLevels> {
        self.refresh.map(|(levels, _)| levels)
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

    fn shifted_sums(
        &self,
        before: Option<Vec<CountCt>>,
        reads: &Reads<'_, CountCt, ()>,
        sums: &[Sums],
    ) -> Result<Vec<CountCt>, TensorError> {
        let read = self.read(reads)?;
        let products = sums.iter().map(|one| one.rows.len() * one.sources.len());
        let products: usize = products.sum();
        let rows: usize = sums.iter().map(|one| one.rows.len()).sum();
        self.record(LayerOp::MultiplyAdd, read.level, products as u64);
        let sum = || self.sum(read.level, read.special);
        let sums = before.unwrap_or_else(|| (0..rows).map(|_| sum()).collect());
        self.scratch(read.level, read.decomposed, read.made);
        Ok(sums)
    }

    fn periodic_sums(
        &self,
        reads: &Reads<'_, CountCt, ()>,
        sums: &[PeriodicSums<'_>],
    ) -> Result<Vec<CountCt>, TensorError> {
        let read = self.read(reads)?;
        let products = |one: &PeriodicSums<'_>| one.rows * one.sources.len();
        let all: usize = sums.iter().map(products).sum();
        let values: usize = sums.iter().map(|one| 2 * one.period * products(one)).sum();
        let polynomials = values.div_ceil(self.ring.degree());
        self.record(LayerOp::MultiplyAdd, read.level, all as u64);
        self.record(LayerOp::Weights, read.level, polynomials as u64);
        let rows: usize = sums.iter().map(|one| one.rows).sum();
        let out = (0..rows).map(|_| self.sum(read.level, read.special));
        let out = out.collect();
        self.scratch(read.level, read.decomposed, read.made);
        // Half of their coefficients, and for each thread their values at a limb.
        self.beside((1 + THREADS) * polynomials);
        Ok(out)
    }

    fn add_periodic(&self, a: &CountCt, _values: &[f64]) -> Result<CountCt, TensorError> {
        self.record(LayerOp::Program(Op::Mask), a.level, 1);
        Ok(self.vector(a.level))
    }

    fn rotated_sum(&self, terms: &[(&CountCt, i64)]) -> Result<CountCt, TensorError> {
        let level = terms.iter().map(|(ct, _)| ct.level).min().unwrap_or(0);
        let turned = |&(_, k): &(&CountCt, i64)| self.galois(self.ring.rotation(k), level);
        let rotations = terms.iter().filter(|term| turned(term)).count();
        if rotations > 0 {
            self.record(LayerOp::Decompose, level, rotations as u64);
            self.record(LayerOp::Rotation, level, rotations as u64);
            self.record(LayerOp::Divide, level, 1);
        }
        Ok(self.vector(level))
    }

    fn finish(&self, sum: CountCt, _constant: f64) -> Result<CountCt, TensorError> {
        let below = self.lower("finish", &sum)?;
        let divided = match sum.special {
            0 => LayerOp::Program(Op::Rescale),
            _ => LayerOp::Divide,
        };
        self.record(divided, sum.level, 1);
        Ok(self.vector(below))
    }

    fn refresh_real(&self, vectors: Vec<Arc<CountCt>>) -> Result<Vec<CountCt>, TensorError> {
        let op = "refresh";
        let log_period = self.slots().ilog2();
        let (levels, limbs) = self.refresh.ok_or(TensorError::NoRefresh { log_period })?;
        let bootstraps = vectors.len().div_ceil(2) as u64;
        self.record(LayerOp::Program(Op::Refresh), levels.output, bootstraps);
        let mut out = Vec::with_capacity(vectors.len());
        for vector in vectors {
            if vector.level < levels.input {
                return Err(TensorError::LevelTooLow {
                    op,
                    needed: levels.input,
                    available: vector.level,
                });
            }
            self.beside(limbs);
            drop(vector);
            out.push(self.vector(levels.output));
        }
        Ok(out)
    }

    fn group(&self, level: usize, inputs: usize, sources: usize) -> usize {
        let one = scratch(
            self.ring.degree(),
            (level, self.digits(level)),
            (inputs, sources),
        );
        fitting(self.working_bytes, one)
    }
}
