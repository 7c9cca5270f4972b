//! Bootstrapping on a small insecure ring, stage by stage and as a whole.

mod parts;
mod sets;
mod whole;

use num_complex::Complex64;

use super::*;
use crate::params::ParametersLiteral;
use crate::secret::{Decryptor, Encryptor, KeyGenerator, SecretKey};

/// The chain of a preset on an insecure ring of degree `2^log_n`, with fewer levels left.
fn insecure(log_n: u32, preset: BootstrapLiteral) -> BootstrapLiteral {
    let mut program = ParametersLiteral {
        log_n,
        ..preset.program.clone()
    };
    program.log_q.drain(1..program.log_q.len() - 2);
    // Digits begin at other primes.
    program.log_p.fill(50);
    BootstrapLiteral { program, ..preset }
}

/// The chain with SlotsToCoeffs first.
fn insecure_literal(log_n: u32) -> BootstrapLiteral {
    insecure(log_n, BootstrapLiteral::n16())
}

/// The chain with ModRaise first.
fn insecure_raise_first(log_n: u32) -> BootstrapLiteral {
    insecure(log_n, BootstrapLiteral::n16_mod_raise_first())
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
        Self::with(set, log_slots)
    }

    fn with(set: BootstrapParameters, log_slots: u32) -> Self {
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
