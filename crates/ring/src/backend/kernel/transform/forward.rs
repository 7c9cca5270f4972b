//! Cooley-Tukey: coefficients to values.

use super::{Pass, Rows, Transform};
use crate::NttTable;
use crate::backend::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::backend::kernel::layout::fits;
use crate::backend::kernel::pointwise::canonical;

pub(in crate::backend::kernel) struct Forward<'a> {
    pub table: &'a NttTable,
    pub a: &'a mut [u64],
}

impl Job for Forward<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.table.modulus(), self.a));
        assert_eq!(self.a.len(), self.table.degree());
        // SAFETY: jobs run inside `dispatch`, which has the features; the length is that of the table.
        unsafe {
            if !fits::<A>(self.a.len()) {
                Transform::<A::Small>::new(self.table).forward(self.a.as_mut_ptr());
            } else if A::is_narrow(self.table.modulus()) {
                Transform::<A::Narrow>::new(self.table).forward(self.a.as_mut_ptr());
            } else {
                Transform::<A>::new(self.table).forward(self.a.as_mut_ptr());
            }
        }
    }
}

/// What the words of a block are left as.
pub(in crate::backend::kernel) const CANONICAL: bool = false;
/// See [`Arithmetic::leave_factor`].
pub(in crate::backend::kernel) const FACTORS: bool = true;

impl<A: Arithmetic> Transform<A> {
    /// Canonical coefficients to canonical values.
    #[inline(always)]
    pub(in crate::backend::kernel) unsafe fn forward(&self, data: *mut u64) {
        // SAFETY: see the implementation block of `new`.
        unsafe {
            if self.blocks() == 1 {
                self.forward_block::<true, CANONICAL>(data, 0);
                return;
            }
            self.forward_columns::<true>(data, 0, self.block);
            for block in 0..self.blocks() {
                self.forward_block::<false, CANONICAL>(data.add(block * self.block), block);
            }
        }
    }

    /// The stages between the blocks of `data`, for so many columns from `column` on. With FIRST they are canonical
    /// words, else started values.
    #[inline(always)]
    pub(in crate::backend::kernel) unsafe fn forward_columns<const FIRST: bool>(
        &self,
        data: *mut u64,
        column: usize,
        columns: usize,
    ) {
        // SAFETY: see the implementation block of `new`.
        unsafe {
            let rows = Rows {
                data: data.add(column),
                step: self.block,
            };
            self.forward_any(self.outer, FIRST, rows, columns, 1);
        }
    }

    /// The stages within a block, the `number`-th of its array. With FIRST its words are canonical
    /// coefficients; in the end they are canonical values or factors.
    #[inline(always)]
    pub(in crate::backend::kernel) unsafe fn forward_block<const FIRST: bool, const AS: bool>(
        &self,
        data: *mut u64,
        number: usize,
    ) {
        let (passes, count) = &self.inner;
        let (node, parts) = (self.blocks() + number, self.parts());
        let (size, far) = (self.block / parts, usize::from(parts > 1));
        // SAFETY: see the implementation block of `new`.
        unsafe {
            if far > 0 {
                let rows = Rows { data, step: size };
                self.forward_any(passes[0], FIRST, rows, size, node);
            }
            for part in 0..parts {
                let data = data.add(part * size);
                let (mut size, mut nodes) = (size, node * parts + part);
                for (p, &pass) in passes[..*count].iter().enumerate().skip(far) {
                    let step = size >> pass.stages;
                    for (i, start) in (0..self.block / parts).step_by(size).enumerate() {
                        let rows = Rows {
                            data: data.add(start),
                            step,
                        };
                        self.forward_any(pass, FIRST && p == 0, rows, step, nodes + i);
                    }
                    size = step;
                    nodes <<= pass.stages;
                }
                let at = number * parts + part;
                if FIRST && *count == 0 {
                    self.forward_squares::<true, AS>(data, at, self.block / parts);
                } else {
                    self.forward_squares::<false, AS>(data, at, self.block / parts);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn forward_any(&self, pass: Pass, first: bool, rows: Rows, columns: usize, node: usize) {
        // SAFETY: the caller's.
        unsafe {
            match (pass.stages, first, pass.settle) {
                (1, true, _) => self.forward_pass::<1, true, false>(rows, columns, node),
                (2, true, _) => self.forward_pass::<2, true, false>(rows, columns, node),
                (_, true, _) => self.forward_pass::<3, true, false>(rows, columns, node),
                (1, _, false) => self.forward_pass::<1, false, false>(rows, columns, node),
                (2, _, false) => self.forward_pass::<2, false, false>(rows, columns, node),
                (_, _, false) => self.forward_pass::<3, false, false>(rows, columns, node),
                (1, _, true) => self.forward_pass::<1, false, true>(rows, columns, node),
                (2, _, true) => self.forward_pass::<2, false, true>(rows, columns, node),
                (_, _, true) => self.forward_pass::<3, false, true>(rows, columns, node),
            }
        }
    }

    /// LOG stages between 2^LOG rows of `columns` words, from the stage of `node` on.
    #[inline(always)]
    unsafe fn forward_pass<const LOG: usize, const FIRST: bool, const SETTLE: bool>(
        &self,
        rows: Rows,
        columns: usize,
        node: usize,
    ) {
        let ar = self.ar;
        // SAFETY: the caller's: there are 2^LOG rows of so many words.
        unsafe {
            let mut w = [self.twiddle(node); 8];
            for s in 1..LOG {
                for b in 0..1 << s {
                    w[(1 << s) + b] = self.twiddle((node << s) + b);
                }
            }
            for j in (0..columns).step_by(A::LANES) {
                let mut v = [A::splat(0); 8];
                for (i, v) in v.iter_mut().enumerate().take(1 << LOG) {
                    *v = A::load(rows.at(i, j));
                    if FIRST {
                        *v = ar.start(ar.enter(*v));
                    }
                    if SETTLE {
                        *v = ar.settle(*v);
                    }
                }
                for s in 0..LOG {
                    let half = 1 << (LOG - 1 - s);
                    for b in 0..1 << s {
                        for i in 0..half {
                            let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                            (v[x], v[y]) = ar.forward(v[x], v[y], w[(1 << s) + b]);
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
    #[inline(always)]
    unsafe fn forward_squares<const FIRST: bool, const AS: bool>(
        &self,
        data: *mut u64,
        number: usize,
        words: usize,
    ) {
        let (ar, lanes) = (self.ar, A::LANES);
        // SAFETY: see the implementation block of `new`.
        unsafe {
            for base in (0..words).step_by(lanes * lanes) {
                let square = data.add(base);
                if lanes == 1 {
                    let mut v = A::load(square);
                    if FIRST {
                        v = ar.start(ar.enter(v));
                    }
                    A::store(
                        square,
                        if AS == FACTORS {
                            ar.leave_factor(v)
                        } else {
                            ar.leave(v)
                        },
                    );
                    continue;
                }
                let mut v = [A::splat(0); MAX_LANES];
                for (i, v) in v.iter_mut().enumerate().take(lanes) {
                    *v = A::load(square.add(i * lanes));
                    if FIRST {
                        *v = ar.start(ar.enter(*v));
                    }
                }
                let at = self.n + number * words + base;
                self.forward_square::<false>(&mut v, at);
                A::transpose(&mut v);
                self.forward_square::<true>(&mut v, at);
                A::transpose(&mut v);
                for (i, v) in v.iter().enumerate().take(lanes) {
                    let left = if AS == FACTORS {
                        ar.leave_factor(*v)
                    } else {
                        ar.leave(*v)
                    };
                    A::store(square.add(i * lanes), left);
                }
            }
        }
    }

    /// The stages between the vectors of a square, or WITHIN them when it is transposed. `at` is n plus its
    /// place in the array.
    #[inline(always)]
    unsafe fn forward_square<const WITHIN: bool>(&self, v: &mut [A::V; MAX_LANES], at: usize) {
        let (ar, lanes) = (self.ar, A::LANES);
        // SAFETY: the caller's.
        unsafe {
            if self.settle[usize::from(WITHIN)] {
                for v in v.iter_mut().take(lanes) {
                    *v = ar.settle(*v);
                }
            }
            for s in 0..A::LOG_LANES {
                let half = lanes >> (s + 1);
                for b in 0..1 << s {
                    let w = if WITHIN {
                        self.twiddles(((at / lanes) << s) + b * lanes)
                    } else {
                        self.twiddle(((at / (lanes * lanes)) << s) + b)
                    };
                    for i in 0..half {
                        let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                        (v[x], v[y]) = ar.forward(v[x], v[y], w);
                    }
                }
            }
        }
    }
}
