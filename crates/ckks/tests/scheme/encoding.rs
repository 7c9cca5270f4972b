//! Precision and conventions of the encoder.

use confide_ckks::{CkksError, Complex64, Encoder, Parameters, ParametersLiteral, Plaintext};
use proptest::prelude::*;

use crate::{largest_difference, secure, tiny, values};

/// Rounding adds a variance of 1/12 to each of N coefficients: six standard deviations, over the scale.
fn rounding_bound(params: &Parameters, scale: f64) -> f64 {
    6.0 * (params.degree() as f64 / 12.0).sqrt() / scale
}

#[test]
fn a_round_trip_loses_only_the_rounding_at_every_level() {
    for params in [tiny(4), tiny(8), secure()] {
        let encoder = Encoder::new(&params);
        let values = values(params.slots());
        for level in 0..=params.max_level() {
            let scale = params.scale_at(level);
            let plaintext = encoder.encode(&values, level, scale).expect("fits");
            assert_eq!((plaintext.level(), plaintext.scale()), (level, scale));
            let back = encoder.decode(&plaintext).expect("same parameters");
            let error = largest_difference(&back, &values);
            assert!(
                error < rounding_bound(&params, scale),
                "level {level}: {error:e}"
            );
            assert!(error > 0.0);
        }
    }
}

#[test]
fn the_larger_secure_ring_is_as_precise() {
    let literal = ParametersLiteral {
        log_n: 14,
        log_q: vec![50, 45, 45, 45, 45],
        log_p: vec![50],
        log_scale: 45,
        dnum_alpha: 1,
    };
    let params = Parameters::new(literal).expect("secure");
    let encoder = Encoder::new(&params);
    let values = values(params.slots());
    let plaintext = encoder
        .encode(&values, params.max_level(), params.scale_at(4))
        .expect("fits");
    let error = largest_difference(
        &encoder.decode(&plaintext).expect("same parameters"),
        &values,
    );
    assert!(
        error < rounding_bound(&params, params.scale_at(4)),
        "{error:e}"
    );
}

#[test]
fn large_scales_keep_double_precision() {
    let params = tiny(8);
    let encoder = Encoder::new(&params);
    let values = values(params.slots());
    // One, two, three and four limbs' worth of coefficient.
    for (bits, level) in [(40, 1), (70, 2), (100, 3), (115, 4)] {
        let plaintext = encoder
            .encode(&values, level, f64::from(bits).exp2())
            .expect("fits");
        let error = largest_difference(
            &encoder.decode(&plaintext).expect("same parameters"),
            &values,
        );
        let bound = rounding_bound(&params, f64::from(bits).exp2()) + 48_f64.exp2().recip();
        assert!(error < bound, "scale 2^{bits}: {error:e}");
    }
}

#[test]
fn real_values_and_short_vectors_are_padded_with_zeros() {
    let params = tiny(6);
    let encoder = Encoder::new(&params);
    let plaintext = encoder
        .encode_real(&[1.5, -2.25], 2, params.scale_at(2))
        .expect("fits");
    let back = encoder.decode_real(&plaintext).expect("same parameters");
    assert_eq!(back.len(), params.slots());
    for (slot, value) in back.into_iter().enumerate() {
        let expected = [1.5, -2.25].get(slot).copied().unwrap_or(0.0);
        assert!((value - expected).abs() < 1e-9, "slot {slot}: {value}");
    }
    let empty = encoder.encode(&[], 0, 1.0).expect("fits");
    assert!(
        encoder
            .decode(&empty)
            .expect("same parameters")
            .iter()
            .all(|slot| *slot == Complex64::ZERO)
    );
}

#[test]
fn products_of_polynomials_are_products_of_slots() {
    let params = tiny(7);
    let encoder = Encoder::new(&params);
    let (left, scale) = (values(params.slots()), params.scale_at(3));
    let right: Vec<Complex64> = left.iter().rev().map(|value| value * 2.0).collect();
    let [a, b] = [&left, &right].map(|values| encoder.encode(values, 3, scale).expect("fits"));
    let product = params.ring().mul(a.poly(), b.poly());
    let product = Plaintext::from_poly(&params, product, 3, scale * scale).expect("matching shape");
    let expected: Vec<Complex64> = left
        .iter()
        .zip(&right)
        .map(|(left, right)| left * right)
        .collect();
    let error = largest_difference(
        &encoder.decode(&product).expect("same parameters"),
        &expected,
    );
    assert!(error < 1e-8, "{error:e}");
}

#[test]
fn automorphisms_rotate_and_conjugate_slots() {
    let params = tiny(6);
    let (ring, encoder, slots) = (params.ring(), Encoder::new(&params), params.slots());
    let values = values(slots);
    let plaintext = encoder
        .encode(&values, 1, params.scale_at(1))
        .expect("fits");
    let apply = |element| {
        let poly = ring.automorphism(plaintext.poly(), element);
        let image =
            Plaintext::from_poly(&params, poly, 1, plaintext.scale()).expect("matching shape");
        encoder.decode(&image).expect("same parameters")
    };
    for k in [1, 5, -1, slots as i64 / 2] {
        let rotated: Vec<Complex64> = (0..slots as i64)
            .map(|slot| values[(slot + k).rem_euclid(slots as i64) as usize])
            .collect();
        assert!(
            largest_difference(&apply(ring.galois_for_rotation(k)), &rotated) < 1e-8,
            "rotation {k}"
        );
    }
    let conjugated: Vec<Complex64> = values.iter().map(Complex64::conj).collect();
    assert!(largest_difference(&apply(ring.galois_for_conjugation()), &conjugated) < 1e-8);
}

#[test]
fn a_monomial_turns_slot_s_by_zeta_to_the_five_to_the_s() {
    let params = tiny(6);
    let (encoder, order, k) = (Encoder::new(&params), 2 * params.degree(), 11);
    let values = values(params.slots());
    let plaintext = encoder
        .encode(&values, 1, params.scale_at(1))
        .expect("fits");
    let mut poly = plaintext.poly().clone();
    params.ring().mul_monomial_assign(&mut poly, k);
    let turned = Plaintext::from_poly(&params, poly, 1, plaintext.scale()).expect("matching shape");
    let mut power = 1;
    let expected: Vec<Complex64> = values
        .iter()
        .map(|value| {
            let angle = std::f64::consts::TAU * (k * power % order) as f64 / order as f64;
            power = power * 5 % order;
            value * Complex64::cis(angle)
        })
        .collect();
    assert!(
        largest_difference(
            &encoder.decode(&turned).expect("same parameters"),
            &expected
        ) < 1e-8
    );
}

#[test]
fn misuse_is_refused_with_what_was_needed() {
    let params = tiny(5);
    let encoder = Encoder::new(&params);
    let scale = params.scale_at(0);
    let error = |values: &[f64], level, scale| {
        encoder
            .encode_real(values, level, scale)
            .expect_err("misuse")
    };
    assert_eq!(
        error(&[0.0; 17], 0, scale),
        CkksError::TooManyValues {
            op: "encode",
            needed: 17,
            available: 16
        }
    );
    assert_eq!(
        error(&[1.0, f64::NAN], 0, scale),
        CkksError::NotFinite {
            op: "encode",
            index: 1
        }
    );
    assert_eq!(
        error(&[f64::INFINITY], 0, scale),
        CkksError::NotFinite {
            op: "encode",
            index: 0
        }
    );
    assert_eq!(
        error(&[1.0], 5, scale),
        CkksError::LevelTooHigh {
            op: "encode",
            needed: 5,
            available: 4
        }
    );
    assert_eq!(
        error(&[1.0], 0, 0.0),
        CkksError::InvalidScale {
            op: "encode",
            scale: 0.0
        }
    );
    assert_eq!(
        error(&[1.0], 0, -1.0),
        CkksError::InvalidScale {
            op: "encode",
            scale: -1.0
        }
    );
    assert!(matches!(
        error(&[1.0], 0, f64::NAN),
        CkksError::InvalidScale { .. }
    ));
    assert!(matches!(
        error(&[1e4], 0, scale),
        CkksError::Overflow { .. }
    ));
    assert!(matches!(
        error(&[1e300; 16], 4, 1e300),
        CkksError::Overflow { .. }
    ));
    assert!(matches!(
        error(&[f64::MAX; 16], 4, 1.0),
        CkksError::Overflow { .. }
    ));
    let foreign = Encoder::new(&tiny(6))
        .encode_real(&[1.0], 0, scale)
        .expect("fits");
    assert!(matches!(
        encoder.decode(&foreign),
        Err(CkksError::ShapeMismatch { .. })
    ));
}

proptest! {
    #[test]
    fn any_values_that_fit_come_back(
        parts in proptest::collection::vec((-100.0..100.0, -100.0..100.0), 1..=32),
        level in 1_usize..=4,
    ) {
        let params = tiny(6);
        let encoder = Encoder::new(&params);
        let mut values: Vec<Complex64> = parts.iter().map(|&(re, im): &(f64, f64)| Complex64::new(re, im)).collect();
        let plaintext = encoder.encode(&values, level, params.scale_at(level)).expect("fits");
        values.resize(params.slots(), Complex64::ZERO);
        let error = largest_difference(&encoder.decode(&plaintext).expect("same parameters"), &values);
        prop_assert!(error < rounding_bound(&params, params.scale_at(level)) + 1e-12);
    }
}
