//! The fused kernels of a key switch.

use super::convert::{VECTORS, weighted};
use super::layout::fits;
use super::transform::{CANONICAL, FACTORS, Transform, block_of};
use crate::backend::arithmetic::{Arithmetic, Job};
use crate::backend::limb::{DigitLimb, LimbSwitch, Target};
use crate::buffer::Buffer;
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
            let block = n / blocks;
            for column in (0..block).step_by(columns) {
                // The rows come from far away: all targets take what is in the first-level cache.
                for at in (column..n).step_by(block) {
                    for (target, transform) in self.targets.iter_mut().zip(&transforms) {
                        let (rows, out) =
                            (self.rows.as_ptr().add(at), target.out.as_mut_ptr().add(at));
                        match transform {
                            Sized::Wide(t) => t.convert(out, rows, columns, target.weights),
                            Sized::Narrow(t) => t.convert(out, rows, columns, target.weights),
                        }
                    }
                }
                if blocks == 1 {
                    continue;
                }
                for (target, transform) in self.targets.iter_mut().zip(&transforms) {
                    let out = target.out.as_mut_ptr();
                    match transform {
                        Sized::Wide(t) => t.forward_columns::<false>(out, column, columns),
                        Sized::Narrow(t) => t.forward_columns::<false>(out, column, columns),
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

pub(super) struct LimbSwitches<'a, 'b, 'd>(pub &'a mut [LimbSwitch<'b, 'd>]);

impl Job for LimbSwitches<'_, '_, '_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let Some(table) = self.0.first().map(|job| job.table) else {
            return;
        };
        for job in &*self.0 {
            job.check();
            let (own, first) = (job.table, table);
            assert!(own.degree() == first.degree() && own.modulus() == first.modulus());
        }
        // SAFETY: jobs run inside `dispatch`, which has the features; lengths are checked.
        unsafe {
            if !fits::<A>(table.degree()) {
                Transform::<A::Small>::new(table).switch(self.0);
            } else if A::is_narrow(table.modulus()) {
                Transform::<A::Narrow>::new(table).switch(self.0);
            } else {
                Transform::<A>::new(table).switch(self.0);
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

/// Vectors of both sides that are summed at once.
const PAIRS: usize = 2;

/// One sum of products and where it goes.
struct Side<'a> {
    out: *mut u64,
    remainder: *const u64,
    addend: Option<&'a [u64]>,
}

impl<A: Arithmetic> Transform<A> {
    /// Base conversion of `len` words, started; a multiple of VECTORS vectors, as columns are.
    #[inline(always)]
    unsafe fn convert(&self, out: *mut u64, rows: *const u64, len: usize, weights: &[Constant]) {
        let (ar, n) = (self.ar, self.blocks() * self.block());
        // SAFETY: the caller has checked the lengths.
        unsafe {
            for j in (0..len).step_by(VECTORS * A::LANES) {
                let sums = weighted::<A, VECTORS>(ar, rows.add(j), n, weights);
                for (v, &sum) in sums.iter().enumerate() {
                    A::store(out.add(j + v * A::LANES), ar.start_sum(ar.sum_finish(sum)));
                }
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

    /// Block by block: jobs with the same key find it in the cache.
    #[inline(always)]
    unsafe fn switch(&self, jobs: &mut [LimbSwitch<'_, '_>]) {
        let ordered = jobs.iter().any(|job| job.order.is_some());
        let mut unordered = Buffer::scratch(if ordered { 2 * self.block() } else { 0 });
        for target in 0..self.blocks() {
            for job in &mut *jobs {
                // SAFETY: the jobs were checked: all slices have n words.
                unsafe { self.switch_block(job, target, unordered.as_mut_ptr()) };
            }
        }
    }

    /// Block `target` of the results, with room for two blocks if they are to be put in order.
    #[inline(always)]
    unsafe fn switch_block(&self, job: &mut LimbSwitch<'_, '_>, target: usize, local: *mut u64) {
        let block = self.block();
        // SAFETY: the job was checked: all slices have n words.
        unsafe {
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
            if let Some(division) = &mut job.division {
                for (r, half) in remainders.iter_mut().zip(&mut division.remainders) {
                    let half = half.as_mut_ptr().add(at);
                    self.forward_block::<false, CANONICAL>(half, source);
                    *r = half.cast_const();
                }
            }
            let [out0, out1] = &mut job.out;
            let direct = [out0.as_mut_ptr().add(at), out1.as_mut_ptr().add(at)];
            let local = [local, local.wrapping_add(block)];
            let to = if job.order.is_some() { local } else { direct };
            let side = |k: usize| Side {
                out: to[k],
                remainder: remainders[k],
                addend: job.addends[k].map(|a| &a[at..at + block]),
            };
            let inverse = job.division.as_ref().map(|d| d.inverse);
            self.products(&factors, [side(0), side(1)], inverse, job.factor);
            if let Some(order) = job.order {
                for (local, out) in local.into_iter().zip([out0, out1]) {
                    let words = target * block..(target + 1) * block;
                    Self::permute(local, at, &mut out[words.clone()], &order[words]);
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
            for j in (0..self.block()).step_by(PAIRS * A::LANES) {
                let mut sums = [[ar.sum_zero(); PAIRS]; 2];
                for (c, chunk) in factors.chunks(A::SUM_TERMS).enumerate() {
                    if c > 0 {
                        for sum in sums.iter_mut().flatten() {
                            *sum = ar.sum_fold(*sum);
                        }
                    }
                    for &(x, key0, key1) in chunk {
                        for v in 0..PAIRS {
                            let at = j + v * A::LANES;
                            let x = ar.enter(A::load(x.add(at)));
                            for (side, key) in sums.iter_mut().zip([key0, key1]) {
                                side[v] = ar.sum_add(side[v], x, ar.enter(A::load(key.add(at))));
                            }
                        }
                    }
                }
                for (sums, side) in sums.into_iter().zip(&sides) {
                    for (v, sum) in sums.into_iter().enumerate() {
                        let at = j + v * A::LANES;
                        let word =
                            self.quotient(ar.leave(ar.sum_finish(sum)), side, at, inverse, factor);
                        A::store(side.out.add(at), word);
                    }
                }
            }
        }
    }

    /// A sum at `at`, divided and added to as its side says.
    #[inline(always)]
    unsafe fn quotient(
        &self,
        sum: A::V,
        side: &Side<'_>,
        at: usize,
        inverse: Option<[A::V; 2]>,
        factor: [A::V; 2],
    ) -> A::V {
        let ar = self.ar;
        // SAFETY: the caller's.
        unsafe {
            let mut word = ar.enter(sum);
            if let Some(inverse) = inverse {
                let remainder = ar.enter(A::load(side.remainder.add(at)));
                word = ar.mul_constant(ar.difference(word, remainder), inverse);
                if side.addend.is_none() {
                    return ar.leave_product(word);
                }
            }
            match side.addend {
                Some(addend) => {
                    let addend = ar.enter(A::load(addend.as_ptr().add(at)));
                    ar.leave(ar.plus(word, ar.mul_constant(addend, factor)))
                }
                None => sum,
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
