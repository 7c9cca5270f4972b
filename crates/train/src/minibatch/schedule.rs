//! Which minibatch a step takes and how large it is, fixed before the run, and the factors that ciphertexts carry.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::layout::TileLayout;
use super::softmax::Softmax;
use crate::error::{TrainError, shape};
use crate::sigmoid::OddSigmoid;

/// Which loss is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LossKind {
    /// A logistic loss for each output: few levels.
    OneVsRest,
    /// The softmax of three classes or more: refreshes within a step.
    Softmax,
}

/// The loss with its constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Loss {
    /// The sigmoid's polynomial and its range.
    OneVsRest(OddSigmoid),
    /// The softmax.
    Softmax(Softmax),
}

impl Loss {
    /// Which one it is.
    pub fn kind(&self) -> LossKind {
        match self {
            Self::OneVsRest(_) => LossKind::OneVsRest,
            Self::Softmax(_) => LossKind::Softmax,
        }
    }

    /// All its constants.
    fn numbers(&self) -> Vec<f64> {
        match self {
            Self::OneVsRest(sigmoid) => {
                let coefficients = sigmoid.coefficients.iter().copied();
                std::iter::once(sigmoid.range).chain(coefficients).collect()
            }
            Self::Softmax(softmax) => softmax.numbers(),
        }
    }

    /// Logits up to this size are allowed.
    pub fn range(&self) -> f64 {
        match self {
            Self::OneVsRest(sigmoid) => sigmoid.range,
            Self::Softmax(softmax) => softmax.range(),
        }
    }
}

/// What a run is to be; unchecked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Which loss.
    pub loss: LossKind,
    /// Degree of the sigmoid's polynomial: 3, 7 or 15; not used by the softmax.
    pub degree: usize,
    /// The activation is valid for logits up to this size; for the softmax the next power of two, at most 2^10.
    pub range: f64,
    /// How often every record is used.
    pub epochs: usize,
    /// Largest learning rate.
    pub rate: f64,
    /// Steps before the largest rate is reached, in equal parts.
    pub warmup: usize,
    /// The last step has this share of the largest rate; between, the rate falls along half a cosine.
    pub final_rate: f64,
    /// Momentum is at most this; it grows as `t / (t + 3)`.
    pub momentum: f64,
    /// Penalty on the squared weights, bias included.
    pub l2: f64,
    /// A power of two that the dense weights together with the momentum stay below in every slot; see
    /// [`MinibatchReference::max_dense`](super::MinibatchReference::max_dense).
    pub weight_bound: f64,
    /// What the first weights of hidden units are drawn from; not used by a linear head.
    pub seed: u64,
}

impl Recipe {
    /// For softly whitened features: the choice is explained in `docs/maths/training.md`.
    pub fn new(epochs: usize) -> Self {
        Self {
            loss: LossKind::OneVsRest,
            degree: 15,
            range: 16.0,
            epochs,
            rate: 8.0,
            warmup: 0,
            final_rate: 0.1,
            momentum: 0.9,
            l2: 0.002,
            weight_bound: 64.0,
            seed: 1,
        }
    }

    /// For a head with so many hidden units; as [`Recipe::new`] for none. Their logits are quadratic in the features and grow
    /// faster: smaller steps, a heavier penalty.
    pub fn with_hidden(epochs: usize, hidden: usize) -> Self {
        match hidden {
            0 => Self::new(epochs),
            _ => Self {
                rate: (4.0 / (hidden as f64).sqrt()).min(1.0),
                l2: 0.01,
                weight_bound: 256.0,
                ..Self::new(epochs)
            },
        }
    }

    /// For features that the data party cannot see, whitened by constants of another task: steps small enough that logits stay far
    /// below the range without a run on plain numbers first.
    pub fn for_features(epochs: usize) -> Self {
        Self {
            rate: 2.0,
            ..Self::new(epochs)
        }
    }
}

/// One step of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// Minibatch.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
    /// Nesterov momentum after the step; zero after the last.
    pub momentum: f64,
}

/// L2 penalties that a recipe may have.
pub const L2: RangeInclusive<f64> = 0.0..=1.0;

/// Everything that the program does with numbers; both parties derive it from the recipe, and neither takes the other's.
/// Derivation: `docs/maths/training.md`, "Minibatches".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinibatchSchedule {
    /// The loss and its range.
    pub loss: Loss,
    /// The steps in order.
    pub steps: Vec<StepPlan>,
    /// L2 penalty.
    pub l2: f64,
    /// Features are encrypted times this.
    pub data_scale: f64,
    /// Dense weights are encrypted times this; times half of it where a refresh is due.
    pub point_scale: f64,
    /// Of the first weights of hidden units.
    pub seed: u64,
}

impl MinibatchSchedule {
    /// The schedule of a recipe for a layout.
    ///
    /// # Errors
    /// [`TrainError::Shape`] for numbers out of range.
    pub fn new(layout: &TileLayout, recipe: &Recipe) -> Result<Self, TrainError> {
        let loss = match recipe.loss {
            LossKind::OneVsRest => {
                Loss::OneVsRest(OddSigmoid::minimax(recipe.degree, recipe.range)?)
            }
            LossKind::Softmax => Loss::Softmax(softmax(layout, recipe.range)?),
        };
        let count = recipe.epochs.saturating_mul(layout.batches());
        if !(1..=1 << 16).contains(&count) {
            return Err(shape("steps", "1 to 65536", count));
        }
        for (what, value, low, high) in [
            ("learning rate", recipe.rate, 1e-6, 1e3),
            (
                "share of the last learning rate",
                recipe.final_rate,
                0.0,
                1.0,
            ),
            ("momentum", recipe.momentum, 0.0, 0.999),
            ("L2 penalty", recipe.l2, *L2.start(), *L2.end()),
            ("bound of the weights", recipe.weight_bound, 0.25, 65536.0),
        ] {
            if !(low..=high).contains(&value) {
                return Err(shape(what, format!("{low} to {high}"), value));
            }
        }
        let steps = (0..count).map(|t| StepPlan {
            batch: t % layout.batches(),
            rate: recipe.rate * share(t, count, recipe),
            momentum: if t + 1 == count {
                0.0
            } else {
                (t as f64 / (t as f64 + 3.0)).min(recipe.momentum)
            },
        });
        let point_scale = (-recipe.weight_bound.log2().ceil()).exp2();
        let natural = loss.range() * f64::from(2u32 << layout.merge_steps()) * point_scale;
        Ok(Self {
            loss,
            steps: steps.collect(),
            l2: recipe.l2,
            data_scale: natural.recip(),
            point_scale,
            seed: recipe.seed,
        })
    }

    /// Refuses another schedule, but for the last digits of its constants.
    ///
    /// # Errors
    /// [`TrainError::Deviation`].
    pub(crate) fn compare(&self, other: &Self) -> Result<(), TrainError> {
        let batches = |s: &Self| s.steps.iter().map(|step| step.batch).collect::<Vec<_>>();
        let numbers = |s: &Self| {
            let steps = s.steps.iter().flat_map(|step| [step.rate, step.momentum]);
            let rest = [s.l2, s.data_scale, s.point_scale];
            let all = steps.chain(rest).chain(s.loss.numbers());
            all.collect::<Vec<_>>()
        };
        crate::plan::compare("order of the minibatches", &batches(self), &batches(other))?;
        crate::plan::compare("seed", &self.seed, &other.seed)?;
        crate::plan::compare_numbers("schedule", &numbers(self), &numbers(other))
    }

    /// Factor of logits made from dense weights, and of hidden units before they are squared: splitting doubles at each step, taking real parts doubles once more. It is
    /// one over the range, where the factors of the sigmoid's polynomial are all of order 1 and lose least to noise.
    pub fn logit_factor(&self, layout: &TileLayout) -> f64 {
        self.data_scale * f64::from(2u32 << layout.merge_steps()) * self.point_scale
    }

    /// Factor of the residuals in step `t`, so that features times residuals are the step itself, dense.
    pub(crate) fn residual_factor(&self, layout: &TileLayout, t: usize) -> f64 {
        let step = self.steps[t];
        let rows = layout.batch_rows(step.batch).len().max(1) as f64;
        -self.point_scale * step.rate * (1.0 + step.momentum) / (rows * self.data_scale)
    }

    /// How the step `t` makes the next point and average from the present ones: weights of point and average in the next
    /// point, and in the present average of all steps so far.
    ///
    /// With `w_t` the average and `v_t` the point, the state keeps `v_t` and `w_(t-1)`, and
    /// `w_t = (v_t + beta w_(t-1)) / (1 + beta)` with the momentum `beta` of the step before.
    pub(crate) fn recursion(&self, t: usize) -> Recursion {
        let (step, before) = (self.steps[t], self.steps[t.saturating_sub(1)].momentum);
        let (point, average) = (1.0 / (1.0 + before), before / (1.0 + before));
        Recursion {
            next: [
                (1.0 + step.momentum) * (1.0 - step.rate * self.l2) - step.momentum * point,
                -step.momentum * average,
            ],
            average: [point, average],
        }
    }
}

/// Weights of `[v_t, w_(t-1)]`.
pub(crate) struct Recursion {
    /// In `v_(t+1)`, beside the gradient.
    pub(crate) next: [f64; 2],
    /// In `w_t`.
    pub(crate) average: [f64; 2],
}

fn softmax(layout: &TileLayout, range: f64) -> Result<Softmax, TrainError> {
    if !(1.0..=1024.0).contains(&range) {
        return Err(shape("range of the softmax", "1 to 1024", range));
    }
    if layout.hidden > 0 {
        return Err(shape("hidden units with a softmax", 0, layout.hidden));
    }
    if layout.outputs() < 3 {
        return Err(shape("classes of a softmax", "at least 3", layout.classes));
    }
    let least = layout.least_columns(LossKind::Softmax);
    if layout.columns < least {
        let needed = format!("at least {least}");
        return Err(shape("columns for a softmax", needed, layout.columns));
    }
    Ok(Softmax::new(range, layout.outputs()))
}

/// Share of the largest rate in step `t` of `count`.
fn share(t: usize, count: usize, recipe: &Recipe) -> f64 {
    if t < recipe.warmup {
        return (t + 1) as f64 / (recipe.warmup + 1) as f64;
    }
    let (done, all) = (t - recipe.warmup, (count - recipe.warmup).max(2) - 1);
    let fall = 0.5 * (1.0 + (std::f64::consts::PI * done as f64 / all as f64).cos());
    recipe.final_rate + (1.0 - recipe.final_rate) * fall
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall_and_batches_take_turns() {
        let layout = TileLayout::new(10, [40, 9, 3], 16, 8).expect("fits");
        let recipe = Recipe {
            warmup: 2,
            ..Recipe::new(4)
        };
        let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
        let rates: Vec<f64> = schedule.steps.iter().map(|s| s.rate).collect();
        assert_eq!((layout.batches(), rates.len()), (3, 12));
        assert!(rates[0] < rates[1] && rates[1] < rates[2] && rates[2] == 8.0);
        assert!(rates[2..].windows(2).all(|r| r[1] < r[0]));
        assert!((rates[11] - 0.8).abs() < 1e-12 && schedule.steps[11].momentum == 0.0);
        assert!(
            schedule
                .steps
                .iter()
                .enumerate()
                .all(|(t, s)| s.batch == t % 3)
        );
    }

    #[test]
    fn logits_fill_their_range() {
        for (sizes, columns) in [([40, 9, 3], 8), ([1024, 65, 10], 64), ([512, 31, 2], 32)] {
            let layout = TileLayout::new(14, sizes, 1024, columns).expect("fits");
            let schedule = MinibatchSchedule::new(&layout, &Recipe::new(2)).expect("valid");
            let filled = schedule.logit_factor(&layout) * schedule.loss.range();
            assert!((filled - 1.0).abs() < 1e-12, "{filled}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let layout = TileLayout::new(10, [40, 9, 3], 16, 8).expect("fits");
        let good = Recipe::new(2);
        for recipe in [
            Recipe {
                degree: 5,
                ..good.clone()
            },
            Recipe {
                epochs: 0,
                ..good.clone()
            },
            Recipe {
                rate: f64::NAN,
                ..good.clone()
            },
            Recipe {
                momentum: 1.0,
                ..good.clone()
            },
            Recipe {
                weight_bound: 0.0,
                ..good.clone()
            },
        ] {
            assert!(
                MinibatchSchedule::new(&layout, &recipe).is_err(),
                "{recipe:?}"
            );
        }
    }
}
