//! Uniform polynomials from a public seed.

use zeroize::Zeroizing;

use super::Prng;
use crate::{Form, Modulus, PrimeSet, Ring, RnsPoly};

/// Stream number of special prime 0.
const SPECIAL: u64 = 1 << 32;
/// Words drawn at once.
const BATCH: usize = 256;

/// A uniform polynomial in NTT form. Every prime has its own keystream: the key is the first 32 bytes of
/// stream `domain` of `seed`, and the stream number is the prime's index, main primes from 0, special primes
/// from 2^32. The limb of a prime is therefore the same whatever the level.
///
/// # Panics
/// When the ring has fewer primes than `set`.
pub fn uniform(ring: &Ring, seed: &[u8; 32], domain: u64, set: PrimeSet) -> RnsPoly {
    let key = stream_key(seed, domain);
    let mut out = ring.scratch(set, Form::Ntt);
    ring.for_each_indexed_limb(&mut out, |i, t, limb| {
        fill_limb(&key, set, i, t.modulus(), limb)
    });
    out
}

/// The key of the primes' streams.
pub(super) fn stream_key(seed: &[u8; 32], domain: u64) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    Prng::from_seed(*seed, domain).fill(key.as_mut());
    key
}

/// Limb `limb` of a polynomial over `set`.
pub(super) fn fill_limb(key: &[u8; 32], set: PrimeSet, limb: usize, q: &Modulus, out: &mut [u64]) {
    let stream = if limb < set.q {
        limb as u64
    } else {
        SPECIAL + (limb - set.q) as u64
    };
    fill_uniform(&mut Prng::from_seed(*key, stream), q, out);
}

/// Rejection sampling: little-endian words cut to the prime's bit length, those below it kept in order.
fn fill_uniform(rng: &mut Prng, q: &Modulus, out: &mut [u64]) {
    let mask = u64::MAX >> (64 - q.bits());
    let mut bytes = [0u8; 8 * BATCH];
    let mut filled = 0;
    while filled < out.len() {
        rng.fill(&mut bytes);
        for word in bytes.as_chunks::<8>().0 {
            let x = u64::from_le_bytes(*word) & mask;
            // Always write, advance only past a kept word: no branch to predict.
            if let Some(slot) = out.get_mut(filled) {
                *slot = x;
                filled += usize::from(x < q.value());
            }
        }
    }
}
