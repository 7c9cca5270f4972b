//! Sums of products with one reduction for each output, and the overflow count of base conversion.

use crate::backend::arithmetic::{Arithmetic, Job};
use crate::{Constant, Modulus};

pub(super) struct Dot<'a> {
    pub q: &'a Modulus,
    pub out: &'a mut [u64],
    pub xs: &'a [&'a [u64]],
    pub ys: &'a [&'a [u64]],
}

impl Job for Dot<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self { q, out, xs, ys } = self;
        let n = out.len();
        assert!(xs.len() == ys.len() && xs.iter().chain(ys).all(|x| x.len() == n));
        debug_assert!(
            xs.iter()
                .chain(ys)
                .all(|x| super::pointwise::canonical(q, x))
        );
        // SAFETY: jobs run inside `dispatch`, which has the features; every slice has n words, and n is a
        // multiple of LANES by the contract of `Backend`, checked here.
        unsafe {
            assert_eq!(n % A::LANES, 0);
            let ar = A::new(q);
            for j in (0..n).step_by(A::LANES) {
                let mut sum = ar.sum_zero();
                for (d, (x, y)) in xs.iter().zip(ys).enumerate() {
                    if d > 0 && d % A::SUM_TERMS == 0 {
                        sum = ar.sum_fold(sum);
                    }
                    let (x, y) = (A::load(x.as_ptr().add(j)), A::load(y.as_ptr().add(j)));
                    sum = ar.sum_add(sum, ar.enter(x), ar.enter(y));
                }
                A::store(out.as_mut_ptr().add(j), ar.leave(ar.sum_finish(sum)));
            }
        }
    }
}

/// Vectors that are summed side by side, so that one's multiplications fill the waits of another's.
pub(super) const VECTORS: usize = 4;

/// V vectors of the sum over i of row i * weight i, rows being `n` words apart.
///
/// # Safety
/// Inside `dispatch`, with V * LANES words in each row.
#[inline(always)]
pub(super) unsafe fn weighted<A: Arithmetic, const V: usize>(
    ar: A,
    rows: *const u64,
    n: usize,
    weights: &[Constant],
) -> [A::Sum; V] {
    // No closures here: they would be compiled without the features of `dispatch`.
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [ar.sum_zero(); V];
        let mut row = rows;
        for (c, chunk) in weights.chunks(A::SUM_TERMS).enumerate() {
            if c > 0 {
                for sum in &mut sums {
                    *sum = ar.sum_fold(*sum);
                }
            }
            for weight in chunk {
                let w = A::splat(weight.value);
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = ar.sum_add(*sum, ar.enter(A::load(row.add(v * A::LANES))), w);
                }
                row = row.wrapping_add(n);
            }
        }
        sums
    }
}

pub(super) struct Convert<'a> {
    pub q: &'a Modulus,
    pub out: &'a mut [u64],
    pub rows: &'a [u64],
    pub weights: &'a [Constant],
}

impl Job for Convert<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self {
            q,
            out,
            rows,
            weights,
        } = self;
        let n = out.len();
        assert!(rows.len() == n * weights.len() && n % A::LANES == 0);
        debug_assert!(rows.iter().all(|&x| x < 1 << 50));
        // SAFETY: jobs run inside `dispatch`, which has the features; there are as many rows of n words as
        // weights, and n is a multiple of LANES.
        unsafe {
            let ar = A::new(q);
            let (rows, out) = (rows.as_ptr(), out.as_mut_ptr());
            let long = n - n % (VECTORS * A::LANES);
            for j in (0..long).step_by(VECTORS * A::LANES) {
                let sums = weighted::<A, VECTORS>(ar, rows.add(j), n, weights);
                for (v, &sum) in sums.iter().enumerate() {
                    A::store(out.add(j + v * A::LANES), ar.leave(ar.sum_finish(sum)));
                }
            }
            for j in (long..n).step_by(A::LANES) {
                let [sum] = weighted::<A, 1>(ar, rows.add(j), n, weights);
                A::store(out.add(j), ar.leave(ar.sum_finish(sum)));
            }
        }
    }
}

pub(super) struct Overflow<'a> {
    pub out: &'a mut [u64],
    pub first: usize,
    pub rows: &'a [u64],
    pub inverses: &'a [f64],
}

impl Job for Overflow<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Self {
            out,
            first,
            rows,
            inverses,
        } = self;
        let n = rows.len() / inverses.len();
        assert!(rows.len() == n * inverses.len() && out.len() % A::LANES == 0);
        assert!(out.len() <= n && first <= n - out.len());
        debug_assert!(rows.iter().all(|&x| x < 1 << 50));
        // SAFETY: as in `Convert`; columns `first + j` end within each row.
        unsafe {
            for j in (0..out.len()).step_by(A::LANES) {
                let mut sum = A::real_splat(0.5);
                for (i, inverse) in inverses.iter().enumerate() {
                    sum = A::real_step(
                        sum,
                        A::load(rows.as_ptr().add(i * n + first + j)),
                        A::real_splat(*inverse),
                    );
                }
                A::store(out.as_mut_ptr().add(j), A::real_floor(sum));
            }
        }
    }
}
