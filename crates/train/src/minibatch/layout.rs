//! Where rows, pairs of features and classes of a minibatch lie in the slots.

use serde::{Deserialize, Serialize};

use super::schedule::LossKind;
use crate::error::{TrainError, shape};
use crate::steps::Tower;

/// Layout of minibatches in tiles; derivation in `docs/maths/training.md`, "Minibatches".
///
/// A tile has [`block_rows`](Self::block_rows) rows of `columns` slots; slot `r * columns + c` of tile `b` holds the pair
/// of features `b * usable + c` of row `r` as a complex number. The last [`outputs`](Self::outputs)` - 1` columns stay zero
/// (and a few more where outputs do not divide the columns): rotations by columns run over the end of a row there. With
/// hidden units these take the outputs' places, and the weights between them and the outputs lie in tiles of their own: see
/// "A hidden layer" there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TileLayout {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Training records.
    pub rows: usize,
    /// Features of a record, the constant 1 of the bias included.
    pub features: usize,
    /// Classes; two classes need one output.
    pub classes: usize,
    /// Most records in a minibatch.
    pub batch: usize,
    /// Slots of a row, a power of two.
    pub columns: usize,
    /// Hidden units, squared; 0 for a linear head.
    pub hidden: usize,
}

impl TileLayout {
    /// A layout of a linear head with that many columns.
    ///
    /// # Errors
    /// [`TrainError::Shape`] when the sizes do not fit each other or the ring; in particular when weights and momentum do
    /// not fit one ciphertext.
    pub fn new(
        log_n: u32,
        sizes: [usize; 3],
        batch: usize,
        columns: usize,
    ) -> Result<Self, TrainError> {
        Self::with_hidden(log_n, sizes, batch, columns, 0)
    }

    /// A layout with that many columns and hidden units; none for a linear head.
    ///
    /// # Errors
    /// As [`TileLayout::new`].
    pub fn with_hidden(
        log_n: u32,
        [rows, features, classes]: [usize; 3],
        batch: usize,
        columns: usize,
        hidden: usize,
    ) -> Result<Self, TrainError> {
        if !(4..=17).contains(&log_n) {
            return Err(shape("log2 of the ring degree", "4 to 17", log_n));
        }
        let slots = 1usize << (log_n - 1);
        for (what, value, range) in [
            ("rows", rows, 2..=1 << 24),
            ("features", features, 2..=1 << 16),
            ("classes", classes, 2..=64),
            ("rows of a minibatch", batch, 1..=1 << 24),
            ("hidden units", hidden, 0..=64),
        ] {
            if !range.contains(&value) {
                let needed = format!("{} to {}", range.start(), range.end());
                return Err(shape(what, needed, value));
            }
        }
        let layout = Self {
            log_n,
            rows,
            features,
            classes,
            batch: batch.min(rows),
            columns,
            hidden,
        };
        let least = layout.least_columns(LossKind::OneVsRest);
        if !columns.is_power_of_two() || columns > slots / 2 || columns < least {
            let needed = format!("a power of two from {least} to {}", slots / 2);
            return Err(shape("columns", needed, columns));
        }
        if 2 * layout.leaves().next_power_of_two() > layout.block_rows() {
            let needed = format!("at most {}", layout.block_rows() / 2);
            return Err(shape(
                "tiles of weights in a ciphertext",
                needed,
                layout.leaves(),
            ));
        }
        Ok(layout)
    }

    /// The layout with the fewest key switches in a step.
    ///
    /// # Errors
    /// [`TrainError::Shape`] when no number of columns fits.
    pub fn best(log_n: u32, sizes: [usize; 3], batch: usize) -> Result<Self, TrainError> {
        Self::best_for((LossKind::OneVsRest, 0), log_n, sizes, batch)
    }

    /// As [`TileLayout::best`], for a loss and hidden units: among those with the columns of
    /// [`TileLayout::least_columns`].
    ///
    /// # Errors
    /// As [`TileLayout::best`].
    pub fn best_for(
        (loss, hidden): (LossKind, usize),
        log_n: u32,
        sizes: [usize; 3],
        batch: usize,
    ) -> Result<Self, TrainError> {
        let mut best: Option<Self> = None;
        let mut refused = None;
        for log_columns in 0..log_n.clamp(2, 18) - 1 {
            match Self::with_hidden(log_n, sizes, batch, 1 << log_columns, hidden) {
                Ok(layout) if layout.columns < layout.least_columns(loss) => {}
                Ok(layout) => {
                    if best
                        .as_ref()
                        .is_none_or(|b| layout.key_switches() < b.key_switches())
                    {
                        best = Some(layout);
                    }
                }
                Err(error) => refused = Some(error),
            }
        }
        best.ok_or_else(|| refused.unwrap_or_else(|| shape("columns", "any", "none")))
    }

    /// The layout of all rows in one minibatch, where a network made them: with the fewest columns, and no fewer than `least`, in
    /// which a row of features fits one tile.
    ///
    /// # Errors
    /// As [`TileLayout::new`].
    pub fn of_rows(
        (loss, hidden): (LossKind, usize),
        log_n: u32,
        sizes: [usize; 3],
        least: usize,
    ) -> Result<Self, TrainError> {
        let most = 1 << log_n.min(20);
        let columns = sizes[1].div_ceil(2).max(least).min(most);
        let (mut columns, batch) = (columns.next_power_of_two(), sizes[0]);
        loop {
            match Self::with_hidden(log_n, sizes, batch, columns, hidden) {
                Ok(layout) if layout.tiles() == 1 && columns >= layout.least_columns(loss) => {
                    return Ok(layout);
                }
                Err(error) if columns >= most => return Err(error),
                _ => columns *= 2,
            }
        }
    }

    /// Slots of a ciphertext.
    pub fn slots(&self) -> usize {
        1 << (self.log_n - 1)
    }

    /// Trained columns: one for two classes, one a class otherwise.
    pub fn outputs(&self) -> usize {
        if self.classes == 2 { 1 } else { self.classes }
    }

    /// Columns of the product with the features: hidden units, or outputs of a linear head.
    pub fn units(&self) -> usize {
        if self.hidden > 0 {
            self.hidden
        } else {
            self.outputs()
        }
    }

    /// Diagonals of the weights from hidden units to outputs, from unit `o - outputs + 1` to unit `o + hidden - 1` for output
    /// `o`; none without hidden units.
    pub fn diagonals(&self) -> usize {
        match self.hidden {
            0 => 0,
            hidden => hidden + self.outputs() - 1,
        }
    }

    /// Levels that prediction consumes: those of records to predict and of the head that it takes.
    pub fn prediction_depth(&self) -> usize {
        if self.hidden > 0 { 3 } else { 1 }
    }

    /// Level of a head and of the records that it predicts, where a bootstrap reads at level `bottom`.
    ///
    /// The primes of the levels up to `bottom` are those of the bootstrap's SlotsToCoeffs, wider than the scale: one product there leaves
    /// scores a scale of 28 bits in the presets, which is enough, but nothing can follow it.
    pub fn prediction_level(&self, bottom: usize) -> usize {
        let depth = self.prediction_depth();
        depth
            + if depth > 1 {
                bottom.saturating_sub(1)
            } else {
                0
            }
    }

    /// Lengths of the rows of weights: for each unit its features, then for each output its hidden units.
    pub fn weight_rows(&self) -> Vec<usize> {
        let mut rows = vec![self.features; self.units()];
        if self.hidden > 0 {
            rows.extend(vec![self.hidden; self.outputs()]);
        }
        rows
    }

    /// Pairs of features.
    pub fn pairs(&self) -> usize {
        self.features.div_ceil(2)
    }

    /// Rows of a tile.
    pub fn block_rows(&self) -> usize {
        self.slots() / self.columns
    }

    /// Columns that a loss needs: a softmax sums over the outputs between columns of zeros, and so do hidden units.
    pub fn least_columns(&self, loss: LossKind) -> usize {
        match loss {
            LossKind::OneVsRest => self.units().max(self.diagonals()),
            LossKind::Softmax => 2 * self.outputs() - 1,
        }
    }

    /// How often the units fit into the columns.
    pub fn groups(&self) -> usize {
        self.columns / self.units()
    }

    /// Columns that hold pairs.
    pub fn usable(&self) -> usize {
        self.units() * (self.groups() - 1) + 1
    }

    /// Tiles of a row block: how many ciphertexts its features take.
    pub fn tiles(&self) -> usize {
        self.pairs().div_ceil(self.usable())
    }

    /// Tiles of weights of the features: each tile of features once for each of the shifts of the units.
    pub fn feature_leaves(&self) -> usize {
        self.tiles() * self.units()
    }

    /// All tiles of weights: those of the features, then the diagonals from hidden units to outputs.
    pub fn leaves(&self) -> usize {
        self.feature_leaves() + self.diagonals()
    }

    /// Number of the tile of weights that belongs to `tile` and `shift`.
    pub fn leaf(&self, tile: usize, shift: usize) -> usize {
        shift * self.tiles() + tile
    }

    /// log2 of the tiles of weights, rounded up.
    pub fn merge_steps(&self) -> u32 {
        self.leaves().next_power_of_two().ilog2()
    }

    /// log2 of a period of a dense ciphertext with weights and momentum, and no less than bootstrapping takes.
    pub fn log_period(&self) -> u32 {
        /// Slots that are cut into three matrices.
        const LEAST: u32 = 3;
        (self.columns.ilog2() + self.merge_steps() + 1).max(LEAST)
    }

    /// Minibatches of an epoch.
    pub fn batches(&self) -> usize {
        self.rows.div_ceil(self.batch)
    }

    /// The rows of a minibatch: as equal in number as the last one allows.
    pub fn batch_rows(&self, batch: usize) -> std::ops::Range<usize> {
        let each = self.rows.div_ceil(self.batches());
        (batch * each).min(self.rows)..((batch + 1) * each).min(self.rows)
    }

    /// Row blocks of a minibatch.
    pub fn blocks(&self) -> usize {
        self.rows
            .div_ceil(self.batches())
            .div_ceil(self.block_rows())
    }

    /// Key switches of a step after the first, with a sigmoid of degree 7.
    pub fn key_switches(&self) -> usize {
        let (outputs, leaves) = (self.units(), self.leaves());
        let window = (self.groups().ilog2() + self.groups().count_ones() - 1) as usize;
        let mut block = outputs + 2 * (outputs - 1) + 2 * window + 1 + 4;
        if self.hidden > 0 {
            // Square, rotations of units and of what comes back to them, products with the weights, and one with the slope.
            block += 3 * self.diagonals() + 4;
        }
        let mut merge = 0;
        let mut left = leaves;
        for _ in 0..self.block_rows().ilog2() {
            left = left.div_ceil(2);
            merge += left;
        }
        leaves + leaves + merge + self.blocks() * block
    }

    /// The rotations along the rows.
    pub(crate) fn tower(&self) -> Tower {
        Tower {
            slots: self.slots(),
            columns: self.columns,
            row_steps: self.block_rows().ilog2(),
            key_stride: 1,
        }
    }

    /// 1 in the columns of the outputs, 0 elsewhere.
    pub(crate) fn output_mask(&self) -> Vec<f64> {
        (0..self.columns)
            .map(|c| f64::from(u8::from(c < self.outputs())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_a_large_head() {
        let layout = TileLayout::new(16, [1024, 769, 8], 1024, 64).expect("fits");
        assert_eq!(
            (
                layout.block_rows(),
                layout.blocks(),
                layout.groups(),
                layout.usable()
            ),
            (512, 2, 8, 57)
        );
        assert_eq!(
            (
                layout.tiles(),
                layout.leaves(),
                layout.merge_steps(),
                layout.log_period()
            ),
            (7, 56, 6, 13)
        );
        let best = TileLayout::best(16, [1024, 769, 8], 1024).expect("fits");
        assert!(best.key_switches() <= layout.key_switches());
        assert!(best.key_switches() < 250, "{best:?}");
    }

    #[test]
    fn every_head_in_range_fits_one_ciphertext() {
        for features in [17, 65, 128, 769, 1025] {
            for classes in 2..=16 {
                for rows in [100, 1_797, 1_000_000] {
                    let batch = rows.min(1024);
                    let layout =
                        TileLayout::best(16, [rows, features, classes], batch).expect("fits");
                    assert!(layout.log_period() <= 15, "{layout:?}");
                    let covered: usize = (0..layout.batches())
                        .map(|b| layout.batch_rows(b).len())
                        .sum();
                    assert_eq!(covered, rows);
                    assert!(layout.batch_rows(0).len() <= layout.blocks() * layout.block_rows());
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (log_n, sizes, batch, columns) in [
            (14, [1, 10, 2], 8, 8),
            (14, [10, 1, 2], 8, 8),
            (14, [10, 10, 1], 8, 8),
            (14, [10, 10, 2], 0, 8),
            (14, [10, 10, 2], 8, 7),
            (14, [10, 10, 9], 8, 8),
            (8, [10, 200, 3], 8, 4),
            (40, [10, 10, 2], 8, 8),
        ] {
            assert!(
                TileLayout::new(log_n, sizes, batch, columns).is_err(),
                "{log_n} {sizes:?} {batch} {columns}"
            );
        }
    }
}
