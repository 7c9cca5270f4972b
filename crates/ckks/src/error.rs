//! Errors: each says which operation failed, what it needed and what was available.

use confide_ring::RingError;
use thiserror::Error;

use crate::keys::KeyKind;

/// Everything that can go wrong in the scheme.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CkksError {
    /// A parameter literal that describes no usable set.
    #[error("invalid parameters: {field} is {available}, needed {needed}")]
    InvalidParameters {
        /// Field of the literal.
        field: &'static str,
        /// What a usable set has there.
        needed: String,
        /// What the literal says.
        available: String,
    },
    /// The ring degree has no entry in the 128-bit security table.
    #[error("no 128-bit parameters exist for N = 2^{log_n}: needed 2^{min} to 2^{max}")]
    UnsupportedDegree {
        /// Requested log2 of the degree.
        log_n: u32,
        /// Smallest log2 of a degree with a table entry.
        min: u32,
        /// Largest log2 of a degree with a table entry.
        max: u32,
    },
    /// The modulus is too large for 128-bit security at this ring degree.
    #[error(
        "parameters below 128 bits: log2(QP) is {available:.2} at N = 2^{log_n}, at most {needed} is secure"
    )]
    Insecure {
        /// log2 of the ring degree.
        log_n: u32,
        /// Largest allowed log2(QP).
        needed: f64,
        /// log2(QP) of the parameters.
        available: f64,
    },
    /// A sparse secret without 128 bits of security at its modulus.
    #[error(
        "sparse secret of weight {weight} at N = 2^{log_n}: modulus of {available:.2} bits, at most {needed} bits \
         are known to be secure"
    )]
    InsecureSparse {
        /// log2 of the ring degree.
        log_n: u32,
        /// Number of coefficients that are not zero.
        weight: u32,
        /// log2 of the largest modulus, 0 if none was measured.
        needed: f64,
        /// log2 of the modulus under which the secret encrypts.
        available: f64,
    },
    /// A key-switching digit is larger than the special modulus P: its noise would not be divided away.
    #[error(
        "digit {digit} has {needed:.2} bits, but the special modulus P has only {available:.2}"
    )]
    DigitTooLarge {
        /// Index of the digit.
        digit: usize,
        /// log2 of the product of the digit's primes.
        needed: f64,
        /// log2 of P.
        available: f64,
    },
    /// Not enough primes of the wanted size exist.
    #[error("not enough primes near 2^{bits} with q = 1 mod 2^{log_2n}")]
    NoPrime {
        /// Wanted bit length.
        bits: u32,
        /// log2 of twice the ring degree.
        log_2n: u32,
    },
    /// More values than slots.
    #[error("{op}: {needed} values do not fit in {available} slots")]
    TooManyValues {
        /// Operation.
        op: &'static str,
        /// Number of values given.
        needed: usize,
        /// Number of slots.
        available: usize,
    },
    /// An input value is NaN or infinite.
    #[error("{op}: value {index} is not a finite number")]
    NotFinite {
        /// Operation.
        op: &'static str,
        /// Index of the value.
        index: usize,
    },
    /// A value times its scale does not fit the modulus (or 2^120).
    #[error("{op}: a coefficient of {needed:.1} bits does not fit, at most {available:.1} bits do")]
    Overflow {
        /// Operation.
        op: &'static str,
        /// log2 of the largest coefficient.
        needed: f64,
        /// log2 of what fits.
        available: f64,
    },
    /// A scale that is not a positive finite number, or out of the usable range.
    #[error("{op}: {scale} is no usable scale")]
    InvalidScale {
        /// Operation.
        op: &'static str,
        /// The scale.
        scale: f64,
    },
    /// Two operands carry different scales.
    #[error("{op}: scales differ, 2^{:.6} and 2^{:.6}", left.log2(), right.log2())]
    ScaleMismatch {
        /// Operation.
        op: &'static str,
        /// Scale of the left operand.
        left: f64,
        /// Scale of the right operand.
        right: f64,
    },
    /// An operand has fewer levels than the operation consumes or needs.
    #[error("{op}: needs level {needed}, the operand is at level {available}")]
    LevelTooLow {
        /// Operation.
        op: &'static str,
        /// Level needed.
        needed: usize,
        /// Level of the operand.
        available: usize,
    },
    /// A level above the top of the chain.
    #[error("{op}: level {needed} does not exist, the highest is {available}")]
    LevelTooHigh {
        /// Operation.
        op: &'static str,
        /// Level asked for.
        needed: usize,
        /// Highest level.
        available: usize,
    },
    /// A ciphertext with the wrong number of polynomials (2 after encryption, 3 before relinearisation).
    #[error("{op}: needs a ciphertext of {needed} parts, this one has {available}")]
    PartCount {
        /// Operation.
        op: &'static str,
        /// Number of parts needed.
        needed: usize,
        /// Number of parts of the operand.
        available: usize,
    },
    /// The evaluation keys lack a key.
    #[error("{op}: needs the {needed}, which is not among the {available} evaluation keys")]
    MissingKey {
        /// Operation.
        op: &'static str,
        /// Key needed.
        needed: KeyKind,
        /// Number of keys available.
        available: usize,
    },
    /// A key was generated for a lower level than the ciphertext's.
    #[error("{op}: the {key} serves levels up to {available}, needed {needed}")]
    KeyLevelTooLow {
        /// Operation.
        op: &'static str,
        /// Key.
        key: KeyKind,
        /// Level needed.
        needed: usize,
        /// Level of the key.
        available: usize,
    },
    /// An exponent that is not odd or not below 2N is no Galois element.
    #[error("{op}: {element} is not a Galois element: needed an odd number below {bound}")]
    InvalidGaloisElement {
        /// Operation.
        op: &'static str,
        /// The exponent.
        element: u64,
        /// 2N.
        bound: u64,
    },
    /// Objects of two different parameter sets meet, or an object whose shape contradicts its level.
    #[error("{op}: shape mismatch, needed {needed}, available {available}")]
    ShapeMismatch {
        /// Operation.
        op: &'static str,
        /// Shape needed.
        needed: String,
        /// Shape of the operand.
        available: String,
    },
    /// An argument outside its range (lengths, strides, degrees, intervals).
    #[error("{op}: {what} is {available}, needed {needed}")]
    InvalidArgument {
        /// Operation.
        op: &'static str,
        /// Which argument.
        what: &'static str,
        /// What the operation accepts.
        needed: String,
        /// What was given.
        available: String,
    },
    /// An error of the ring layer.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// Bytes that are no valid object.
    #[error(transparent)]
    Bytes(#[from] BytesError),
}

/// Why bytes from outside were refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BytesError {
    /// Not the exact length that the header promises.
    #[error("{object}: needed exactly {needed} bytes, got {available}")]
    Length {
        /// Kind of object.
        object: &'static str,
        /// Exact length needed.
        needed: usize,
        /// Length given.
        available: usize,
    },
    /// Not this project's format.
    #[error("{object}: bad magic number {available:02x?}, needed {needed:02x?}")]
    Magic {
        /// Kind of object.
        object: &'static str,
        /// Magic number of the format.
        needed: [u8; 4],
        /// First four bytes.
        available: [u8; 4],
    },
    /// Another kind of object.
    #[error("{object}: needed object kind {needed}, got {available}")]
    Kind {
        /// Kind of object.
        object: &'static str,
        /// Kind number needed.
        needed: u8,
        /// Kind number in the bytes.
        available: u8,
    },
    /// A version of the format that this build does not read.
    #[error("{object}: format version {available} is not supported, needed {needed}")]
    Version {
        /// Kind of object.
        object: &'static str,
        /// Supported version.
        needed: u16,
        /// Version in the bytes.
        available: u16,
    },
    /// Made under other parameters.
    #[error("{object}: made for other parameters (digest {available}, needed {needed})")]
    Parameters {
        /// Kind of object.
        object: &'static str,
        /// First digits of the digest of our parameters.
        needed: String,
        /// First digits of the digest in the bytes.
        available: String,
    },
    /// A header field out of range.
    #[error("{object}: {field} is {available}, needed {needed}")]
    Field {
        /// Kind of object.
        object: &'static str,
        /// Header field.
        field: &'static str,
        /// What is accepted.
        needed: String,
        /// What the header says.
        available: String,
    },
    /// A residue not below its prime.
    #[error("{object}: residue {index} of limb {limb} is {available}, needed below {needed}")]
    Residue {
        /// Kind of object.
        object: &'static str,
        /// Limb index within the object.
        limb: usize,
        /// Coefficient index within the limb.
        index: usize,
        /// The limb's prime.
        needed: u64,
        /// The residue read.
        available: u64,
    },
}
