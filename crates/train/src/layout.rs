//! Where rows, classes and features lie in the slots.

use serde::{Deserialize, Serialize};

use crate::error::{TrainError, shape};
use crate::steps::Tower;

/// Layout of the training data; derivation in `docs/maths/packing.md`.
///
/// Row `i` of a block and class `c` sit in slot `i * columns + c`, repeated with period `block_rows * columns`. Features
/// `2p` and `2p + 1` are the real and imaginary part of pair `p`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Records.
    pub rows: usize,
    /// Features of a record, the constant 1 of the bias included.
    pub features: usize,
    /// Classes; two classes need one output.
    pub classes: usize,
    /// Slots of a row: outputs padded to a power of two.
    pub columns: usize,
    /// Rows of a block, a power of two.
    pub block_rows: usize,
    /// Blocks of rows.
    pub blocks: usize,
    /// How often a block is repeated in the slots.
    pub copies: usize,
    /// Pairs of features.
    pub pairs: usize,
    /// log2 of the pairs that travel in one ciphertext.
    pub pack_steps: u32,
    /// Rotation keys exist for every `key_stride`-th step; the steps between repeat the rotation below them.
    pub key_stride: u32,
}

impl Layout {
    /// The layout for a table.
    ///
    /// # Errors
    /// [`TrainError::Shape`] when rows, features or classes do not fit the ring.
    pub fn new(
        log_n: u32,
        [rows, features, classes]: [usize; 3],
        pack_steps: u32,
        key_stride: u32,
    ) -> Result<Self, TrainError> {
        if !(4..=17).contains(&log_n) {
            return Err(shape("log2 of the ring degree", "4 to 17", log_n));
        }
        let slots = 1usize << (log_n - 1);
        if !(2..=1 << 24).contains(&rows) {
            return Err(shape("rows", "2 to 16777216", rows));
        }
        if features < 2 {
            return Err(shape("features", "at least 2, the bias included", features));
        }
        if classes < 2 || classes > slots {
            return Err(shape("classes", format!("2 to {slots}"), classes));
        }
        let columns = if classes == 2 {
            1
        } else {
            classes.next_power_of_two()
        };
        let pairs = features.div_ceil(2);
        // The dense gradient keeps one pair a row position, so a block has at least as many rows as there are pairs.
        let capacity = slots / columns;
        if pairs.next_power_of_two() > capacity {
            return Err(shape(
                "features",
                format!("at most {} at this ring degree", 2 * capacity),
                features,
            ));
        }
        let block_rows = rows.max(pairs).next_power_of_two().min(capacity);
        let copies = capacity / block_rows;
        let layout = Self {
            log_n,
            rows,
            features,
            classes,
            columns,
            block_rows,
            blocks: rows.div_ceil(block_rows),
            copies,
            pairs,
            pack_steps,
            key_stride,
        };
        if pack_steps > layout.max_pack_steps() {
            return Err(shape(
                "pairs in a ciphertext (log2)",
                format!("at most {}", layout.max_pack_steps()),
                pack_steps,
            ));
        }
        if !(1..=4).contains(&key_stride) {
            return Err(shape("key stride", "1 to 4", key_stride));
        }
        Ok(layout)
    }

    /// Most steps by which pairs can share a ciphertext.
    pub fn max_pack_steps(&self) -> u32 {
        self.copies.ilog2().min(self.merge_steps())
    }

    /// Slots of a ciphertext.
    pub fn slots(&self) -> usize {
        1 << (self.log_n - 1)
    }

    /// Trained columns: one for two classes, one a class otherwise.
    pub fn outputs(&self) -> usize {
        if self.classes == 2 { 1 } else { self.classes }
    }

    /// Rotation steps that sum over the rows of a block.
    pub fn row_steps(&self) -> u32 {
        self.block_rows.ilog2()
    }

    /// log2 of the pairs, rounded up: how often weights are split and gradients merged.
    pub fn merge_steps(&self) -> u32 {
        self.pairs.next_power_of_two().ilog2()
    }

    /// Ciphertexts of features in a block.
    pub fn packs(&self) -> usize {
        self.pairs.div_ceil(1 << self.pack_steps)
    }

    /// Steps by which the pairs of a data ciphertext are split.
    pub fn data_steps(&self) -> std::ops::Range<u32> {
        self.row_steps()..self.row_steps() + self.pack_steps
    }

    /// The rotations along the rows.
    pub(crate) fn tower(&self) -> Tower {
        Tower {
            slots: self.slots(),
            columns: self.columns,
            row_steps: self.row_steps(),
            key_stride: self.key_stride,
        }
    }

    /// Rotation of step `t`: by `2^t` rows.
    pub fn rotation(&self, step: u32) -> i64 {
        self.tower().rotation(step)
    }

    /// Exponent `k` of step `t`: its rotation takes `X^k` to `-X^k`, the rotations of later steps leave it.
    pub fn exponent(&self, step: u32) -> i64 {
        self.tower().exponent(step)
    }

    /// The step whose key serves step `t`, and how often its rotation is applied.
    pub fn keyed(&self, step: u32) -> (u32, u32) {
        self.tower().keyed(step)
    }

    /// Layout of `rows` records to predict: as many pairs in a ciphertext as the keys of training can split.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for no rows or more than one ciphertext holds.
    pub fn prediction(&self, rows: usize) -> Result<PredictionLayout, TrainError> {
        let capacity = self.slots() / self.columns;
        if rows == 0 || rows > capacity {
            return Err(shape(
                "records to predict at once",
                format!("1 to {capacity}"),
                rows,
            ));
        }
        let block_rows = rows.next_power_of_two();
        let last = self.row_steps() + self.pack_steps;
        let steps = last
            .saturating_sub(block_rows.ilog2())
            .min(self.merge_steps());
        Ok(PredictionLayout {
            rows,
            block_rows,
            pack_steps: steps,
            packs: self.pairs.div_ceil(1 << steps),
        })
    }

    /// Most records that [`Layout::prediction`] takes at once.
    pub fn max_prediction_rows(&self) -> usize {
        self.slots() / self.columns
    }
}

/// Layout of a batch of records to predict; columns and pairs are those of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictionLayout {
    /// Records.
    pub rows: usize,
    /// Rows after which the slots repeat, a power of two.
    pub block_rows: usize,
    /// log2 of the pairs in a ciphertext.
    pub pack_steps: u32,
    /// Ciphertexts.
    pub packs: usize,
}

impl PredictionLayout {
    /// Steps by which the pairs of a ciphertext are split.
    pub fn steps(&self) -> std::ops::Range<u32> {
        let first = self.block_rows.ilog2();
        first..first + self.pack_steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_fills_one_block() {
        let layout = Layout::new(15, [455, 31, 2], 1, 2).expect("fits");
        assert_eq!(
            (
                layout.columns,
                layout.block_rows,
                layout.blocks,
                layout.copies
            ),
            (1, 512, 1, 32)
        );
        assert_eq!(
            (
                layout.pairs,
                layout.packs(),
                layout.merge_steps(),
                layout.row_steps()
            ),
            (16, 8, 4, 9)
        );
        assert_eq!(layout.keyed(9), (8, 2));
        let prediction = layout.prediction(114).expect("fits");
        assert_eq!(
            (
                prediction.block_rows,
                prediction.pack_steps,
                prediction.packs
            ),
            (128, 3, 2)
        );
    }

    #[test]
    fn many_rows_and_classes_go_to_several_blocks() {
        let layout = Layout::new(14, [100_000, 65, 10], 0, 1).expect("fits");
        assert_eq!(
            (
                layout.columns,
                layout.block_rows,
                layout.blocks,
                layout.copies
            ),
            (16, 512, 196, 1)
        );
        assert_eq!(layout.outputs(), 10);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (log_n, sizes, pack, stride) in [
            (14, [1, 10, 2], 0, 1),
            (14, [10, 1, 2], 0, 1),
            (14, [10, 10, 1], 0, 1),
            (14, [100, 10_000, 100], 0, 1),
            (14, [100, 10, 2], 9, 1),
            (14, [100, 10, 2], 0, 0),
            (40, [100, 10, 2], 0, 1),
        ] {
            assert!(
                Layout::new(log_n, sizes, pack, stride).is_err(),
                "{log_n} {sizes:?}"
            );
        }
        let layout = Layout::new(14, [100, 10, 2], 0, 1).expect("fits");
        assert!(layout.prediction(0).is_err());
        assert!(layout.prediction(8193).is_err());
    }

    #[test]
    fn each_step_negates_its_monomial_and_fixes_the_earlier_ones() {
        let layout = Layout::new(10, [32, 9, 3], 0, 1).expect("fits");
        let ring = confide_tensor::SlotRing::new(10);
        let steps = (layout.slots() / layout.columns).ilog2();
        for t in 0..steps {
            for later in t..steps {
                let moved = (ring.rotation(layout.rotation(later)) as i64 * layout.exponent(t))
                    .rem_euclid(2048);
                let expected = if later == t {
                    layout.exponent(t) + 1024
                } else {
                    layout.exponent(t)
                };
                assert_eq!(moved, expected, "step {t}, rotation {later}");
            }
        }
    }
}
