//! Errors of ring construction and of the system's random source.

use thiserror::Error;

/// What can go wrong when a ring is built or seeded.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// The degree is outside the supported range.
    #[error("ring degree 2^{log_n}: needed 2^{min} to 2^{max}")]
    Degree {
        /// Logarithm of the degree asked for.
        log_n: u32,
        /// Smallest supported logarithm.
        min: u32,
        /// Largest supported logarithm.
        max: u32,
    },
    /// The number is not a prime in the open range (2^20, 2^50).
    #[error("modulus {value}: needed a prime above 2^20 and below 2^50")]
    Modulus {
        /// The number refused.
        value: u64,
    },
    /// The prime has no primitive 2N-th root of unity.
    #[error("prime {value} is not 1 modulo {order}, so it has no transform of degree {degree}")]
    NoRoot {
        /// The prime refused.
        value: u64,
        /// 2N.
        order: u64,
        /// N.
        degree: u64,
    },
    /// A prime appears twice in the chains.
    #[error("prime {value} appears twice in the chains")]
    Repeated {
        /// The prime.
        value: u64,
    },
    /// The main chain is empty.
    #[error("the main prime chain is empty")]
    EmptyChain,
    /// There are not enough primes of the size asked for.
    #[error(
        "needed {needed} primes of {bits} bits that are 1 modulo {order}, available {available}"
    )]
    NotEnoughPrimes {
        /// Primes asked for.
        needed: usize,
        /// Primes found.
        available: usize,
        /// Size asked for, in bits.
        bits: u32,
        /// 2N.
        order: u64,
    },
    /// The operating system gave no randomness.
    #[error("the system's random source failed: {reason}")]
    Randomness {
        /// The source's own words.
        reason: String,
    },
}
