//! Everything that knows the secret key; compiled only with the feature `secret`.
//!
//! One 32-byte master seed determines all keys and fresh ciphertexts. A page that reloads therefore makes the same
//! bytes again, and an interrupted upload resumes where it stopped.

mod decryptor;
mod derive;
mod encryptor;
mod key;
mod keygen;

pub use decryptor::Decryptor;
pub use encryptor::Encryptor;
pub use key::SecretKey;
pub use keygen::KeyGenerator;

#[cfg(test)]
mod tests;
