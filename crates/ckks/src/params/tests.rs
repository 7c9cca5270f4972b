//! Tests of the parameter checks.

use super::*;

fn literal(log_n: u32, q: &[u32], p: &[u32], alpha: usize) -> ParametersLiteral {
    ParametersLiteral {
        log_n,
        log_q: q.into(),
        log_p: p.into(),
        log_scale: 40,
        dnum_alpha: alpha,
    }
}

#[test]
fn a_secure_set_is_accepted_and_consistent() {
    let params = Parameters::new(literal(13, &[50, 40, 40], &[50], 1)).expect("secure");
    assert_eq!(
        (params.degree(), params.slots(), params.max_level()),
        (8192, 4096, 2)
    );
    assert!((params.log_qp() - 180.0).abs() < 0.01);
    assert_eq!((params.digits(0), params.digits(2)), (1, 3));
    for level in 1..=2 {
        let scale = params.scale_at(level);
        assert_eq!(
            params.scale_at(level - 1),
            scale * scale / params.q(level) as f64
        );
    }
    assert!(
        params
            .security_bits_estimate()
            .is_some_and(|bits| bits > 140.0)
    );
}

#[test]
fn sets_below_128_bits_are_refused() {
    let too_large = Parameters::new(literal(13, &[50, 40, 40, 40], &[50], 1));
    assert!(
        matches!(
            too_large,
            Err(CkksError::Insecure {
                log_n: 13,
                needed: 214.0,
                ..
            })
        ),
        "{too_large:?}"
    );
    let too_small = Parameters::new(literal(12, &[40], &[40], 1));
    assert!(matches!(
        too_small,
        Err(CkksError::UnsupportedDegree {
            log_n: 12,
            min: 13,
            max: 17
        })
    ));
}

#[test]
fn a_digit_larger_than_the_special_modulus_is_refused() {
    let error =
        Parameters::new(literal(14, &[50, 40, 40], &[50], 2)).expect_err("digit of 90 bits");
    assert!(
        matches!(error, CkksError::DigitTooLarge { digit: 0, .. }),
        "{error}"
    );
    assert!(Parameters::new(literal(14, &[50, 40, 40], &[50, 50], 2)).is_ok());
}

#[test]
fn unusable_literals_are_refused_without_panic() {
    for (bad, field) in [
        (literal(14, &[], &[50], 1), "log_q and log_p"),
        (literal(14, &[50], &[], 1), "log_q and log_p"),
        (literal(14, &[51], &[50], 1), "log_q"),
        (literal(14, &[50], &[20], 1), "log_p"),
        (literal(14, &[50], &[50], 0), "dnum_alpha"),
        (literal(14, &[50], &[50], 2), "dnum_alpha"),
        (literal(14, &[40], &[50], 1), "log_q"),
    ] {
        let error = Parameters::new(bad).expect_err(field);
        assert!(
            matches!(error, CkksError::InvalidParameters { field: found, .. } if found == field),
            "{error}"
        );
    }
    let mut scale = literal(14, &[50, 40], &[50], 1);
    scale.log_scale = 101;
    assert!(Parameters::new(scale).is_err());
    assert!(Parameters::new(literal(14, &vec![50; 1_000_000], &[50], 1)).is_err());
    assert!(Parameters::new(literal(u32::MAX, &[50, 40], &[50], 1)).is_err());
}

#[test]
fn the_digest_tells_sets_apart() {
    let one = Parameters::new(literal(13, &[50, 40, 40], &[50], 1)).expect("secure");
    let same = Parameters::new(literal(13, &[50, 40, 40], &[50], 1)).expect("secure");
    let other = Parameters::new(literal(13, &[50, 40], &[50], 1)).expect("secure");
    assert_eq!(one, same);
    assert_ne!(one, other);
}
