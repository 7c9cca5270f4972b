//! Element-wise kernels: canonical in, canonical out.

use crate::backend::arithmetic::{Arithmetic, Job};
use crate::{Constant, Modulus};

/// a = f(a) vector by vector.
#[inline(always)]
fn map1<A: Arithmetic>(a: &mut [u64], f: impl Fn(A::V) -> A::V) {
    for x in a.chunks_exact_mut(A::LANES) {
        // SAFETY: the chunk has LANES words; features as in `dispatch`, which runs this.
        unsafe { A::store(x.as_mut_ptr(), f(A::load(x.as_ptr()))) }
    }
}

/// a = f(a, b) vector by vector.
#[inline(always)]
fn map2<A: Arithmetic>(a: &mut [u64], b: &[u64], f: impl Fn(A::V, A::V) -> A::V) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.chunks_exact_mut(A::LANES).zip(b.chunks_exact(A::LANES)) {
        // SAFETY: the chunks have LANES words; features as in `dispatch`, which runs this.
        unsafe { A::store(x.as_mut_ptr(), f(A::load(x.as_ptr()), A::load(y.as_ptr()))) }
    }
}

/// out = f(out, a, b) vector by vector.
#[inline(always)]
fn map3<A: Arithmetic>(
    out: &mut [u64],
    a: &[u64],
    b: &[u64],
    f: impl Fn(A::V, A::V, A::V) -> A::V,
) {
    assert!(out.len() == a.len() && out.len() == b.len());
    let inputs = a.chunks_exact(A::LANES).zip(b.chunks_exact(A::LANES));
    for (z, (x, y)) in out.chunks_exact_mut(A::LANES).zip(inputs) {
        // SAFETY: the chunks have LANES words; features as in `dispatch`, which runs this.
        unsafe {
            A::store(
                z.as_mut_ptr(),
                f(
                    A::load(z.as_ptr()),
                    A::load(x.as_ptr()),
                    A::load(y.as_ptr()),
                ),
            )
        }
    }
}

pub(super) struct MulAssign<'a> {
    pub q: &'a Modulus,
    pub a: &'a mut [u64],
    pub b: &'a [u64],
}

impl Job for MulAssign<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a) && canonical(self.q, self.b));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            let ar = A::new(self.q);
            map2::<A>(self.a, self.b, |x, y| {
                ar.leave(ar.mul(ar.enter(x), ar.enter(y)))
            });
        }
    }
}

pub(super) struct Mul<'a> {
    pub q: &'a Modulus,
    pub out: &'a mut [u64],
    pub a: &'a [u64],
    pub b: &'a [u64],
}

impl Job for Mul<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a) && canonical(self.q, self.b));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            let ar = A::new(self.q);
            map3::<A>(self.out, self.a, self.b, |_, x, y| {
                ar.leave(ar.mul(ar.enter(x), ar.enter(y)))
            });
        }
    }
}

pub(super) struct MulAdd<'a> {
    pub q: &'a Modulus,
    pub acc: &'a mut [u64],
    pub a: &'a [u64],
    pub b: &'a [u64],
}

impl Job for MulAdd<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(
            canonical(self.q, self.a) && canonical(self.q, self.b) && canonical(self.q, self.acc)
        );
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            let ar = A::new(self.q);
            map3::<A>(self.acc, self.a, self.b, |z, x, y| {
                ar.leave(ar.plus(ar.mul(ar.enter(x), ar.enter(y)), ar.enter(z)))
            });
        }
    }
}

pub(super) struct MulScalar<'a> {
    pub q: &'a Modulus,
    pub a: &'a mut [u64],
    pub scalar: Constant,
}

impl Job for MulScalar<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            let (ar, w) = (
                A::new(self.q),
                [A::splat(self.scalar.value), A::splat(self.scalar.quotient)],
            );
            map1::<A>(self.a, |x| ar.leave(ar.mul_constant(ar.enter(x), w)));
        }
    }
}

pub(super) struct MulScalarAdd<'a> {
    pub q: &'a Modulus,
    pub acc: &'a mut [u64],
    pub a: &'a [u64],
    pub scalar: Constant,
}

impl Job for MulScalarAdd<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a) && canonical(self.q, self.acc));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            let (ar, w) = (
                A::new(self.q),
                [A::splat(self.scalar.value), A::splat(self.scalar.quotient)],
            );
            map2::<A>(self.acc, self.a, |z, x| {
                ar.leave(ar.plus(ar.mul_constant(ar.enter(x), w), ar.enter(z)))
            });
        }
    }
}

pub(super) struct SubFromMulScalar<'a> {
    pub q: &'a Modulus,
    pub a: &'a mut [u64],
    pub b: &'a [u64],
    pub scalar: Constant,
}

impl Job for SubFromMulScalar<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a) && canonical(self.q, self.b));
        // SAFETY: jobs run inside `dispatch`, which has the features.
        unsafe {
            let (ar, w) = (
                A::new(self.q),
                [A::splat(self.scalar.value), A::splat(self.scalar.quotient)],
            );
            map2::<A>(self.a, self.b, |x, y| {
                ar.leave(ar.mul_constant(ar.difference(ar.enter(y), ar.enter(x)), w))
            });
        }
    }
}

// Sums of canonical residues need no arithmetic of the backend: plain loops, which the compiler turns into
// vectors of the features at hand.

/// What of x or x + q lies in [0, q), for x in [-q, q) modulo 2^64.
#[inline(always)]
fn wrap(x: u64, q: u64) -> u64 {
    if cfg!(target_arch = "wasm32") {
        // No unsigned minimum of 64-bit lanes there: the sign selects.
        x.wrapping_add(q & ((x as i64 >> 63) as u64))
    } else {
        // A number below zero is huge.
        x.min(x.wrapping_add(q))
    }
}

pub(super) struct Add<'a> {
    pub q: &'a Modulus,
    pub a: &'a mut [u64],
    pub b: &'a [u64],
}

impl Job for Add<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a) && canonical(self.q, self.b));
        let q = self.q.value();
        for (x, y) in self.a.iter_mut().zip(self.b) {
            *x = wrap((*x + *y).wrapping_sub(q), q);
        }
    }
}

pub(super) struct Sub<'a> {
    pub q: &'a Modulus,
    pub a: &'a mut [u64],
    pub b: &'a [u64],
}

impl Job for Sub<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a) && canonical(self.q, self.b));
        let q = self.q.value();
        for (x, y) in self.a.iter_mut().zip(self.b) {
            *x = wrap(x.wrapping_sub(*y), q);
        }
    }
}

pub(super) struct Neg<'a> {
    pub q: &'a Modulus,
    pub a: &'a mut [u64],
}

impl Job for Neg<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        debug_assert!(canonical(self.q, self.a));
        let q = self.q.value();
        for x in self.a {
            *x = wrap(0u64.wrapping_sub(*x), q);
        }
    }
}

pub(super) struct Gather<'a> {
    pub out: &'a mut [u64],
    pub source: &'a [u64],
    pub index: &'a [u32],
}

impl Job for Gather<'_> {
    #[inline(always)]
    fn run<A: Arithmetic>(self) {
        let bound = self.index.iter().fold(0, |m, &i| m.max(i)) as usize;
        assert!(
            bound < self.source.len() && self.out.len() == self.index.len(),
            "gather from {bound}"
        );
        for (o, &i) in self.out.iter_mut().zip(self.index) {
            // SAFETY: no index exceeds `bound`, which is within the source.
            *o = unsafe { *self.source.get_unchecked(i as usize) };
        }
    }
}

/// Whether all residues are below q; for debug builds.
#[inline(always)]
pub(super) fn canonical(q: &Modulus, a: &[u64]) -> bool {
    a.iter().all(|&x| x < q.value())
}
