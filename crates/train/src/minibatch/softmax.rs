//! Softmax of encrypted logits over a wide range, by normalising and squaring.
//!
//! `softmax(z)` is made from `softmax(z / 2^k)`, whose exponentials need a polynomial on [-1, 1] only: squaring all
//! probabilities and dividing by their sum doubles the logits. After Cho, Hanrot, Kim, Park and Stehle, "Fast and accurate
//! homomorphic softmax evaluation" (CCS 2024); HETAL (ICML 2023) extends the domain of the exponential instead. Sums lie
//! between `1/K` and 1 for `K` classes, so that a short polynomial inverts them and no maximum is needed.

use confide_tensor::{Evaluator, TensorError};
use serde::{Deserialize, Serialize};

use super::layout::TileLayout;
use super::polynomial::{evaluate, interpolate};
use super::window::window;

/// Constants of the softmax of a number of classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Softmax {
    /// How often logits are doubled: it is valid for logits up to `2^doublings` in size.
    pub doublings: u32,
    /// `exp(x - 1)` on [-1, 1], in powers.
    exponential: Vec<f64>,
    /// Inverses of the sums: of the exponentials, after each doubling but the last, and after the last.
    inverses: [Inverse; 3],
}

/// `1 / s` for `s` in an interval, as a polynomial of `s / half - offset` in [-1, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Inverse {
    half: f64,
    offset: f64,
    /// `1 / (x + offset)`, in powers: `half / s`.
    coefficients: Vec<f64>,
}

impl Inverse {
    fn new(low: f64, high: f64, depth: u32) -> Self {
        let (half, offset) = ((high - low) / 2.0, (high + low) / (high - low));
        Self {
            half,
            offset,
            coefficients: interpolate(depth, |x| 1.0 / (x + offset)),
        }
    }

    fn depth(&self) -> usize {
        self.coefficients.len().ilog2() as usize
    }

    /// `factor / (x + offset)`.
    fn times(&self, factor: f64) -> Vec<f64> {
        self.coefficients.iter().map(|c| c * factor).collect()
    }
}

impl Softmax {
    /// For logits up to `range` and `classes` from 3 to 64.
    pub(super) fn new(range: f64, classes: usize) -> Self {
        let (e, k) = (std::f64::consts::E, classes as f64);
        // Each quotient is a little off, and so is the sum of the squares that follow it.
        let squares = |depth| Inverse::new(0.9 / k, 1.1, depth);
        Self {
            doublings: range.log2().ceil().max(0.0) as u32,
            exponential: interpolate(3, |x| (x - 1.0).exp()),
            inverses: [Inverse::new(k / e / e, k, 3), squares(3), squares(4)],
        }
    }

    /// All its constants.
    pub(super) fn numbers(&self) -> Vec<f64> {
        let mut all = vec![f64::from(self.doublings)];
        all.extend(&self.exponential);
        for inverse in &self.inverses {
            all.extend([inverse.half, inverse.offset]);
            all.extend(&inverse.coefficients);
        }
        all
    }

    /// Largest logit.
    pub fn range(&self) -> f64 {
        f64::from(self.doublings).exp2()
    }
}

/// Row blocks that one ciphertext holds side by side, each with zeros around its outputs.
fn together(layout: &TileLayout) -> usize {
    layout.columns / (2 * layout.outputs() - 1)
}

/// `factor (softmax(z) - y)` in the columns of the outputs, zero elsewhere, for each row block; logits carry `mu`, labels
/// are 1 or 0. Refreshes on the way as levels run out, and leaves at least one level above the lowest input of a refresh.
pub(super) fn residuals<E: Evaluator>(
    ev: &E,
    layout: &TileLayout,
    softmax: &Softmax,
    logits: &[E::Ct],
    labels: &[E::Ct],
    [mu, factor]: [f64; 2],
) -> Result<Vec<E::Ct>, TensorError> {
    let together = together(layout).max(1);
    let mut out = Vec::with_capacity(logits.len());
    for (logits, labels) in logits.chunks(together).zip(labels.chunks(together)) {
        let run = Run {
            ev,
            layout,
            softmax,
            blocks: logits.len(),
        };
        let ready = run.gathered(logits, 1.0 / (mu * softmax.range()))?;
        for (block, labels) in run.probabilities(ready, factor)?.iter().zip(labels) {
            let labels = ev.mul_const_to(labels, -factor, ev.level(block))?;
            out.push(ev.add(block, &labels)?);
        }
    }
    Ok(out)
}

/// [`residuals`] where all logits are zero: one level below the labels.
pub(super) fn first<E: Evaluator>(
    ev: &E,
    layout: &TileLayout,
    labels: &E::Ct,
    factor: f64,
) -> Result<E::Ct, TensorError> {
    let apart = ev.add_const(labels, -1.0 / layout.outputs() as f64)?;
    let mask: Vec<f64> = layout.output_mask().iter().map(|m| -factor * m).collect();
    ev.mul_periodic_to(&apart, &mask, ev.level(&apart).saturating_sub(1))
}

struct Run<'a, E> {
    ev: &'a E,
    layout: &'a TileLayout,
    softmax: &'a Softmax,
    blocks: usize,
}

impl<E: Evaluator> Run<'_, E> {
    /// Columns from one block to the next.
    fn stride(&self) -> usize {
        2 * self.layout.outputs() - 1
    }

    /// `value` in the outputs of the given blocks, zero elsewhere.
    fn mask(&self, value: f64, blocks: std::ops::Range<usize>) -> Vec<f64> {
        let mut mask = vec![0.0; self.layout.columns];
        for block in blocks {
            let start = block * self.stride();
            mask[start..start + self.layout.outputs()].fill(value);
        }
        mask
    }

    /// The logits of all blocks side by side, times `factor`; one level lower.
    fn gathered(&self, logits: &[E::Ct], factor: f64) -> Result<E::Ct, TensorError> {
        let ev = self.ev;
        let mask = self.mask(factor, 0..1);
        let mut sum: Option<E::Ct> = None;
        for (block, z) in logits.iter().enumerate() {
            let level = ev.level(z).checked_sub(1).ok_or(TensorError::LevelTooLow {
                op: "softmax",
                needed: 1,
                available: 0,
            })?;
            let own = ev.mul_periodic_to(z, &mask, level)?;
            let moved = ev.rotate(&own, -((block * self.stride()) as i64))?;
            sum = Some(match sum {
                None => moved,
                Some(sum) => ev.add(&sum, &moved)?,
            });
        }
        sum.ok_or(TensorError::TooFewOperands {
            op: "softmax",
            needed: 1,
            available: 0,
        })
    }

    /// From scaled logits in [-1, 1] to `factor` times the probabilities of each block, in its first columns.
    fn probabilities(&self, x: E::Ct, factor: f64) -> Result<Vec<E::Ct>, TensorError> {
        let (ev, [first, middle, last]) = (self.ev, &self.softmax.inverses);
        let rounds = self.softmax.doublings as usize;
        // What each quotient is multiplied by, so that the next sum of squares comes in units of its `half`.
        let unit = |round: usize| match round {
            r if r + 1 < rounds => middle.half.sqrt().recip(),
            r if r + 1 == rounds => last.half.sqrt().recip(),
            _ => factor,
        };
        let x = self.at_least(x, 3 + 1 + first.depth() + 1)?;
        let y = evaluate(ev, &x, &self.softmax.exponential)?;
        let mask = self.mask(first.half.recip(), 0..self.blocks);
        let level = ev.level(&y).saturating_sub(1);
        let y = ev.mul_periodic_to(&y, &mask, level)?;
        if rounds == 0 {
            return self.last_quotient(&y, first, factor);
        }
        let mut p = self.quotient(&y, first, unit(0))?;
        for round in 1..=rounds {
            let inverse = if round == rounds { last } else { middle };
            let needed = 1 + inverse.depth() + 1 + usize::from(round == rounds);
            p = self.at_least(p, needed)?;
            let squares = ev.mul(&p, &p)?;
            if round == rounds {
                return self.last_quotient(&squares, inverse, factor);
            }
            p = self.quotient(&squares, inverse, unit(round))?;
        }
        Ok(Vec::new())
    }

    /// `factor` times each number over the sum of its block.
    fn quotient(&self, y: &E::Ct, inverse: &Inverse, factor: f64) -> Result<E::Ct, TensorError> {
        let inverted = self.inverted(y, inverse, factor)?;
        self.ev.mul(y, &inverted)
    }

    /// [`Run::quotient`] for each block on its own, moved to the first columns.
    fn last_quotient(
        &self,
        y: &E::Ct,
        inverse: &Inverse,
        factor: f64,
    ) -> Result<Vec<E::Ct>, TensorError> {
        let ev = self.ev;
        let inverted = self.inverted(y, inverse, factor)?;
        (0..self.blocks)
            .map(|block| {
                let mask = self.mask(1.0, block..block + 1);
                let own = ev.mul_periodic_to(y, &mask, ev.level(&inverted))?;
                let quotient = ev.mul(&own, &inverted)?;
                ev.rotate(&quotient, (block * self.stride()) as i64)
            })
            .collect()
    }

    /// `factor` over the sum of the block, in the columns of its outputs.
    fn inverted(&self, y: &E::Ct, inverse: &Inverse, factor: f64) -> Result<E::Ct, TensorError> {
        let (ev, outputs) = (self.ev, self.layout.outputs());
        // Twice the outputs less one around each column: the zeros beside a block keep others out.
        let ahead = window(ev, y.clone(), 1, 2 * outputs - 1)?;
        let sum = ev.rotate(&ahead, 1 - outputs as i64)?;
        let x = ev.add_const(&sum, -inverse.offset)?;
        evaluate(ev, &x, &inverse.times(factor))
    }

    /// The vector itself, or refreshed where it has fewer levels than `needed` above the lowest input of a refresh.
    fn at_least(&self, ct: E::Ct, needed: usize) -> Result<E::Ct, TensorError> {
        let ev = self.ev;
        let floor = ev.refresh_levels().map_or(0, |levels| levels.input);
        if ev.level(&ct) >= needed + floor {
            return Ok(ct);
        }
        ev.refresh(&ct, ev.slots().ilog2())
    }
}

#[cfg(test)]
mod tests {
    use confide_tensor::{ClearEvaluator, RefreshLevels};
    use num_complex::Complex64;

    use super::*;

    /// Exact residuals, and those of the program, for logits spread over `[-range, range]`.
    fn worst(range: f64, sizes: [usize; 3], columns: usize) -> f64 {
        let layout = TileLayout::new(11, sizes, sizes[0], columns).expect("fits");
        let levels = RefreshLevels {
            input: 0,
            output: 12,
        };
        let ev = ClearEvaluator::new(11, 12).with_refresh(levels, 1e-6);
        let softmax = Softmax::new(range, layout.outputs());
        let (mu, factor, outputs) = (0.1, 0.3, layout.outputs());
        let logit =
            |block: usize, slot: usize| range * ((1 + block * 31 + slot * slot) as f64 * 0.7).sin();
        let blocks = layout.blocks();
        let logits: Vec<_> = (0..blocks)
            .map(|block| {
                let slots = (0..1024).map(|s| Complex64::new(mu * logit(block, s), 0.0));
                ev.encrypt(&slots.collect::<Vec<_>>(), 4).expect("fits")
            })
            .collect();
        let label = |block: usize, row: usize| (block + row) % outputs;
        let labels: Vec<_> = (0..blocks)
            .map(|block| {
                let slots = (0..1024).map(|s| {
                    let (row, column) = (s / columns, s % columns);
                    Complex64::new(f64::from(u8::from(column == label(block, row))), 0.0)
                });
                ev.encrypt(&slots.collect::<Vec<_>>(), 12).expect("fits")
            })
            .collect();
        let found =
            residuals(&ev, &layout, &softmax, &logits, &labels, [mu, factor]).expect("runs");
        assert_eq!(found.len(), blocks);
        let mut worst = 0.0f64;
        for (block, found) in found.iter().enumerate() {
            assert!(ev.level(found) >= 1);
            for (row, slots) in found.values().chunks(columns).enumerate() {
                let z: Vec<f64> = (0..outputs)
                    .map(|c| logit(block, row * columns + c))
                    .collect();
                let sum: f64 = z.iter().map(|z| z.exp()).sum();
                for (column, slot) in slots.iter().enumerate() {
                    let exact = z.get(column).map_or(0.0, |z| {
                        z.exp() / sum - f64::from(u8::from(column == label(block, row)))
                    });
                    worst = worst.max((slot.re / factor - exact).abs());
                }
            }
        }
        worst
    }

    #[test]
    fn it_is_the_softmax_over_its_range() {
        for (range, sizes, columns) in [
            (1.0, [60, 9, 3], 8),
            (8.0, [60, 9, 3], 8),
            (16.0, [240, 9, 3], 8),
            (16.0, [32, 9, 10], 32),
            (128.0, [100, 9, 5], 16),
        ] {
            let worst = worst(range, sizes, columns);
            assert!(worst < 5e-3, "{range} {sizes:?}: {worst:e}");
        }
    }
}
