//! Measured noise of fresh encryptions against its prediction.

use confide_ckks::{
    Ciphertext, Decryptor, Encoder, Encryptor, KeyGenerator, Parameters, Plaintext,
    PublicEncryptor, SecretKey,
};
use confide_ring::sampling::Prng;

use crate::{secure, values};

const CIPHERTEXTS: usize = 8;

/// Coefficients of what decryption adds to the plaintext.
fn noise(
    params: &Parameters,
    key: &SecretKey,
    ciphertext: &Ciphertext,
    plaintext: &Plaintext,
) -> Vec<f64> {
    let opened = Decryptor::new(params)
        .decrypt(key, ciphertext)
        .expect("decrypts");
    let mut difference = opened.poly().clone();
    params.ring().sub_assign(&mut difference, plaintext.poly());
    params.ring().intt(&mut difference);
    difference
        .limb(0)
        .iter()
        .map(|&residue| params.ring().q(0).to_centered(residue) as f64)
        .collect()
}

/// Mean, and variance relative to the prediction, with `CIPHERTEXTS * N` samples: the mean must lie within five
/// standard errors of zero, the ratio within `tolerance` of one.
fn check(samples: &[f64], predicted: f64, tolerance: f64) {
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let variance = samples.iter().map(|sample| sample * sample).sum::<f64>() / count;
    assert!(mean.abs() < 5.0 * (predicted / count).sqrt(), "mean {mean}");
    assert!(
        (variance / predicted - 1.0).abs() < tolerance,
        "variance {variance}, predicted {predicted}"
    );
}

#[test]
fn secret_key_noise_is_the_sampled_gaussian() {
    let params = secure();
    let (encoder, encryptor) = (Encoder::new(&params), Encryptor::new(&params, &[1; 32]));
    let key = KeyGenerator::new(&params, &[1; 32]).secret_key();
    let plaintext = encoder
        .encode(&values(params.slots()), 2, params.scale_at(2))
        .expect("fits");
    let samples: Vec<f64> = (0..CIPHERTEXTS)
        .flat_map(|index| {
            let seeded = encryptor
                .encrypt_seeded(&key, &plaintext, &index.to_le_bytes())
                .expect("encrypts");
            noise(
                &params,
                &key,
                &seeded.expand(&params).expect("same parameters"),
                &plaintext,
            )
        })
        .collect();
    // Five standard errors of a Gaussian's variance.
    let tolerance = 5.0 * (2.0 / samples.len() as f64).sqrt();
    check(&samples, 3.19 * 3.19, tolerance);
    assert!(samples.iter().all(|sample| sample.abs() < 3.19 * 12.0));
}

#[test]
fn public_key_noise_grows_as_predicted() {
    let params = secure();
    let (encoder, encryptor) = (Encoder::new(&params), PublicEncryptor::new(&params));
    let keys = KeyGenerator::new(&params, &[2; 32]);
    let (key, public) = (keys.secret_key(), keys.public_key().expect("a key"));
    let plaintext = encoder
        .encode(&values(params.slots()), 2, params.scale_at(2))
        .expect("fits");
    let mut rng = Prng::from_seed([3; 32], 0);
    let samples: Vec<f64> = (0..CIPHERTEXTS)
        .flat_map(|_| {
            let ciphertext = encryptor
                .encrypt(&public, &plaintext, &mut rng)
                .expect("encrypts");
            noise(&params, &key, &ciphertext, &plaintext)
        })
        .collect();
    // v e + e_1 s + e_0 with ternary v and s of variance 2/3. One e and one s serve all samples: their norms deviate by
    // about sqrt(2/N) = 1.6 %, five of which are allowed.
    let predicted = 3.19 * 3.19 * (4.0 * params.degree() as f64 / 3.0 + 1.0);
    check(
        &samples,
        predicted,
        5.0 * (2.0 / params.degree() as f64).sqrt(),
    );
}
