//! Deterministic expansion of seeds into uniform polynomials, ternary secrets and Gaussian errors.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod chacha_wasm;
mod gaussian;
mod prng;
mod rlwe;
mod ternary;
mod uniform;

pub use gaussian::{SIGMA, gaussian};
pub use prng::{Prng, os_seed};
pub use rlwe::rlwe;
pub use ternary::{sparse_ternary, ternary};
pub use uniform::uniform;
