//! Integers only: correct on every machine and the oracle of the other backends.
//!
//! A prepared constant w carries floor(w 2^64 / q) (Shoup): x w - floor(x w' / 2^64) q is in [0, 2q) for
//! every 64-bit x.

mod convert;
mod ntt;
mod pointwise;

pub(crate) use convert::weighted_rows;

use super::Backend;
use crate::{Constant, Modulus, NttTable};

/// Plain 64-bit integers.
#[derive(Debug)]
pub struct Portable;

/// x w modulo q in [0, 2q), for every x.
#[inline(always)]
fn mul_lazy(x: u64, w: Constant, q: u64) -> u64 {
    let quotient = ((u128::from(x) * u128::from(w.quotient)) >> 64) as u64;
    let r = x
        .wrapping_mul(w.value)
        .wrapping_sub(quotient.wrapping_mul(q));
    debug_assert!(r < 2 * q);
    r
}

/// From [0, 2 bound) to [0, bound).
#[inline(always)]
fn fold(x: u64, bound: u64) -> u64 {
    debug_assert!(x < 2 * bound);
    // A negative difference is a huge number: no branch.
    x.min(x.wrapping_sub(bound))
}

impl Backend for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn prepare(&self, q: &Modulus, value: u64) -> Constant {
        Constant {
            value,
            quotient: q.shoup_quotient(value),
        }
    }

    fn ntt(&self, table: &NttTable, a: &mut [u64]) {
        ntt::forward(table, a);
    }

    fn intt(&self, table: &NttTable, a: &mut [u64], scale: Constant) {
        ntt::inverse(table, a, scale);
    }

    fn mul_assign(&self, q: &Modulus, a: &mut [u64], b: &[u64]) {
        pointwise::mul_assign(q, a, b);
    }

    fn mul_add(&self, q: &Modulus, acc: &mut [u64], a: &[u64], b: &[u64]) {
        pointwise::mul_add(q, acc, a, b);
    }

    fn mul_scalar(&self, q: &Modulus, a: &mut [u64], scalar: Constant) {
        pointwise::mul_scalar(q, a, scalar);
    }

    fn mul_scalar_add(&self, q: &Modulus, acc: &mut [u64], a: &[u64], scalar: Constant) {
        pointwise::mul_scalar_add(q, acc, a, scalar);
    }

    fn sub_from_mul_scalar(&self, q: &Modulus, a: &mut [u64], b: &[u64], scalar: Constant) {
        pointwise::sub_from_mul_scalar(q, a, b, scalar);
    }

    fn dot(&self, q: &Modulus, out: &mut [u64], xs: &[&[u64]], ys: &[&[u64]]) {
        convert::dot(q, out, xs, ys);
    }

    fn convert(&self, q: &Modulus, out: &mut [u64], rows: &[u64], weights: &[Constant]) {
        convert::convert(q, out, rows, weights);
    }

    fn weighted_rows(
        &self,
        q: &Modulus,
        out: &mut [&mut [u64]],
        inputs: &[&[u64]],
        weights: &[u64],
    ) {
        convert::weighted_rows(q, out, inputs, weights);
    }
}
