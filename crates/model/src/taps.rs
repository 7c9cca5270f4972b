//! The geometry of a convolution on a layout: which ciphertexts, rotated how and masked where, each output phase reads.
//!
//! A tap `t` of output pixel row `p' Y + d` reads input row `p Y + r` with `r = stride d + t`: phase `r mod p` of cell
//! `Y + floor(r / p)`. Only taps whose *carry* `floor(r / p)` is not 0 need a rotation, and only they can leave the
//! image. A rotated ciphertext is multiplied by a mask that is 0 where its cell comes from outside, and the mask's
//! scale and that of the weights share one rescale: zero padding costs no level.

use std::collections::BTreeMap;

use crate::error::ModelError;
use crate::layout::Layout;

/// A ciphertext of each input channel: its phase and the cells, in units of the spacing, that it is rotated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub phase: usize,
    pub carry: [i64; 2],
}

/// A convolution between two layouts.
#[derive(Debug, Clone)]
pub(crate) struct Taps {
    pub input: Layout,
    pub output: Layout,
    /// Without repetition, phase by phase.
    pub sources: Vec<Source>,
    /// For each output phase the source of each tap, in the order of the kernel.
    pub phases: Vec<Vec<usize>>,
    /// Whether pixels that the stride skips must become zero.
    pub clears: bool,
}

impl Taps {
    /// For a square kernel with padding `kernel / 2`. With `merged`, outputs are zero in the places that a stride without
    /// phases leaves between pixels, so that other runs can be added there.
    pub fn new(
        input: Layout,
        kernel: usize,
        stride: usize,
        merged: bool,
    ) -> Result<Self, ModelError> {
        let output = if stride == 2 {
            input.halved(false)?
        } else {
            input
        };
        let spaced = output.spacing != input.spacing;
        let step = if spaced { 1 } else { stride as i64 };
        let (p, pad) = (input.phases as i64, (kernel / 2) as i64);
        let mut numbers = BTreeMap::new();
        let mut phases = Vec::with_capacity(output.ciphertexts());
        let reads = |d: i64, t: i64| {
            let row = step * d + t - pad;
            (row.rem_euclid(p), row.div_euclid(p))
        };
        for dy in 0..output.phases as i64 {
            for dx in 0..output.phases as i64 {
                let mut taps = Vec::with_capacity(kernel * kernel);
                for ty in 0..kernel as i64 {
                    for tx in 0..kernel as i64 {
                        let ((py, cy), (px, cx)) = (reads(dy, ty), reads(dx, tx));
                        // Both are residues of a number of phases.
                        let source = Source {
                            phase: (py * p + px) as usize,
                            carry: [cy, cx],
                        };
                        numbers.insert(source, 0);
                        taps.push(source);
                    }
                }
                phases.push(taps);
            }
        }
        for (number, slot) in numbers.values_mut().enumerate() {
            *slot = number;
        }
        let phases = phases
            .iter()
            .map(|taps| taps.iter().map(|source| numbers[source]).collect())
            .collect();
        Ok(Self {
            input,
            output,
            sources: numbers.into_keys().collect(),
            phases,
            clears: spaced && merged,
        })
    }

    /// The mask of a source by cell, `Y * side + X`; `None` where nothing is masked.
    pub fn mask(&self, carry: [i64; 2]) -> Option<Vec<bool>> {
        if carry == [0, 0] && !self.clears {
            return None;
        }
        let (side, spacing) = (self.input.grid.side(), self.input.spacing);
        let rows = (side / spacing) as i64;
        let passes = |cell: usize, carry: i64| {
            let row = (cell / spacing) as i64;
            (0..rows).contains(&(row + carry)) && !(self.clears && row % 2 == 1)
        };
        let cell = |i: usize| passes(i / side, carry[0]) && passes(i % side, carry[1]);
        Some((0..side * side).map(cell).collect())
    }

    /// The rotation of a carry.
    pub fn rotation(&self, [cy, cx]: [i64; 2]) -> i64 {
        let spacing = self.input.spacing as i64;
        self.input.grid.rotation(cy * spacing, cx * spacing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Grid;

    fn layout(batch: usize, size: usize) -> Layout {
        Layout::new(Grid::new(1 << 9, batch).expect("a grid"), size).expect("a layout")
    }

    #[test]
    fn only_phases_at_the_edge_are_rotated() {
        // 8 x 8 cells, in 1, 2 x 2 and 4 x 4 phases.
        for (size, phases) in [(8, 1), (16, 2), (32, 4)] {
            let taps = Taps::new(layout(8, size), 3, 1, false).expect("fits");
            let rotated = taps.sources.iter().filter(|s| s.carry != [0, 0]).count();
            assert_eq!(
                (taps.sources.len(), rotated),
                ((phases + 2) * (phases + 2), 4 * phases + 4)
            );
            assert!(taps.phases.iter().all(|one| one.len() == 9));
            // A stride of 2 reads beyond the first row and column only.
            let taps = Taps::new(layout(8, size), 3, 2, false).expect("fits");
            let rotated = taps.sources.iter().filter(|s| s.carry != [0, 0]).count();
            assert_eq!(rotated, if phases == 1 { 8 } else { 2 * phases + 1 });
            let taps = Taps::new(layout(8, size), 1, 2, false).expect("fits");
            assert!(taps.sources.iter().all(|s| s.carry == [0, 0]));
        }
    }

    #[test]
    fn masks_pass_what_lies_inside() {
        let taps = Taps::new(layout(8, 8), 3, 1, false).expect("fits");
        assert!(taps.mask([0, 0]).is_none());
        let up = taps.mask([-1, 0]).expect("a mask");
        assert!((0..64).all(|cell| up[cell] == (cell >= 8)));
        let corner = taps.mask([1, 1]).expect("a mask");
        assert!((0..64).all(|cell| corner[cell] == (cell < 56 && cell % 8 < 7)));
        // Merged: what the stride skips is cleared, in the middle too.
        let taps = Taps::new(layout(8, 8), 3, 2, true).expect("fits");
        let middle = taps.mask([0, 0]).expect("a mask");
        assert!((0..64).all(|cell| middle[cell] == (cell / 8 % 2 == 0 && cell % 2 == 0)));
    }
}
