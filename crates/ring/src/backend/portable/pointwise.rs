//! Element-wise products.

use super::{fold, mul_lazy};
use crate::{Constant, Modulus};

pub(super) fn mul_assign(q: &Modulus, a: &mut [u64], b: &[u64]) {
    for (x, y) in a.iter_mut().zip(b) {
        *x = q.mul(*x, *y);
    }
}

pub(super) fn mul_add(q: &Modulus, acc: &mut [u64], a: &[u64], b: &[u64]) {
    debug_assert!(acc.iter().chain(a).chain(b).all(|&x| x < q.value()));
    for ((z, x), y) in acc.iter_mut().zip(a).zip(b) {
        *z = q.reduce_u128(u128::from(*x) * u128::from(*y) + u128::from(*z));
    }
}

pub(super) fn mul_scalar(q: &Modulus, a: &mut [u64], scalar: Constant) {
    let q = q.value();
    debug_assert!(a.iter().all(|&x| x < q));
    for x in a {
        *x = fold(mul_lazy(*x, scalar, q), q);
    }
}

pub(super) fn mul_scalar_add(q: &Modulus, acc: &mut [u64], a: &[u64], scalar: Constant) {
    let q = q.value();
    debug_assert!(acc.iter().chain(a).all(|&x| x < q));
    for (z, x) in acc.iter_mut().zip(a) {
        *z = fold(*z + fold(mul_lazy(*x, scalar, q), q), q);
    }
}

pub(super) fn sub_from_mul_scalar(q: &Modulus, a: &mut [u64], b: &[u64], scalar: Constant) {
    let q = q.value();
    debug_assert!(a.iter().chain(b).all(|&x| x < q));
    for (x, y) in a.iter_mut().zip(b) {
        *x = fold(mul_lazy(y + q - *x, scalar, q), q);
    }
}
