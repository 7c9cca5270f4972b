//! A hidden layer: units that are linear in the features, squared, and linear outputs of the squares, trained by
//! backpropagation. Derivation: `docs/maths/training.md`, "A hidden layer".

use confide_tensor::{Evaluator, TensorError};

use super::activation::residual;
use super::layout::TileLayout;
use super::pack::TilePacker;
use super::program::Trainer;
use super::schedule::Loss;
use super::state::{Batch, TrainingState};
use crate::steps::map;

/// A unit gives its square less this, the mean square of the first units: outputs then hardly depend on a common part.
const OFFSET: f64 = 1.0;
/// Size of the first bias weights, of either sign: squares then have a linear part.
const BIAS: f64 = 0.5;

/// Weights of zeros.
pub(super) fn zeros(layout: &TileLayout) -> Vec<Vec<f64>> {
    let rows = layout.weight_rows().into_iter();
    rows.map(|length| vec![0.0; length]).collect()
}

/// The first weights: zeros, but for those of hidden units, which are spread evenly so that units of whitened features have
/// about the size 1. Both parties draw them from the plan's seed; they say nothing of the data.
pub(super) fn initial(layout: &TileLayout, seed: u64) -> Vec<Vec<f64>> {
    let mut weights = zeros(layout);
    // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same everywhere.
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let spread = (3.0 / layout.features.saturating_sub(1).max(1) as f64).sqrt();
    for (unit, row) in weights[..layout.hidden].iter_mut().enumerate() {
        for weight in row.iter_mut() {
            *weight = spread * (2.0 * uniform() - 1.0);
        }
        if let Some(bias) = row.last_mut() {
            *bias = if unit % 2 == 0 { BIAS } else { -BIAS };
        }
    }
    weights
}

/// Logits from hidden units before their squares, and weights `[output][unit]`.
pub(super) fn outputs(units: &[f64], weights: &[Vec<f64>]) -> Vec<f64> {
    let logit = |head: &Vec<f64>| {
        let squares = units.iter().map(|a| a * a - OFFSET);
        head.iter().zip(squares).map(|(w, h)| w * h).sum()
    };
    weights.iter().map(logit).collect()
}

/// For a record: the largest logit, and the derivatives by its hidden units before their squares; those by the weights
/// `[output][unit]` are added to `gradient`.
pub(super) fn backward(
    units: &[f64],
    weights: &[Vec<f64>],
    gradient: &mut [Vec<f64>],
    residuals: impl Fn(&[f64]) -> Vec<f64>,
) -> (f64, Vec<f64>) {
    let logits = outputs(units, weights);
    let residuals = residuals(&logits);
    let mut back = vec![0.0; units.len()];
    for ((residual, head), gradient) in residuals.iter().zip(weights).zip(gradient) {
        for (unit, a) in units.iter().enumerate() {
            gradient[unit] += residual * (a * a - OFFSET);
            back[unit] += 2.0 * a * residual * head[unit];
        }
    }
    let largest = logits.iter().fold(0.0, |most: f64, z| most.max(z.abs()));
    (largest, back)
}

/// The state before the first step: the public first weights as a ciphertext, one level below the labels.
pub(super) fn start<E: Evaluator>(
    trainer: &Trainer<'_, E>,
    batch: &Batch<E::Ct>,
) -> Result<TrainingState<E::Ct>, TensorError> {
    let (ev, layout, schedule) = (trainer.ev, trainer.layout, trainer.schedule);
    ev.phase("first weights");
    let labels = batch.labels.first().ok_or(empty())?;
    // Nothing secret is in it: only its level matters.
    let one = ev.add_const(&ev.sub(labels, labels)?, 1.0)?;
    let level = ev.level(&one).saturating_sub(1);
    let dense = TilePacker::new(layout, schedule)
        .dense(&initial(layout, schedule.seed))
        .map_err(|_| empty())?;
    let period = layout.columns << layout.merge_steps();
    let part = |value: fn(&num_complex::Complex64) -> f64| -> Result<E::Ct, TensorError> {
        let values: Vec<f64> = dense[..period].iter().map(value).collect();
        let values: Vec<f64> = values.iter().map(|v| v * schedule.point_scale).collect();
        ev.mul_periodic_to(&one, &values, level)
    };
    // X^(N/2) is i in every slot.
    let imaginary = ev.mul_monomial(&part(|slot| slot.im)?, ev.slots() as i64)?;
    Ok(TrainingState {
        point: Some(ev.add(&part(|slot| slot.re)?, &imaginary)?),
        ..TrainingState::start()
    })
}

/// What a pass over row blocks leaves.
pub(super) struct Forward<Ct> {
    /// Hidden units before their squares, times [`logit_factor`](super::MinibatchSchedule::logit_factor).
    units: Vec<Ct>,
    /// For each block the squared units less their offset, times the square of that factor, moved so that each diagonal of the
    /// weights finds its units in the columns of the outputs. Other columns hold anything.
    moved: Vec<Vec<Ct>>,
    /// Logits in the columns of the outputs times that factor, zero elsewhere.
    pub(super) logits: Vec<Ct>,
}

/// Logits of row blocks, three levels below the weights.
pub(super) fn forward<E: Evaluator>(
    trainer: &Trainer<'_, E>,
    weights: &[E::Ct],
    blocks: &[Vec<E::Ct>],
) -> Result<Forward<E::Ct>, TensorError> {
    let (ev, layout) = (trainer.ev, trainer.layout);
    let mu = trainer.schedule.logit_factor(layout);
    let units = trainer.products(weights, blocks)?;
    ev.phase("hidden units");
    let (mut moved, mut logits) = (Vec::new(), Vec::new());
    let mut diagonals: Vec<E::Ct> = Vec::new();
    for unit in &units {
        let square = ev.add_const(&ev.mul(unit, unit)?, -OFFSET * mu * mu)?;
        let level = ev.level(&square);
        let mut own = vec![ev.rotate(&square, 1 - layout.outputs() as i64)?];
        for diagonal in 1..layout.diagonals() {
            own.push(ev.rotate(&own[diagonal - 1], 1)?);
        }
        if diagonals.is_empty() {
            diagonals = second(trainer, weights, 1.0 / mu, level)?;
        }
        let pairs: Vec<_> = own.iter().zip(&diagonals).collect();
        logits.push(ev.dot(&pairs)?);
        moved.push(own);
    }
    Ok(Forward {
        units,
        moved,
        logits,
    })
}

/// `factor` times the diagonals of the weights from hidden units to outputs, at `level`.
fn second<E: Evaluator>(
    trainer: &Trainer<'_, E>,
    weights: &[E::Ct],
    factor: f64,
    level: usize,
) -> Result<Vec<E::Ct>, TensorError> {
    let (layout, schedule) = (trainer.layout, trainer.schedule);
    let unit = schedule.point_scale * f64::from(1u32 << layout.merge_steps());
    let diagonals = weights[layout.feature_leaves()..].iter().collect();
    map(trainer.ev, diagonals, |diagonal| {
        trainer.ev.mul_const_to(diagonal, factor / unit, level)
    })
}

/// Sum over all rows of the derivatives by all weights, dense, for a minibatch of so many `rows`; `factor` is that of
/// residuals, as for a linear head.
pub(super) fn gradient<E: Evaluator>(
    trainer: &Trainer<'_, E>,
    point: &E::Ct,
    batch: &Batch<E::Ct>,
    (rows, factor): (usize, f64),
) -> Result<E::Ct, TensorError> {
    let (ev, layout, schedule) = (trainer.ev, trainer.layout, trainer.schedule);
    let mu = schedule.logit_factor(layout);
    let Loss::OneVsRest(sigmoid) = &schedule.loss else {
        return Err(empty());
    };
    let weights = trainer.unpacked(point)?;
    let passed = forward(trainer, &weights, &batch.tiles)?;
    ev.phase("activation");
    let logits = passed.logits.iter().zip(&batch.labels).enumerate();
    let residuals = logits
        .map(|(block, (z, labels))| {
            let mask = block_mask(layout, rows.saturating_sub(block * layout.block_rows()));
            residual(ev, sigmoid, z, labels, &mask, [mu, 1.0])
        })
        .collect::<Result<Vec<_>, _>>()?;
    ev.phase("back to hidden units");
    let level = residuals.first().map_or(0, |residual| ev.level(residual));
    let diagonals = second(trainer, &weights, 1.0, level)?;
    drop(weights);
    let mut back = Vec::with_capacity(residuals.len());
    for (residual, unit) in residuals.iter().zip(&passed.units) {
        let mut parts = map(ev, diagonals.iter().collect(), |diagonal| {
            ev.mul(residual, diagonal)
        })?;
        // The part of diagonal j belongs j - outputs + 1 columns further: Horner's rule in rotations by one column.
        let mut sum = parts.pop().ok_or(empty())?;
        while let Some(next) = parts.pop() {
            sum = ev.add(&ev.rotate(&sum, -1)?, &next)?;
        }
        let sum = ev.rotate(&sum, layout.outputs() as i64 - 1)?;
        let slope = ev.mul_const_to(unit, 2.0 * factor / mu, ev.level(&sum))?;
        back.push(ev.mul(&slope, &sum)?);
    }
    let level = back.first().map_or(0, |back| ev.level(back));
    let mut leaves = trainer.feature_leaves(back, &batch.tiles)?;
    ev.phase("gradient of the outputs");
    let residuals = trainer.at_level(&residuals, level)?;
    let share = schedule.data_scale * factor / (mu * mu);
    leaves.extend(map(ev, (0..layout.diagonals()).collect(), |diagonal| {
        let mask = diagonal_mask(layout, diagonal, share);
        let moved = passed.moved.iter();
        let moved = moved
            .map(|moved| ev.mul_periodic_to(&moved[diagonal], &mask, level))
            .collect::<Result<Vec<_>, _>>()?;
        let pairs: Vec<_> = residuals.iter().map(|r| &**r).zip(&moved).collect();
        ev.dot(&pairs)
    })?);
    trainer.merged(leaves)
}

/// 1 in the columns of the outputs of the first `rows` rows of a block. Rows without a record have logits too: those of the
/// offsets.
fn block_mask(layout: &TileLayout, rows: usize) -> Vec<f64> {
    let mut mask = layout.output_mask();
    if rows < layout.block_rows() {
        mask = mask.repeat(rows);
        mask.resize(layout.slots(), 0.0);
    }
    mask
}

/// `value` in the columns where a diagonal has a weight, zero elsewhere.
fn diagonal_mask(layout: &TileLayout, diagonal: usize, value: f64) -> Vec<f64> {
    let outputs = layout.outputs();
    let unit = |output: usize| (output + diagonal).checked_sub(outputs - 1);
    let inside =
        |column: usize| column < outputs && unit(column).is_some_and(|u| u < layout.hidden);
    (0..layout.columns)
        .map(|column| if inside(column) { value } else { 0.0 })
        .collect()
}

fn empty() -> TensorError {
    TensorError::TooFewOperands {
        op: "hidden layer",
        needed: 1,
        available: 0,
    }
}
