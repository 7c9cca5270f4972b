//! Progress, cancellation and the ledger of a run, wrapped around any evaluator.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use parking::Phase;

use crate::cost::{CostModel, KeySwitchShape, Op};
use crate::error::TensorError;
use crate::evaluator::{Evaluator, RefreshLevels};
use crate::ledger::{Ledger, Stopwatch};

/// Learns how far a program is and may stop it.
pub trait Observer: Sync {
    /// `done` of `total` units of predicted work (microseconds of one thread) are finished, in `phase`.
    fn progress(&self, done: u64, total: u64, phase: &str);

    /// Asked before every operation; `true` ends the program with [`TensorError::Cancelled`].
    fn cancelled(&self) -> bool;
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn progress(&self, _done: u64, _total: u64, _phase: &str) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// An evaluator that reports each operation of the inner one to an observer.
pub struct Observed<'a, E, O> {
    inner: &'a E,
    observer: &'a O,
    cost: CostModel,
    shape: KeySwitchShape,
    total: u64,
    done: AtomicU64,
    phase: Phase,
    ledger: Mutex<Ledger>,
}

impl<'a, E: Evaluator, O: Observer> Observed<'a, E, O> {
    /// Wraps `inner`; `total` is the predicted work of the whole program by the same cost model, in microseconds.
    pub fn new(
        inner: &'a E,
        observer: &'a O,
        cost: CostModel,
        shape: KeySwitchShape,
        total: u64,
    ) -> Self {
        Self {
            inner,
            observer,
            cost,
            shape,
            total,
            done: AtomicU64::new(0),
            phase: Phase::default(),
            ledger: Mutex::default(),
        }
    }

    /// Counts on from where an earlier start of the same program was.
    #[must_use]
    pub fn resumed_at(self, done: u64) -> Self {
        self.done.store(done, Ordering::Relaxed);
        self
    }

    /// Predicted work that is done, in microseconds.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// What has been done so far.
    pub fn ledger(&self) -> Ledger {
        let ledger = self.ledger.lock();
        ledger.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn run(
        &self,
        ops: &[(Op, usize, usize)],
        operation: impl FnOnce() -> Result<E::Ct, TensorError>,
    ) -> Result<E::Ct, TensorError> {
        if self.observer.cancelled() {
            return Err(TensorError::Cancelled);
        }
        let watch = Stopwatch::start();
        let result = operation()?;
        let seconds = watch.seconds();
        let micros: f64 = ops
            .iter()
            .map(|&(op, level, times)| self.cost.micros(op, level, &self.shape) * times as f64)
            .sum();
        let work = micros.round() as u64;
        let done = self.done.fetch_add(work, Ordering::Relaxed) + work;
        self.phase.with(|phase| {
            let ledger = self.ledger.lock();
            let mut ledger = ledger.unwrap_or_else(PoisonError::into_inner);
            ledger.note(phase, ops, seconds);
            drop(ledger);
            self.observer
                .progress(done.min(self.total), self.total, phase)
        });
        Ok(result)
    }

    fn lower(&self, a: &E::Ct, b: &E::Ct) -> usize {
        self.level(a).min(self.level(b))
    }
}

impl<E: Evaluator, O: Observer> Evaluator for Observed<'_, E, O> {
    type Ct = E::Ct;

    fn slots(&self) -> usize {
        self.inner.slots()
    }

    fn max_level(&self) -> usize {
        self.inner.max_level()
    }

    fn level(&self, a: &E::Ct) -> usize {
        self.inner.level(a)
    }

    fn add(&self, a: &E::Ct, b: &E::Ct) -> Result<E::Ct, TensorError> {
        self.run(&[(Op::Add, self.lower(a, b), 1)], || self.inner.add(a, b))
    }

    fn sub(&self, a: &E::Ct, b: &E::Ct) -> Result<E::Ct, TensorError> {
        self.run(&[(Op::Add, self.lower(a, b), 1)], || self.inner.sub(a, b))
    }

    fn add_const(&self, a: &E::Ct, c: f64) -> Result<E::Ct, TensorError> {
        self.run(&[(Op::Add, self.level(a), 1)], || {
            self.inner.add_const(a, c)
        })
    }

    fn mul(&self, a: &E::Ct, b: &E::Ct) -> Result<E::Ct, TensorError> {
        let level = self.lower(a, b);
        let ops = [(Op::Product, level, 1), (Op::Relinearise, level, 1)];
        self.run(&ops, || self.inner.mul(a, b))
    }

    fn dot(&self, pairs: &[(&E::Ct, &E::Ct)]) -> Result<E::Ct, TensorError> {
        let level = pairs
            .iter()
            .map(|(a, b)| self.lower(a, b))
            .min()
            .unwrap_or(0);
        let ops = [
            (Op::Product, level, pairs.len()),
            (Op::Relinearise, level, 1),
        ];
        self.run(&ops, || self.inner.dot(pairs))
    }

    fn mul_const_to(&self, a: &E::Ct, c: f64, level: usize) -> Result<E::Ct, TensorError> {
        self.run(
            &[(Op::Scale, level + 1, 1), (Op::Rescale, level + 1, 1)],
            || self.inner.mul_const_to(a, c, level),
        )
    }

    fn rotate(&self, a: &E::Ct, k: i64) -> Result<E::Ct, TensorError> {
        self.run(&[(Op::KeySwitch, self.level(a), 1)], || {
            self.inner.rotate(a, k)
        })
    }

    fn conjugate(&self, a: &E::Ct) -> Result<E::Ct, TensorError> {
        self.run(&[(Op::KeySwitch, self.level(a), 1)], || {
            self.inner.conjugate(a)
        })
    }

    fn mul_monomial(&self, a: &E::Ct, k: i64) -> Result<E::Ct, TensorError> {
        self.run(&[(Op::Monomial, self.level(a), 1)], || {
            self.inner.mul_monomial(a, k)
        })
    }

    fn mul_periodic_to(
        &self,
        a: &E::Ct,
        values: &[f64],
        level: usize,
    ) -> Result<E::Ct, TensorError> {
        self.run(
            &[(Op::Mask, level + 1, 1), (Op::Rescale, level + 1, 1)],
            || self.inner.mul_periodic_to(a, values, level),
        )
    }

    fn refresh_levels(&self) -> Option<RefreshLevels> {
        self.inner.refresh_levels()
    }

    fn refresh(&self, a: &E::Ct, log_period: u32) -> Result<E::Ct, TensorError> {
        let level = self.refresh_levels().map_or(0, |levels| levels.output);
        self.run(&[(Op::Refresh, level, 1)], || {
            self.inner.refresh(a, log_period)
        })
    }

    fn phase(&self, name: &str) {
        self.phase.set(name);
        self.inner.phase(name);
    }

    fn parallel(&self) -> bool {
        self.inner.parallel()
    }
}

mod parking {
    use std::sync::{PoisonError, RwLock};

    /// The name of the current phase, read by every operation and written a few times.
    #[derive(Default)]
    pub(super) struct Phase(RwLock<String>);

    impl Phase {
        pub(super) fn set(&self, name: &str) {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = name.to_owned();
        }

        pub(super) fn with(&self, f: impl FnOnce(&str)) {
            f(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
