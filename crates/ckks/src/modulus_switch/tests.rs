use confide_ring::sampling::uniform;
use num_complex::Complex64;
use proptest::prelude::*;

use super::*;
use crate::encoding::Encoder;
use crate::noise::NoiseModel;
use crate::params::ParametersLiteral;
use crate::secret::{Decryptor, Encryptor, KeyGenerator};

fn set(log_n: u32, log_q: &[u32], log_scale: u32) -> Parameters {
    let literal = ParametersLiteral {
        log_n,
        log_q: log_q.into(),
        log_p: vec![50],
        log_scale,
        dnum_alpha: 1,
    };
    Parameters::new_insecure_for_tests(literal).expect("a usable literal")
}

/// Residues of every coefficient: `[limb][coefficient]`.
fn residues(params: &Parameters, poly: &RnsPoly) -> Vec<Vec<u64>> {
    let mut poly = poly.clone();
    params.ring().intt(&mut poly);
    poly.limbs().map(<[u64]>::to_vec).collect()
}

/// The number below the product of two primes with these residues.
fn lift([q0, q1]: [u64; 2], [x0, x1]: [u64; 2]) -> u128 {
    let inverse = (0..u32::BITS).fold(1u128, |power, bit| {
        // q0^(q1 - 2) by squares from the highest bit.
        let squared = power * power % u128::from(q1);
        if (q1 - 2) >> (31 - bit) & 1 == 1 {
            squared * u128::from(q0) % u128::from(q1)
        } else {
            squared
        }
    });
    let apart = (u128::from(q1) + u128::from(x1) - u128::from(x0) % u128::from(q1)) * inverse;
    u128::from(x0) + u128::from(q0) * (apart % u128::from(q1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Against integers of 128 bits: both ways between two moduli of two primes each.
    #[test]
    fn every_coefficient_is_rounded(seed: [u8; 32], upwards: bool) {
        let (small, large) = (set(5, &[24, 22], 20), set(5, &[26, 28], 20));
        let (from, to) = if upwards { (&small, &large) } else { (&large, &small) };
        let switch = ModulusSwitch::new((from, 1), (to, 1)).expect("primes apart");
        let part = |domain| uniform(from.ring(), &seed, domain, PrimeSet { q: 2, p: 0 });
        let ct = Ciphertext::from_parts(from, vec![part(1), part(2)], 1, 1.0).expect("shape");
        let switched = switch.switch(&ct).expect("switch");
        let [old, new] = [from, to].map(|set| [set.q(0), set.q(1)]);
        let [old_all, new_all] = [old, new].map(|[a, b]| u128::from(a) * u128::from(b));
        for (before, after) in ct.parts().iter().zip(switched.parts()) {
            let [before, after] = [residues(from, before), residues(to, after)];
            for i in 0..from.degree() {
                let x = lift(old, [before[0][i], before[1][i]]);
                let rounded = (x * new_all + old_all / 2) / old_all;
                for (limb, &q) in new.iter().enumerate() {
                    prop_assert_eq!(u128::from(after[limb][i]), rounded % u128::from(q));
                }
            }
        }
        let ratio = new_all as f64 / old_all as f64;
        prop_assert!((switch.ratio() / ratio - 1.0).abs() < 1e-14);
        prop_assert!((switched.scale() / ratio - 1.0).abs() < 1e-14);
    }
}

/// Root mean square and largest of the slot errors after a switch, over several keys and encryptions.
fn errors(from: (&Parameters, usize), to: (&Parameters, usize), runs: u8) -> (Vec<f64>, f64) {
    let switch = ModulusSwitch::new(from, to).expect("primes apart");
    let (encoder, opened) = (Encoder::new(from.0), Encoder::new(to.0));
    let slots: Vec<Complex64> = (0..from.0.slots())
        .map(|s| Complex64::cis(s as f64))
        .collect();
    let (mut all, mut largest) = (Vec::new(), 0.0_f64);
    for seed in 0..runs {
        let master = [seed; 32];
        let generator = KeyGenerator::under_secret_of(from.0, to.0, &master).expect("one degree");
        let plain = encoder.encode(&slots, from.1, from.0.scale_at(from.1));
        let ct = Encryptor::new(from.0, &master)
            .encrypt_seeded(&generator.secret_key(), &plain.expect("fits"), b"x")
            .and_then(|seeded| seeded.expand(from.0))
            .expect("encryption");
        let switched = switch.switch(&ct).expect("switch");
        assert_eq!(switched.level(), to.1);
        let secret = KeyGenerator::new(to.0, &master).secret_key();
        let plain = Decryptor::new(to.0).decrypt(&secret, &switched);
        let found = opened.decode(&plain.expect("own secret")).expect("slots");
        let apart = found.iter().zip(&slots).map(|(x, y)| (x - y).norm_sqr());
        let apart: Vec<f64> = apart.collect();
        largest = apart.iter().fold(largest, |most, e| most.max(e.sqrt()));
        all.push((apart.iter().sum::<f64>() / apart.len() as f64).sqrt());
    }
    (all, largest)
}

#[test]
fn the_noise_is_that_of_the_estimate() {
    let (from, to) = (
        set(10, &[46, 36, 36, 36], 36),
        set(10, &[50, 41, 40, 44], 40),
    );
    // To a smaller modulus, where the rounding decides, and to a larger one, which keeps the noise as it is.
    for (from_level, level) in [(3, 2), (2, 3), (1, 0)] {
        let (from, to) = ((&from, from_level), (&to, level));
        let switch = ModulusSwitch::new(from, to).expect("primes apart");
        let model = NoiseModel::new(to.0);
        let fresh = model.fresh_secret(from.0.scale_at(from.1));
        let expected = model.modulus_switch(&fresh, switch.ratio());
        let (found, largest) = errors(from, to, 12);
        // A false alarm in less than one of a million, were the seeds not fixed.
        let [low, high] = expected.rms_interval(5.0);
        for rms in found {
            assert!((low..high).contains(&rms), "{low:e} {rms:e} {high:e}");
        }
        assert!(largest < expected.slot_bound(1e-9), "{largest:e}");
    }
}

#[test]
fn a_scale_is_made_canonical_for_free() {
    let (from, to) = (set(6, &[46, 36, 36], 36), set(6, &[50, 40, 40], 40));
    let generator = KeyGenerator::under_secret_of(&from, &to, &[3; 32]).expect("one degree");
    let switch = ModulusSwitch::new((&from, 2), (&to, 1)).expect("primes apart");
    let factor = to.scale_at(1) / (from.scale_at(2) * switch.ratio());
    // The message is encrypted times this; reading it at the canonical scale divides by it.
    let encoder = Encoder::new(&from);
    let plain = encoder.encode_real(&[0.5 * factor; 32], 2, from.scale_at(2));
    let ct = Encryptor::new(&from, &[3; 32])
        .encrypt_seeded(&generator.secret_key(), &plain.expect("fits"), b"x")
        .and_then(|seeded| seeded.expand(&from))
        .and_then(|ct| switch.switch(&ct))
        .and_then(|ct| Evaluator::new(&to).mul_by_scale(ct, factor.recip()));
    let ct = ct.expect("switch");
    assert!((ct.scale() / to.scale_at(1) - 1.0).abs() < 1e-12);
    let plain = Decryptor::new(&to).decrypt(&generator_of(&to).secret_key(), &ct);
    let found = Encoder::new(&to).decode_real(&plain.expect("own secret"));
    for value in found.expect("slots") {
        assert!((value - 0.5).abs() < 1e-6, "{value}");
    }
}

fn generator_of(params: &Parameters) -> KeyGenerator {
    KeyGenerator::new(params, &[3; 32])
}

#[test]
fn sets_that_do_not_fit_are_refused() {
    let (from, to) = (set(6, &[46, 36, 36], 36), set(6, &[50, 40], 40));
    let other = set(7, &[50, 40], 40);
    let refused = ModulusSwitch::new((&from, 1), (&other, 1));
    assert!(matches!(
        refused,
        Err(CkksError::InvalidArgument { op: OP, .. })
    ));
    assert!(KeyGenerator::under_secret_of(&from, &other, &[1; 32]).is_err());
    assert!(ModulusSwitch::new((&from, 3), (&to, 1)).is_err());
    let shared = ModulusSwitch::new((&from, 1), (&from, 1));
    assert!(matches!(shared, Err(CkksError::Ring(_))), "{shared:?}");

    let switch = ModulusSwitch::new((&from, 1), (&to, 1)).expect("primes apart");
    let zero = |level: usize, parts: usize| {
        let set = PrimeSet { q: level + 1, p: 0 };
        let parts = (0..parts).map(|_| from.ring().zero(set, Form::Ntt));
        Ciphertext::from_parts(&from, parts.collect(), level, 1.0).expect("shape")
    };
    assert!(matches!(
        switch.switch(&zero(0, 2)),
        Err(CkksError::LevelTooLow { .. })
    ));
    assert!(matches!(
        switch.switch(&zero(1, 3)),
        Err(CkksError::PartCount { .. })
    ));
    assert_eq!(switch.switch(&zero(2, 2)).expect("dropped").level(), 1);
}
