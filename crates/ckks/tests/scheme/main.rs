//! Tests of the crate through its public items.
#![cfg(not(target_arch = "wasm32"))]

mod bytes;
mod encoding;
mod encryption;
mod hostile;
mod noise;

use confide_ckks::{Complex64, Parameters, ParametersLiteral};

/// A fast ring far below any security.
fn tiny(log_n: u32) -> Parameters {
    let literal = ParametersLiteral {
        log_n,
        log_q: vec![45, 36, 36, 36, 36],
        log_p: vec![45, 45],
        log_scale: 36,
        dnum_alpha: 2,
    };
    Parameters::new_insecure_for_tests(literal).expect("a usable literal")
}

/// The smallest ring with 128-bit security.
fn secure() -> Parameters {
    let literal = ParametersLiteral {
        log_n: 13,
        log_q: vec![50, 40, 40],
        log_p: vec![50],
        log_scale: 40,
        dnum_alpha: 1,
    };
    Parameters::new(literal).expect("a secure literal")
}

/// Distinct values of norm up to 1, not symmetric in any way.
fn values(count: usize) -> Vec<Complex64> {
    (0..count)
        .map(|i| Complex64::from_polar(0.3 + 0.7 * (i as f64 * 0.37).sin().abs(), i as f64 * 1.1))
        .collect()
}

fn largest_difference(left: &[Complex64], right: &[Complex64]) -> f64 {
    assert_eq!(left.len(), right.len());
    left.iter()
        .zip(right)
        .map(|(left, right)| (left - right).norm())
        .fold(0.0, f64::max)
}
