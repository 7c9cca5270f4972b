//! Tests that look at the secret itself.

use confide_ring::{PrimeSet, RnsPoly};

use super::KeyGenerator;
use crate::keys::{KeyKind, SwitchingKey};
use crate::params::{Parameters, ParametersLiteral};

fn params() -> Parameters {
    let literal = ParametersLiteral {
        log_n: 8,
        log_q: vec![45, 36, 36, 36, 36],
        log_p: vec![45, 45],
        log_scale: 36,
        dnum_alpha: 2,
    };
    Parameters::new_insecure_for_tests(literal).expect("a usable literal")
}

/// Coefficients of one limb, centred.
fn centred(params: &Parameters, mut poly: RnsPoly, limb: usize) -> Vec<i64> {
    params.ring().intt(&mut poly);
    let modulus = *params.ring().modulus_at(poly.set(), limb);
    poly.limb(limb)
        .iter()
        .map(|&residue| modulus.to_centered(residue))
        .collect()
}

#[test]
fn the_secret_is_ternary_and_the_same_modulo_every_prime() {
    let params = params();
    let key = KeyGenerator::new(&params, &[1; 32]).secret_key();
    let all = params.ring().full_set();
    let first = centred(
        &params,
        key.full(&params).expect("own parameters").clone(),
        0,
    );
    assert!(
        first
            .iter()
            .all(|coefficient| (-1..=1).contains(coefficient))
    );
    for value in -1..=1 {
        let count = first
            .iter()
            .filter(|&&coefficient| coefficient == value)
            .count();
        assert!((50..=120).contains(&count), "{count} of 256 are {value}");
    }
    for limb in 1..all.len() {
        assert_eq!(
            centred(
                &params,
                key.full(&params).expect("own parameters").clone(),
                limb
            ),
            first
        );
    }
}

#[test]
fn restriction_picks_the_limbs_of_the_same_primes() {
    let params = params();
    let key = KeyGenerator::new(&params, &[1; 32]).secret_key();
    let full = key.full(&params).expect("own parameters");
    let set = PrimeSet { q: 2, p: 1 };
    let part = params.ring().automorphism_once(full, 1, set);
    assert_eq!(part.set(), set);
    assert_eq!(part.limb(1), full.limb(1));
    assert_eq!(part.limb(2), full.limb(params.ring().q_len()));
}

#[test]
fn wiping_leaves_no_residue() {
    let params = params();
    let mut key = KeyGenerator::new(&params, &[1; 32]).secret_key();
    let residues = |key: &super::SecretKey| -> u64 {
        let all = key.full(&params).expect("own parameters");
        all.limbs().flatten().fold(0, |any, residue| any | residue)
    };
    assert_ne!(residues(&key), 0);
    key.wipe();
    assert_eq!(residues(&key), 0);
}

/// `b_d + a_d s - P g_d s_from` must be one small error modulo every prime.
fn check_key(params: &Parameters, keys: &KeyGenerator, key: &SwitchingKey) {
    let (ring, secret) = (params.ring(), keys.secret_key());
    let set = params.qp_set("test", key.level()).expect("a level");
    let full = secret.full(params).expect("own parameters");
    let s = ring.automorphism_once(full, 1, set);
    let from = match key.kind() {
        KeyKind::Relin => ring.mul(&s, &s),
        KeyKind::Galois(element) => ring.automorphism(&s, element),
        kind => panic!("{kind} has a test of its own"),
    };
    assert_eq!(key.digits().len(), params.digits(key.level()));
    for (digit, [b, a]) in key.digits().iter().enumerate() {
        // A Galois key becomes one from s(X^g) to s by the automorphism that ends a rotation.
        let [b, a] = [b, a].map(|poly| match key.kind() {
            KeyKind::Galois(element) => ring.automorphism(poly, element),
            _ => poly.clone(),
        });
        let mut phase = ring.mul(&a, &s);
        ring.add_assign(&mut phase, &b);
        // The gadget factor from its definition: P modulo the digit's primes, 0 modulo all others.
        let factor: Vec<u64> = (0..set.len())
            .map(|limb| {
                let modulus = ring.modulus_at(set, limb);
                let inside = params.digit_range(digit, key.level()).contains(&limb);
                let special: u128 = (0..set.p).map(|j| u128::from(ring.p(j).value())).product();
                if inside {
                    modulus.reduce_u128(special)
                } else {
                    0
                }
            })
            .collect();
        let mut message = from.clone();
        ring.mul_scalar_assign(&mut message, &factor);
        ring.sub_assign(&mut phase, &message);
        let error = centred(params, phase.clone(), 0);
        let variance = error.iter().map(|e| (e * e) as f64).sum::<f64>() / error.len() as f64;
        // 256 samples: five standard errors of the variance are 44 %.
        assert!(
            (variance / 10.18 - 1.0).abs() < 0.44,
            "digit {digit}: variance {variance}"
        );
        for limb in 1..set.len() {
            assert_eq!(
                centred(params, phase.clone(), limb),
                error,
                "digit {digit}, limb {limb}"
            );
        }
    }
}

#[test]
fn switching_keys_are_encryptions_of_the_gadget() {
    let params = params();
    let keys = KeyGenerator::new(&params, &[2; 32]);
    for level in [0, 1, 2, 4] {
        for kind in [KeyKind::Relin, KeyKind::Galois(5), KeyKind::Galois(511)] {
            let key = keys.switching_key(kind, level).expect("a key");
            check_key(
                &params,
                &keys,
                &key.expand(&params).expect("same parameters"),
            );
        }
    }
}

#[test]
fn a_key_for_a_lower_level_is_the_restriction_of_a_higher_one() {
    let params = params();
    let keys = KeyGenerator::new(&params, &[3; 32]);
    let expand = |level| {
        keys.relin_key(level)
            .expect("a key")
            .expand(&params)
            .expect("same parameters")
    };
    // Level 2 ends in the middle of a digit.
    let (high, low) = (expand(4), expand(2));
    for (high, low) in high
        .digits()
        .iter()
        .flatten()
        .zip(low.digits().iter().flatten())
    {
        for limb in 0..3 {
            assert_eq!(low.limb(limb), high.limb(limb));
        }
        for j in 0..2 {
            assert_eq!(low.limb_p(j), high.limb_p(j));
        }
    }
}

#[test]
fn keys_under_the_secret_of_another_set_share_nothing_else() {
    let (params, master) = (params(), [1; 32]);
    let literal = ParametersLiteral {
        log_q: vec![50, 40],
        ..params.literal().clone()
    };
    let other = Parameters::new_insecure_for_tests(literal).expect("a usable literal");
    let shared = KeyGenerator::under_secret_of(&params, &other, &master).expect("one degree");
    let [own, of_other, shared_secret] = [
        (&KeyGenerator::new(&params, &master), &params),
        (&KeyGenerator::new(&other, &master), &other),
        (&shared, &params),
    ]
    .map(|(generator, set)| {
        let secret = generator.secret_key();
        centred(set, secret.full(set).expect("own parameters").clone(), 0)
    });
    assert_eq!(shared_secret, of_other);
    assert_ne!(shared_secret, own);
    let key = |generator: &KeyGenerator| generator.relin_key(1).expect("key").seed;
    assert_ne!(key(&shared), key(&KeyGenerator::new(&other, &master)));
}
