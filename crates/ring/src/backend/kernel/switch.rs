//! The fused kernels of a key switch.

use super::layout::fits;
use super::transform::{CANONICAL, FACTORS, Strip, Transform, block_of};
use crate::backend::arithmetic::{Arithmetic, Job};
use crate::backend::limb::{DigitLimb, LimbSwitch, Target};
use crate::{Constant, NttTable};

pub(super) struct Extend<'a, 'b> {
    pub rows: &'a [u64],
    pub targets: &'a mut [Target<'b>],
}

/// The transform of a target, by the size of its prime.
enum Sized<A: Arithmetic> {
    Wide(Transform<A>),
    Narrow(Transform<A::Narrow>),
}

impl<A: Arithmetic> Sized<A> {
    #[inline(always)]
    unsafe fn new(table: &NttTable) -> Self {
        // SAFETY: the caller is inside `dispatch`.
        unsafe {
            if A::is_narrow(table.modulus()) {
                Self::Narrow(Transform::new(table))
            } else {
                Self::Wide(Transform::new(table))
            }
        }
    }
}

impl Job for Extend<'_, '_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Some(first) = self.targets.first() else {
            return;
        };
        if fits::<A>(first.table.degree()) {
            self.run_on::<A>();
        } else {
            self.run_on::<A::Small>();
        }
    }
}

impl Extend<'_, '_> {
    #[inline(always)]
    fn run_on<A: Arithmetic>(self) {
        let n = self.targets[0].table.degree();
        for t in self.targets.iter() {
            assert!(t.table.degree() == n && t.out.len() == n);
            assert_eq!(self.rows.len(), n * t.weights.len());
        }
        debug_assert!(self.rows.iter().all(|&x| x < 1 << 50));
        // SAFETY: jobs run inside `dispatch`, which has the features; lengths were checked above.
        unsafe {
            let transforms: Vec<Sized<A>> =
                self.targets.iter().map(|t| Sized::new(t.table)).collect();
            let (blocks, columns) = match &transforms[0] {
                Sized::Wide(t) => (t.blocks(), t.columns()),
                Sized::Narrow(t) => (t.blocks(), t.columns()),
            };
            let mut strip = Strip::new();
            // All targets take a strip of the rows while it is in the cache.
            for column in (0..n / blocks).step_by(columns) {
                for (target, transform) in self.targets.iter_mut().zip(&transforms) {
                    let (rows, weights) = (self.rows.as_ptr(), target.weights);
                    let (strip, out) = (strip.0.as_mut_ptr(), target.out.as_mut_ptr());
                    match transform {
                        Sized::Wide(t) => t.extend_strip(strip, rows, weights, out, column),
                        Sized::Narrow(t) => t.extend_strip(strip, rows, weights, out, column),
                    }
                }
            }
        }
    }
}

pub(super) struct Complete<'a> {
    pub table: &'a NttTable,
    pub half: &'a mut [u64],
}

impl Job for Complete<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let n = self.half.len();
        assert_eq!(n, self.table.degree());
        // SAFETY: jobs run inside `dispatch`, which has the features; the length is that of the table.
        unsafe {
            if !fits::<A>(n) {
                Transform::<A::Small>::new(self.table).complete(self.half.as_mut_ptr());
            } else if A::is_narrow(self.table.modulus()) {
                Transform::<A::Narrow>::new(self.table).complete(self.half.as_mut_ptr());
            } else {
                Transform::<A>::new(self.table).complete(self.half.as_mut_ptr());
            }
        }
    }
}

impl Job for LimbSwitch<'_, '_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        self.check();
        // SAFETY: jobs run inside `dispatch`, which has the features; lengths are checked.
        unsafe {
            if !fits::<A>(self.table.degree()) {
                Transform::<A::Small>::new(self.table).switch(self);
            } else if A::is_narrow(self.table.modulus()) {
                Transform::<A::Narrow>::new(self.table).switch(self);
            } else {
                Transform::<A>::new(self.table).switch(self);
            }
        }
    }
}

impl LimbSwitch<'_, '_> {
    fn check(&self) {
        let n = self.table.degree();
        assert!(!self.digits.is_empty() && self.digits.len() == self.keys.len());
        assert!(self.keys.iter().flatten().all(|key| key.len() == n));
        assert!(self.out.iter().all(|out| out.len() == n));
        assert!(self.addends.iter().flatten().all(|a| a.len() == n));
        assert!(self.digits.iter().all(|digit| match digit {
            DigitLimb::Values(words) => words.len() == n,
            DigitLimb::Half(words) => words.len() == n,
        }));
        if let Some(division) = &self.division {
            assert!(division.remainders.iter().all(|r| r.len() == n));
        }
        if let Some(order) = self.order {
            assert_eq!(order.len(), n);
            // The kernels read a block through the order of the block that it becomes.
            for chunk in order.chunks(block_of(n)) {
                let spread = chunk.iter().fold(0, |spread, &i| spread | (i ^ chunk[0]));
                assert!((spread as usize) < chunk.len() && (chunk[0] as usize) < n);
            }
            debug_assert!(
                order
                    .chunks_exact(8)
                    .all(|g| g.iter().all(|i| i / 8 == g[0] / 8))
            );
        }
    }
}

/// One sum of products and where it goes.
struct Side<'a> {
    out: *mut u64,
    remainder: *const u64,
    addend: Option<&'a [u64]>,
}

impl<A: Arithmetic> Transform<A> {
    /// Base conversion of one strip of the rows, and its stages between blocks.
    #[inline(always)]
    unsafe fn extend_strip(
        &self,
        strip: *mut u64,
        rows: *const u64,
        weights: &[Constant],
        out: *mut u64,
        column: usize,
    ) {
        let (blocks, block, columns) = (self.blocks(), self.block(), self.columns());
        // SAFETY: the caller has checked the lengths; the strip has room for all blocks and its columns.
        unsafe {
            if blocks == 1 {
                self.convert(out, rows, block, weights);
                return;
            }
            for b in 0..blocks {
                let from = rows.add(b * block + column);
                self.convert(strip.add(b * columns), from, columns, weights);
            }
            self.forward_strip::<false>(strip, out, column);
        }
    }

    /// `len` words, started.
    #[inline(always)]
    unsafe fn convert(&self, out: *mut u64, rows: *const u64, len: usize, weights: &[Constant]) {
        let (ar, n) = (self.ar, self.blocks() * self.block());
        // SAFETY: the caller has checked the lengths.
        unsafe {
            for j in (0..len).step_by(A::LANES) {
                let mut sum = ar.sum_zero();
                for (i, w) in weights.iter().enumerate() {
                    if i > 0 && i % A::SUM_TERMS == 0 {
                        sum = ar.sum_fold(sum);
                    }
                    let x = A::load(rows.add(i * n + j));
                    sum = ar.sum_add(sum, ar.enter(x), A::splat(w.value));
                }
                A::store(out.add(j), ar.start_sum(ar.sum_finish(sum)));
            }
        }
    }

    /// The stages within all blocks of a half transform.
    #[inline(always)]
    unsafe fn complete(&self, half: *mut u64) {
        for block in 0..self.blocks() {
            // SAFETY: the caller has checked the length.
            unsafe {
                self.forward_block::<false, CANONICAL>(half.add(block * self.block()), block);
            }
        }
    }

    #[inline(always)]
    unsafe fn switch(&self, job: LimbSwitch<'_, '_>) {
        let block = self.block();
        let [mut first, mut second] = [Strip::new(), Strip::new()];
        let [out0, out1] = job.out;
        let mut division = job.division;
        // SAFETY: the job was checked: all slices have n words.
        unsafe {
            for target in 0..self.blocks() {
                let source = match job.order {
                    Some(order) => order[target * block] as usize / block,
                    None => target,
                };
                let at = source * block;
                let mut factors = Vec::with_capacity(job.digits.len());
                for (digit, keys) in job.digits.iter_mut().zip(job.keys) {
                    let values = match digit {
                        DigitLimb::Values(values) => values.as_ptr(),
                        DigitLimb::Half(half) => {
                            let half = half.as_mut_ptr();
                            self.forward_block::<false, FACTORS>(half.add(at), source);
                            half.cast_const()
                        }
                    };
                    let [key0, key1] = keys.map(|key| key.as_ptr().add(at));
                    factors.push((values.add(at), key0, key1));
                }
                let mut remainders = [core::ptr::null(); 2];
                if let Some(division) = &mut division {
                    for (r, half) in remainders.iter_mut().zip(&mut division.remainders) {
                        let half = half.as_mut_ptr().add(at);
                        self.forward_block::<false, CANONICAL>(half, source);
                        *r = half.cast_const();
                    }
                }
                let direct = [out0.as_mut_ptr().add(at), out1.as_mut_ptr().add(at)];
                let local = [first.0.as_mut_ptr(), second.0.as_mut_ptr()];
                let to = if job.order.is_some() { local } else { direct };
                let side = |k: usize| Side {
                    out: to[k],
                    remainder: remainders[k],
                    addend: job.addends[k].map(|a| &a[at..at + block]),
                };
                let inverse = division.as_ref().map(|d| d.inverse);
                self.products(&factors, [side(0), side(1)], inverse, job.factor);
                if let Some(order) = job.order {
                    for (local, out) in local.into_iter().zip([&mut *out0, &mut *out1]) {
                        let words = target * block..(target + 1) * block;
                        Self::permute(local, at, &mut out[words.clone()], &order[words]);
                    }
                }
            }
        }
    }

    /// The sums of products of one block, divided and added to as the job says.
    #[inline(always)]
    unsafe fn products(
        &self,
        factors: &[(*const u64, *const u64, *const u64)],
        sides: [Side<'_>; 2],
        inverse: Option<Constant>,
        factor: Constant,
    ) {
        let ar = self.ar;
        // SAFETY: all pointers are to a block.
        unsafe {
            let constant = |c: Constant| [A::splat(c.value), A::splat(c.quotient)];
            let (inverse, factor) = (inverse.map(constant), constant(factor));
            for j in (0..self.block()).step_by(A::LANES) {
                let mut sums = [ar.sum_zero(); 2];
                for (d, &(x, key0, key1)) in factors.iter().enumerate() {
                    if d > 0 && d % A::SUM_TERMS == 0 {
                        sums = [ar.sum_fold(sums[0]), ar.sum_fold(sums[1])];
                    }
                    let x = ar.enter(A::load(x.add(j)));
                    let (y0, y1) = (A::load(key0.add(j)), A::load(key1.add(j)));
                    sums[0] = ar.sum_add(sums[0], x, ar.enter(y0));
                    sums[1] = ar.sum_add(sums[1], x, ar.enter(y1));
                }
                for (sum, side) in sums.into_iter().zip(&sides) {
                    let mut word = ar.leave(ar.sum_finish(sum));
                    if let Some(inverse) = inverse {
                        let remainder = ar.enter(A::load(side.remainder.add(j)));
                        let rest = ar.difference(ar.enter(word), remainder);
                        let quotient = ar.mul_constant(rest, inverse);
                        word = match side.addend {
                            Some(addend) => {
                                let addend = ar.enter(A::load(addend.as_ptr().add(j)));
                                ar.leave(ar.plus(quotient, ar.mul_constant(addend, factor)))
                            }
                            None => ar.leave_product(quotient),
                        };
                    } else if let Some(addend) = side.addend {
                        let addend = ar.enter(A::load(addend.as_ptr().add(j)));
                        word = ar.leave(ar.plus(ar.enter(word), ar.mul_constant(addend, factor)));
                    }
                    A::store(side.out.add(j), word);
                }
            }
        }
    }

    /// out\[i\] = from\[order\[i\] - at\].
    #[inline(always)]
    unsafe fn permute(from: *const u64, at: usize, out: &mut [u64], order: &[u32]) {
        // SAFETY: the job was checked, so that the order leads into the block at `at`.
        unsafe {
            let from = from.wrapping_sub(at);
            for (out, order) in out
                .chunks_exact_mut(A::LANES)
                .zip(order.chunks_exact(A::LANES))
            {
                A::store(out.as_mut_ptr(), A::permuted(from, order.as_ptr()));
            }
        }
    }
}
