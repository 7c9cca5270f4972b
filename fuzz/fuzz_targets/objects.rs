//! Ciphertexts, keys and parameters from outside: what is read is written again byte for byte, and can be evaluated.
#![no_main]

use confide_ckks::{
    Ciphertext, CkksError, KeyKind, Parameters, ParametersLiteral, PublicEncryptor, PublicKey,
    SeededCiphertext, SeededSwitchingKey,
};
use confide_fuzz::{Input, Scheme, schemes};
use confide_ring::sampling::Prng;
use libfuzzer_sys::fuzz_target;

/// Bytes of the header that name format and parameters; mending them lets every input reach the reader behind.
const PARAMETERS: std::ops::Range<usize> = 8..40;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let selector = input.byte();
    let scheme = &schemes()[usize::from(selector >> 7)];
    let mut bytes = input.rest().to_vec();
    let kind = selector & 0x0F;
    if selector & 0x40 != 0 && bytes.len() >= PARAMETERS.end {
        bytes[..4].copy_from_slice(b"CFDE");
        bytes[4..8].copy_from_slice(&[kind % 5, 1, 0, 0]);
        bytes[PARAMETERS].copy_from_slice(scheme.params.digest());
    }
    match kind {
        1 => ciphertext(scheme, &bytes),
        2 => seeded_ciphertext(scheme, &bytes),
        3 => switching_key(scheme, &bytes),
        4 => public_key(scheme, &bytes),
        _ => literal(&bytes),
    }
});

fn ciphertext(scheme: &Scheme, bytes: &[u8]) {
    if let Ok(read) = Ciphertext::from_bytes(&scheme.params, bytes) {
        assert_eq!(read.to_bytes(&scheme.params).expect("read"), bytes);
        evaluate(scheme, &read).expect("a ciphertext that was read can be evaluated");
    }
}

fn seeded_ciphertext(scheme: &Scheme, bytes: &[u8]) {
    if let Ok(read) = SeededCiphertext::from_bytes(&scheme.params, bytes) {
        assert_eq!(read.to_bytes(&scheme.params).expect("read"), bytes);
        let expanded = read.expand(&scheme.params).expect("read");
        evaluate(scheme, &expanded).expect("a ciphertext that was read can be evaluated");
    }
}

/// Operations that must succeed on every ciphertext succeed; those that have conditions do not panic.
fn evaluate(scheme: &Scheme, read: &Ciphertext) -> Result<(), CkksError> {
    let (ev, keys, fresh) = (&scheme.evaluator, &scheme.keys, &scheme.fresh);
    let two = ev.relinearize(read, keys)?;
    let doubled = ev.add(&two, &two)?;
    let rotated = ev.rotate(&doubled, 1, keys)?;
    ev.sub(&ev.conjugate(&rotated, keys)?, &two)?;
    ev.rotate_hoisted(&two, &[1, 3, 0], keys)?;
    ev.rotate_sum(&[(&two, 1), (&two, 0), (&rotated, 3)], keys)?;
    ev.mul_integer(read, -3)?;
    ev.mul_monomial(read, 5)?;
    ev.drop_level(read, 0)?;
    let decrypted = scheme.decryptor.decrypt(&scheme.secret, read)?;
    scheme.encoder.decode(&decrypted)?;
    if read.level() > 0 {
        ev.rescale(read)?;
    }
    // These may refuse the scale.
    let _ = ev.add(&two, fresh);
    let _ = ev.add_scalar(read, 0.75);
    let _ = ev.mul_scalar_rescale(read, -1.5);
    let _ = ev.mul_relin_rescale(&two, fresh, keys);
    let _ = ev.dot(&[(&two, fresh), (&rotated, fresh)], keys);
    let _ = ev.set_scale(read, 0, scheme.params.scale_at(0));
    if let Ok(product) = ev.mul(&two, &two) {
        ev.relinearize(&product, keys)?;
    }
    Ok(())
}

fn switching_key(scheme: &Scheme, bytes: &[u8]) {
    let params = &scheme.params;
    let Ok(read) = SeededSwitchingKey::from_bytes(params, bytes) else {
        return;
    };
    assert_eq!(read.to_bytes(params).expect("read"), bytes);
    let (kind, level) = (read.kind(), read.level());
    let mut keys = scheme.keys.clone();
    keys.insert(read.expand(params).expect("read"));
    let (ev, fresh) = (&scheme.evaluator, &scheme.fresh);
    let lower = ev.drop_level(fresh, level).expect("a level");
    match kind {
        KeyKind::Relin => {
            let product = ev.mul(&lower, &lower).expect("equal scales");
            ev.relinearize(&product, &keys).expect("the key serves");
        }
        KeyKind::Galois(element) => {
            ev.apply_galois(&lower, element, &keys)
                .expect("the key serves");
        }
        // Bootstrapping alone uses them, and the parameters here have no levels for it.
        KeyKind::ToSparse(_) | KeyKind::FromSparse(_) => {}
    }
}

fn public_key(scheme: &Scheme, bytes: &[u8]) {
    if let Ok(read) = PublicKey::from_bytes(&scheme.params, bytes) {
        assert_eq!(read.to_bytes(&scheme.params).expect("read"), bytes);
        let plaintext = scheme
            .decryptor
            .decrypt(&scheme.secret, &scheme.fresh)
            .expect("own ciphertext");
        PublicEncryptor::new(&scheme.params)
            .encrypt(&read, &plaintext, &mut Prng::from_seed([1; 32], 0))
            .expect("a public key that was read encrypts");
    }
}

fn literal(bytes: &[u8]) {
    let Ok(literal) = confide_protocol::from_bytes::<ParametersLiteral>(bytes) else {
        return;
    };
    let written = confide_protocol::to_bytes(&literal).expect("read");
    assert_eq!(confide_protocol::from_bytes(&written), Ok(literal.clone()));
    // Larger rings take the same way, and seconds.
    if literal.log_n <= 13 {
        if let Ok(params) = Parameters::new(literal.clone()) {
            assert!(params.log_qp() <= 214.0, "an insecure set was accepted");
        }
        if literal.log_n <= 8 {
            let _ = Parameters::new_insecure_for_tests(literal);
        }
    }
}
