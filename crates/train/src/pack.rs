//! The data party's side of the layout: tables to slot vectors and slot vectors to numbers.

use confide_tensor::{ClearEvaluator, Evaluator};
use num_complex::Complex64;

use crate::error::{TrainError, shape};
use crate::layout::{Layout, PredictionLayout};
use crate::schedule::Schedule;
use crate::steps::{Turn, split};

/// Packs tables for a layout and schedule. Building it makes tables of the size of the ring: keep it.
pub struct Packer {
    layout: Layout,
    schedule: Schedule,
    ring: ClearEvaluator,
}

impl Packer {
    /// For the layout and schedule of a plan.
    pub fn new(layout: &Layout, schedule: &Schedule) -> Self {
        Self {
            layout: layout.clone(),
            schedule: schedule.clone(),
            ring: ClearEvaluator::new(layout.log_n, 0),
        }
    }

    /// Number of feature ciphertexts of the training data.
    pub fn feature_vectors(&self) -> usize {
        self.layout.blocks * self.layout.packs()
    }

    /// Slots of feature ciphertext `index` (block by block) of `rows x features` numbers, the bias column included.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for a table of other sizes than the layout's or an index out of range.
    pub fn pack_features(
        &self,
        rows: &[Vec<f64>],
        index: usize,
    ) -> Result<Vec<Complex64>, TrainError> {
        if rows.len() != self.layout.rows {
            return Err(shape("rows", self.layout.rows, rows.len()));
        }
        if index >= self.feature_vectors() {
            return Err(shape(
                "feature ciphertext",
                format!("below {}", self.feature_vectors()),
                index,
            ));
        }
        let (block, pack) = (index / self.layout.packs(), index % self.layout.packs());
        let start = block * self.layout.block_rows;
        let rows = &rows[start..(start + self.layout.block_rows).min(rows.len())];
        let steps = self.layout.data_steps();
        self.pack(
            rows,
            self.layout.block_rows,
            pack,
            steps,
            self.schedule.data_scale,
            false,
        )
    }

    /// Slots of the labels of row block `block`; `labels[i]` is the class of row `i`, for two classes 0 or 1.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another number of labels, a label that is no class, or no such block.
    pub fn pack_labels(
        &self,
        labels: &[usize],
        block: usize,
    ) -> Result<Vec<Complex64>, TrainError> {
        let layout = &self.layout;
        if labels.len() != layout.rows {
            return Err(shape("labels", layout.rows, labels.len()));
        }
        if block >= layout.blocks {
            return Err(shape(
                "row block",
                format!("below {}", layout.blocks),
                block,
            ));
        }
        let mut slots = vec![Complex64::ZERO; layout.slots()];
        let start = block * layout.block_rows;
        for (row, &label) in labels[start..].iter().take(layout.block_rows).enumerate() {
            if label >= layout.classes {
                return Err(shape("label", format!("below {}", layout.classes), label));
            }
            for column in 0..layout.outputs() {
                let positive = if layout.classes == 2 {
                    label == 1
                } else {
                    label == column
                };
                let value = if positive { 0.5 } else { -0.5 } * self.schedule.label_scale;
                self.spread(
                    &mut slots,
                    layout.block_rows,
                    row,
                    column,
                    Complex64::new(value, 0.0),
                );
            }
        }
        Ok(slots)
    }

    /// Slots of every ciphertext of a batch of records to predict, bias column included.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for too many records or records of another length.
    pub fn pack_prediction(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<Complex64>>, TrainError> {
        let PredictionLayout {
            block_rows, packs, ..
        } = self.layout.prediction(rows.len())?;
        let steps = self.layout.prediction(rows.len())?.steps();
        // Conjugated, so that the product with a head needs no conjugation of its own.
        let pack = |pack| {
            self.pack(
                rows,
                block_rows,
                pack,
                steps.clone(),
                self.schedule.prediction_scale,
                true,
            )
        };
        (0..packs).map(pack).collect()
    }

    /// Logits `[row][output]` from the decrypted slots of a prediction of `rows` records.
    ///
    /// # Errors
    /// [`TrainError::Shape`] if the slots cannot hold so many rows.
    pub fn unpack_logits(
        &self,
        slots: &[Complex64],
        rows: usize,
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        let (columns, outputs) = (self.layout.columns, self.layout.outputs());
        if slots.len() < rows * columns {
            return Err(shape(
                "slots of a prediction",
                format!("at least {}", rows * columns),
                slots.len(),
            ));
        }
        let scale = self.schedule.logit_scale;
        Ok((0..rows)
            .map(|i| {
                (0..outputs)
                    .map(|c| slots[i * columns + c].re / scale)
                    .collect()
            })
            .collect())
    }

    /// Weights `[output][feature]` from the decrypted slots of a trained head.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another number of slots.
    pub fn weights_from_dense(&self, slots: &[Complex64]) -> Result<Vec<Vec<f64>>, TrainError> {
        let layout = &self.layout;
        if slots.len() != layout.slots() {
            return Err(shape("slots of a head", layout.slots(), slots.len()));
        }
        let head = self.ring.encrypt(slots, 0)?;
        let leaves = split(
            &self.ring,
            &layout.tower(),
            head,
            0..layout.merge_steps(),
            layout.pairs,
            Turn::Forward,
        )?;
        let factor = self.schedule.head_scale() * f64::from(1u32 << layout.merge_steps());
        let weight = |output: usize, feature: usize| {
            let value = leaves[feature / 2].values()[output] / factor;
            if feature.is_multiple_of(2) {
                value.re
            } else {
                value.im
            }
        };
        Ok((0..layout.outputs())
            .map(|c| (0..layout.features).map(|j| weight(c, j)).collect())
            .collect())
    }

    fn pack(
        &self,
        rows: &[Vec<f64>],
        block_rows: usize,
        pack: usize,
        steps: std::ops::Range<u32>,
        scale: f64,
        conjugate: bool,
    ) -> Result<Vec<Complex64>, TrainError> {
        let layout = &self.layout;
        let size = 1usize << steps.len();
        let scale = scale / size as f64;
        let mut sum = self.ring.encrypt(&[], 0)?;
        for pair in pack * size..((pack + 1) * size).min(layout.pairs) {
            let mut slots = vec![Complex64::ZERO; layout.slots()];
            for (i, row) in rows.iter().enumerate() {
                if row.len() != layout.features {
                    return Err(shape("features of a record", layout.features, row.len()));
                }
                let odd = row.get(2 * pair + 1).copied().unwrap_or(0.0);
                let value =
                    Complex64::new(row[2 * pair], if conjugate { -odd } else { odd }) * scale;
                for column in 0..layout.outputs() {
                    self.spread(&mut slots, block_rows, i, column, value);
                }
            }
            let exponent: i64 = (0..steps.len() as u32)
                .filter(|bit| pair >> bit & 1 == 1)
                .map(|bit| layout.exponent(steps.start + bit))
                .sum();
            let slots = self.ring.encrypt(&slots, 0)?;
            sum = self
                .ring
                .add(&sum, &self.ring.mul_monomial(&slots, exponent)?)?;
        }
        Ok(sum.into_values())
    }

    /// Writes one value into all copies of its slot.
    fn spread(
        &self,
        slots: &mut [Complex64],
        block_rows: usize,
        row: usize,
        column: usize,
        value: Complex64,
    ) {
        let (start, period) = (
            row * self.layout.columns + column,
            block_rows * self.layout.columns,
        );
        for slot in slots.iter_mut().skip(start).step_by(period) {
            *slot = value;
        }
    }
}
