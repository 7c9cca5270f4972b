//! Gentleman-Sande: values to coefficients.

use super::{Rows, Transform};
use crate::backend::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::backend::kernel::layout::fits;
use crate::backend::kernel::pointwise::canonical;
use crate::{Constant, NttTable};

pub(in crate::backend::kernel) struct Inverse<'a> {
    pub table: &'a NttTable,
    pub a: &'a mut [u64],
    pub scale: Constant,
}

impl Job for Inverse<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.table.modulus(), self.a));
        assert_eq!(self.a.len(), self.table.degree());
        let (table, scale, data) = (self.table, self.scale, self.a.as_mut_ptr());
        // SAFETY: jobs run inside `dispatch`, which has the features; the length is that of the table.
        unsafe {
            if !fits::<A>(self.a.len()) {
                Transform::<A::Small>::new(table).inverse(data, table, scale);
            } else if A::is_narrow(table.modulus()) {
                Transform::<A::Narrow>::new(table).inverse(data, table, scale);
            } else {
                Transform::<A>::new(table).inverse(data, table, scale);
            }
        }
    }
}

/// The scale and its product with the root of the last step.
type Last<A> = [[<A as Arithmetic>::V; 2]; 2];

impl<A: Arithmetic> Transform<A> {
    /// Canonical values to canonical coefficients, times `scale` * N.
    #[inline(always)]
    unsafe fn inverse(&self, data: *mut u64, table: &NttTable, scale: Constant) {
        let q = table.modulus();
        // SAFETY: node 1 exists; without quotients nothing reads the one made up here.
        let root = unsafe {
            Constant {
                value: *self.values.add(1),
                quotient: 0,
            }
        };
        let scaled = A::prepare(q, q.mul(A::decode(q, root), A::decode(q, scale)));
        // SAFETY: see the implementation block of `new`.
        unsafe {
            let last = [
                [A::splat(scale.value), A::splat(scale.quotient)],
                [A::splat(scaled.value), A::splat(scaled.quotient)],
            ];
            for block in 0..self.blocks() {
                self.inverse_block(data.add(block * self.block), block, last);
            }
            if self.blocks() > 1 {
                let rows = Rows {
                    data,
                    step: self.block,
                };
                self.inverse_any(self.outer.stages, true, rows, self.block, 1, last);
            }
        }
    }

    /// The stages within a block, the `number`-th of its array.
    #[inline(always)]
    unsafe fn inverse_block(&self, data: *mut u64, number: usize, last: Last<A>) {
        let (passes, count) = &self.inner;
        let (parts, ends) = (self.parts(), self.blocks() == 1);
        let (words, far) = (self.block / parts, usize::from(parts > 1));
        // SAFETY: see the implementation block of `new`.
        unsafe {
            for part in 0..parts {
                let data = data.add(part * words);
                let at = number * parts + part;
                self.inverse_squares(data, at, words, last);
                let mut size = A::LANES * A::LANES;
                for &pass in passes[far..*count].iter().rev() {
                    let step = size;
                    size <<= pass.stages;
                    let nodes = (self.n + at * words) / size;
                    for (i, start) in (0..words).step_by(size).enumerate() {
                        let rows = Rows {
                            data: data.add(start),
                            step,
                        };
                        self.inverse_any(pass.stages, size == self.n, rows, step, nodes + i, last);
                    }
                }
            }
            if far > 0 {
                let (rows, node) = (Rows { data, step: words }, self.blocks() + number);
                self.inverse_any(passes[0].stages, ends, rows, words, node, last);
            }
        }
    }

    #[inline(always)]
    unsafe fn inverse_any(
        &self,
        stages: u32,
        ends: bool,
        rows: Rows,
        columns: usize,
        node: usize,
        last: Last<A>,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match (stages, ends) {
                (1, false) => self.inverse_pass::<1, false>(rows, columns, node, last),
                (2, false) => self.inverse_pass::<2, false>(rows, columns, node, last),
                (_, false) => self.inverse_pass::<3, false>(rows, columns, node, last),
                (1, true) => self.inverse_pass::<1, true>(rows, columns, node, last),
                (2, true) => self.inverse_pass::<2, true>(rows, columns, node, last),
                (_, true) => self.inverse_pass::<3, true>(rows, columns, node, last),
            }
        }
    }

    /// One step on x and y: (x + y, (y - x) w), the root wanted being -w.
    #[inline(always)]
    unsafe fn inverse_step(&self, x: A::V, y: A::V, w: [A::V; 2], tidy: bool) -> (A::V, A::V) {
        // SAFETY: the caller's.
        unsafe {
            let sum = self.ar.relax(self.ar.sum(x, y));
            let sum = if tidy { self.ar.tidy(sum) } else { sum };
            (sum, self.ar.mul_constant(self.ar.difference(y, x), w))
        }
    }

    /// The last step, scaled and canonical.
    #[inline(always)]
    unsafe fn inverse_end(&self, x: A::V, y: A::V, last: Last<A>) -> (A::V, A::V) {
        let ar = self.ar;
        // SAFETY: the caller's.
        unsafe {
            (
                ar.leave_product(ar.mul_constant(ar.sum(x, y), last[0])),
                ar.leave_product(ar.mul_constant(ar.difference(y, x), last[1])),
            )
        }
    }

    /// LOG stages between 2^LOG rows of `columns` words, down to the stage of `node`; the last pass scales
    /// and makes canonical.
    #[inline(always)]
    unsafe fn inverse_pass<const LOG: usize, const LAST: bool>(
        &self,
        rows: Rows,
        columns: usize,
        node: usize,
        last: Last<A>,
    ) {
        // SAFETY: the caller's: there are 2^LOG rows of so many words.
        unsafe {
            // Entry 3m - 1 - k mirrors node k of the stage with m nodes.
            let m = 1usize << node.ilog2();
            let mut w = [self.twiddle(3 * m - 1 - node); 8];
            for s in 1..LOG {
                for b in 0..1 << s {
                    w[(1 << s) + b] = self.twiddle(((3 * m) << s) - 1 - ((node << s) + b));
                }
            }
            for j in (0..columns).step_by(A::LANES) {
                let mut v = [A::splat(0); 8];
                for (i, v) in v.iter_mut().enumerate().take(1 << LOG) {
                    *v = A::load(rows.at(i, j));
                }
                for past in 0..LOG {
                    let s = LOG - 1 - past;
                    let half = 1 << (LOG - 1 - s);
                    for b in 0..1 << s {
                        for i in 0..half {
                            let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                            if LAST && s == 0 {
                                (v[x], v[y]) = self.inverse_end(v[x], v[y], last);
                            } else {
                                let tidy = A::tidies(LOG, s, x);
                                (v[x], v[y]) = self.inverse_step(v[x], v[y], w[(1 << s) + b], tidy);
                            }
                        }
                    }
                }
                for (i, v) in v.iter().enumerate().take(1 << LOG) {
                    A::store(rows.at(i, j), *v);
                }
            }
        }
    }

    /// The stages within the squares of a block or a part of one, the `number`-th of its array with so many `words`.
    /// They are canonical before, and after where they end the transform.
    #[inline(always)]
    unsafe fn inverse_squares(&self, data: *mut u64, number: usize, words: usize, last: Last<A>) {
        let (ar, lanes) = (self.ar, A::LANES);
        // SAFETY: see the implementation block of `new`.
        unsafe {
            for base in (0..words).step_by(lanes * lanes) {
                let square = data.add(base);
                if lanes == 1 {
                    A::store(square, ar.enter(A::load(square)));
                    continue;
                }
                let mut v = [A::splat(0); MAX_LANES];
                // Rows in reverse, so that lanes are in the order of the mirrored twiddles.
                for (i, v) in v.iter_mut().enumerate().take(lanes) {
                    *v = ar.enter(A::load(square.add((lanes - 1 - i) * lanes)));
                }
                A::transpose(&mut v);
                let mirrored = 2 * self.n - (number * words + base);
                self.inverse_square::<true, false>(&mut v, mirrored, last);
                A::transpose(&mut v);
                v[..lanes].reverse();
                if self.n == lanes * lanes {
                    self.inverse_square::<false, true>(&mut v, mirrored, last);
                } else {
                    self.inverse_square::<false, false>(&mut v, mirrored, last);
                }
                for (i, v) in v.iter().enumerate().take(lanes) {
                    A::store(square.add(i * lanes), *v);
                }
            }
        }
    }

    /// The stages WITHIN the vectors of a transposed square, or between them. `mirrored` is 2n less its place in
    /// the array: entry 3m - 1 - k of the table mirrors node k of a stage with m nodes. The LAST stage of a
    /// transform scales and makes canonical.
    #[inline(always)]
    unsafe fn inverse_square<const WITHIN: bool, const LAST: bool>(
        &self,
        v: &mut [A::V; MAX_LANES],
        mirrored: usize,
        last: Last<A>,
    ) {
        let lanes = A::LANES;
        // SAFETY: the caller's.
        unsafe {
            for past in 0..A::LOG_LANES as usize {
                let s = A::LOG_LANES as usize - 1 - past;
                let half = lanes >> (s + 1);
                for b in 0..1 << s {
                    let w = if WITHIN {
                        self.twiddles(((mirrored / lanes) << s) - (b + 1) * lanes)
                    } else {
                        self.twiddle(((mirrored / (lanes * lanes)) << s) - (b + 1))
                    };
                    for i in 0..half {
                        let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                        (v[x], v[y]) = if LAST && s == 0 {
                            self.inverse_end(v[x], v[y], last)
                        } else {
                            let tidy = A::tidies(A::LOG_LANES as usize, s, x);
                            self.inverse_step(v[x], v[y], w, tidy)
                        };
                    }
                }
            }
        }
    }
}
