//! The operations of a data party, one call each, for JavaScript to time.
//!
//! A crate of its own so that the page's wasm carries none of it: the page never encrypts under a public key and
//! never times itself.
#![forbid(unsafe_code)]

mod key_set;

use confide_ckks::{
    Ciphertext, CkksError, Complex64, Decryptor, Encoder, Encryptor, KeyGenerator, Parameters,
    ParametersLiteral, Plaintext, PublicEncryptor, PublicKey, SecretKey,
};
use confide_ring::sampling::Prng;
use wasm_bindgen::prelude::*;

/// All that the operations need, made once: 2^15 with 16 + 4 primes, as `confide bench engine` has it.
#[wasm_bindgen]
pub struct Bench {
    params: Parameters,
    encoder: Encoder,
    generator: KeyGenerator,
    secret: SecretKey,
    public: PublicKey,
    encryptor: Encryptor,
    decryptor: Decryptor,
    rng: Prng,
    values: Vec<Complex64>,
    plain: Plaintext,
    ciphertext: Ciphertext,
}

#[wasm_bindgen]
impl Bench {
    /// Keys and one ciphertext.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Result<Bench, String> {
        make().map_err(text)
    }

    /// The kernels that the ring chose.
    pub fn backend(&self) -> String {
        self.params.ring().backend().name().to_owned()
    }

    /// Ring degree.
    pub fn n(&self) -> usize {
        self.params.degree()
    }

    /// Bits of the main primes.
    #[wasm_bindgen(js_name = logQ)]
    pub fn log_q(&self) -> u32 {
        self.params.literal().log_q.iter().sum()
    }

    /// Bits of the special primes.
    #[wasm_bindgen(js_name = logP)]
    pub fn log_p(&self) -> u32 {
        self.params.literal().log_p.iter().sum()
    }

    /// Slots to a plaintext at the highest level.
    ///
    /// # Errors
    /// Those of the engine, as text.
    pub fn encode(&self) -> Result<(), String> {
        let top = self.params.max_level();
        self.encoder
            .encode(&self.values, top, self.params.scale_at(top))
            .map(drop)
            .map_err(text)
    }

    /// A plaintext under the public key.
    ///
    /// # Errors
    /// Those of the engine, as text.
    pub fn encrypt(&mut self) -> Result<(), String> {
        PublicEncryptor::new(&self.params)
            .encrypt(&self.public, &self.plain, &mut self.rng)
            .map(drop)
            .map_err(text)
    }

    /// A plaintext under the secret key, one half from a seed.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = encryptSeeded)]
    pub fn encrypt_seeded(&self) -> Result<(), String> {
        self.encryptor
            .encrypt_seeded(&self.secret, &self.plain, b"bench")
            .map(drop)
            .map_err(text)
    }

    /// A ciphertext of the highest level to slots.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = decryptDecode)]
    pub fn decrypt_decode(&self) -> Result<(), String> {
        self.open().map(drop).map_err(text)
    }

    /// The largest error of a slot that [`Bench::decrypt_decode`] gives.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = largestError)]
    pub fn largest_error(&self) -> Result<f64, String> {
        let slots = self.open().map_err(text)?;
        let errors = slots.iter().zip(&self.values).map(|(a, b)| (a - b).norm());
        Ok(errors.fold(0.0, f64::max))
    }

    /// The relinearisation key of the highest level.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = relinKeygen)]
    pub fn relin_keygen(&self) -> Result<(), String> {
        let key = self.generator.relin_key(self.params.max_level());
        key.map(drop).map_err(text)
    }

    /// The key that rotates by one slot, at the highest level.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = galoisKeygen)]
    pub fn galois_keygen(&self) -> Result<(), String> {
        self.galois_key().map(drop).map_err(text)
    }

    /// Bytes of the relinearisation key as it is sent.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = relinKeyBytes)]
    pub fn relin_key_bytes(&self) -> Result<usize, String> {
        let key = self.generator.relin_key(self.params.max_level());
        let bytes = key.and_then(|key| key.to_bytes(&self.params));
        bytes.map(|bytes| bytes.len()).map_err(text)
    }

    /// Bytes of one rotation key as it is sent.
    ///
    /// # Errors
    /// Those of the engine, as text.
    #[wasm_bindgen(js_name = galoisKeyBytes)]
    pub fn galois_key_bytes(&self) -> Result<usize, String> {
        let bytes = self
            .galois_key()
            .and_then(|key| key.to_bytes(&self.params))
            .map_err(text)?;
        Ok(bytes.len())
    }

    fn open(&self) -> Result<Vec<Complex64>, CkksError> {
        let plain = self.decryptor.decrypt(&self.secret, &self.ciphertext)?;
        self.encoder.decode(&plain)
    }

    fn galois_key(&self) -> Result<confide_ckks::SeededSwitchingKey, CkksError> {
        let element = self.params.ring().galois_for_rotation(1);
        self.generator.galois_key(element, self.params.max_level())
    }
}

fn make() -> Result<Bench, CkksError> {
    let mut log_q = vec![45];
    log_q.extend([41; 15]);
    let params = Parameters::new(ParametersLiteral {
        log_n: 15,
        log_q,
        log_p: vec![43; 4],
        log_scale: 41,
        dnum_alpha: 4,
    })?;
    // Fixed seeds: what is timed does not depend on them, and nothing made here protects anything.
    let seed = [1; 32];
    let generator = KeyGenerator::new(&params, &seed);
    let secret = generator.secret_key();
    let public = generator.public_key()?;
    let encoder = Encoder::new(&params);
    let values: Vec<Complex64> = (0..params.slots())
        .map(|slot| Complex64::new((slot as f64).sin(), 0.0))
        .collect();
    let top = params.max_level();
    let plain = encoder.encode(&values, top, params.scale_at(top))?;
    let mut rng = Prng::from_seed([2; 32], 0);
    let ciphertext = PublicEncryptor::new(&params).encrypt(&public, &plain, &mut rng)?;
    Ok(Bench {
        encryptor: Encryptor::new(&params, &seed),
        decryptor: Decryptor::new(&params),
        encoder,
        generator,
        secret,
        public,
        rng,
        values,
        plain,
        ciphertext,
        params,
    })
}

fn text(error: CkksError) -> String {
    error.to_string()
}
