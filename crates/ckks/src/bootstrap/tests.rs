//! Bootstrapping on a small insecure ring, stage by stage and as a whole.

use num_complex::Complex64;

use super::*;
use crate::params::ParametersLiteral;
use crate::secret::{Decryptor, Encryptor, KeyGenerator, SecretKey};

/// The large preset's chain on an insecure ring of degree `2^log_n`, with fewer levels left.
fn insecure_literal(log_n: u32) -> BootstrapLiteral {
    let preset = BootstrapLiteral::n16();
    BootstrapLiteral {
        program: ParametersLiteral {
            log_n,
            log_q: vec![50, 40, 40],
            ..preset.program.clone()
        },
        ..preset
    }
}

/// Complex numbers without structure, of modulus at most 1; `kind` tells vectors apart.
fn scattered(count: usize, kind: u64) -> Vec<Complex64> {
    let mut state = kind;
    let mut next = || {
        // The multiplier of Knuth's MMIX.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    let mut one = || Complex64::new(next(), next()) * std::f64::consts::FRAC_1_SQRT_2;
    (0..count).map(|_| one()).collect()
}

struct Rig {
    set: BootstrapParameters,
    boot: Bootstrapper,
    encoder: Encoder,
    encryptor: Encryptor,
    decryptor: Decryptor,
    secret: SecretKey,
    keys: EvaluationKeys,
}

impl Rig {
    fn new(literal: BootstrapLiteral, log_slots: u32) -> Self {
        let set = BootstrapParameters::new_insecure_for_tests(literal).expect("a set");
        let params = set.params();
        let encoder = Encoder::new(params);
        let boot = Bootstrapper::new(&set, &encoder, log_slots).expect("matrices");
        let generator = KeyGenerator::new(params, &[5; 32]);
        let mut keys = EvaluationKeys::new();
        let mut bytes = 0;
        for (kind, level) in boot.keys() {
            let key = generator.switching_key_bytes(kind, level).expect("a key");
            bytes += key.len();
            let key = crate::SeededSwitchingKey::from_bytes(params, &key).expect("own bytes");
            keys.insert(key.expand(params).expect("a key"));
        }
        assert_eq!(boot.key_bytes(), Ok(bytes));
        Self {
            encryptor: Encryptor::new(params, &[5; 32]),
            decryptor: Decryptor::new(params),
            secret: generator.secret_key(),
            encoder,
            boot,
            keys,
            set,
        }
    }

    fn encrypt(&self, values: &[Complex64], level: usize) -> Ciphertext {
        let params = self.set.params();
        let plain = self
            .encoder
            .encode(values, level, params.scale_at(level))
            .expect("encode");
        let ct = self
            .encryptor
            .encrypt_seeded(&self.secret, &plain, b"test")
            .expect("encrypt");
        ct.expand(params).expect("expand")
    }

    fn decrypt(&self, ct: &Ciphertext) -> Vec<Complex64> {
        let plain = self.decryptor.decrypt(&self.secret, ct).expect("decrypt");
        self.encoder.decode(&plain).expect("decode")
    }

    /// Mean and worst precision in bits.
    fn precision(&self, ct: &Ciphertext, expected: &[Complex64]) -> (f64, f64) {
        let errors: Vec<f64> = self
            .decrypt(ct)
            .iter()
            .zip(expected)
            .map(|(x, y)| (x - y).norm())
            .collect();
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        (
            -mean.log2(),
            -errors.iter().copied().fold(0.0, f64::max).log2(),
        )
    }
}

#[test]
fn raising_adds_small_multiples_of_the_first_prime() {
    let rig = Rig::new(insecure_literal(9), 8);
    let values = scattered(256, 1);
    let ct = rig.encrypt(&values, 0);
    let raised = rig.boot.raised(&ct, &rig.keys).expect("raised");
    let params = rig.set.params();
    assert_eq!(raised.level(), params.max_level());
    let mut before = rig
        .decryptor
        .decrypt(&rig.secret, &ct)
        .expect("decrypt")
        .poly;
    let mut after = rig
        .decryptor
        .decrypt(&rig.secret, &raised)
        .expect("decrypt")
        .poly;
    params.ring().intt(&mut before);
    params.ring().intt(&mut after);
    let (q0, mut largest) = (params.ring().q(0), 0.0_f64);
    let centred = crate::encoding::centred(params.ring(), &after);
    for (index, x) in centred.iter().enumerate() {
        let multiple = (x / q0.value() as f64).round();
        largest = largest.max(multiple.abs());
        let message = q0.to_centered(before.limb(0)[index]) as f64;
        let error = x - multiple * q0.value() as f64 - message;
        // Two switches of the key: far below the scale of 2^40.
        assert!(error.abs() < 20_000.0, "{index}: {error}");
    }
    assert!((1.0..16.0).contains(&largest), "{largest}");
}

#[test]
fn coefficients_reach_the_slots() {
    for (log_n, log_slots) in [(9, 8), (9, 5)] {
        let rig = Rig::new(insecure_literal(log_n), log_slots);
        let values: Vec<Complex64> = scattered(1 << log_slots, 2)
            .into_iter()
            .cycle()
            .take(256)
            .collect();
        let raised = rig
            .boot
            .raised(&rig.encrypt(&values, 0), &rig.keys)
            .expect("raised");
        let params = rig.set.params();
        let mut plain = rig
            .decryptor
            .decrypt(&rig.secret, &raised)
            .expect("decrypt")
            .poly;
        params.ring().intt(&mut plain);
        // The trace multiplies by the number of repetitions.
        let repetitions = (params.slots() >> log_slots) as f64;
        let unit = repetitions * params.q(0) as f64 * 16.0;
        let step = params.slots() >> log_slots;
        let coefficients = crate::encoding::centred(params.ring(), &plain);
        let mut wanted: Vec<f64> = coefficients
            .iter()
            .step_by(step)
            .map(|c| c / unit)
            .collect();
        let slots = rig.boot.coefficients(raised, &rig.keys).expect("slots");
        let used = 1 << (log_slots + u32::from(slots.len() == 1));
        let mut found: Vec<f64> = Vec::new();
        for ct in &slots {
            assert_eq!(ct.level(), rig.boot.eval_mod.input_level());
            let decrypted = rig.decrypt(ct);
            assert!(decrypted.iter().all(|x| x.im.abs() < 1e-9));
            found.extend(decrypted[..used].iter().map(|x| x.re));
        }
        assert_eq!(found.len(), wanted.len());
        // The order is that of the transform, tested with it.
        wanted.sort_by(f64::total_cmp);
        found.sort_by(f64::total_cmp);
        for (x, y) in found.iter().zip(&wanted) {
            assert!((x - y).abs() < 1e-11, "{x} {y}");
        }
    }
}

#[test]
fn the_sine_is_right_near_all_integers_of_the_interval() {
    for (arcsine, log_ratio, steps) in [(0, 10.0, 8), (3, 8.0, 10), (7, 4.0, 11)] {
        let mut literal = insecure_literal(9);
        literal.arcsine = arcsine;
        literal.log_ratio = log_ratio;
        literal.eval_mod = vec![vec![46]; steps];
        literal.log_scale = 46.0;
        literal.program.dnum_alpha = 7;
        let set = BootstrapParameters::new_insecure_for_tests(literal).expect("a set");
        let eval = EvalMod::new(&set).expect("polynomials");
        for integer in -15..=15_i32 {
            for offset in [-1.0, -0.7, -0.01, 0.0, 0.3, 1.0] {
                let c: f64 = offset * (-log_ratio).exp2();
                let found = eval.evaluate_clear((f64::from(integer) + c) / 16.0);
                let angle = std::f64::consts::TAU * c;
                let expected = if arcsine == 0 { angle.sin() } else { angle };
                let series = if arcsine == 0 {
                    0.0
                } else {
                    angle.abs().powi(arcsine as i32 + 2)
                };
                // The polynomial is worse at the ends, which occur once in 2^100 coefficients.
                let polynomial = if integer.abs() < 13 { 1e-10 } else { 1e-7 };
                let near = (4.0 - log_ratio).exp2() * 64.0;
                let error = (found - expected).abs();
                assert!(
                    error < polynomial * near.max(1.0) + series,
                    "{integer} + {c}: {error:e}"
                );
            }
        }
    }
}

#[test]
fn eval_mod_takes_the_sine_of_encrypted_slots() {
    let rig = Rig::new(insecure_literal(12), 11);
    let raised = rig
        .boot
        .raised(&rig.encrypt(&scattered(2048, 8), 0), &rig.keys)
        .expect("raised");
    for ct in rig.boot.coefficients(raised, &rig.keys).expect("slots") {
        let out = rig
            .boot
            .eval_mod
            .evaluate(&rig.boot.evaluator, &ct, &rig.keys)
            .expect("a sine");
        assert_eq!(
            (out.level(), out.scale()),
            (
                rig.set.slots_to_coeffs_level(),
                rig.boot.eval_mod.output_scale()
            )
        );
        let before = rig.decrypt(&ct);
        let errors: Vec<f64> = rig
            .decrypt(&out)
            .iter()
            .zip(&before)
            .map(|(found, y)| found.re - (std::f64::consts::TAU * 16.0 * y.re).sin())
            .collect();
        let count = errors.len() as f64;
        let rms = (errors.iter().map(|e| e * e).sum::<f64>() / count).sqrt();
        assert!(rms < 2.0_f64.powi(-36), "{}", rms.log2());
    }
}

#[test]
fn full_slots_are_refreshed() {
    let rig = Rig::new(insecure_literal(10), 9);
    let values = scattered(512, 3);
    for level in [0, 1] {
        let ct = rig.encrypt(&values, level);
        let out = rig.boot.bootstrap(&ct, &rig.keys).expect("refreshed");
        assert_eq!(out.level(), 2);
        let params = rig.set.params();
        assert!((out.scale() / params.scale_at(2) - ct.scale() / params.scale_at(0)).abs() < 1e-12);
        let (mean, worst) = rig.precision(&out, &values);
        assert!(mean > 25.0 && worst > 22.5, "{mean} {worst}");
        // Deterministic to the bit.
        assert_eq!(rig.boot.bootstrap(&ct, &rig.keys), Ok(out));
    }
}

#[test]
fn fewer_slots_are_refreshed() {
    for log_slots in [3, 6, 8] {
        let rig = Rig::new(insecure_literal(10), log_slots);
        let values: Vec<Complex64> = scattered(1 << log_slots, 4)
            .into_iter()
            .cycle()
            .take(512)
            .collect();
        let out = rig
            .boot
            .bootstrap(&rig.encrypt(&values, 0), &rig.keys)
            .expect("refreshed");
        let (mean, worst) = rig.precision(&out, &values);
        assert!(mean > 16.5 && worst > 15.0, "{log_slots}: {mean} {worst}");
    }
}

#[test]
fn two_real_messages_share_a_bootstrap() {
    let rig = Rig::new(insecure_literal(10), 9);
    let real = |kind: u64| {
        scattered(512, kind)
            .iter()
            .map(|x| Complex64::new(x.re, 0.0))
            .collect::<Vec<_>>()
    };
    let (first, second) = (real(5), real(6));
    let cts = [rig.encrypt(&first, 2), rig.encrypt(&second, 1)];
    let out = rig
        .boot
        .bootstrap_real_pair([&cts[0], &cts[1]], &rig.keys)
        .expect("refreshed");
    for (out, values) in out.iter().zip([first, second]) {
        assert_eq!(out.level(), 2);
        let (mean, worst) = rig.precision(out, &values);
        assert!(mean > 24.0 && worst > 21.5, "{mean} {worst}");
    }
}

#[test]
fn misuse_is_refused() {
    let rig = Rig::new(insecure_literal(9), 8);
    let ct = rig.encrypt(&scattered(256, 1), 0);
    let missing = rig.boot.bootstrap(&ct, &EvaluationKeys::new());
    assert!(
        matches!(missing, Err(CkksError::MissingKey { .. })),
        "{missing:?}"
    );
    let mut large = ct.clone();
    large.scale *= 2.0;
    assert!(matches!(
        rig.boot.bootstrap(&large, &rig.keys),
        Err(CkksError::InvalidScale { .. })
    ));
    assert!(Bootstrapper::new(&rig.set, &rig.encoder, 9).is_err());
    assert!(Bootstrapper::new(&rig.set, &rig.encoder, 2).is_err());
    let mut literal = insecure_literal(9);
    literal.interval = 15;
    assert!(
        BootstrapParameters::new_insecure_for_tests(literal.clone()).is_err(),
        "fails too often"
    );
    literal.interval = 16;
    literal.eval_mod.pop();
    assert!(
        BootstrapParameters::new_insecure_for_tests(literal).is_err(),
        "too few levels"
    );
    // A checked set never takes a small ring or another weight.
    assert!(BootstrapParameters::new(insecure_literal(10)).is_err());
    let mut preset = BootstrapLiteral::n16();
    preset.weight = 31;
    assert!(matches!(
        BootstrapParameters::new(preset),
        Err(CkksError::InsecureSparse { .. })
    ));
}

#[test]
fn the_small_preset_is_secure_and_leaves_three_levels() {
    let set = BootstrapParameters::new(BootstrapLiteral::n15()).expect("a secure set");
    let params = set.params();
    assert!(
        params.log_qp() <= crate::security::preset_cap(15).expect("a cap"),
        "{}",
        params.log_qp()
    );
    assert!(
        set.output_level() >= 3 && set.residual_bits() > 119.9,
        "{}",
        set.residual_bits()
    );
    assert!(set.log2_failure() <= -128.0);
}

#[test]
fn the_preset_is_secure_and_leaves_twelve_levels() {
    let set = BootstrapParameters::new(BootstrapLiteral::n16()).expect("a secure set");
    let params = set.params();
    assert!(
        params.log_qp() <= crate::security::preset_cap(16).expect("a cap"),
        "{}",
        params.log_qp()
    );
    assert!(
        set.output_level() >= 12 && set.residual_bits() > 479.9,
        "{}",
        set.residual_bits()
    );
    assert!(set.log2_failure() <= -128.0);
}
