//! Primality and the search for primes that carry a negacyclic transform.

use crate::RingError;
use crate::ring::{MAX_LOG_N, MIN_LOG_N};

/// Whether `n` is prime, for every 64-bit `n`: Miller-Rabin with the first twelve primes as bases,
/// which is deterministic below 3.3 * 10^24 (Sorenson and Webster, "Strong pseudoprimes to twelve
/// prime bases", 2017).
pub fn is_prime(n: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if n < 2 {
        return false;
    }
    for b in BASES {
        if n.is_multiple_of(b) {
            return n == b;
        }
    }
    let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
    let twos = (n - 1).trailing_zeros();
    'bases: for b in BASES {
        let (mut x, mut base, mut e) = (1, b, (n - 1) >> twos);
        while e > 0 {
            if e & 1 == 1 {
                x = mul(x, base);
            }
            base = mul(base, base);
            e >>= 1;
        }
        if x == 1 || x == n - 1 {
            continue;
        }
        for _ in 1..twos {
            x = mul(x, x);
            if x == n - 1 {
                continue 'bases;
            }
        }
        return false;
    }
    true
}

/// The `count` largest primes below 2^`bits` that are 1 modulo 2N, in descending order, without those
/// of `exclude`. All have exactly `bits` bits.
///
/// # Errors
/// [`RingError::Degree`] for an unsupported degree, [`RingError::NotEnoughPrimes`] when fewer than
/// `count` primes of that size exist (always for `bits` outside 21 to 50).
pub fn ntt_primes(
    log_n: u32,
    bits: u32,
    count: usize,
    exclude: &[u64],
) -> Result<Vec<u64>, RingError> {
    if !(MIN_LOG_N..=MAX_LOG_N).contains(&log_n) {
        return Err(RingError::Degree {
            log_n,
            min: MIN_LOG_N,
            max: MAX_LOG_N,
        });
    }
    let order = 2u64 << log_n;
    let mut found = Vec::new();
    if (21..=50).contains(&bits) && order < 1 << bits {
        let mut candidate = (1u64 << bits) - order + 1;
        while found.len() < count && candidate > 1 << (bits - 1) {
            if !exclude.contains(&candidate) && is_prime(candidate) {
                found.push(candidate);
            }
            candidate -= order;
        }
    }
    if found.len() < count {
        return Err(RingError::NotEnoughPrimes {
            needed: count,
            available: found.len(),
            bits,
            order,
        });
    }
    Ok(found)
}
