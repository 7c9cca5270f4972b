//! The data party's side of the tiles: tables to slot vectors and slot vectors to numbers.

use confide_tensor::{ClearEvaluator, Evaluator};
use num_complex::Complex64;

use super::layout::TileLayout;
use super::schedule::{Loss, MinibatchSchedule};
use crate::error::{TrainError, shape};
use crate::steps::{Turn, split};

/// Packs tables for a layout and schedule. Building it makes tables of the size of the ring: keep it.
pub struct TilePacker {
    layout: TileLayout,
    schedule: MinibatchSchedule,
    ring: ClearEvaluator,
}

impl TilePacker {
    /// For the layout and schedule of a run.
    pub fn new(layout: &TileLayout, schedule: &MinibatchSchedule) -> Self {
        Self {
            layout: layout.clone(),
            schedule: schedule.clone(),
            ring: ClearEvaluator::new(layout.log_n, 0),
        }
    }

    /// Slots of the features of any rows, tile by tile and block by block, with as many blocks as the rows need. The
    /// records of a minibatch are those of [`TileLayout::batch_rows`], in an order that the data party has shuffled.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for records of another length.
    pub fn features(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<Vec<Complex64>>>, TrainError> {
        let blocks = rows.chunks(self.layout.block_rows());
        blocks
            .map(|rows| {
                (0..self.layout.tiles())
                    .map(|b| self.tile(rows, b))
                    .collect()
            })
            .collect()
    }

    /// Slots of one tile of at most a block of rows.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for records of another length, too many of them, or no such tile.
    pub fn tile(&self, rows: &[Vec<f64>], tile: usize) -> Result<Vec<Complex64>, TrainError> {
        let layout = &self.layout;
        if let Some(row) = rows.iter().find(|row| row.len() != layout.features) {
            return Err(shape("features of a record", layout.features, row.len()));
        }
        for (what, value, limit) in [
            ("rows of a block", rows.len(), layout.block_rows() + 1),
            ("tile", tile, layout.tiles()),
        ] {
            if value >= limit {
                return Err(shape(what, format!("below {limit}"), value));
            }
        }
        let mut slots = vec![Complex64::ZERO; layout.slots()];
        for (row, slots) in rows.iter().zip(slots.chunks_exact_mut(layout.columns)) {
            for (c, slot) in slots.iter_mut().take(layout.usable()).enumerate() {
                let pair = tile * layout.usable() + c;
                let value = |feature: usize| row.get(feature).copied().unwrap_or(0.0);
                *slot =
                    Complex64::new(value(2 * pair), value(2 * pair + 1)) * self.schedule.data_scale;
            }
        }
        Ok(slots)
    }

    /// Slots of the labels of a minibatch's rows, block by block; a label is a class, for two classes 0 or 1.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for a label that is no class.
    pub fn labels(&self, labels: &[usize]) -> Result<Vec<Vec<Complex64>>, TrainError> {
        let blocks = labels.chunks(self.layout.block_rows());
        blocks
            .map(|labels| self.label_block(&labels.iter().copied().map(Some).collect::<Vec<_>>()))
            .collect()
    }

    /// Slots of the labels of one block, some of whose rows have no record: where the compute party places records itself.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for a label that is no class, or more rows than a block has.
    pub fn label_block(&self, labels: &[Option<usize>]) -> Result<Vec<Complex64>, TrainError> {
        let layout = &self.layout;
        if let Some(label) = labels.iter().flatten().find(|l| **l >= layout.classes) {
            return Err(shape("label", format!("below {}", layout.classes), label));
        }
        if labels.len() > layout.block_rows() {
            let needed = format!("at most {}", layout.block_rows());
            return Err(shape("rows of a block", needed, labels.len()));
        }
        let above = match self.schedule.loss {
            Loss::OneVsRest(_) => 0.0,
            Loss::Softmax(_) => 0.5,
        };
        let mut slots = vec![Complex64::ZERO; layout.slots()];
        for (label, slots) in labels.iter().zip(slots.chunks_exact_mut(layout.columns)) {
            let Some(label) = *label else { continue };
            for (output, slot) in slots.iter_mut().take(layout.outputs()).enumerate() {
                slot.re = target(layout, label, output) + above;
            }
        }
        Ok(slots)
    }

    /// Weights, in rows of [`TileLayout::weight_rows`], from the decrypted slots of a dense point (of a state that is not
    /// halved, as the last one).
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another number of slots.
    pub fn weights(&self, slots: &[Complex64]) -> Result<Vec<Vec<f64>>, TrainError> {
        let layout = &self.layout;
        if slots.len() != layout.slots() {
            return Err(shape("slots of a head", layout.slots(), slots.len()));
        }
        let steps = layout.merge_steps();
        let point = self.ring.encrypt(slots, 0)?;
        let leaves = split(
            &self.ring,
            &layout.tower(),
            point,
            0..steps,
            layout.leaves(),
            Turn::Forward,
        )?;
        let factor = self.schedule.point_scale * f64::from(1u32 << steps);
        let rows = layout.weight_rows().into_iter();
        let mut weights: Vec<Vec<f64>> = rows.map(|length| vec![0.0; length]).collect();
        for place in positions(layout) {
            let value = leaves[place.leaf].values()[place.column] / factor;
            weights[place.row][place.index] = if place.imaginary { value.im } else { value.re };
        }
        Ok(weights)
    }

    /// The dense slots of weights without any factor: what [`TilePacker::weights`] takes apart, times
    /// [`MinibatchSchedule::point_scale`].
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another number of weights.
    pub fn dense(&self, weights: &[Vec<f64>]) -> Result<Vec<Complex64>, TrainError> {
        let layout = &self.layout;
        if !weights.iter().map(Vec::len).eq(layout.weight_rows()) {
            let needed = format!("{} of them", layout.weight_rows().len());
            return Err(shape("rows of weights", needed, weights.len()));
        }
        let mut leaves = vec![vec![Complex64::ZERO; layout.columns]; layout.leaves()];
        for place in positions(layout) {
            let value = weights[place.row][place.index];
            let part = &mut leaves[place.leaf][place.column];
            if place.imaginary {
                part.im = value;
            } else {
                part.re = value;
            }
        }
        let tower = layout.tower();
        let mut sum = self.ring.encrypt(&[], 0)?;
        for (leaf, columns) in leaves.iter().enumerate() {
            let slots: Vec<_> = columns
                .iter()
                .copied()
                .cycle()
                .take(layout.slots())
                .collect();
            let exponent: i64 = (0..layout.merge_steps())
                .filter(|bit| leaf >> bit & 1 == 1)
                .map(|bit| tower.exponent(bit))
                .sum();
            let moved = self
                .ring
                .mul_monomial(&self.ring.encrypt(&slots, 0)?, exponent)?;
            sum = self.ring.add(&sum, &moved)?;
        }
        Ok(sum.into_values())
    }

    /// Logits `[row][output]` of `rows` records from the decrypted slots of their blocks.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for too few blocks or slots.
    pub fn scores(
        &self,
        blocks: &[Vec<Complex64>],
        rows: usize,
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        let layout = &self.layout;
        let factor = self.schedule.logit_factor(layout);
        let mut scores = Vec::with_capacity(rows);
        for row in 0..rows {
            let (block, row) = (row / layout.block_rows(), row % layout.block_rows());
            let start = row * layout.columns;
            let slots = blocks
                .get(block)
                .and_then(|b| b.get(start..start + layout.outputs()));
            let slots = slots.ok_or_else(|| shape("blocks of scores", block + 1, blocks.len()))?;
            scores.push(slots.iter().map(|slot| slot.re / factor).collect());
        }
        Ok(scores)
    }
}

/// Target of a row and output, minus one half.
pub(super) fn target(layout: &TileLayout, label: usize, output: usize) -> f64 {
    let positive = if layout.outputs() == 1 {
        label == 1
    } else {
        label == output
    };
    if positive { 0.5 } else { -0.5 }
}

/// Where a weight lies: in which tile and column, and in which row of the weights at which index.
struct Place {
    leaf: usize,
    column: usize,
    row: usize,
    index: usize,
    imaginary: bool,
}

/// The places of all weights.
fn positions(layout: &TileLayout) -> impl Iterator<Item = Place> + '_ {
    let (units, outputs, usable) = (layout.units(), layout.outputs(), layout.usable());
    let features = (0..units).flat_map(move |unit| {
        (0..layout.features).map(move |feature| {
            let (tile, column) = (feature / 2 / usable, feature / 2 % usable);
            let shift = (unit + units - column % units) % units;
            Place {
                leaf: layout.leaf(tile, shift),
                column,
                row: unit,
                index: feature,
                imaginary: !feature.is_multiple_of(2),
            }
        })
    });
    let second = (0..if layout.hidden > 0 { outputs } else { 0 }).flat_map(move |output| {
        (0..units).map(move |unit| Place {
            leaf: layout.feature_leaves() + unit + outputs - 1 - output,
            column: output,
            row: units + output,
            index: unit,
            imaginary: false,
        })
    });
    features.chain(second)
}
