use num_complex::Complex64;

use crate::ciphertext::Ciphertext;
use crate::encoding::Encoder;
use crate::evaluator::Evaluator;
use crate::keys::{EvaluationKeys, KeyKind};
use crate::params::{Parameters, ParametersLiteral};
use crate::secret::{Decryptor, Encryptor, KeyGenerator, SecretKey};

/// Both parties in one place.
pub(crate) struct Fixture {
    pub params: Parameters,
    pub encoder: Encoder,
    pub evaluator: Evaluator,
    pub generator: KeyGenerator,
    pub secret: SecretKey,
    pub encryptor: Encryptor,
    pub decryptor: Decryptor,
}

impl Fixture {
    /// An insecure ring of 256 slots, levels 0 to 6, two primes a digit.
    pub fn small() -> Self {
        Self::new(9, 6, 2, 1)
    }

    /// `levels` rescaling primes of 40 bits, `alpha` primes a digit and as many special primes of 50.
    pub fn new(log_n: u32, levels: usize, alpha: usize, seed: u8) -> Self {
        Self::with_special(log_n, levels, alpha, seed, 40, vec![50; alpha])
    }

    /// With rescaling primes, and a scale, of `bits` bits, and chosen special primes.
    pub fn with_special(
        log_n: u32,
        levels: usize,
        alpha: usize,
        seed: u8,
        bits: u32,
        log_p: Vec<u32>,
    ) -> Self {
        let mut log_q = vec![50];
        log_q.resize(levels + 1, bits);
        let params = Parameters::new_insecure_for_tests(ParametersLiteral {
            log_n,
            log_q,
            log_p,
            log_scale: bits,
            dnum_alpha: alpha,
        })
        .expect("test parameters");
        let master = [seed; 32];
        let generator = KeyGenerator::new(&params, &master);
        Self {
            encoder: Encoder::new(&params),
            evaluator: Evaluator::new(&params),
            secret: generator.secret_key(),
            encryptor: Encryptor::new(&params, &master),
            decryptor: Decryptor::new(&params),
            generator,
            params,
        }
    }

    /// A relinearisation key and the keys of some rotations, for ciphertexts up to `level`.
    pub fn keys(&self, rotations: &[i64], level: usize) -> EvaluationKeys {
        let elements = rotations
            .iter()
            .map(|&k| self.params.ring().galois_for_rotation(k));
        self.keys_for(elements.map(KeyKind::Galois).chain([KeyKind::Relin]), level)
    }

    pub fn keys_for(
        &self,
        kinds: impl IntoIterator<Item = KeyKind>,
        level: usize,
    ) -> EvaluationKeys {
        let mut keys = EvaluationKeys::new();
        for kind in kinds {
            let key = self.generator.switching_key(kind, level).expect("key");
            keys.insert(key.expand(&self.params).expect("expanded key"));
        }
        keys
    }

    /// At the canonical scale of `level`.
    pub fn encrypt(&self, values: &[Complex64], level: usize) -> Ciphertext {
        self.encrypt_at(values, level, self.params.scale_at(level))
    }

    pub fn encrypt_at(&self, values: &[Complex64], level: usize, scale: f64) -> Ciphertext {
        let plain = self.encoder.encode(values, level, scale).expect("encode");
        let seeded = self
            .encryptor
            .encrypt_seeded(&self.secret, &plain, b"test")
            .expect("encrypt");
        seeded.expand(&self.params).expect("expand")
    }

    pub fn decrypt(&self, ct: &Ciphertext) -> Vec<Complex64> {
        let plain = self.decryptor.decrypt(&self.secret, ct).expect("decrypt");
        self.encoder.decode(&plain).expect("decode")
    }

    /// Decrypts and compares every slot.
    pub fn assert_slots(
        &self,
        ct: &Ciphertext,
        expected: impl Fn(usize) -> Complex64,
        within: f64,
    ) {
        let expected: Vec<Complex64> = (0..self.params.slots()).map(expected).collect();
        assert_close(&self.decrypt(ct), &expected, within);
    }
}

#[track_caller]
fn assert_close(found: &[Complex64], expected: &[Complex64], within: f64) {
    assert_eq!(found.len(), expected.len());
    for (slot, (x, y)) in found.iter().zip(expected).enumerate() {
        let error = (x - y).norm();
        assert!(
            error <= within,
            "slot {slot}: {x} instead of {y}, off by {error:e} > {within:e}"
        );
    }
}

/// Complex values of modulus at most about 1, different in every slot; `kind` tells vectors apart.
pub(crate) fn ramp(slots: usize, kind: u32) -> Vec<Complex64> {
    let phase = 1.0 + f64::from(kind);
    let value =
        |s: f64| Complex64::new((0.37 * phase * s + phase).cos(), (0.91 * phase * s).sin()) * 0.7;
    (0..slots).map(|s| value(s as f64)).collect()
}

/// Root mean square.
pub(crate) fn rms(values: &[Complex64]) -> f64 {
    (values.iter().map(|x| x.norm_sqr()).sum::<f64>() / values.len() as f64).sqrt()
}
