//! The program of a minibatch run, generic over what evaluates it. Derivation: `docs/maths/training.md`, "Minibatches".

use std::borrow::Cow;

use confide_tensor::{Evaluator, TensorError};

use super::activation::residual;
use super::hidden;
use super::layout::TileLayout;
use super::schedule::{Loss, MinibatchSchedule};
use super::softmax;
use super::state::{Action, Batch, Source, TrainingState, Watch};
use super::window::window;
use crate::steps::{Turn, map, merge, split};

const OP: &str = "minibatch step";

/// Runs a schedule, one action at a time.
pub struct Trainer<'a, E> {
    pub(super) ev: &'a E,
    pub(super) layout: &'a TileLayout,
    pub(super) schedule: &'a MinibatchSchedule,
}

impl<'a, E: Evaluator> Trainer<'a, E> {
    /// For an evaluator, a layout and a schedule that belong together.
    pub fn new(ev: &'a E, layout: &'a TileLayout, schedule: &'a MinibatchSchedule) -> Self {
        Self {
            ev,
            layout,
            schedule,
        }
    }

    /// Levels that the point must have for a step after the first. One-vs-rest: those of logits, sigmoid and product with the
    /// features, and four more with hidden units. The softmax refreshes what it is made from itself and needs logits and one level
    /// to gather them.
    pub fn step_depth(&self) -> usize {
        match &self.schedule.loss {
            Loss::OneVsRest(sigmoid) => {
                let hidden = if self.layout.hidden > 0 { 4 } else { 0 };
                2 + hidden + (sigmoid.degree() + 1).ilog2() as usize
            }
            Loss::Softmax(_) => 2,
        }
    }

    /// Level of a head and of the records that it predicts: see [`TileLayout::prediction_level`].
    pub fn prediction_level(&self) -> usize {
        let bottom = self.ev.refresh_levels().map_or(0, |levels| levels.input);
        self.layout.prediction_level(bottom)
    }

    /// What follows a state.
    pub fn next(&self, state: &TrainingState<E::Ct>) -> Action {
        let Some(step) = self.schedule.steps.get(state.step) else {
            return Action::Done;
        };
        if state.halved {
            return Action::Refresh;
        }
        Action::Step { batch: step.batch }
    }

    /// Runs to the end from any state. `batches` gives the records of a minibatch; `watch` sees every state after its
    /// action, to store it, and ends the run by an error.
    ///
    /// # Errors
    /// Those of [`Trainer::refresh`] and [`Trainer::step`], and of the two functions.
    pub fn run(
        &self,
        mut state: TrainingState<E::Ct>,
        batches: &mut Source<'_, E::Ct>,
        watch: &mut Watch<'_, E::Ct>,
    ) -> Result<TrainingState<E::Ct>, TensorError> {
        loop {
            let action = self.next(&state);
            state = match action {
                Action::Done => return Ok(state),
                Action::Refresh => self.refresh(&state)?,
                Action::Step { batch } => self.step(&state, &*batches(batch)?)?,
            };
            watch(action, &state)?;
        }
    }

    /// Refreshes point and average in one ciphertext: the average is moved into the free half of the dense positions,
    /// which later one rotation tells apart again and doubles.
    ///
    /// # Errors
    /// [`TensorError`] of the evaluator.
    pub fn refresh(
        &self,
        state: &TrainingState<E::Ct>,
    ) -> Result<TrainingState<E::Ct>, TensorError> {
        let (ev, tower) = (self.ev, self.layout.tower());
        ev.phase("refresh");
        let Some(point) = &state.point else {
            return Ok(state.clone());
        };
        let free = self.layout.merge_steps();
        let mut joint = point.clone();
        if let Some(average) = &state.average {
            let moved = ev.mul_monomial(average, tower.exponent(free))?;
            joint = ev.add(&joint, &moved)?;
        }
        let fresh = ev.refresh(&joint, self.layout.log_period())?;
        let count = 1 + usize::from(state.average.is_some());
        let mut parts = split(ev, &tower, fresh, free..free + 1, count, Turn::Forward)?.into_iter();
        Ok(TrainingState {
            step: state.step,
            halved: false,
            point: parts.next(),
            average: parts.next(),
        })
    }

    /// One step of Nesterov's method on a minibatch. Consumes [`Trainer::step_depth`] levels of the point, the first one
    /// two levels of the records.
    /// With a softmax the levels of the point are those of the logits alone.
    ///
    /// # Errors
    /// [`TensorError`] of the evaluator; `TooFewOperands` for records that do not match the layout or a run that is done.
    pub fn step(
        &self,
        state: &TrainingState<E::Ct>,
        batch: &Batch<E::Ct>,
    ) -> Result<TrainingState<E::Ct>, TensorError> {
        let (ev, t) = (self.ev, state.step);
        need(self.schedule.steps.len(), t + 1, true)?;
        self.check(batch)?;
        if self.layout.hidden > 0 && state.point.is_none() {
            let state = hidden::start(self, batch)?;
            return self.step(&state, batch);
        }
        let halved = self.refresh_follows(state, batch);
        let share = if halved { 0.5 } else { 1.0 };
        let factor = share * self.schedule.residual_factor(self.layout, t);
        if let (Some(point), true) = (&state.point, self.layout.hidden > 0) {
            let rows = self.layout.batch_rows(self.schedule.steps[t].batch).len();
            let gradient = hidden::gradient(self, point, batch, (rows, factor))?;
            ev.phase("update");
            return self.update(state, gradient, halved);
        }
        let residuals = match &state.point {
            None => {
                ev.phase("labels");
                map(ev, batch.labels.iter().collect(), |labels| {
                    match self.schedule.loss {
                        Loss::OneVsRest(_) => ev.mul_const(labels, -factor),
                        Loss::Softmax(_) => softmax::first(ev, self.layout, labels, factor),
                    }
                })?
            }
            Some(point) => {
                let logit_factor = self.schedule.logit_factor(self.layout);
                let logits = self.products(&self.unpacked(point)?, &batch.tiles)?;
                ev.phase("activation");
                let factors = [logit_factor, factor];
                match &self.schedule.loss {
                    Loss::OneVsRest(sigmoid) => {
                        let mask = self.layout.output_mask();
                        let blocks = logits.iter().zip(&batch.labels);
                        blocks
                            .map(|(z, labels)| residual(ev, sigmoid, z, labels, &mask, factors))
                            .collect::<Result<Vec<_>, _>>()?
                    }
                    Loss::Softmax(softmax) => {
                        let (layout, labels) = (self.layout, &batch.labels);
                        softmax::residuals(ev, layout, softmax, &logits, labels, factors)?
                    }
                }
            }
        };
        let gradient = self.merged(self.feature_leaves(residuals, &batch.tiles)?)?;
        ev.phase("update");
        self.update(state, gradient, halved)
    }

    /// Whether the state after a step needs a refresh: exactly when the step after that would leave less than can be
    /// refreshed again. A softmax ends low in any case.
    fn refresh_follows(&self, state: &TrainingState<E::Ct>, batch: &Batch<E::Ct>) -> bool {
        if state.step + 1 >= self.schedule.steps.len() {
            return false;
        }
        if matches!(self.schedule.loss, Loss::Softmax(_)) {
            return true;
        }
        let floor = self.ev.refresh_levels().map_or(0, |levels| levels.input);
        let depth = self.step_depth();
        let left = match (&state.point, batch.labels.first()) {
            (Some(point), _) => self.ev.level(point).saturating_sub(depth),
            (None, Some(labels)) => self.ev.level(labels).saturating_sub(2),
            (None, None) => 0,
        };
        left < depth + floor
    }

    /// The conjugated tiles of weights of a point, times a power of two.
    pub(super) fn unpacked(&self, point: &E::Ct) -> Result<Vec<E::Ct>, TensorError> {
        let (ev, layout) = (self.ev, self.layout);
        ev.phase("unpack weights");
        split(
            ev,
            &layout.tower(),
            ev.conjugate(point)?,
            0..layout.merge_steps(),
            layout.leaves(),
            Turn::Backward,
        )
    }

    /// Features of row blocks times weights: real, in the columns of the units times [`MinibatchSchedule::logit_factor`], one
    /// level below the weights. Other columns hold sums over parts of rows.
    pub(super) fn products(
        &self,
        weights: &[E::Ct],
        blocks: &[Vec<E::Ct>],
    ) -> Result<Vec<E::Ct>, TensorError> {
        let (ev, layout) = (self.ev, self.layout);
        ev.phase("logits");
        let level = weights.first().map_or(0, |weights| ev.level(weights));
        let mut logits = Vec::with_capacity(blocks.len());
        for tiles in blocks {
            let tiles = self.at_level(tiles, level)?;
            let mut shifts = map(ev, (0..layout.units()).collect(), |shift| {
                let pairs: Vec<_> = tiles
                    .iter()
                    .enumerate()
                    .map(|(b, tile)| (&**tile, &weights[layout.leaf(b, shift)]))
                    .collect();
                ev.dot(&pairs)
            })?;
            // Shift d belongs d columns further: Horner's rule in rotations by one column.
            let mut sum = shifts.pop().ok_or(empty())?;
            while let Some(next) = shifts.pop() {
                sum = ev.add(&ev.rotate(&sum, -1)?, &next)?;
            }
            let sum = window(ev, sum, layout.units() as i64, layout.groups())?;
            logits.push(ev.add(&sum, &ev.conjugate(&sum)?)?);
        }
        Ok(logits)
    }

    /// Features times residuals of the units, tile by tile; one level below the residuals.
    pub(super) fn feature_leaves(
        &self,
        residuals: Vec<E::Ct>,
        blocks: &[Vec<E::Ct>],
    ) -> Result<Vec<E::Ct>, TensorError> {
        let (ev, layout) = (self.ev, self.layout);
        ev.phase("spread residuals");
        let units = layout.units();
        let mut spread = Vec::with_capacity(residuals.len());
        let mut tiles = Vec::with_capacity(residuals.len());
        for (residual, block) in residuals.into_iter().zip(blocks) {
            let mut shifts = vec![window(ev, residual, -(units as i64), layout.groups())?];
            for shift in 1..units {
                shifts.push(ev.rotate(&shifts[shift - 1], 1)?);
            }
            tiles.push(self.at_level(block, ev.level(&shifts[0]))?);
            spread.push(shifts);
        }
        ev.phase("gradient");
        map(ev, (0..layout.feature_leaves()).collect(), |leaf| {
            let (shift, tile) = (leaf / layout.tiles(), leaf % layout.tiles());
            let pairs: Vec<_> = tiles
                .iter()
                .zip(&spread)
                .map(|(tiles, shifts)| (&*tiles[tile], &shifts[shift]))
                .collect();
            ev.dot(&pairs)
        })
    }

    /// Tiles summed over all rows, dense; same level.
    pub(super) fn merged(&self, leaves: Vec<E::Ct>) -> Result<E::Ct, TensorError> {
        self.ev.phase("merge gradient");
        merge(self.ev, &self.layout.tower(), leaves)
    }

    /// Next point and average at the level of the gradient.
    fn update(
        &self,
        state: &TrainingState<E::Ct>,
        gradient: E::Ct,
        halved: bool,
    ) -> Result<TrainingState<E::Ct>, TensorError> {
        let ev = self.ev;
        // A softmax may leave the gradient above the state that it came from.
        let below = state
            .parts()
            .map(|part| ev.level(part).saturating_sub(1))
            .min();
        let level = below.map_or(ev.level(&gradient), |below| below.min(ev.level(&gradient)));
        let gradient = ev.at_level(&gradient, level)?;
        let recursion = self.schedule.recursion(state.step);
        let own = if halved { 0.5 } else { 1.0 };
        let mut point = gradient;
        let mut average: Option<E::Ct> = None;
        let parts = state
            .parts()
            .zip(recursion.next.iter().zip(recursion.average));
        for (part, (&next, kept)) in parts {
            if next != 0.0 {
                point = ev.add(&point, &ev.mul_const_to(part, own * next, level)?)?;
            }
            let kept = ev.mul_const_to(part, own * kept, level)?;
            average = Some(match average {
                None => kept,
                Some(sum) => ev.add(&sum, &kept)?,
            });
        }
        Ok(TrainingState {
            step: state.step + 1,
            halved,
            point: Some(point),
            average,
        })
    }

    /// Encrypted logits of row blocks with the point of a state, times [`MinibatchSchedule::logit_factor`], in the first
    /// columns of each row: for validation and prediction. A state without a level left is refreshed on the way.
    ///
    /// # Errors
    /// [`TensorError`] of the evaluator; `TooFewOperands` for records that do not match the layout, or before the first
    /// step.
    pub fn scores(
        &self,
        state: &TrainingState<E::Ct>,
        blocks: &[Vec<E::Ct>],
    ) -> Result<Vec<E::Ct>, TensorError> {
        let ev = self.ev;
        for tiles in blocks {
            need(tiles.len(), self.layout.tiles(), false)?;
        }
        let level = self.prediction_level();
        let own = state.point.as_ref().ok_or(empty())?;
        let point = match (ev.level(own) >= level, state.halved) {
            (true, false) => own.clone(),
            (true, true) => ev.add(own, own)?,
            (false, halved) => {
                let refreshed = self.refresh(&TrainingState {
                    average: None,
                    ..state.clone()
                })?;
                let point = refreshed.point.ok_or(empty())?;
                // A refresh doubles.
                if halved {
                    point
                } else {
                    ev.mul_const(&point, 0.5)?
                }
            }
        };
        let weights = self.unpacked(&point)?;
        if self.layout.hidden == 0 {
            return self.products(&weights, blocks);
        }
        Ok(hidden::forward(self, &weights, blocks)?.logits)
    }

    fn check(&self, batch: &Batch<E::Ct>) -> Result<(), TensorError> {
        let blocks = self.layout.blocks();
        need(batch.tiles.len(), blocks, false)?;
        need(batch.labels.len(), blocks, false)?;
        batch
            .tiles
            .iter()
            .try_for_each(|tiles| need(tiles.len(), self.layout.tiles(), false))
    }

    pub(super) fn at_level<'c>(
        &self,
        cts: &'c [E::Ct],
        level: usize,
    ) -> Result<Vec<Cow<'c, E::Ct>>, TensorError> {
        map(self.ev, cts.iter().collect(), |ct| {
            if self.ev.level(ct) == level {
                return Ok(Cow::Borrowed(ct));
            }
            Ok(Cow::Owned(self.ev.at_level(ct, level)?))
        })
    }
}

fn empty() -> TensorError {
    TensorError::TooFewOperands {
        op: OP,
        needed: 1,
        available: 0,
    }
}

/// Refuses another number of operands; more are fine where `more`.
fn need(available: usize, needed: usize, more: bool) -> Result<(), TensorError> {
    if available == needed || (more && available > needed) {
        return Ok(());
    }
    Err(TensorError::TooFewOperands {
        op: OP,
        needed,
        available,
    })
}
