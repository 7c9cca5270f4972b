use num_complex::Complex64;

use super::Polynomial;
use super::plan;
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::evaluator::tests::Fixture;

/// Real values over `[a, b]`, its ends included.
fn points(f: &Fixture, a: f64, b: f64) -> Vec<f64> {
    let last = (f.params.slots() - 1) as f64;
    (0..f.params.slots())
        .map(|s| a + (b - a) * s as f64 / last)
        .collect()
}

fn encrypt(f: &Fixture, values: &[f64], level: usize) -> Ciphertext {
    let values: Vec<Complex64> = values.iter().map(|&x| Complex64::new(x, 0.0)).collect();
    f.encrypt(&values, level)
}

fn coefficients(degree: usize, seed: f64) -> Vec<f64> {
    (0..=degree)
        .map(|i| (seed + 2.3 * i as f64).sin() + 0.1)
        .collect()
}

#[test]
fn every_degree_at_its_optimal_depth_in_both_bases() {
    let f = Fixture::new(6, 6, 2, 5);
    let keys = f.keys(&[], 6);
    let xs = points(&f, -1.0, 1.0);
    let ct = encrypt(&f, &xs, 6);
    for degree in 1..=31usize {
        let depth = (degree + 1).next_power_of_two().ilog2() as usize;
        for polynomial in [
            Polynomial::power(coefficients(degree, 0.4)).unwrap(),
            Polynomial::chebyshev(-1.0, 1.0, coefficients(degree, 1.7)).unwrap(),
        ] {
            assert_eq!((polynomial.degree(), polynomial.depth()), (degree, depth));
            let out = f
                .evaluator
                .evaluate_polynomial(&ct, &polynomial, &keys)
                .unwrap();
            assert_eq!(
                (out.level(), out.scale()),
                (6 - depth, f.params.scale_at(6 - depth))
            );
            f.assert_slots(&out, |s| polynomial.eval(xs[s]).into(), 1e-6);
        }
    }
}

#[test]
fn complex_slots_and_lower_levels_and_other_scales() {
    let f = Fixture::new(6, 6, 2, 6);
    let keys = f.keys(&[], 6);
    let xs: Vec<_> = (0..f.params.slots())
        .map(|s| Complex64::from_polar(0.9, s as f64))
        .collect();
    let coeffs = coefficients(13, 2.0);
    let polynomial = Polynomial::power(coeffs.clone()).unwrap();
    for (level, factor) in [(4, 1.0), (5, 1.3)] {
        let ct = f.encrypt_at(&xs, level, f.params.scale_at(level) * factor);
        let wanted = 3.0e12;
        let out = f
            .evaluator
            .evaluate_polynomial_to(&ct, &polynomial, wanted, &keys)
            .unwrap();
        assert_eq!((out.level(), out.scale()), (level - 4, wanted));
        let clear = |x: Complex64| {
            coeffs
                .iter()
                .rev()
                .fold(Complex64::default(), |acc, c| acc * x + c)
        };
        f.assert_slots(&out, |s| clear(xs[s]), 1e-6);
    }
}

#[test]
fn intervals_are_mapped() {
    let f = Fixture::new(6, 6, 2, 7);
    let keys = f.keys(&[], 6);
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    // One level more for a factor that is no integer, none for [-1/2, 1/2] or a shift.
    for (a, b, extra) in [
        (-8.0, 8.0, 1),
        (-0.5, 0.5, 0),
        (1.0, 3.0, 0),
        (-0.7, 2.0, 1),
    ] {
        let polynomial = Polynomial::interpolate(sigmoid, a, b, 15).unwrap();
        assert_eq!(polynomial.depth(), 4 + extra);
        let xs = points(&f, a, b);
        let out = f
            .evaluator
            .evaluate_polynomial(&encrypt(&f, &xs, 6), &polynomial, &keys)
            .unwrap();
        assert_eq!(out.level(), 2 - extra);
        f.assert_slots(&out, |s| polynomial.eval(xs[s]).into(), 1e-6);
        f.assert_slots(&out, |s| sigmoid(xs[s]).into(), 5e-3);
    }
}

#[test]
fn interpolation_reproduces_polynomials_and_approximates_functions() {
    let cubic = Polynomial::interpolate(|x| 2.0 * x * x * x - x + 0.5, -3.0, 5.0, 3).unwrap();
    for x in [-3.0, -0.1, 2.0, 5.0] {
        assert!((cubic.eval(x) - (2.0 * x * x * x - x + 0.5)).abs() < 1e-11);
    }
    let exp = Polynomial::interpolate(f64::exp, -1.0, 1.0, 15).unwrap();
    assert!((0..=100).all(|i| {
        (exp.eval(f64::from(i) / 50.0 - 1.0) - (f64::from(i) / 50.0 - 1.0).exp()).abs() < 1e-14
    }));
}

#[test]
fn odd_polynomials_leave_out_even_elements() {
    for chebyshev in [false, true] {
        let odd: Vec<f64> = (0..16).map(|i| f64::from(i % 2)).collect();
        let (root, depth) = plan::best(&odd, chebyshev);
        assert_eq!(depth, 4);
        let needed = plan::needed(&root, chebyshev);
        assert!(
            needed.iter().all(|n| n % 2 == 1 || n.is_power_of_two()),
            "{needed:?}"
        );
    }
}

#[test]
fn constants_cost_no_level() {
    let f = Fixture::new(6, 2, 1, 8);
    let keys = f.keys(&[], 2);
    let ct = encrypt(&f, &points(&f, -1.0, 1.0), 0);
    let constant = Polynomial::power(vec![0.25, 0.0]).unwrap();
    let out = f
        .evaluator
        .evaluate_polynomial(&ct, &constant, &keys)
        .unwrap();
    assert_eq!((out.level(), out.scale()), (0, f.params.scale_at(0)));
    f.assert_slots(&out, |_| 0.25.into(), 1e-9);
}

#[test]
fn misuse_is_refused() {
    assert!(matches!(
        Polynomial::power(vec![]),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        Polynomial::power(vec![1.0, f64::NAN]),
        Err(CkksError::NotFinite { index: 1, .. })
    ));
    for (a, b) in [
        (1.0, 1.0),
        (2.0, 1.0),
        (f64::NAN, 1.0),
        (0.0, f64::INFINITY),
    ] {
        assert!(matches!(
            Polynomial::chebyshev(a, b, vec![1.0]),
            Err(CkksError::InvalidArgument { .. })
        ));
    }
    assert!(matches!(
        Polynomial::interpolate(f64::ln, -1.0, 1.0, 2),
        Err(CkksError::NotFinite { .. })
    ));
    assert!(matches!(
        Polynomial::interpolate(|x| x, -1.0, 1.0, usize::MAX),
        Err(CkksError::InvalidArgument { .. })
    ));
    let f = Fixture::new(6, 2, 1, 8);
    let keys = f.keys(&[], 2);
    let ct = encrypt(&f, &[], 2);
    let deep = Polynomial::power(coefficients(4, 0.0)).unwrap();
    let result = f.evaluator.evaluate_polynomial(&ct, &deep, &keys);
    assert!(
        matches!(
            result,
            Err(CkksError::LevelTooLow {
                needed: 3,
                available: 2,
                ..
            })
        ),
        "{result:?}"
    );
    let none = crate::keys::EvaluationKeys::new();
    let square = Polynomial::power(coefficients(2, 0.0)).unwrap();
    let result = f.evaluator.evaluate_polynomial(&ct, &square, &none);
    assert!(
        matches!(result, Err(CkksError::MissingKey { .. })),
        "{result:?}"
    );
}
