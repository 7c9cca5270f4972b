//! The scheme in a browser: keys, encryption and decryption at a secure ring degree.
#![cfg(target_arch = "wasm32")]

use confide_ckks::{
    Complex64, Decryptor, Encoder, Encryptor, KeyGenerator, Parameters, ParametersLiteral,
    SeededCiphertext, SeededSwitchingKey,
};
use confide_ring::sampling::os_seed;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn params() -> Parameters {
    let literal = ParametersLiteral {
        log_n: 13,
        log_q: vec![50, 40, 40],
        log_p: vec![50],
        log_scale: 40,
        dnum_alpha: 1,
    };
    Parameters::new(literal).expect("a secure literal")
}

#[wasm_bindgen_test]
fn a_browser_encrypts_and_decrypts() {
    let params = params();
    let master = os_seed().expect("browser randomness");
    let secret = KeyGenerator::new(&params, &master).secret_key();
    let encoder = Encoder::new(&params);
    let values: Vec<Complex64> = (0..params.slots())
        .map(|i| Complex64::cis(i as f64))
        .collect();
    let plaintext = encoder
        .encode(&values, 2, params.scale_at(2))
        .expect("fits");
    let fresh = Encryptor::new(&params, &master)
        .encrypt_seeded(&secret, &plaintext, b"browser")
        .expect("encrypts");
    let bytes = fresh.to_bytes(&params).expect("same parameters");
    let read = SeededCiphertext::from_bytes(&params, &bytes).expect("valid bytes");
    let ciphertext = read.expand(&params).expect("same parameters");
    let opened = Decryptor::new(&params)
        .decrypt(&secret, &ciphertext)
        .expect("decrypts");
    let decoded = encoder.decode(&opened).expect("same parameters");
    let error = decoded
        .iter()
        .zip(&values)
        .map(|(a, b)| (a - b).norm())
        .fold(0.0, f64::max);
    assert!(error < 1e-8, "{error:e}");
}

#[wasm_bindgen_test]
fn keys_are_the_same_bytes_as_on_a_server() {
    let params = params();
    let key = KeyGenerator::new(&params, &[42; 32])
        .galois_key(5, 2)
        .expect("a key");
    let bytes = key.to_bytes(&params).expect("same parameters");
    assert_eq!(bytes.len(), SeededSwitchingKey::encoded_len(&params, 2));
    assert_eq!(&blake3::hash(&bytes).to_hex()[..16], KEY_DIGEST);
}

/// As `tests/scheme/bytes.rs` finds it natively.
const KEY_DIGEST: &str = "1faac3d9b7a7a522";
