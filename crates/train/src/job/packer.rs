//! The data party's packing for plans of either kind.

use num_complex::Complex64;

use super::TrainingPlan;
use crate::bootstrapped::BootstrappedPlan;
use crate::error::{TrainError, shape};
use crate::minibatch::TilePacker;
use crate::pack::Packer;

/// Packs tables for a plan. Building it makes tables of the size of the ring: keep it.
pub struct TablePacker(Kind);

enum Kind {
    Levelled {
        packer: Packer,
        features: usize,
    },
    Bootstrapped {
        packer: TilePacker,
        plan: Box<BootstrappedPlan>,
    },
}

impl TablePacker {
    /// For a plan.
    pub fn new(plan: &TrainingPlan) -> Self {
        Self(match plan {
            TrainingPlan::Levelled(levelled) => Kind::Levelled {
                packer: Packer::new(&levelled.layout, &levelled.schedule),
                features: plan.feature_vectors(),
            },
            TrainingPlan::Bootstrapped(plan) => Kind::Bootstrapped {
                packer: TilePacker::new(&plan.layout, &plan.schedule),
                plan: Box::new(plan.clone()),
            },
        })
    }

    /// Slots of feature ciphertext `index` of `rows x features` numbers, the bias column included. With bootstraps, in the
    /// order of minibatches, row blocks, tiles.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for a table of other sizes than the plan's or an index out of range.
    pub fn features(&self, rows: &[Vec<f64>], index: usize) -> Result<Vec<Complex64>, TrainError> {
        match &self.0 {
            Kind::Levelled { packer, features } if index < *features => {
                packer.pack_features(rows, index)
            }
            Kind::Levelled { features, .. } => Err(out_of_range(index, *features)),
            Kind::Bootstrapped { packer, plan } => {
                let tiles = plan.layout.tiles();
                let range = block_rows(plan, rows.len(), index / tiles)?;
                packer.tile(&rows[range], index % tiles)
            }
        }
    }

    /// Slots of label ciphertext `index`; `labels[i]` is the class of row `i`, for two classes 0 or 1.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another number of labels, a label that is no class, or an index out of range.
    pub fn labels(&self, labels: &[usize], index: usize) -> Result<Vec<Complex64>, TrainError> {
        match &self.0 {
            Kind::Levelled { packer, .. } => packer.pack_labels(labels, index),
            Kind::Bootstrapped { packer, plan } => {
                let range = block_rows(plan, labels.len(), index)?;
                let blocks = packer.labels(&labels[range])?;
                // A block without rows has labels like any other: zeros.
                Ok(blocks.into_iter().next().unwrap_or_default())
            }
        }
    }

    /// Slots of every ciphertext of a prediction job, bias column included.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for too many records or records of another length.
    pub fn records(&self, rows: &[Vec<f64>]) -> Result<Vec<Vec<Complex64>>, TrainError> {
        match &self.0 {
            Kind::Levelled { packer, .. } => packer.pack_prediction(rows),
            Kind::Bootstrapped { packer, plan } => {
                let most = plan.layout.block_rows();
                if rows.is_empty() || rows.len() > most {
                    return Err(shape(
                        "records to predict",
                        format!("1 to {most}"),
                        rows.len(),
                    ));
                }
                (0..plan.layout.tiles())
                    .map(|tile| packer.tile(rows, tile))
                    .collect()
            }
        }
    }

    /// Logits `[row][output]` from the decrypted slots of a prediction job of `rows` records.
    ///
    /// # Errors
    /// [`TrainError::Shape`] if the slots cannot hold so many rows.
    pub fn logits(&self, slots: &[Complex64], rows: usize) -> Result<Vec<Vec<f64>>, TrainError> {
        match &self.0 {
            Kind::Levelled { packer, .. } => packer.unpack_logits(slots, rows),
            Kind::Bootstrapped { packer, .. } => packer.scores(&[slots.to_vec()], rows),
        }
    }

    /// Weights, as [`PlainRun`](super::PlainRun) has them, from the decrypted slots of a trained head.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for another number of slots.
    pub fn weights(&self, slots: &[Complex64]) -> Result<Vec<Vec<f64>>, TrainError> {
        match &self.0 {
            Kind::Levelled { packer, .. } => packer.weights_from_dense(slots),
            Kind::Bootstrapped { packer, .. } => packer.weights(slots),
        }
    }
}

/// Rows of the block number `index`, counted over all minibatches. The last blocks may be empty.
fn block_rows(
    plan: &BootstrappedPlan,
    rows: usize,
    index: usize,
) -> Result<std::ops::Range<usize>, TrainError> {
    let layout = &plan.layout;
    if rows != layout.rows {
        return Err(shape("rows", layout.rows, rows));
    }
    let (batch, block) = (index / layout.blocks(), index % layout.blocks());
    if batch >= layout.batches() {
        return Err(out_of_range(index, layout.batches() * layout.blocks()));
    }
    let batch = layout.batch_rows(batch);
    let start = (batch.start + block * layout.block_rows()).min(batch.end);
    Ok(start..(start + layout.block_rows()).min(batch.end))
}

fn out_of_range(index: usize, count: usize) -> TrainError {
    shape("ciphertext", format!("below {count}"), index)
}
