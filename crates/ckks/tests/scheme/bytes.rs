//! Byte formats: round trips, exact lengths, known answers.

use confide_ckks::bytes::max_encoded_len;
use confide_ckks::{
    Ciphertext, Encoder, Encryptor, EvaluationKeys, KeyGenerator, KeyKind, Parameters,
    PublicEncryptor, PublicKey, SeededCiphertext, SeededSwitchingKey,
};
use confide_ring::sampling::Prng;

use crate::{secure, tiny};

/// One object of each kind from fixed seeds.
pub(crate) struct Objects {
    pub seeded: SeededCiphertext,
    pub full: Ciphertext,
    pub relin: SeededSwitchingKey,
    pub galois: SeededSwitchingKey,
    pub public: PublicKey,
}

impl Objects {
    pub(crate) fn new(params: &Parameters, level: usize) -> Self {
        let master = [42; 32];
        let keys = KeyGenerator::new(params, &master);
        let values = [0.5, -1.25, 3.0, 0.0, 7.125];
        let plaintext = Encoder::new(params)
            .encode_real(&values, level, params.scale_at(level))
            .expect("fits");
        let encryptor = Encryptor::new(params, &master);
        let public = keys.public_key().expect("a key");
        let mut rng = Prng::from_seed([43; 32], 0);
        Self {
            seeded: encryptor
                .encrypt_seeded(&keys.secret_key(), &plaintext, b"known answer")
                .expect("encrypts"),
            full: PublicEncryptor::new(params)
                .encrypt(&public, &plaintext, &mut rng)
                .expect("encrypts"),
            relin: keys.relin_key(level).expect("a key"),
            galois: keys.galois_key(5, level).expect("a key"),
            public,
        }
    }
}

#[test]
fn every_object_comes_back_and_has_the_announced_length() {
    for params in [tiny(4), tiny(7), secure()] {
        for level in 0..=params.max_level() {
            let objects = Objects::new(&params, level);
            let bytes = objects.seeded.to_bytes(&params).expect("same parameters");
            assert_eq!(bytes.len(), SeededCiphertext::encoded_len(&params, level));
            assert_eq!(
                SeededCiphertext::from_bytes(&params, &bytes).as_ref(),
                Ok(&objects.seeded)
            );

            let bytes = objects.full.to_bytes(&params).expect("same parameters");
            assert_eq!(bytes.len(), Ciphertext::encoded_len(&params, level, 2));
            assert_eq!(
                Ciphertext::from_bytes(&params, &bytes).as_ref(),
                Ok(&objects.full)
            );

            for key in [&objects.relin, &objects.galois] {
                let bytes = key.to_bytes(&params).expect("same parameters");
                assert_eq!(bytes.len(), SeededSwitchingKey::encoded_len(&params, level));
                assert_eq!(
                    SeededSwitchingKey::from_bytes(&params, &bytes).as_ref(),
                    Ok(key)
                );
                assert!(bytes.len() <= max_encoded_len(&params));
            }

            let bytes = objects.public.to_bytes(&params).expect("same parameters");
            assert_eq!(bytes.len(), PublicKey::encoded_len(&params));
            assert_eq!(
                PublicKey::from_bytes(&params, &bytes).as_ref(),
                Ok(&objects.public)
            );
        }
    }
}

#[test]
fn three_parts_come_back() {
    let params = tiny(4);
    let full = Objects::new(&params, 1).full;
    let parts = vec![
        full.parts()[0].clone(),
        full.parts()[1].clone(),
        full.parts()[0].clone(),
    ];
    let three = Ciphertext::from_parts(&params, parts, 1, full.scale()).expect("consistent");
    let bytes = three.to_bytes(&params).expect("same parameters");
    assert_eq!(bytes.len(), Ciphertext::encoded_len(&params, 1, 3));
    assert_eq!(Ciphertext::from_bytes(&params, &bytes), Ok(three));
}

#[test]
fn a_fresh_ciphertext_takes_half_a_full_one_and_no_padding() {
    let params = secure();
    let bits: usize = (0..=2)
        .map(|level| 64 - params.q(level).leading_zeros() as usize)
        .sum();
    assert_eq!(
        SeededCiphertext::encoded_len(&params, 2),
        88 + params.degree() * bits / 8
    );
    assert_eq!(
        Ciphertext::encoded_len(&params, 2, 2),
        56 + 2 * params.degree() * bits / 8
    );
}

#[test]
fn keys_survive_the_wire_and_are_found_by_kind_and_level() {
    let params = tiny(5);
    let objects = Objects::new(&params, 2);
    let mut keys = EvaluationKeys::new();
    for key in [objects.relin, objects.galois] {
        let bytes = key.to_bytes(&params).expect("same parameters");
        let read = SeededSwitchingKey::from_bytes(&params, &bytes).expect("valid bytes");
        keys.insert(read.expand(&params).expect("same parameters"));
    }
    assert_eq!(keys.len(), 2);
    for kind in [KeyKind::Relin, KeyKind::Galois(5)] {
        assert_eq!(keys.get("test", kind, 2).map(|key| key.kind()), Ok(kind));
        assert!(keys.get("test", kind, 0).is_ok());
        let message = keys
            .get("test", kind, 3)
            .expect_err("generated for level 2")
            .to_string();
        assert!(message.contains("up to 2, needed 3"), "{message}");
    }
    let message = keys
        .get("test", KeyKind::Galois(25), 0)
        .expect_err("no such key")
        .to_string();
    assert!(message.contains("element 25"), "{message}");
}

/// Pins primes, key derivation, samplers and formats: bytes of this version must stay readable, and a data party
/// that restores its seed must get the same keys. A change here needs a new format version or a new derivation
/// context.
#[test]
fn known_answers() {
    let params = tiny(4);
    let objects = Objects::new(&params, 2);
    let digest = |bytes: Vec<u8>| blake3::hash(&bytes).to_hex()[..16].to_string();
    let found = [
        digest(params.digest().to_vec()),
        digest(secure().digest().to_vec()),
        digest(objects.seeded.to_bytes(&params).expect("same parameters")),
        digest(objects.full.to_bytes(&params).expect("same parameters")),
        digest(objects.relin.to_bytes(&params).expect("same parameters")),
        digest(objects.galois.to_bytes(&params).expect("same parameters")),
        digest(objects.public.to_bytes(&params).expect("same parameters")),
        // Also checked in a browser, by `tests/wasm.rs`.
        digest(
            Objects::new(&secure(), 2)
                .galois
                .to_bytes(&secure())
                .expect("same parameters"),
        ),
    ];
    let expected = [
        "eaa734a2f36a6431",
        "93d3de2beedaf9d7",
        "7b6b4ebfb671e69f",
        "a83d996201bc9d67",
        "05e5c595a3c6c304",
        "49b017872d279019",
        "3b5a3a8f8151f068",
        "1faac3d9b7a7a522",
    ];
    assert_eq!(found, expected);
}
