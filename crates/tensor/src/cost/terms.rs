//! The work of an operation in counts of primitives.

use super::{KeySwitchShape, Op};

/// Counts that the time of an operation is a combination of. They follow the engine's algorithms, not its code: what
/// fusing and blocking save is in the fitted times of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms([f64; Terms::KINDS]);

/// Bytes of a ciphertext whose operations still find their operands in a core's own cache.
const NEAR: f64 = (1u32 << 19) as f64;

/// One operation's work in limbs.
#[derive(Default)]
struct Limbs {
    transforms: f64,
    conversions: f64,
    products: f64,
    accesses: f64,
}

/// Levels that a bootstrap needs for itself, and how many key switches at the top of them it is worth.
const REFRESH_LEVELS: usize = 18;
const REFRESH_SWITCHES: f64 = 60.0;

impl Limbs {
    fn times(self, factor: f64) -> Self {
        Self {
            transforms: factor * self.transforms,
            conversions: factor * self.conversions,
            products: factor * self.products,
            accesses: factor * self.accesses,
        }
    }
}

impl Terms {
    /// Butterflies of number theoretic transforms (`N/2 log2 N` a limb), multiply-adds of base conversions, products
    /// of residues, words read or written otherwise, and these times the doublings of a ciphertext's size beyond
    /// what the nearest caches hold.
    pub const KINDS: usize = 5;

    /// The work of `op` at `level` (before the operation).
    pub fn of(op: Op, level: usize, shape: &KeySwitchShape) -> Self {
        let limbs = level as f64 + 1.0;
        let work = match op {
            // Copy both parts, add two to them.
            Op::Add => Limbs {
                accesses: 10.0 * limbs,
                ..Limbs::default()
            },
            // Copy both parts, multiply them in place.
            Op::Scale => Limbs {
                products: 2.0 * limbs,
                accesses: 8.0 * limbs,
                ..Limbs::default()
            },
            // The same, and the values of the monomial for each part.
            Op::Monomial => Limbs {
                products: 4.0 * limbs,
                accesses: 14.0 * limbs,
                ..Limbs::default()
            },
            // Encoded at the level: a transform a limb more than a product.
            Op::Mask => Limbs {
                transforms: limbs,
                products: 2.0 * limbs,
                accesses: 10.0 * limbs,
                ..Limbs::default()
            },
            Op::Product => Limbs {
                products: 4.0 * limbs,
                accesses: 13.0 * limbs,
                ..Limbs::default()
            },
            // The last limb goes to coefficients, its reduction to every other limb's transform.
            Op::Rescale => Limbs {
                transforms: 2.0 * limbs,
                conversions: 2.0 * (limbs - 1.0),
                products: 2.0 * (limbs - 1.0),
                accesses: 8.0 * (limbs - 1.0),
            },
            Op::KeySwitch => Self::key_switch(shape, level, 0.0),
            Op::Relinearise => Self::key_switch(shape, level, 1.0),
            // A rough guide: it works at some 20 levels above those that it leaves, most of them with few rotations.
            Op::Refresh => {
                Self::key_switch(shape, level + REFRESH_LEVELS, 0.0).times(REFRESH_SWITCHES)
            }
        };
        let n = f64::from(1u32 << shape.log_n.min(30));
        let size = 16.0 * n * limbs;
        let words = work.accesses * n;
        Self([
            work.transforms * n / 2.0 * f64::from(shape.log_n),
            work.conversions * n,
            work.products * n,
            words,
            words * (size / NEAR).log2().max(0.0),
        ])
    }

    /// Digits to coefficients, up to all primes, products with the key, down by the special primes and `dropped` more.
    fn key_switch(shape: &KeySwitchShape, level: usize, dropped: f64) -> Limbs {
        let (limbs, special) = (level as f64 + 1.0, shape.special as f64);
        let (alpha, extended) = (shape.alpha.max(1), limbs + special);
        let digits = (level + 1).div_ceil(alpha);
        let sizes = (0..digits).map(|d| alpha.min(level + 1 - d * alpha) as f64);
        let up: f64 = sizes.map(|size| size * (extended - size)).sum();
        let digits = digits as f64;
        let (sources, kept) = (special + dropped, limbs - dropped);
        Limbs {
            transforms: limbs + (digits * extended - limbs) + 2.0 * (sources + kept),
            conversions: up + 2.0 * sources * kept,
            products: 2.0 * digits * extended + limbs + 2.0 * kept,
            // Digits and both halves of the key, two sums, and the polynomials that are added to or permuted.
            accesses: 3.0 * digits * extended + 2.0 * extended + 8.0 * limbs,
        }
    }

    /// Time for given times of each kind.
    pub fn nanos(&self, each: &[f64; Self::KINDS]) -> f64 {
        self.0.iter().zip(each).map(|(n, t)| n * t).sum()
    }

    /// The counts, in the order of [`Terms::KINDS`].
    pub fn counts(&self) -> &[f64; Self::KINDS] {
        &self.0
    }
}

impl std::ops::Add for Terms {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
        self
    }
}
