//! Known answers of the generator and statistics of the distributions. Seeds are fixed, so nothing here is
//! left to chance; the bounds are those that a correct sampler passes with probability above 0.9999.

use confide_ring::sampling::{Prng, SIGMA, gaussian, os_seed, ternary, uniform};
use confide_ring::{PrimeSet, Ring, ntt_primes};

const SAMPLES: usize = 1 << 18;

#[test]
fn the_keystream_is_chacha20() {
    // The zero key and nonce: the first block of RFC 8439, appendix A.1, test vector 1.
    let mut out = [0; 64];
    Prng::from_seed([0; 32], 0).fill(&mut out);
    assert_eq!(
        out[..32],
        [
            0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86,
            0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc,
            0x8b, 0x77, 0x0d, 0xc7
        ]
    );
    let mut words = Prng::from_seed([0; 32], 0);
    assert_eq!(words.next_u64(), 0x903d_f1a0_ade0_b876);
    let mut other = [0; 64];
    Prng::from_seed([0; 32], 1).fill(&mut other);
    assert_ne!(out, other);
}

#[test]
fn the_system_gives_different_seeds() {
    assert_ne!(os_seed().unwrap(), os_seed().unwrap());
}

#[test]
fn ternary_is_uniform() {
    let samples = ternary(SAMPLES, &mut Prng::from_seed([1; 32], 0));
    assert_eq!(samples.len(), SAMPLES);
    let expected = SAMPLES as f64 / 3.0;
    let chi: f64 = (-1..=1)
        .map(|v| {
            let count = samples.iter().filter(|&&x| x == v).count() as f64;
            (count - expected).powi(2) / expected
        })
        .sum();
    // Two degrees of freedom: P(chi > 18.4) = 10^-4.
    assert!(chi < 18.4, "chi-square {chi}");
    assert!(samples.iter().all(|x| (-1..=1).contains(x)));
    assert_eq!(
        ternary(1000, &mut Prng::from_seed([1; 32], 0)),
        samples[..1000]
    );
}

#[test]
fn gaussian_has_its_mean_variance_and_frequencies() {
    let samples = gaussian(SAMPLES, &mut Prng::from_seed([2; 32], 0));
    let n = SAMPLES as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
    let variance = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n;
    // Four standard errors: sigma / sqrt n, and sigma^2 sqrt(2 / n).
    assert!(mean.abs() < 4.0 * SIGMA / n.sqrt(), "mean {mean}");
    assert!(
        (variance - SIGMA * SIGMA).abs() < 4.0 * SIGMA * SIGMA * (2.0 / n).sqrt(),
        "variance {variance}"
    );
    let weight = |k: i32| (-f64::from(k * k) / (2.0 * SIGMA * SIGMA)).exp();
    let total: f64 = (-40..=40).map(weight).sum();
    let chi: f64 = (-10..=10)
        .map(|k| {
            let expected = n * weight(k) / total;
            let count = samples.iter().filter(|&&x| i32::from(x) == k).count() as f64;
            (count - expected).powi(2) / expected
        })
        .sum();
    // Twenty degrees of freedom: P(chi > 52.4) = 10^-4.
    assert!(chi < 52.4, "chi-square {chi}");
    assert!(samples.iter().all(|x| x.abs() <= 29));
}

#[test]
fn uniform_limbs_do_not_depend_on_the_level() {
    let primes = ntt_primes(10, 50, 6, &[]).unwrap();
    let ring = Ring::new(10, &primes[..4], &primes[4..]).unwrap();
    let full = uniform(&ring, &[3; 32], 9, ring.full_set());
    let part = uniform(&ring, &[3; 32], 9, PrimeSet { q: 2, p: 1 });
    assert_eq!(part.limb(0), full.limb(0));
    assert_eq!(part.limb(1), full.limb(1));
    assert_eq!(part.limb_p(0), full.limb_p(0));
    assert_ne!(full.limb(0), full.limb(1));
    assert_ne!(uniform(&ring, &[3; 32], 10, ring.full_set()), full);
    assert_ne!(uniform(&ring, &[4; 32], 9, ring.full_set()), full);
    // The bytes of keys and ciphertexts on the wire depend on these.
    assert_eq!(full.limb(0)[..3], KNOWN_LIMB);
}

/// Computed by an independent implementation of the stream cipher.
const KNOWN_LIMB: [u64; 3] = [
    965_574_146_277_141,
    580_300_378_702_649,
    169_427_780_828_188,
];

#[test]
fn uniform_residues_are_uniform() {
    // A prime far from a power of two: rejection matters.
    let mut primes = ntt_primes(12, 40, 4000, &[]).unwrap();
    let q = primes.pop().unwrap();
    let ring = Ring::new(12, &[q], &[]).unwrap();
    let mut counts = [0u32; 16];
    for domain in 0..16 {
        let a = uniform(&ring, &[5; 32], domain, ring.full_set());
        assert!(a.limb(0).iter().all(|&x| x < q));
        a.limb(0)
            .iter()
            .for_each(|&x| counts[(u128::from(x) * 16 / u128::from(q)) as usize] += 1);
    }
    let expected = 4096.0;
    let chi: f64 = counts
        .iter()
        .map(|&c| (f64::from(c) - expected).powi(2) / expected)
        .sum();
    // Fifteen degrees of freedom: P(chi > 44.3) = 10^-4.
    assert!(chi < 44.3, "chi-square {chi}");
}
