//! Two insecure rings that are small enough for thousands of evaluations a second.

use std::sync::LazyLock;

use confide_ckks::evaluator::Evaluator;
use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters,
    ParametersLiteral, SecretKey, SeededCiphertext,
};

/// Everything to evaluate with in one ring.
pub struct Scheme {
    /// The parameters.
    pub params: Parameters,
    /// All keys.
    pub generator: KeyGenerator,
    /// The secret key.
    pub secret: SecretKey,
    /// Relinearisation, rotation by 1 and 3, conjugation, at the highest level.
    pub keys: EvaluationKeys,
    /// Encoder.
    pub encoder: Encoder,
    /// Decryptor.
    pub decryptor: Decryptor,
    /// Evaluator.
    pub evaluator: Evaluator,
    /// A fresh ciphertext at the highest level, as it travels.
    pub seeded: SeededCiphertext,
    /// The same, expanded.
    pub fresh: Ciphertext,
}

/// The smallest ring that the scheme has, and one with the structure of a real one: several digits, vector kernels.
pub fn schemes() -> &'static [Scheme; 2] {
    static SCHEMES: LazyLock<[Scheme; 2]> = LazyLock::new(|| {
        [
            Scheme::new(4, &[40, 30, 30], &[40], 30, 1),
            Scheme::new(6, &[45, 34, 34, 34], &[45, 45], 34, 2),
        ]
    });
    &SCHEMES
}

impl Scheme {
    fn new(log_n: u32, log_q: &[u32], log_p: &[u32], log_scale: u32, alpha: usize) -> Self {
        let literal = ParametersLiteral {
            log_n,
            log_q: log_q.to_vec(),
            log_p: log_p.to_vec(),
            log_scale,
            dnum_alpha: alpha,
        };
        let params = Parameters::new_insecure_for_tests(literal).expect("a usable literal");
        let generator = KeyGenerator::new(&params, &[7; 32]);
        let (level, ring) = (params.max_level(), params.ring());
        let mut keys = EvaluationKeys::new();
        let elements = [
            ring.galois_for_rotation(1),
            ring.galois_for_rotation(3),
            ring.galois_for_conjugation(),
        ];
        for element in elements {
            let key = generator
                .galois_key(element, level)
                .expect("a valid element");
            keys.insert(key.expand(&params).expect("own parameters"));
        }
        let relin = generator.relin_key(level).expect("a level");
        keys.insert(relin.expand(&params).expect("own parameters"));
        let (secret, encoder) = (generator.secret_key(), Encoder::new(&params));
        let values: Vec<Complex64> = (0..params.slots())
            .map(|slot| Complex64::new(slot as f64 / params.slots() as f64, -0.5))
            .collect();
        let plaintext = encoder
            .encode(&values, level, params.scale_at(level))
            .expect("values in range");
        let seeded = Encryptor::new(&params, &[7; 32])
            .encrypt_seeded(&secret, &plaintext, b"fuzz")
            .expect("own parameters");
        Self {
            fresh: seeded.expand(&params).expect("own parameters"),
            seeded,
            decryptor: Decryptor::new(&params),
            evaluator: Evaluator::new(&params),
            generator,
            secret,
            keys,
            encoder,
            params,
        }
    }
}
