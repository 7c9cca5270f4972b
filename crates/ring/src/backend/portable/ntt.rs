//! Harvey's lazy butterflies ("Faster arithmetic for number-theoretic transforms", 2014).

use super::{fold, mul_lazy};
use crate::{Constant, NttTable};

/// Cooley-Tukey. Between stages residues are in [0, 4q), in the end canonical.
pub(super) fn forward(table: &NttTable, a: &mut [u64]) {
    let q = table.modulus().value();
    debug_assert!(a.len() == table.degree() && a.iter().all(|&x| x < q));
    let (values, quotients) = (table.values(), table.quotients());
    let mut m = 1;
    while m < a.len() {
        let t = a.len() / (2 * m);
        for (i, block) in a.chunks_exact_mut(2 * t).enumerate() {
            let w = Constant {
                value: values[m + i],
                quotient: quotients[m + i],
            };
            let (low, high) = block.split_at_mut(t);
            for (x, y) in low.iter_mut().zip(high) {
                debug_assert!(*x < 4 * q && *y < 4 * q);
                let u = fold(*x, 2 * q);
                let v = mul_lazy(*y, w, q);
                *x = u + v;
                *y = u + 2 * q - v;
            }
        }
        m *= 2;
    }
    for x in a {
        *x = fold(fold(*x, 2 * q), q);
    }
}

/// Gentleman-Sande. Between stages residues are in [0, 2q), in the end canonical.
pub(super) fn inverse(table: &NttTable, a: &mut [u64], scale: Constant) {
    let q = table.modulus().value();
    debug_assert!(a.len() == table.degree() && a.iter().all(|&x| x < q));
    let (values, quotients) = (table.values(), table.quotients());
    let mut m = a.len() / 2;
    while m >= 1 {
        let t = a.len() / (2 * m);
        for (i, block) in a.chunks_exact_mut(2 * t).enumerate() {
            let k = 2 * m - 1 - i;
            let w = Constant {
                value: values[k],
                quotient: quotients[k],
            };
            let (low, high) = block.split_at_mut(t);
            for (x, y) in low.iter_mut().zip(high) {
                debug_assert!(*x < 2 * q && *y < 2 * q);
                let (u, v) = (*x, *y);
                *x = fold(u + v, 2 * q);
                // The root wanted is minus the entry used, so the difference changes sides.
                *y = mul_lazy(v + 2 * q - u, w, q);
            }
        }
        m /= 2;
    }
    for x in a {
        *x = fold(mul_lazy(*x, scale, q), q);
    }
}
