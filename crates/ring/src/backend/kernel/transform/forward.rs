//! Cooley-Tukey: coefficients to values.

use super::{Pass, Rows, Strip, Transform};
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
            let mut strip = Strip::new();
            for column in (0..self.block).step_by(self.columns()) {
                self.forward_strip::<true>(strip.0.as_mut_ptr(), data, column);
            }
            for block in 0..self.blocks() {
                self.forward_block::<false, CANONICAL>(data.add(block * self.block), block);
            }
        }
    }

    /// The stages between the blocks of `data`, for the columns from `column` on. With FIRST they are
    /// canonical words, else started values.
    #[inline(always)]
    pub(in crate::backend::kernel) unsafe fn forward_strip<const FIRST: bool>(
        &self,
        strip: *mut u64,
        data: *mut u64,
        column: usize,
    ) {
        let (blocks, columns) = (self.blocks(), self.columns());
        let (passes, count) = &self.outer;
        // SAFETY: see the implementation block of `new`; the strip has room for all rows and its columns.
        unsafe {
            let local = Rows {
                data: strip,
                step: columns,
            };
            let array = Rows {
                data: data.add(column),
                step: self.block,
            };
            let mut nodes = 1;
            for (p, &pass) in passes[..*count].iter().enumerate() {
                let from = if p == 0 { array } else { local };
                let to = if p + 1 == *count { array } else { local };
                // Rows of a node, and the distance of the rows that meet in a butterfly of the last stage.
                let rows = blocks / nodes;
                let step = rows >> pass.stages;
                for node in 0..nodes {
                    for row in 0..step {
                        let first = node * rows + row;
                        let (source, target) = (from.from(first, 0), to.from(first, 0));
                        let (source, target) = (source.every(step), target.every(step));
                        self.forward_any(
                            pass,
                            FIRST && p == 0,
                            source,
                            target,
                            columns,
                            nodes + node,
                        );
                    }
                }
                nodes <<= pass.stages;
            }
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
        // SAFETY: see the implementation block of `new`.
        unsafe {
            let (mut size, mut nodes) = (self.block, self.blocks() + number);
            for (p, &pass) in passes[..*count].iter().enumerate() {
                let step = size >> pass.stages;
                for (i, start) in (0..self.block).step_by(size).enumerate() {
                    let rows = Rows {
                        data: data.add(start),
                        step,
                    };
                    self.forward_any(pass, FIRST && p == 0, rows, rows, step, nodes + i);
                }
                size = step;
                nodes <<= pass.stages;
            }
            if FIRST && *count == 0 {
                self.forward_squares::<true, AS>(data, number);
            } else {
                self.forward_squares::<false, AS>(data, number);
            }
        }
    }

    #[inline(always)]
    unsafe fn forward_any(
        &self,
        pass: Pass,
        first: bool,
        from: Rows,
        to: Rows,
        columns: usize,
        node: usize,
    ) {
        // SAFETY: the caller's.
        unsafe {
            match (pass.stages, first, pass.settle) {
                (1, true, _) => self.forward_pass::<1, true, false>(from, to, columns, node),
                (2, true, _) => self.forward_pass::<2, true, false>(from, to, columns, node),
                (_, true, _) => self.forward_pass::<3, true, false>(from, to, columns, node),
                (1, _, false) => self.forward_pass::<1, false, false>(from, to, columns, node),
                (2, _, false) => self.forward_pass::<2, false, false>(from, to, columns, node),
                (_, _, false) => self.forward_pass::<3, false, false>(from, to, columns, node),
                (1, _, true) => self.forward_pass::<1, false, true>(from, to, columns, node),
                (2, _, true) => self.forward_pass::<2, false, true>(from, to, columns, node),
                (_, _, true) => self.forward_pass::<3, false, true>(from, to, columns, node),
            }
        }
    }

    /// LOG stages between 2^LOG rows of `columns` words, from the stage of `node` on.
    #[inline(always)]
    unsafe fn forward_pass<const LOG: usize, const FIRST: bool, const SETTLE: bool>(
        &self,
        from: Rows,
        to: Rows,
        columns: usize,
        node: usize,
    ) {
        let ar = self.ar;
        // SAFETY: the caller's: both have 2^LOG rows of so many words.
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
                    *v = A::load(from.at(i, j));
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
                    A::store(to.at(i, j), *v);
                }
            }
        }
    }

    /// The stages within the squares of a block.
    #[inline(always)]
    unsafe fn forward_squares<const FIRST: bool, const AS: bool>(
        &self,
        data: *mut u64,
        number: usize,
    ) {
        let (ar, lanes) = (self.ar, A::LANES);
        // SAFETY: see the implementation block of `new`.
        unsafe {
            for base in (0..self.block).step_by(lanes * lanes) {
                let square = data.add(base);
                let mut v = [A::splat(0); MAX_LANES];
                for (i, v) in v.iter_mut().enumerate().take(lanes) {
                    *v = A::load(square.add(i * lanes));
                    if FIRST {
                        *v = ar.start(ar.enter(*v));
                    }
                }
                let at = self.n + number * self.block + base;
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
                        self.twiddles((at / lanes << s) + b * lanes)
                    } else {
                        self.twiddle((at / (lanes * lanes) << s) + b)
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
