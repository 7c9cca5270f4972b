//! Encryption, decryption and the derivation of everything from one seed.

use confide_ckks::{
    Ciphertext, CkksError, Decryptor, Encoder, Encryptor, KeyGenerator, Parameters,
    PublicEncryptor, SecretKey,
};
use confide_ring::sampling::Prng;

use crate::{largest_difference, secure, tiny, values};

const MASTER: [u8; 32] = [7; 32];

struct Party {
    encoder: Encoder,
    encryptor: Encryptor,
    decryptor: Decryptor,
    keys: KeyGenerator,
    secret: SecretKey,
}

impl Party {
    fn new(params: &Parameters) -> Self {
        let keys = KeyGenerator::new(params, &MASTER);
        let secret = keys.secret_key();
        let (encoder, encryptor) = (Encoder::new(params), Encryptor::new(params, &MASTER));
        Self {
            encoder,
            encryptor,
            decryptor: Decryptor::new(params),
            keys,
            secret,
        }
    }
}

#[test]
fn secret_key_encryption_decrypts_at_every_level() {
    for params in [tiny(5), secure()] {
        let party = Party::new(&params);
        let values = values(params.slots());
        for level in 0..=params.max_level() {
            let plaintext = party
                .encoder
                .encode(&values, level, params.scale_at(level))
                .expect("fits");
            let seeded = party
                .encryptor
                .encrypt_seeded(&party.secret, &plaintext, b"test")
                .expect("encrypts");
            let ciphertext = seeded.expand(&params).expect("same parameters");
            assert_eq!(
                (ciphertext.level(), ciphertext.scale()),
                (level, params.scale_at(level))
            );
            let opened = party
                .decryptor
                .decrypt(&party.secret, &ciphertext)
                .expect("decrypts");
            let error = largest_difference(
                &party.encoder.decode(&opened).expect("same parameters"),
                &values,
            );
            let sigma = (params.degree() as f64 * 3.19 * 3.19).sqrt() / params.scale_at(level);
            assert!(error < 6.0 * sigma, "level {level}: {error:e}");
        }
    }
}

#[test]
fn public_key_encryption_decrypts_at_every_level() {
    for params in [tiny(5), secure()] {
        let party = Party::new(&params);
        let public = party.keys.public_key().expect("a key");
        let mut rng = Prng::from_seed([9; 32], 0);
        let values = values(params.slots());
        for level in 0..=params.max_level() {
            let plaintext = party
                .encoder
                .encode(&values, level, params.scale_at(level))
                .expect("fits");
            let encryptor = PublicEncryptor::new(&params);
            let [one, other] = [0, 1].map(|_| {
                encryptor
                    .encrypt(&public, &plaintext, &mut rng)
                    .expect("encrypts")
            });
            assert_ne!(one, other, "fresh randomness each time");
            let opened = party
                .decryptor
                .decrypt(&party.secret, &one)
                .expect("decrypts");
            let error = largest_difference(
                &party.encoder.decode(&opened).expect("same parameters"),
                &values,
            );
            let n = params.degree() as f64;
            let sigma = (n * 3.19 * 3.19 * (4.0 * n / 3.0 + 1.0)).sqrt() / params.scale_at(level);
            assert!(error < 6.0 * sigma, "level {level}: {error:e}");
        }
    }
}

#[test]
fn three_parts_decrypt_like_the_product_that_they_are() {
    let params = tiny(6);
    let (party, ring) = (Party::new(&params), params.ring());
    let (level, values) = (3, values(params.slots()));
    let plaintext = party
        .encoder
        .encode(&values, level, params.scale_at(level))
        .expect("fits");
    let fresh = party
        .encryptor
        .encrypt_seeded(&party.secret, &plaintext, b"")
        .expect("encrypts");
    let fresh = fresh.expand(&params).expect("same parameters");
    let [c0, c1] = fresh.parts() else {
        panic!("two parts")
    };
    let mut middle = ring.mul(c0, c1);
    let copy = middle.clone();
    ring.add_assign(&mut middle, &copy);
    let parts = vec![ring.mul(c0, c0), middle, ring.mul(c1, c1)];
    let square = Ciphertext::from_parts(&params, parts, level, fresh.scale() * fresh.scale())
        .expect("consistent");
    let opened = party
        .decryptor
        .decrypt(&party.secret, &square)
        .expect("decrypts");
    let squares: Vec<_> = values.iter().map(|value| value * value).collect();
    assert!(
        largest_difference(
            &party.encoder.decode(&opened).expect("same parameters"),
            &squares
        ) < 1e-6
    );
}

#[test]
fn another_key_decrypts_to_noise() {
    let params = tiny(6);
    let party = Party::new(&params);
    let values = values(params.slots());
    let plaintext = party
        .encoder
        .encode(&values, 1, params.scale_at(1))
        .expect("fits");
    let fresh = party
        .encryptor
        .encrypt_seeded(&party.secret, &plaintext, b"")
        .expect("encrypts");
    let stranger = KeyGenerator::new(&params, &[8; 32]).secret_key();
    let opened = party
        .decryptor
        .decrypt(&stranger, &fresh.expand(&params).expect("same parameters"))
        .expect("shape fits");
    assert!(
        largest_difference(
            &party.encoder.decode(&opened).expect("same parameters"),
            &values
        ) > 1e3
    );
}

#[test]
fn one_seed_gives_the_same_bytes_again() {
    let params = tiny(5);
    let [one, two] = [0, 1].map(|_| Party::new(&params));
    let plaintext = one
        .encoder
        .encode(&values(16), 2, params.scale_at(2))
        .expect("fits");
    let encrypt = |party: &Party, label: &[u8]| {
        let seeded = party
            .encryptor
            .encrypt_seeded(&party.secret, &plaintext, label)
            .expect("encrypts");
        seeded.to_bytes(&params).expect("same parameters")
    };
    assert_eq!(encrypt(&one, b"x"), encrypt(&two, b"x"));
    assert_ne!(encrypt(&one, b"x"), encrypt(&one, b"y"));
    assert_eq!(one.keys.public_key(), two.keys.public_key());
    assert_eq!(one.keys.relin_key(3), two.keys.relin_key(3));
    assert_eq!(one.keys.galois_key(5, 3), two.keys.galois_key(5, 3));
}

#[test]
fn different_inputs_share_no_randomness() {
    let params = tiny(5);
    let party = Party::new(&params);
    let seed = |values: &[f64], level, scale, label: &[u8]| {
        let plaintext = party
            .encoder
            .encode_real(values, level, scale)
            .expect("fits");
        *party
            .encryptor
            .encrypt_seeded(&party.secret, &plaintext, label)
            .expect("encrypts")
            .seed()
    };
    let scale = params.scale_at(2);
    let mut seeds = vec![
        seed(&[1.0], 2, scale, b""),
        seed(&[1.1], 2, scale, b""),
        seed(&[1.0], 1, scale, b""),
        seed(&[1.0], 2, scale, b"label"),
        // The same polynomial at another scale.
        seed(&[0.5], 2, 2.0 * scale, b""),
        *party.keys.relin_key(2).expect("a key").seed(),
        *party.keys.galois_key(5, 2).expect("a key").seed(),
        *party.keys.galois_key(25, 2).expect("a key").seed(),
        *KeyGenerator::new(&tiny(6), &MASTER)
            .relin_key(2)
            .expect("a key")
            .seed(),
    ];
    let count = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), count);
}

#[test]
fn objects_of_other_parameters_are_refused() {
    let (params, other) = (tiny(5), tiny(6));
    let (party, foreign) = (Party::new(&params), Party::new(&other));
    let plaintext = party
        .encoder
        .encode_real(&[1.0], 1, params.scale_at(1))
        .expect("fits");
    let fresh = party
        .encryptor
        .encrypt_seeded(&party.secret, &plaintext, b"")
        .expect("encrypts");
    let full = fresh.expand(&params).expect("same parameters");
    let refused = |result: Result<(), CkksError>| {
        assert!(matches!(result, Err(CkksError::ShapeMismatch { .. })))
    };
    refused(fresh.expand(&other).map(drop));
    refused(fresh.to_bytes(&other).map(drop));
    refused(
        foreign
            .encryptor
            .encrypt_seeded(&foreign.secret, &plaintext, b"")
            .map(drop),
    );
    refused(
        party
            .encryptor
            .encrypt_seeded(&foreign.secret, &plaintext, b"")
            .map(drop),
    );
    refused(foreign.decryptor.decrypt(&foreign.secret, &full).map(drop));
    refused(party.decryptor.decrypt(&foreign.secret, &full).map(drop));
    refused(
        party
            .keys
            .relin_key(1)
            .expect("a key")
            .expand(&other)
            .map(drop),
    );
    let public = party.keys.public_key().expect("a key");
    let mut rng = Prng::from_seed([0; 32], 0);
    let own = foreign
        .encoder
        .encode_real(&[1.0], 1, params.scale_at(1))
        .expect("fits");
    refused(
        PublicEncryptor::new(&other)
            .encrypt(&public, &own, &mut rng)
            .map(drop),
    );
}

#[test]
fn no_key_above_the_top_level_or_for_an_even_element() {
    let params = tiny(5);
    let keys = KeyGenerator::new(&params, &MASTER);
    assert!(matches!(
        keys.relin_key(5),
        Err(CkksError::LevelTooHigh {
            needed: 5,
            available: 4,
            ..
        })
    ));
    for element in [0, 2, 64, 65] {
        assert!(matches!(
            keys.galois_key(element, 1),
            Err(CkksError::InvalidGaloisElement { bound: 64, .. })
        ));
    }
}

/// Compiles only while `SecretKey` is not `Clone`: otherwise both implementations apply.
#[test]
fn a_secret_key_cannot_be_cloned_and_prints_nothing() {
    trait NotClone<Marker> {
        fn holds() {}
    }
    impl<T> NotClone<()> for T {}
    impl<T: Clone> NotClone<u8> for T {}
    <SecretKey as NotClone<_>>::holds();
    <KeyGenerator as NotClone<_>>::holds();
    <Encryptor as NotClone<_>>::holds();
    assert_eq!(
        format!("{:?}", KeyGenerator::new(&tiny(4), &MASTER).secret_key()),
        "SecretKey"
    );
}
