//! The CKKS scheme of Cheon, Kim, Kim and Song ("Homomorphic encryption for arithmetic of approximate
//! numbers", ASIACRYPT 2017) in its full-RNS form with hybrid key switching (Han and Ki, CT-RSA 2020).
//!
//! A [`Ciphertext`] holds `N/2` complex numbers ("slots") at a *level* and a *scale*. Level `l` means that its
//! polynomials live modulo `q_0 ... q_l`; a product is brought back to the canonical scale of the next lower
//! level by a rescale, which consumes one level. [`Parameters`] fixes the ring and the primes, and refuses every
//! set below 128 bits of security.
//!
//! | Who | Uses |
//! | --- | --- |
//! | data party | `KeyGenerator`, `Encryptor`, `Decryptor` (feature `secret`), [`Encoder`] |
//! | compute party | [`Evaluator`](evaluator::Evaluator), [`EvaluationKeys`], and the byte formats of [`bytes`] |
//!
//! The feature `secret`, off by default, is the only way to name a secret key: a program built without it cannot
//! decrypt, whatever its code says.
//!
//! Every misuse is a [`CkksError`] that says what was needed and what was there; nothing that arrives from
//! outside can make this crate panic.
#![forbid(unsafe_code)]

pub mod bootstrap;
pub mod bytes;
pub mod ciphertext;
pub mod encoding;
pub mod encrypt;
pub mod error;
pub mod evaluator;
pub mod keys;
pub mod linear;
pub mod modulus_switch;
pub mod noise;
mod par;
pub mod params;
pub mod plaintext;
pub mod polynomial;
mod primes;
#[cfg(feature = "secret")]
pub mod secret;
pub mod security;
#[cfg(not(target_arch = "wasm32"))]
pub mod timing;

pub use ciphertext::{Ciphertext, SeededCiphertext};
pub use encoding::Encoder;
pub use encrypt::PublicEncryptor;
pub use error::{BytesError, CkksError};
pub use keys::{EvaluationKeys, KeyKind, PublicKey, SeededSwitchingKey, SwitchingKey};
pub use num_complex::Complex64;
pub use params::{Parameters, ParametersLiteral, Reserved};
pub use plaintext::Plaintext;
#[cfg(feature = "secret")]
pub use secret::{Decryptor, Encryptor, KeyGenerator, SecretKey};
