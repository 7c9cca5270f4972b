//! Bytes from a hostile sender: an error that says what was wrong, never a panic.

use confide_ckks::{
    BytesError, Ciphertext, CkksError, Parameters, PublicKey, SeededCiphertext, SeededSwitchingKey,
};
use proptest::prelude::*;

use crate::bytes::Objects;
use crate::tiny;

const LEVEL: usize = 2;

/// Reads the bytes as every kind; whatever is accepted must be written back as the same bytes.
fn read_all(params: &Parameters, bytes: &[u8]) -> [Result<Vec<u8>, CkksError>; 4] {
    [
        Ciphertext::from_bytes(params, bytes).and_then(|object| object.to_bytes(params)),
        SeededCiphertext::from_bytes(params, bytes).and_then(|object| object.to_bytes(params)),
        SeededSwitchingKey::from_bytes(params, bytes).and_then(|object| object.to_bytes(params)),
        PublicKey::from_bytes(params, bytes).and_then(|object| object.to_bytes(params)),
    ]
}

fn samples(params: &Parameters) -> [Vec<u8>; 4] {
    let objects = Objects::new(params, LEVEL);
    [
        objects.full.to_bytes(params),
        objects.seeded.to_bytes(params),
        objects.galois.to_bytes(params),
        objects.public.to_bytes(params),
    ]
    .map(|bytes| bytes.expect("same parameters"))
}

fn refused(params: &Parameters, kind: usize, bytes: &[u8]) -> BytesError {
    match &read_all(params, bytes)[kind] {
        Err(CkksError::Bytes(error)) => error.clone(),
        other => panic!("accepted or wrong error: {other:?}"),
    }
}

#[test]
fn each_kind_is_read_as_itself_only() {
    let params = tiny(4);
    for (kind, bytes) in samples(&params).iter().enumerate() {
        for (reader, result) in read_all(&params, bytes).into_iter().enumerate() {
            if reader == kind {
                assert_eq!(result.as_ref(), Ok(bytes));
            } else {
                assert!(
                    matches!(result, Err(CkksError::Bytes(BytesError::Kind { .. }))),
                    "{kind} as {reader}"
                );
            }
        }
    }
}

#[test]
fn every_length_but_the_exact_one_is_refused() {
    let params = tiny(4);
    for (kind, bytes) in samples(&params).iter().enumerate() {
        for length in 0..bytes.len() {
            let error = refused(&params, kind, &bytes[..length]);
            assert!(
                matches!(error, BytesError::Length { available, .. } if available == length),
                "{error}"
            );
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        let error = refused(&params, kind, &longer);
        assert!(
            matches!(error, BytesError::Length { needed, .. } if needed == bytes.len()),
            "{error}"
        );
    }
}

#[test]
fn every_header_field_is_checked() {
    let params = tiny(4);
    for (kind, bytes) in samples(&params).iter().enumerate() {
        let with = |offset: usize, patch: &[u8]| {
            let mut bytes = bytes.clone();
            bytes[offset..offset + patch.len()].copy_from_slice(patch);
            refused(&params, kind, &bytes)
        };
        assert!(matches!(with(0, b"X"), BytesError::Magic { .. }));
        assert!(matches!(
            with(4, &[9]),
            BytesError::Kind { available: 9, .. }
        ));
        assert!(matches!(
            with(5, &[2]),
            BytesError::Version {
                needed: 1,
                available: 2,
                ..
            }
        ));
        assert!(matches!(
            with(7, &[1]),
            BytesError::Field {
                field: "reserved byte",
                ..
            }
        ));
        assert!(matches!(with(8, &[0, 0]), BytesError::Parameters { .. }));
        assert!(matches!(
            with(40, &[0xFF; 4]),
            BytesError::Field { field: "level", .. }
        ));
        assert!(matches!(
            with(44, &[0xFF; 4]),
            BytesError::Field {
                field: "number of polynomials",
                ..
            }
        ));
        assert!(
            matches!(with(48, &[0xFF; 8]), BytesError::Field { .. }),
            "scale NaN, element too large"
        );
        if kind < 2 {
            for scale in [0.0, -1.0, 0.5, f64::INFINITY, 1e300] {
                assert!(matches!(
                    with(48, &scale.to_le_bytes()),
                    BytesError::Field { field: "scale", .. }
                ));
            }
        }
        if kind == 2 {
            for element in [2_u64, 32, 33] {
                assert!(matches!(
                    with(48, &element.to_le_bytes()),
                    BytesError::Field {
                        field: "Galois element",
                        ..
                    }
                ));
            }
        }
    }
}

#[test]
fn a_residue_equal_to_its_prime_is_refused_with_its_place() {
    let params = tiny(4);
    for (kind, bytes) in samples(&params).iter().enumerate() {
        let header = if kind == 0 { 56 } else { 88 };
        let bits = 64 - params.q(0).leading_zeros() as usize;
        // Residue 0 of limb 0 is the low bits of the first word.
        let word: [u8; 8] = bytes[header..header + 8].try_into().expect("eight bytes");
        let word = u64::from_le_bytes(word) >> bits << bits | params.q(0);
        let mut bytes = bytes.clone();
        bytes[header..header + 8].copy_from_slice(&word.to_le_bytes());
        let error = refused(&params, kind, &bytes);
        let q = params.q(0);
        assert!(
            matches!(error, BytesError::Residue { limb: 0, index: 0, needed, available, .. } if needed == q && available == q),
            "{error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn mutated_bytes_never_panic_and_never_gain_a_second_meaning(
        kind in 0_usize..4,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), any::<bool>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let params = tiny(4);
        let mut bytes = samples(&params)[kind].clone();
        for (index, byte, header) in edits {
            let range = if header { 96 } else { bytes.len() };
            bytes[index.index(range)] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for result in read_all(&params, &bytes) {
            match result {
                Ok(written) => prop_assert_eq!(&written, &bytes),
                Err(error) => prop_assert!(matches!(error, CkksError::Bytes(_)), "{}", error),
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let params = tiny(4);
        prop_assert!(read_all(&params, &bytes).iter().all(Result::is_err));
    }
}
