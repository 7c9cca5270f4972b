//! Where pixels lie in slots.
//!
//! Slots form a grid of `side x side` cells for each image: `slot = (image * side + Y) * side + X`. A map of
//! `size x size` pixels is either cut into `p x p` *phases* (`size = p side`; pixel `(p Y + dy, p X + dx)` lies in cell
//! `(Y, X)` of the ciphertext of phase `(dy, dx)`), or sits at a *spacing* in one ciphertext (`size = side / spacing`;
//! the cells between hold other images, or other channels: the map is *folded*). A convolution of stride 2 halves `p`,
//! then doubles the spacing: nothing is ever compacted.
//!
//! Images are outermost, so that what depends on the cell alone repeats every `side^2` slots: such a plaintext is a
//! polynomial in `X^(N / 2 side^2)`. Encoding rounds `2 side^2` coefficients instead of `N`, and a mask comes out that
//! much closer to 0 and 1: 3.5 bits at N = 2^16 and `side` 16.

use crate::error::{ModelError, layout};

/// The slots as cells of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    side: usize,
    batch: usize,
}

impl Grid {
    /// Cells for `batch` images in `slots` slots.
    ///
    /// # Errors
    /// [`ModelError::Layout`] unless `slots / batch` is the square of a power of two.
    pub fn new(slots: usize, batch: usize) -> Result<Self, ModelError> {
        let cells = slots.checked_div(batch).unwrap_or(0);
        let side = cells.isqrt();
        if batch == 0 || side * side * batch != slots || !side.is_power_of_two() {
            let needed = format!("{slots} slots over a power of 4");
            return Err(layout("images in a ciphertext", needed, batch));
        }
        Ok(Self { side, batch })
    }

    /// Cells a side.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Images in a ciphertext without spacing.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Cells of one image.
    pub fn cells(&self) -> usize {
        self.side * self.side
    }

    /// The rotation that brings cell `(y + dy, x + dx)` to `(y, x)`, up to what wraps around.
    pub fn rotation(&self, dy: i64, dx: i64) -> i64 {
        dy * self.side as i64 + dx
    }
}

/// How the maps of one depth of a network lie in ciphertexts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The cells.
    pub grid: Grid,
    /// Phases a side; 1 where there is a spacing.
    pub phases: usize,
    /// Cells from one pixel to the next.
    pub spacing: usize,
    /// Channels a side of the square that lies between pixels: a ciphertext holds `fold^2` channels. 1 where those places
    /// hold images or nothing.
    pub fold: usize,
}

/// What lies where: an image of a batch, in a place between the pixels of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// First slot of the image's block.
    pub block: usize,
    /// First cell of its pixels.
    pub cell: [usize; 2],
}

impl Layout {
    /// For maps of `size x size` pixels.
    ///
    /// # Errors
    /// [`ModelError::Layout`] unless `size` is the side of the grid times a power of two.
    pub fn new(grid: Grid, size: usize) -> Result<Self, ModelError> {
        let phases = size.checked_div(grid.side).unwrap_or(0);
        if phases * grid.side != size || !phases.is_power_of_two() {
            let needed = format!("{} times a power of two", grid.side);
            return Err(layout("pixels a side", needed, size));
        }
        Ok(Self {
            grid,
            phases,
            spacing: 1,
            fold: 1,
        })
    }

    /// Pixels a side.
    pub fn size(&self) -> usize {
        self.phases * self.grid.side / self.spacing
    }

    /// Ciphertexts of a channel.
    pub fn ciphertexts(&self) -> usize {
        self.phases * self.phases
    }

    /// Channels of a ciphertext.
    pub fn classes(&self) -> usize {
        self.fold * self.fold
    }

    /// Cells from a channel to the next one in a ciphertext; the spacing where there is one channel.
    pub fn unit(&self) -> usize {
        self.spacing / self.fold
    }

    /// Number among the channels of a ciphertext of the one that a cell belongs to.
    pub fn class(&self, row: usize, column: usize) -> usize {
        let [row, column] = [row, column].map(|cell| cell / self.unit() % self.fold);
        row * self.fold + column
    }

    /// After a convolution of stride 2; where the spacing doubles, `folded` puts channels into the places.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for a map of a single pixel.
    pub fn halved(&self, folded: bool) -> Result<Self, ModelError> {
        if self.size() < 2 {
            return Err(layout("pixels a side for stride 2", 2, self.size()));
        }
        Ok(match self.phases {
            1 => Self {
                spacing: 2 * self.spacing,
                fold: if folded { 2 * self.fold } else { self.fold },
                ..*self
            },
            phases => Self {
                phases: phases / 2,
                ..*self
            },
        })
    }

    /// Images that a ciphertext holds when every place between pixels is taken.
    pub fn images(&self) -> usize {
        self.grid.batch * self.unit() * self.unit()
    }

    /// Where image `image` of [`Layout::images`] lies: images of one ciphertext first, then the places in the order in
    /// which the pipeline fills them.
    pub fn place(&self, image: usize) -> Place {
        let (mut run, mut step, mut cell) = (image / self.grid.batch, 1, [0, 0]);
        while run > 0 {
            let [dy, dx] = hole(run % 4);
            cell = [cell[0] + dy * step, cell[1] + dx * step];
            (run, step) = (run / 4, step * 2);
        }
        Place {
            block: image % self.grid.batch * self.grid.cells(),
            cell,
        }
    }

    /// Ciphertext and slot of a pixel of the first channel of its ciphertext: its phase `dy * phases + dx`, and where it
    /// lies there.
    pub fn slot(&self, image: usize, y: usize, x: usize) -> (usize, usize) {
        let (p, place) = (self.phases, self.place(image));
        let at = |pixel: usize, first: usize| pixel / p * self.spacing + first;
        let (row, column) = (at(y, place.cell[0]), at(x, place.cell[1]));
        (
            (y % p) * p + x % p,
            place.block + row * self.grid.side + column,
        )
    }

    /// Slots from the first channel of a ciphertext to channel `channel` of all.
    pub fn channel_offset(&self, channel: usize) -> usize {
        let class = channel % self.classes();
        let [row, column] = [class / self.fold, class % self.fold].map(|c| c * self.unit());
        row * self.grid.side + column
    }

    /// The slots of all phases of one channel for up to [`Layout::images`] planes of pixels; other slots are zero.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for more planes, or one of another size.
    pub fn pack(&self, planes: &[&[f64]]) -> Result<Vec<Vec<f64>>, ModelError> {
        let (size, slots) = (self.size(), self.grid.batch * self.grid.cells());
        if planes.len() > self.images() {
            return Err(layout(
                "images",
                format!("at most {}", self.images()),
                planes.len(),
            ));
        }
        let mut out = vec![vec![0.0; slots]; self.ciphertexts()];
        for (image, plane) in planes.iter().enumerate() {
            if plane.len() != size * size {
                return Err(layout("pixels of a plane", size * size, plane.len()));
            }
            for (i, &value) in plane.iter().enumerate() {
                let (phase, slot) = self.slot(image, i / size, i % size);
                out[phase][slot] = value;
            }
        }
        Ok(out)
    }
}

/// Place of run `run` (below 4) between pixels, in units of the spacing before.
pub(crate) fn hole(run: usize) -> [usize; 2] {
    [run / 2, run % 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pixel_has_a_slot_of_its_own() {
        for (slots, batch, size, strides) in [
            (512, 8, 32, 3),
            (512, 8, 8, 2),
            (1024, 1, 32, 5),
            (512, 512, 4, 2),
        ] {
            let grid = Grid::new(slots, batch).expect("a grid");
            let mut layout = Layout::new(grid, size).expect("a layout");
            for stride in 0..=strides {
                assert_eq!(layout.size(), size >> stride);
                let mut seen = BTreeSet::new();
                for image in 0..layout.images() {
                    for y in 0..layout.size() {
                        for x in 0..layout.size() {
                            let (phase, slot) = layout.slot(image, y, x);
                            assert!(phase < layout.ciphertexts() && slot < slots);
                            assert!(seen.insert((phase, slot)), "{layout:?}");
                        }
                    }
                }
                assert_eq!(seen.len(), layout.ciphertexts() * slots);
                if stride < strides {
                    layout = layout.halved(false).expect("large enough");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(
            Grid::new(512, 3).is_err() && Grid::new(512, 4).is_err() && Grid::new(512, 0).is_err()
        );
        let grid = Grid::new(512, 8).expect("8 x 8 cells");
        assert!(Layout::new(grid, 4).is_err() && Layout::new(grid, 24).is_err());
        let one = Layout::new(Grid::new(512, 512).expect("a cell"), 1).expect("a pixel");
        assert!(one.halved(false).is_err());
        let layout = Layout::new(grid, 8).expect("a layout");
        let plane = vec![0.0; 64];
        assert!(layout.pack(&[&plane[..]; 9]).is_err() && layout.pack(&[&plane[1..]]).is_err());
    }
}
