//! Product of a small matrix of constants with many rows: like a matrix product on real numbers, the rows come
//! in strips that fit the cache, packed in the order in which a block of outputs held in registers reads them.

use crate::Modulus;
use crate::backend::ROWS;
use crate::backend::arithmetic::{Arithmetic, Job};
use crate::buffer::Buffer;

/// Vectors of a register block: with `ROWS` outputs of two registers each (IFMA), 16 of 32 registers add up.
const VECTORS: usize = 2;
/// Words of a packed strip: a quarter of a second-level cache.
const STRIP: usize = 1 << 15;

pub(super) struct MatrixProduct<'a, 'o, 'i> {
    pub q: &'a Modulus,
    pub out: &'a mut [&'o mut [u64]],
    pub inputs: &'a [&'i [u64]],
    /// As from [`crate::backend::interleaved`].
    pub weights: &'a [u64],
}

impl Job for MatrixProduct<'_, '_, '_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Some(n) = self.out.first().map(|row| row.len()) else {
            return;
        };
        let lengths = self.out.iter().map(|row| row.len());
        assert!(
            lengths
                .chain(self.inputs.iter().map(|row| row.len()))
                .all(|len| len == n)
        );
        assert!(
            n % A::LANES == 0 && self.weights.len() == self.out.len() * self.inputs.len(),
            "{} weights, {} outputs of {n} words, {} inputs",
            self.weights.len(),
            self.out.len(),
            self.inputs.len()
        );
        debug_assert!(
            self.inputs
                .iter()
                .all(|row| row.iter().all(|&x| x < 1 << 50))
        );
        if n % (VECTORS * A::LANES) == 0 {
            self.strips::<A, VECTORS>(n);
        } else {
            self.strips::<A, 1>(n);
        }
    }
}

impl MatrixProduct<'_, '_, '_> {
    /// Strip by strip, with `V` vectors in a register block; they divide `n` words.
    #[inline(always)]
    fn strips<A: Arithmetic, const V: usize>(self, n: usize) {
        let Self {
            q,
            out,
            inputs,
            weights,
        } = self;
        // SAFETY: jobs run inside `dispatch`, which has the features.
        let arithmetic = unsafe { A::new(q) };
        let (count, width) = (inputs.len(), V * A::LANES);
        let strip = (STRIP / count.max(1) / width).max(1) * width;
        let mut packed = Buffer::scratch(strip.min(n) * count);
        for start in (0..n).step_by(strip) {
            let len = strip.min(n - start);
            for (i, row) in inputs.iter().enumerate() {
                for (tile, from) in row[start..start + len].chunks_exact(width).enumerate() {
                    packed[(tile * count + i) * width..][..width].copy_from_slice(from);
                }
            }
            // What a tile reads stays in the nearest cache for all outputs.
            for at in (0..len).step_by(width) {
                for (block, rows) in out.chunks_mut(ROWS).enumerate() {
                    let tile = Tile {
                        arithmetic,
                        packed: &packed[at * count..][..width * count],
                        weights: &weights[block * ROWS * count..][..rows.len() * count],
                        at: start + at,
                    };
                    match rows {
                        [a, b, c, d] => tile.multiply::<V, 4>([a, b, c, d]),
                        [a, b, c] => tile.multiply::<V, 3>([a, b, c]),
                        [a, b] => tile.multiply::<V, 2>([a, b]),
                        [a] => tile.multiply::<V, 1>([a]),
                        _ => unreachable!("blocks have 1 to {ROWS} rows"),
                    }
                }
            }
        }
    }
}

/// The inputs' words at `at`, packed, and the weights of a block of outputs.
struct Tile<'a, A> {
    arithmetic: A,
    packed: &'a [u64],
    weights: &'a [u64],
    at: usize,
}

impl<A: Arithmetic> Tile<'_, A> {
    /// Computes `V` vectors of `R` outputs in registers.
    #[inline(always)]
    fn multiply<const V: usize, const R: usize>(self, out: [&mut [u64]; R]) {
        let terms = self.weights.len() / R;
        assert_eq!(self.packed.len(), terms * V * A::LANES);
        assert!(out.iter().all(|row| row.len() >= self.at + V * A::LANES));
        // SAFETY: jobs run inside `dispatch`, which has the features. There are V vectors and R weights for each
        // term, and V vectors of each output, as just checked.
        unsafe {
            let ar = self.arithmetic;
            let mut sums = [[ar.sum_zero(); V]; R];
            let mut term = 0;
            while term < terms {
                if term > 0 {
                    sums = sums.map(|row| row.map(|sum| ar.sum_fold_long(sum)));
                }
                for i in term..terms.min(term + A::LONG_TERMS) {
                    let x: [A::V; V] = core::array::from_fn(|v| {
                        ar.enter(A::load(self.packed.as_ptr().add((i * V + v) * A::LANES)))
                    });
                    for (r, row) in sums.iter_mut().enumerate() {
                        let w = A::splat(*self.weights.as_ptr().add(i * R + r));
                        for (sum, x) in row.iter_mut().zip(x) {
                            *sum = ar.sum_add(*sum, x, w);
                        }
                    }
                }
                term += A::LONG_TERMS;
            }
            for (row, sums) in out.into_iter().zip(sums) {
                for (v, sum) in sums.into_iter().enumerate() {
                    let to = row.as_mut_ptr().add(self.at + v * A::LANES);
                    A::store(to, ar.leave(ar.sum_finish_long(sum)));
                }
            }
        }
    }
}
