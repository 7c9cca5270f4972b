//! The negacyclic transforms: passes of one to three stages over the array, cut so that all but the first
//! few stages run within the first-level cache, and a last pass on transposed squares of vectors.
//!
//! Nodes number the butterflies' blocks as a binary heap: the whole array is node 1, and the halves of node
//! k after its stage are 2k and 2k + 1. The twiddle of node k is entry k of the table.

use super::layout::fits;
use super::pointwise::canonical;
use crate::backend::arithmetic::{Arithmetic, Job, MAX_LANES};
use crate::{Constant, NttTable};

/// Words of the blocks that stay in the first-level cache.
const CACHE: usize = 4096;

pub(super) struct Forward<'a> {
    pub table: &'a NttTable,
    pub a: &'a mut [u64],
}

pub(super) struct Inverse<'a> {
    pub table: &'a NttTable,
    pub a: &'a mut [u64],
    pub scale: Constant,
}

impl Job for Forward<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.table.modulus(), self.a));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            if fits::<A>(self.a.len()) {
                Transform::<A>::new(self.table, self.a).forward();
            } else {
                Transform::<A::Small>::new(self.table, self.a).forward();
            }
        }
    }
}

impl Job for Inverse<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.table.modulus(), self.a));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            if fits::<A>(self.a.len()) {
                Transform::<A>::new(self.table, self.a).inverse(self.table, self.scale);
            } else {
                Transform::<A::Small>::new(self.table, self.a).inverse(self.table, self.scale);
            }
        }
    }
}

/// Stages of the next forward pass when `left` remain: threes only to make the rest even.
#[inline(always)]
fn stages_of_pass(left: u32) -> u32 {
    match left {
        1 => 1,
        l if l % 2 == 1 => 3,
        _ => 2,
    }
}

/// An array in transformation. The pointers cover `n` words, the quotients only when the arithmetic has
/// any; `n` is a power of two of at least LANES^2 and 8.
struct Transform<A: Arithmetic> {
    ar: A,
    values: *const u64,
    quotients: *const u64,
    data: *mut u64,
    n: usize,
}

// Safety of all methods: they run inside `dispatch`; `new` checked the lengths; nodes are below n and
// offsets below n by the heap numbering.
impl<A: Arithmetic> Transform<A> {
    #[inline(always)]
    unsafe fn new(table: &NttTable, a: &mut [u64]) -> Self {
        assert!(a.len() == table.degree() && table.values().len() == a.len());
        assert!(!A::QUOTIENTS || table.quotients().len() == a.len());
        Self {
            // SAFETY: runs inside `dispatch`.
            ar: unsafe { A::new(table.modulus()) },
            values: table.values().as_ptr(),
            quotients: table.quotients().as_ptr(),
            data: a.as_mut_ptr(),
            n: a.len(),
        }
    }

    /// Stages that lie above the cached blocks, and stages within them down to single vectors.
    #[inline(always)]
    fn phases(&self) -> [u32; 2] {
        let total = self.n.trailing_zeros() - A::LOG_LANES;
        let top = self.n.div_ceil(CACHE).trailing_zeros();
        [top, total - top]
    }

    /// The twiddle of a node in all lanes.
    #[inline(always)]
    unsafe fn twiddle(&self, node: usize) -> [A::V; 2] {
        // SAFETY: nodes are below n.
        unsafe {
            let value = A::splat(*self.values.add(node));
            [
                value,
                if A::QUOTIENTS {
                    A::splat(*self.quotients.add(node))
                } else {
                    value
                },
            ]
        }
    }

    /// A vector of interleaved twiddles, lanes reversed on demand.
    #[inline(always)]
    unsafe fn twiddles<const REVERSE: bool>(&self, index: usize) -> [A::V; 2] {
        // SAFETY: the layout keeps LANES entries from every index that the last pass uses.
        unsafe {
            let load = |from: *const u64| {
                let v = A::load(from.add(index));
                if REVERSE { A::reverse(v) } else { v }
            };
            let value = load(self.values);
            [
                value,
                if A::QUOTIENTS {
                    load(self.quotients)
                } else {
                    value
                },
            ]
        }
    }

    /// Cooley-Tukey: canonical coefficients to canonical values.
    #[inline(always)]
    unsafe fn forward(&self) {
        let phases = self.phases();
        // A canonical value counts as one stage grown.
        let (mut used, mut size) = (1, self.n);
        // SAFETY: see the implementation block.
        unsafe {
            for (phase, &stages) in phases.iter().enumerate() {
                let region = size;
                let (mut region_used, mut region_size) = (used, size);
                for start in (0..self.n).step_by(region) {
                    (region_used, region_size) = (used, region);
                    let mut left = stages;
                    while left > 0 {
                        let pass = stages_of_pass(left);
                        let settle = region_used + pass > A::FORWARD_STAGES;
                        region_used = if settle { pass } else { region_used + pass };
                        let first = region_size == self.n;
                        for base in (start..start + region).step_by(region_size) {
                            let node = (self.n + base) / region_size;
                            match (pass, first, settle) {
                                (1, true, _) => {
                                    self.forward_pass::<1, true, false>(base, region_size, node)
                                }
                                (2, true, _) => {
                                    self.forward_pass::<2, true, false>(base, region_size, node)
                                }
                                (_, true, _) => {
                                    self.forward_pass::<3, true, false>(base, region_size, node)
                                }
                                (1, false, false) => {
                                    self.forward_pass::<1, false, false>(base, region_size, node)
                                }
                                (2, false, false) => {
                                    self.forward_pass::<2, false, false>(base, region_size, node)
                                }
                                (_, false, false) => {
                                    self.forward_pass::<3, false, false>(base, region_size, node)
                                }
                                (1, false, true) => {
                                    self.forward_pass::<1, false, true>(base, region_size, node)
                                }
                                (2, false, true) => {
                                    self.forward_pass::<2, false, true>(base, region_size, node)
                                }
                                (_, false, true) => {
                                    self.forward_pass::<3, false, true>(base, region_size, node)
                                }
                            }
                        }
                        region_size >>= pass;
                        left -= pass;
                    }
                    if phase == 1 {
                        if region_used + A::LOG_LANES > A::FORWARD_STAGES {
                            self.forward_vectors::<true>(start, region);
                        } else {
                            self.forward_vectors::<false>(start, region);
                        }
                    }
                }
                (used, size) = (region_used, region_size);
            }
        }
    }

    /// LOG stages on the block of `size` words at `base`.
    #[inline(always)]
    unsafe fn forward_pass<const LOG: usize, const FIRST: bool, const SETTLE: bool>(
        &self,
        base: usize,
        size: usize,
        node: usize,
    ) {
        let (ar, step) = (self.ar, size >> LOG);
        // SAFETY: see the implementation block.
        unsafe {
            let mut w = [self.twiddle(node); 8];
            for s in 1..LOG {
                for b in 0..1 << s {
                    w[(1 << s) + b] = self.twiddle((node << s) + b);
                }
            }
            let block = self.data.add(base);
            for j in (0..step).step_by(A::LANES) {
                let mut v = [A::splat(0); 8];
                for (i, v) in v.iter_mut().enumerate().take(1 << LOG) {
                    *v = A::load(block.add(i * step + j));
                    if FIRST {
                        *v = ar.enter(*v);
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
                    A::store(block.add(i * step + j), *v);
                }
            }
        }
    }

    /// The stages within single vectors, on the `len` words at `start`; canonical in the end.
    #[inline(always)]
    unsafe fn forward_vectors<const SETTLE: bool>(&self, start: usize, len: usize) {
        let (ar, lanes) = (self.ar, A::LANES);
        // SAFETY: see the implementation block.
        unsafe {
            for base in (start..start + len).step_by(lanes * lanes) {
                let square = self.data.add(base);
                let mut v = [A::splat(0); MAX_LANES];
                for (i, v) in v.iter_mut().enumerate().take(lanes) {
                    *v = A::load(square.add(i * lanes));
                    if SETTLE {
                        *v = ar.settle(*v);
                    }
                }
                A::transpose(&mut v);
                for s in 0..A::LOG_LANES {
                    let (h, half) = (1 << s, lanes >> (s + 1));
                    let twiddles = (self.n + base) / lanes * h;
                    for b in 0..h {
                        let w = self.twiddles::<false>(twiddles + b * lanes);
                        for i in 0..half {
                            let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                            (v[x], v[y]) = ar.forward(v[x], v[y], w);
                        }
                    }
                }
                A::transpose(&mut v);
                for (i, v) in v.iter().enumerate().take(lanes) {
                    A::store(square.add(i * lanes), ar.leave(*v));
                }
            }
        }
    }

    /// Gentleman-Sande: canonical values to canonical coefficients, times `scale` * N.
    #[inline(always)]
    unsafe fn inverse(&self, table: &NttTable, scale: Constant) {
        let phases = self.phases();
        let q = table.modulus();
        // The root of the last step, times the scale.
        // SAFETY: node 1 exists; without quotients nothing reads the one made up here.
        let root = unsafe {
            Constant {
                value: *self.values.add(1),
                quotient: 0,
            }
        };
        let scaled = A::prepare(q, q.mul(A::decode(q, root), A::decode(q, scale)));
        // SAFETY: see the implementation block.
        unsafe {
            let last = [
                [A::splat(scale.value), A::splat(scale.quotient)],
                [A::splat(scaled.value), A::splat(scaled.quotient)],
            ];
            let mut size = A::LANES;
            for (phase, &stages) in phases.iter().enumerate().rev() {
                let region = size << stages;
                let mut region_size = size;
                for start in (0..self.n).step_by(region) {
                    region_size = size;
                    if phase == 1 {
                        self.inverse_vectors(start, region);
                    }
                    let mut left = stages;
                    while left > 0 {
                        // The forward passes backwards: what is left after a pass is what it began with.
                        let pass = if left == 1 || left == 3 { left } else { 2 };
                        region_size <<= pass;
                        left -= pass;
                        let ends = region_size == self.n;
                        for base in (start..start + region).step_by(region_size) {
                            let node = (self.n + base) / region_size;
                            match (pass, ends) {
                                (1, false) => {
                                    self.inverse_pass::<1, false>(base, region_size, node, last)
                                }
                                (2, false) => {
                                    self.inverse_pass::<2, false>(base, region_size, node, last)
                                }
                                (_, false) => {
                                    self.inverse_pass::<3, false>(base, region_size, node, last)
                                }
                                (1, true) => {
                                    self.inverse_pass::<1, true>(base, region_size, node, last)
                                }
                                (2, true) => {
                                    self.inverse_pass::<2, true>(base, region_size, node, last)
                                }
                                (_, true) => {
                                    self.inverse_pass::<3, true>(base, region_size, node, last)
                                }
                            }
                        }
                    }
                }
                size = region_size;
            }
        }
    }

    /// One step on x and y: (x + y, (y - x) w), the root wanted being -w.
    #[inline(always)]
    unsafe fn inverse_step(&self, x: A::V, y: A::V, w: [A::V; 2], tidy: bool) -> (A::V, A::V) {
        // SAFETY: see the implementation block.
        unsafe {
            let sum = self.ar.relax(self.ar.sum(x, y));
            let sum = if tidy { self.ar.tidy(sum) } else { sum };
            (sum, self.ar.mul_constant(self.ar.difference(y, x), w))
        }
    }

    /// LOG stages on the block of `size` words at `base`; the last pass scales and makes canonical.
    #[inline(always)]
    unsafe fn inverse_pass<const LOG: usize, const LAST: bool>(
        &self,
        base: usize,
        size: usize,
        node: usize,
        last: [[A::V; 2]; 2],
    ) {
        let (ar, step) = (self.ar, size >> LOG);
        // SAFETY: see the implementation block.
        unsafe {
            // Entry 3m - 1 - k mirrors node k of the stage with m nodes.
            let m = 1usize << node.ilog2();
            let mut w = [self.twiddle(3 * m - 1 - node); 8];
            for s in 1..LOG {
                for b in 0..1 << s {
                    w[(1 << s) + b] = self.twiddle(((3 * m) << s) - 1 - ((node << s) + b));
                }
            }
            let block = self.data.add(base);
            for j in (0..step).step_by(A::LANES) {
                let mut v = [A::splat(0); 8];
                for (i, v) in v.iter_mut().enumerate().take(1 << LOG) {
                    *v = A::load(block.add(i * step + j));
                }
                for s in (0..LOG).rev() {
                    let half = 1 << (LOG - 1 - s);
                    let tidy = s == 0 || LOG - s == 2;
                    for b in 0..1 << s {
                        for i in 0..half {
                            let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                            if LAST && s == 0 {
                                let (sum, difference) =
                                    (ar.sum(v[x], v[y]), ar.difference(v[y], v[x]));
                                v[x] = ar.leave(ar.mul_constant(sum, last[0]));
                                v[y] = ar.leave(ar.mul_constant(difference, last[1]));
                            } else {
                                (v[x], v[y]) = self.inverse_step(v[x], v[y], w[(1 << s) + b], tidy);
                            }
                        }
                    }
                }
                for (i, v) in v.iter().enumerate().take(1 << LOG) {
                    A::store(block.add(i * step + j), *v);
                }
            }
        }
    }

    /// The stages within single vectors, on the `len` words at `start`.
    #[inline(always)]
    unsafe fn inverse_vectors(&self, start: usize, len: usize) {
        let (ar, lanes) = (self.ar, A::LANES);
        // SAFETY: see the implementation block.
        unsafe {
            for base in (start..start + len).step_by(lanes * lanes) {
                let square = self.data.add(base);
                let mirrored = self.n - lanes * lanes - base;
                let mut v = [A::splat(0); MAX_LANES];
                for (i, v) in v.iter_mut().enumerate().take(lanes) {
                    *v = ar.enter(A::load(square.add(i * lanes)));
                }
                A::transpose(&mut v);
                for s in (0..A::LOG_LANES).rev() {
                    let (h, half) = (1 << s, lanes >> (s + 1));
                    let tidy = s == 0 || A::LOG_LANES - s == 2;
                    let twiddles = (self.n + mirrored) / lanes * h;
                    for b in 0..h {
                        let w = self.twiddles::<true>(twiddles + (h - 1 - b) * lanes);
                        for i in 0..half {
                            let (x, y) = (2 * half * b + i, 2 * half * b + half + i);
                            (v[x], v[y]) = self.inverse_step(v[x], v[y], w, tidy);
                        }
                    }
                }
                A::transpose(&mut v);
                for (i, v) in v.iter().enumerate().take(lanes) {
                    A::store(square.add(i * lanes), *v);
                }
            }
        }
    }
}
