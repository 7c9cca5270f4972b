//! The work of an operation in counts of primitives.

use confide_ckks::bootstrap::MatrixWork;

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
            // Made of others, see `CostModel::with_refresh`.
            Op::Refresh => Limbs::default(),
        };
        Self::at(work, limbs, shape)
    }

    /// The work of a matrix on a ciphertext: one decomposition for all baby steps, which stay over the special primes
    /// with their products, a key switch a giant step, and the way down with a rescale.
    pub fn of_matrix(matrix: &MatrixWork, shape: &KeySwitchShape) -> Self {
        let (limbs, special) = (matrix.level as f64 + 1.0, shape.special as f64);
        let extended = limbs + special;
        let (digits, up) = Self::digits(shape, matrix.level);
        let steps = matrix.hoisted as f64;
        let diagonals = matrix.diagonals as f64;
        let sources = special + 1.0;
        let once = Limbs {
            transforms: digits * extended + 2.0 * (sources + limbs - 1.0),
            conversions: up + 2.0 * sources * (limbs - 1.0),
            products: steps * (2.0 * digits * extended + limbs) + diagonals * 2.0 * extended,
            accesses: steps * (3.0 * digits * extended + 6.0 * extended)
                + diagonals * 5.0 * extended
                + 8.0 * limbs,
        };
        let giants = Self::key_switch(shape, matrix.level, 0.0).times(matrix.switches as f64);
        Self::at(once, limbs, shape) + Self::at(giants, limbs, shape)
    }

    fn at(work: Limbs, limbs: f64, shape: &KeySwitchShape) -> Self {
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

    /// Number of digits, and multiply-adds a coefficient that bring them up to all primes.
    fn digits(shape: &KeySwitchShape, level: usize) -> (f64, f64) {
        let (alpha, extended) = (shape.alpha.max(1), level + 1 + shape.special);
        let digits = (level + 1).div_ceil(alpha);
        let sizes = (0..digits).map(|d| alpha.min(level + 1 - d * alpha));
        let up: usize = sizes.map(|size| size * (extended - size)).sum();
        (digits as f64, up as f64)
    }

    /// Digits to coefficients, up to all primes, products with the key, down by the special primes and `dropped` more.
    fn key_switch(shape: &KeySwitchShape, level: usize, dropped: f64) -> Limbs {
        let (limbs, special) = (level as f64 + 1.0, shape.special as f64);
        let extended = limbs + special;
        let (digits, up) = Self::digits(shape, level);
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
