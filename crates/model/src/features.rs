//! Pooled features of many images, gathered into rows of few ciphertexts: what a head is trained on.
//!
//! A network leaves each channel in a vector of its own, one slot for each image. A head wants rows: slot `r columns + c` holds
//! pair `c` of the features of row `r`, as `x_2c + i x_(2c+1)`. Images are taken in *groups*, within which all lie equally far from
//! their row; see `docs/maths/inference.md`, "Features in rows".

use std::sync::Arc;

use confide_ckks::{Parameters, ParametersLiteral, Reserved, security};
use confide_tensor::{CostModel, KeySwitchShape, Op};
use num_complex::Complex64;

use crate::card::FeatureCard;
use crate::error::{ModelError, layout};
use crate::layout::Layout;
use crate::ops::{LayerEvaluator, Reads, Shift, Sums};
use crate::program::Tensor;

/// Bits of the lowest primes and of the special ones. Three primes are left when features are gathered, which together hold what
/// bootstrapping reads; by the fourth the gathering is rescaled (`docs/maths/inference.md`, "Features in rows").
const WIDE_BITS: u32 = 46;
const WIDE: usize = 4;
/// Level at which gathered features are handed over: primes below it belong to the switch of the modulus.
pub const HANDOVER_LEVEL: usize = WIDE - 2;
/// Bits of every other rescale, and of the scale.
const LEVEL_BITS: u32 = 36;
/// Bits of the masks that gather features, for [`crate::CkksLayers::with_mask_bits`]: half of those that masks and weights share.
pub const MASK_BITS: u32 = 18;

/// The parameters of a network whose features are `levels` levels deep, the one of the gathering included, and are handed over at
/// level 2, with as many special primes as make a key switch at the top cheapest, within the cap of presets.
///
/// # Errors
/// [`ModelError::Layout`] if no such set is secure.
pub fn parameters(log_n: u32, levels: usize, cost: &CostModel) -> Result<Parameters, ModelError> {
    let cap = security::preset_cap(log_n).unwrap_or(0.0);
    let limbs = WIDE - 1 + levels;
    let bits = f64::from(WIDE_BITS) * WIDE as f64 + f64::from(LEVEL_BITS) * (levels as f64 - 1.0);
    let micros = |special: usize| {
        let alpha = special.min(limbs);
        let shape = KeySwitchShape {
            log_n,
            alpha,
            special,
        };
        cost.micros(Op::KeySwitch, limbs - 1, &shape)
    };
    let special = (1..=10)
        .filter(|&special| levels > 0 && bits + f64::from(WIDE_BITS) * special as f64 <= cap)
        .min_by(|&a, &b| micros(a).total_cmp(&micros(b)));
    let special = special.ok_or_else(|| {
        let needed = format!("at least 1, at most what {cap} bits hold");
        layout("levels of features", needed, levels)
    })?;
    let (literal, reserved) = literal(log_n, levels, special);
    Ok(Parameters::with_reserved(literal, reserved)?)
}

/// As [`parameters`] without any security check, with three special primes. For tests only.
///
/// # Errors
/// [`ModelError::Evaluation`] for levels that make no literal.
#[cfg(any(test, feature = "insecure-test-parameters"))]
pub fn parameters_insecure_for_tests(log_n: u32, levels: usize) -> Result<Parameters, ModelError> {
    let (literal, reserved) = literal(log_n, levels.max(1), 3);
    Ok(Parameters::with_reserved_insecure_for_tests(
        literal, reserved,
    )?)
}

/// The primes of a chain for features, and those of them by which nothing is rescaled.
fn literal(log_n: u32, levels: usize, special: usize) -> (ParametersLiteral, Reserved) {
    let mut log_q = vec![WIDE_BITS; 2];
    log_q.resize(1 + levels, LEVEL_BITS);
    let literal = ParametersLiteral {
        log_n,
        log_q,
        log_p: vec![WIDE_BITS; special],
        log_scale: LEVEL_BITS,
        dnum_alpha: special.min(WIDE - 1 + levels),
    };
    let reserved = Reserved {
        lower: vec![WIDE_BITS; WIDE - 2],
        upper: Vec::new(),
    };
    (literal, reserved)
}

/// Where the features of each image go.
#[derive(Debug, Clone)]
pub struct FeatureRows {
    layout: Layout,
    images: usize,
    columns: usize,
}

/// Where the features of an image lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Ciphertext.
    pub tile: usize,
    /// Row in it: slots `row * columns` and those that follow.
    pub row: usize,
}

/// Features as sums over channels: `sum_j rows[f][j] (pooled_j - mean[j])`, and a last one that is `constant` for every image.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureSums {
    mean: Vec<f64>,
    rows: Vec<Vec<f64>>,
}

impl FeatureSums {
    /// Those of a card for channels that are stored times `gains`, all times `scale`; the last feature is the bias, 1 times `scale`.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for another number of channels than the card's.
    pub fn new(card: &FeatureCard, gains: &[f64], scale: f64) -> Result<Self, ModelError> {
        if gains.len() != card.mean.len() {
            let needed = card.mean.len();
            return Err(layout("channels of features", needed, gains.len()));
        }
        let products = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).collect();
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(card.rows.len() + 1);
        for row in &card.rows {
            let weights = row.iter().zip(gains).map(|(w, gain)| w * scale / gain);
            rows.push(weights.chain([0.0]).collect());
        }
        let mut bias = vec![0.0; gains.len()];
        bias.push(scale);
        rows.push(bias);
        Ok(Self {
            mean: products(&card.mean, gains),
            rows,
        })
    }

    /// Features, the bias included.
    pub fn features(&self) -> usize {
        self.rows.len()
    }
}

impl FeatureRows {
    /// For `images` images whose pooled maps have that layout, in rows of `columns` slots.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for columns that are no power of two or no more images than the layout holds.
    pub fn new(layout_of: Layout, images: usize, columns: usize) -> Result<Self, ModelError> {
        let slots = layout_of.grid.batch() * layout_of.grid.cells();
        if !columns.is_power_of_two() || columns > slots {
            let needed = format!("a power of two up to {slots}");
            return Err(layout("columns of features", needed, columns));
        }
        if !(1..=layout_of.images()).contains(&images) {
            let needed = format!("1 to {}", layout_of.images());
            return Err(layout("images of features", needed, images));
        }
        Ok(Self {
            layout: layout_of,
            images,
            columns,
        })
    }

    /// Ciphertexts that the rows take.
    pub fn tiles(&self) -> usize {
        self.groups().div_ceil(self.together())
    }

    /// Rows of a ciphertext.
    pub fn rows(&self) -> usize {
        self.slots() / self.columns
    }

    /// Where image `image` goes.
    pub fn row(&self, image: usize) -> Row {
        let (group, together) = (self.group(image), self.together());
        let block = self.slot(image) / self.width();
        Row {
            tile: group / together,
            row: block * together + group % together,
        }
    }

    /// The image of every row of every tile, if it has one: the order in which labels are packed.
    pub fn images_of_rows(&self) -> Vec<Vec<Option<usize>>> {
        let mut tiles = vec![vec![None; self.rows()]; self.tiles()];
        for image in 0..self.images {
            let Row { tile, row } = self.row(image);
            tiles[tile][row] = Some(image);
        }
        tiles
    }

    /// The tiles of `features` pairs; one level lower. Slots that belong to no image or no feature are zero.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for other channels than those of `sums`, or more pairs of features than columns;
    /// [`ModelError::Evaluation`].
    pub fn pack<E: LayerEvaluator>(
        &self,
        ev: &E,
        pooled: Tensor<E::Ct>,
        sums: &FeatureSums,
    ) -> Result<Vec<E::Ct>, ModelError> {
        let terms = self.centred(ev, pooled, sums)?;
        let mut tiles: Vec<Option<E::Ct>> = (0..self.tiles()).map(|_| None).collect();
        for group in 0..self.groups() {
            ev.phase("gather features");
            let gathered = self.gather(ev, group, &terms, sums)?;
            let tile = &mut tiles[group / self.together()];
            *tile = Some(match tile.take() {
                None => gathered,
                Some(sum) => ev.add(&sum, &gathered)?,
            });
        }
        Ok(tiles.into_iter().flatten().collect())
    }

    /// The channels without their means, and a one.
    fn centred<E: LayerEvaluator>(
        &self,
        ev: &E,
        pooled: Tensor<E::Ct>,
        sums: &FeatureSums,
    ) -> Result<Vec<E::Ct>, ModelError> {
        let channels: Vec<Arc<E::Ct>> = pooled.into_iter().flatten().collect();
        if channels.len() != sums.mean.len() {
            let needed = sums.mean.len();
            return Err(layout("channels of features", needed, channels.len()));
        }
        if sums.features().div_ceil(2) > self.columns {
            let most = 2 * self.columns;
            return Err(layout("features of a row", most, sums.features()));
        }
        let centred = channels.iter().zip(&sums.mean);
        let mut terms = centred
            .map(|(channel, mean)| ev.add_const(channel, -mean))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(any) = channels.first() {
            terms.push(ev.add_const(&ev.sub(any, any)?, 1.0)?);
        }
        Ok(terms)
    }

    /// The rows of one group, in their place.
    fn gather<E: LayerEvaluator>(
        &self,
        ev: &E,
        group: usize,
        terms: &[E::Ct],
        sums: &FeatureSums,
    ) -> Result<E::Ct, ModelError> {
        let level = terms.iter().map(|term| ev.level(term)).min().unwrap_or(0);
        let mask = ev.mask(&self.cells(group), level)?;
        let shift = Shift {
            rotation: 0,
            mask: Some(mask),
        };
        let products = Sums {
            sources: (0..terms.len()).collect(),
            rows: sums.rows.clone(),
        };
        let reads = Reads {
            inputs: terms.iter().collect(),
            shifts: &[shift],
            sources: products.sources.iter().map(|&i| (i, 0)).collect(),
        };
        let features = ev.shifted_sums(None, &reads, &[products])?;
        let mut features = features
            .into_iter()
            .map(|sum| ev.finish(sum, 0.0))
            .collect::<Result<Vec<_>, _>>()?;
        // Pairs by Horner's rule in rotations by one column, the last one first.
        let mut sum: Option<E::Ct> = None;
        while !features.is_empty() {
            let even = (features.len() - 1) / 2 * 2;
            let mut pair = features.split_off(even).into_iter();
            let Some(real) = pair.next() else { break };
            let next = match pair.next() {
                None => real,
                Some(odd) => {
                    let imaginary = ev.mul_monomial(&odd, ev.slots() as i64)?;
                    ev.add(&real, &imaginary)?
                }
            };
            sum = Some(match sum {
                None => next,
                Some(sum) => ev.add(&ev.rotate(&sum, -1)?, &next)?,
            });
        }
        let sum = sum.ok_or_else(|| layout("features", "at least 1", 0))?;
        let place = (group % self.together() * self.columns) as i64;
        Ok(ev.rotate(&sum, self.within(group) - place)?)
    }

    /// Which slots hold images of a group: as short a pattern as repeats.
    fn cells(&self, group: usize) -> Vec<bool> {
        let mut all = vec![false; self.slots()];
        for image in (0..self.images).filter(|&image| self.group(image) == group) {
            all[self.slot(image)] = true;
        }
        let width = self.width();
        let repeats = all.chunks(width).all(|cells| cells == &all[..width]);
        all.truncate(if repeats { width } else { all.len() });
        all
    }

    fn slots(&self) -> usize {
        self.layout.grid.batch() * self.layout.grid.cells()
    }

    fn slot(&self, image: usize) -> usize {
        self.layout.slot(image, 0, 0).1
    }

    /// Slots after which images of a group, and their rows, repeat.
    fn width(&self) -> usize {
        self.layout.grid.cells().max(self.columns)
    }

    /// Groups that share a tile.
    fn together(&self) -> usize {
        self.width() / self.columns
    }

    /// Blocks of cells in a width: neighbouring images that share a row's slots.
    fn neighbours(&self) -> usize {
        self.width() / self.layout.grid.cells()
    }

    fn group(&self, image: usize) -> usize {
        let (run, block) = (
            image / self.layout.grid.batch(),
            image % self.layout.grid.batch(),
        );
        run * self.neighbours() + block % self.neighbours()
    }

    fn groups(&self) -> usize {
        let runs = self.images.div_ceil(self.layout.grid.batch());
        runs * self.neighbours()
    }

    /// Slot of a group's images within their width.
    fn within(&self, group: usize) -> i64 {
        let (run, neighbour) = (group / self.neighbours(), group % self.neighbours());
        let first = run * self.layout.grid.batch() + neighbour;
        (self.slot(first) % self.width()) as i64
    }
}

/// What the rows hold, computed as directly as possible from pooled features `[image][channel]`: the oracle of [`FeatureRows::pack`].
pub fn reference(
    rows: &FeatureRows,
    pooled: &[Vec<f64>],
    sums: &FeatureSums,
) -> Vec<Vec<Complex64>> {
    let mut tiles = vec![vec![Complex64::ZERO; rows.slots()]; rows.tiles()];
    for (image, channels) in pooled.iter().enumerate().take(rows.images) {
        let Row { tile, row } = rows.row(image);
        for (f, weights) in sums.rows.iter().enumerate() {
            let centred = channels.iter().zip(&sums.mean).map(|(x, mean)| x - mean);
            let terms = centred.chain([1.0]).zip(weights);
            let value: f64 = terms.map(|(x, w)| x * w).sum();
            let slot = &mut tiles[tile][row * rows.columns + f / 2];
            if f % 2 == 0 {
                slot.re = value;
            } else {
                slot.im = value;
            }
        }
    }
    tiles
}

#[cfg(test)]
mod tests;
