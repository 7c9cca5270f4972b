//! Channels in the places between pixels.
//!
//! Where a stride doubles the spacing of the pixels and no images wait to be merged, three of four cells would stay empty
//! in every ciphertext. They hold other channels instead: a ciphertext then has `fold x fold` *classes* of cells, one for
//! each of that many channels, and a quarter of the ciphertexts are rotated, squared and relinearised.
//!
//! A convolution moves values between classes as well as between pixels. In units of the distance of two classes, the
//! output cell `m' P + d` (pixel `P`, class `d` of `m'`) reads the cells `m (stride P + t) + c` of tap `t` and class `c` of
//! `m`, which lie `r = m t + c - d` cells away, because `m' = stride m`. Each of these distances is a *baby* rotation of
//! the input, shared by all outputs, plus a *giant* rotation of a sum. What passes, and with which weight, depends on the
//! cell: weights are vectors that repeat with the image's cells, and are zero at the border.

mod steps;

pub(crate) use steps::{activation, add, conv, dense};

use std::ops::RangeInclusive;

use crate::error::ModelError;
use crate::layout::Layout;

/// Distances that the babies of a dimension cover: -1 to 2, of which most are needed by layers without folding too.
const BABIES: i64 = 4;

/// The geometry of a convolution on maps that are folded after it, and may be before it.
#[derive(Debug, Clone)]
pub(crate) struct FoldedTaps {
    pub input: Layout,
    pub output: Layout,
    /// Channels before and after.
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    /// Cells, in units of the distance of two classes.
    pub babies: Vec<[i64; 2]>,
    pub giants: Vec<[i64; 2]>,
}

impl FoldedTaps {
    /// For a square kernel with padding `kernel / 2`.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for a map of a single pixel with stride 2.
    pub fn new(
        input: Layout,
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
    ) -> Result<Self, ModelError> {
        let output = if stride == 2 {
            input.halved(true)?
        } else {
            input
        };
        let distances = distances(&input, &output, kernel);
        let (babies, giants) = steps_for(*distances.start(), *distances.end());
        let square = |one: &[i64]| -> Vec<[i64; 2]> {
            let rows = one.iter();
            rows.flat_map(|&y| one.iter().map(move |&x| [y, x]))
                .collect()
        };
        Ok(Self {
            input,
            output,
            channels,
            kernel,
            stride,
            babies: square(&babies),
            giants: square(&giants),
        })
    }

    /// The rotation by a distance in units of that of two classes, which are the same before and after.
    pub fn rotation(&self, [dy, dx]: [i64; 2]) -> i64 {
        let unit = self.output.unit() as i64;
        self.output.grid.rotation(dy * unit, dx * unit)
    }

    /// Ciphertexts before and after.
    pub fn ciphertexts(&self) -> [usize; 2] {
        let [from, to] = self.channels;
        [
            from.div_ceil(self.input.classes()),
            to.div_ceil(self.output.classes()),
        ]
    }

    /// Whether any cell reads at a distance that is a giant and a baby.
    pub fn needs(&self, giant: [i64; 2], baby: [i64; 2]) -> bool {
        let distances = distances(&self.input, &self.output, self.kernel);
        [0, 1]
            .iter()
            .all(|&axis| distances.contains(&(giant[axis] + baby[axis])))
    }

    /// Writes what a rotated input contributes to a sum of output ciphertext `o` before its giant, by cell: of `weights`
    /// `[out][in][tap]` those for input ciphertext `source / babies` after its baby.
    pub fn weights(
        &self,
        weights: &[f64],
        (o, giant): (usize, [i64; 2]),
        source: usize,
        out: &mut [f64],
    ) {
        let babies = &self.babies;
        let (i, baby) = (source / babies.len(), babies[source % babies.len()]);
        let side = self.output.grid.side();
        let [rows, columns] = [0, 1].map(|axis| -> Vec<Option<Passage>> {
            let distance = giant[axis] + baby[axis];
            (0..side).map(|cell| self.passage(cell, distance)).collect()
        });
        let (from, to) = (self.input.fold, self.output.fold);
        let cells = side * side;
        let moved = self.rotation(giant).rem_euclid(cells as i64) as usize;
        for (y, row) in rows.iter().enumerate() {
            let Some(row) = row else { continue };
            for (x, column) in columns.iter().enumerate() {
                let Some(column) = column else { continue };
                let output = o * to * to + row.output * to + column.output;
                let input = i * from * from + row.input * from + column.input;
                if input < self.channels[0] && output < self.channels[1] {
                    let tap = row.tap * self.kernel + column.tap;
                    let channel = output * self.channels[0] + input;
                    out[(y * side + x + moved) % cells] =
                        weights[channel * self.kernel * self.kernel + tap];
                }
            }
        }
    }

    /// What a cell reads at a distance along one axis.
    fn passage(&self, cell: usize, distance: i64) -> Option<Passage> {
        let (from, to) = (self.input.fold as i64, self.output.fold as i64);
        let place = (cell / self.output.unit()) as i64;
        let (pixel, output) = (place / to, place % to);
        let (tap, input) = (
            (distance + output).div_euclid(from),
            (distance + output).rem_euclid(from),
        );
        let pad = (self.kernel / 2) as i64;
        let read = self.stride as i64 * pixel + tap;
        let inside = tap.abs() <= pad && (0..self.input.size() as i64).contains(&read);
        // All are at least 0 and small.
        inside.then_some(Passage {
            output: output as usize,
            input: input as usize,
            tap: (tap + pad) as usize,
        })
    }
}

/// How far along one axis the cells may lie that an output cell reads.
fn distances(input: &Layout, output: &Layout, kernel: usize) -> RangeInclusive<i64> {
    let pad = (kernel / 2) as i64;
    let [from, to] = [input, output].map(|layout| layout.fold as i64);
    1 - to - pad * from..=from - 1 + pad * from
}

/// Along one axis: the classes between which a value goes, and the tap.
struct Passage {
    output: usize,
    input: usize,
    tap: usize,
}

/// Babies and giants whose sums are the distances from `least` to `most`, each once, and perhaps some beyond.
fn steps_for(least: i64, most: i64) -> (Vec<i64>, Vec<i64>) {
    if most - least < BABIES {
        // One giant, none where babies alone do.
        let giant = if least >= -1 && most <= BABIES - 2 {
            0
        } else {
            least + 1
        };
        return ((least - giant..=most - giant).collect(), vec![giant]);
    }
    // Giants have the same remainder in every layer, so that layers share keys.
    let window = |distance: i64| (distance - 1).div_euclid(BABIES);
    let giants = (window(least)..=window(most)).map(|k| BABIES * k + 2);
    ((-1..BABIES - 1).collect(), giants.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_distance_has_one_baby_and_giant() {
        for (least, most) in [
            (-1, 0),
            (-2, 1),
            (-3, 1),
            (-3, 3),
            (-5, 3),
            (-7, 7),
            (-17, 15),
        ] {
            let (babies, giants) = steps_for(least, most);
            let mut seen = BTreeSet::new();
            for giant in &giants {
                assert!(babies.iter().all(|baby| seen.insert(giant + baby)));
            }
            assert!((least..=most).all(|distance| seen.contains(&distance)));
        }
    }
}
