//! Every misuse is an error that names what was needed and what was there.

use num_complex::Complex64;

use super::{Fixture, ramp};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::keys::{EvaluationKeys, KeyKind};

fn setup(level: usize) -> (Fixture, Ciphertext) {
    let f = Fixture::small();
    let ct = f.encrypt(&ramp(f.params.slots(), 0), level);
    (f, ct)
}

#[test]
fn sums_of_different_scales_are_refused() {
    let (f, ct) = setup(3);
    let other = f.encrypt_at(&ramp(f.params.slots(), 1), 3, ct.scale() * (1.0 + 1e-8));
    for result in [f.evaluator.add(&ct, &other), f.evaluator.sub(&ct, &other)] {
        assert!(
            matches!(result, Err(CkksError::ScaleMismatch { left, right, .. }) if left < right)
        );
    }
    let plain = f.encoder.encode(&[], 3, ct.scale() * 2.0).unwrap();
    assert!(matches!(
        f.evaluator.add_plain(&ct, &plain),
        Err(CkksError::ScaleMismatch {
            op: "add_plain",
            ..
        })
    ));
    assert!(matches!(
        f.evaluator.sub_plain(&ct, &plain),
        Err(CkksError::ScaleMismatch {
            op: "sub_plain",
            ..
        })
    ));
    let keys = f.keys(&[1], 3);
    let pairs = [(&ct, &ct), (&ct, &other)];
    assert!(matches!(
        f.evaluator.dot(&pairs, &keys),
        Err(CkksError::ScaleMismatch { op: "dot", .. })
    ));
    let terms = [(&ct, 1), (&other, 0)];
    assert!(matches!(
        f.evaluator.rotate_sum(&terms, &keys),
        Err(CkksError::ScaleMismatch { .. })
    ));
}

#[test]
fn exhausted_levels_are_refused() {
    let (f, ct) = setup(0);
    let keys = f.keys(&[], 6);
    let too_low = |result: Result<Ciphertext, CkksError>| {
        assert!(
            matches!(
                result,
                Err(CkksError::LevelTooLow {
                    needed: 1,
                    available: 0,
                    ..
                })
            ),
            "{result:?}"
        );
    };
    too_low(f.evaluator.rescale(&ct));
    too_low(f.evaluator.mul_relin_rescale(&ct, &ct, &keys));
    too_low(f.evaluator.dot(&[(&ct, &ct)], &keys));
    too_low(f.evaluator.mul_scalar_rescale(&ct, 0.5));
    too_low(f.evaluator.drop_level(&ct, 1));
    too_low(f.evaluator.set_scale(&ct, 0, ct.scale() * 2.0));
}

#[test]
fn missing_keys_and_keys_of_lower_levels_are_refused() {
    let (f, ct) = setup(4);
    let low = f.keys(&[1], 3);
    let product = f.evaluator.mul(&ct, &ct).unwrap();
    let none = EvaluationKeys::new();
    let element = f.params.ring().galois_for_rotation(1);
    let missing = |result: Result<Ciphertext, CkksError>, kind: KeyKind| {
        let found = matches!(result, Err(CkksError::MissingKey { needed, available: 0, .. }) if needed == kind);
        assert!(found, "{result:?}");
    };
    missing(f.evaluator.relinearize(&product, &none), KeyKind::Relin);
    missing(f.evaluator.rotate(&ct, 1, &none), KeyKind::Galois(element));
    missing(
        f.evaluator.conjugate(&ct, &none),
        KeyKind::Galois(2 * f.params.degree() as u64 - 1),
    );
    missing(
        f.evaluator.rotate_sum(&[(&ct, 1)], &none),
        KeyKind::Galois(element),
    );
    missing(
        f.evaluator.inner_sum(&ct, 1, 2, &none),
        KeyKind::Galois(element),
    );
    let hoisted = f.evaluator.rotate_hoisted(&ct, &[0, 1], &none);
    assert!(matches!(
        hoisted,
        Err(CkksError::MissingKey {
            op: "rotate_hoisted",
            ..
        })
    ));
    for result in [
        f.evaluator.relinearize(&product, &low),
        f.evaluator.rotate(&ct, 1, &low),
    ] {
        assert!(
            matches!(
                result,
                Err(CkksError::KeyLevelTooLow {
                    needed: 4,
                    available: 3,
                    ..
                })
            ),
            "{result:?}"
        );
    }
}

#[test]
fn three_parts_are_refused_where_two_are_needed() {
    let (f, ct) = setup(4);
    let keys = f.keys(&[1], 4);
    let product = f.evaluator.mul(&ct, &ct).unwrap();
    for result in [
        f.evaluator.mul(&product, &ct),
        f.evaluator.square(&product),
        f.evaluator.rotate(&product, 1, &keys),
        f.evaluator.conjugate(&product, &keys),
        f.evaluator.inner_sum(&product, 1, 2, &keys),
        f.evaluator.rotate_sum(&[(&product, 1)], &keys),
    ] {
        assert!(
            matches!(
                result,
                Err(CkksError::PartCount {
                    needed: 2,
                    available: 3,
                    ..
                })
            ),
            "{result:?}"
        );
    }
    let plain = f.encoder.encode(&[], 4, 1.0).unwrap();
    let mut narrow = f.encrypt_at(&[], 4, product.scale());
    let result = f
        .evaluator
        .mul_plain_add_assign(&mut narrow, &product, &plain);
    assert!(matches!(
        result,
        Err(CkksError::PartCount {
            needed: 3,
            available: 2,
            ..
        })
    ));
}

#[test]
fn objects_of_other_parameters_are_refused() {
    let (f, ct) = setup(4);
    let other = Fixture::new(8, 6, 2, 1);
    let foreign = other.encrypt(&[], 4);
    let plain = other.encoder.encode(&[], 4, 1.0).unwrap();
    let keys = other.keys(&[1], 6);
    for result in [
        f.evaluator.add(&ct, &foreign),
        f.evaluator.sub(&foreign, &ct),
        f.evaluator.mul(&ct, &foreign),
        f.evaluator.neg(&foreign),
        f.evaluator.rescale(&foreign),
        f.evaluator.add_scalar(&foreign, 1.0),
        f.evaluator.mul_integer(&foreign, 2),
        f.evaluator.mul_monomial(&foreign, 2),
        f.evaluator.mul_plain(&ct, &plain),
        f.evaluator.rotate(&foreign, 1, &keys),
    ] {
        assert!(
            matches!(result, Err(CkksError::ShapeMismatch { .. })),
            "{result:?}"
        );
    }
    // Keys of a ring of half the degree have other Galois elements, or the same of another shape.
    let product = f.evaluator.square(&ct).unwrap();
    for result in [
        f.evaluator.relinearize(&product, &keys),
        f.evaluator.rotate(&ct, 1, &keys),
    ] {
        assert!(
            matches!(result, Err(CkksError::ShapeMismatch { .. })),
            "{result:?}"
        );
    }
    let taller = Fixture::new(9, 8, 2, 1).encrypt(&[], 8);
    let result = f.evaluator.neg(&taller);
    assert!(
        matches!(
            result,
            Err(CkksError::LevelTooHigh {
                needed: 8,
                available: 6,
                ..
            })
        ),
        "{result:?}"
    );
}

#[test]
fn unusable_constants_and_arguments_are_refused() {
    let (f, ct) = setup(4);
    let keys = f.keys(&[1], 4);
    for bad in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            f.evaluator.add_scalar(&ct, bad),
            Err(CkksError::NotFinite { .. })
        ));
        let imaginary = Complex64::new(0.0, bad);
        assert!(matches!(
            f.evaluator.add_scalar(&ct, imaginary),
            Err(CkksError::NotFinite { .. })
        ));
        assert!(matches!(
            f.evaluator.mul_scalar(&ct, bad, 1.0),
            Err(CkksError::NotFinite { .. })
        ));
        assert!(matches!(
            f.evaluator.mul_scalar(&ct, 1.0, bad),
            Err(CkksError::InvalidScale { .. })
        ));
    }
    assert!(matches!(
        f.evaluator.mul_scalar(&ct, 1.0, 0.0),
        Err(CkksError::InvalidScale { .. })
    ));
    assert!(matches!(
        f.evaluator.add_scalar(&ct, 1e60),
        Err(CkksError::Overflow { .. })
    ));
    assert!(matches!(
        f.evaluator.mul_scalar(&ct, 1e30, 1e12),
        Err(CkksError::Overflow { .. })
    ));
    for element in [0, 2, 2 * f.params.degree() as u64 + 1] {
        let result = f.evaluator.apply_galois(&ct, element, &keys);
        assert!(
            matches!(result, Err(CkksError::InvalidGaloisElement { .. })),
            "{result:?}"
        );
    }
    for (stride, count) in [
        (1, 0),
        (1, f.params.slots() + 1),
        (i64::MIN, 1),
        (2, usize::MAX),
    ] {
        let result = f.evaluator.inner_sum(&ct, stride, count, &keys);
        assert!(
            matches!(result, Err(CkksError::InvalidArgument { .. })),
            "{result:?}"
        );
    }
    assert!(matches!(
        f.evaluator.dot(&[], &keys),
        Err(CkksError::InvalidArgument { .. })
    ));
    assert!(matches!(
        f.evaluator.rotate_sum(&[], &keys),
        Err(CkksError::InvalidArgument { .. })
    ));
}
