//! Deterministic expansion of seeds into uniform polynomials, ternary secrets and Gaussian errors.

mod gaussian;
mod prng;
mod ternary;
mod uniform;

pub use gaussian::{SIGMA, gaussian};
pub use prng::{Prng, os_seed};
pub use ternary::ternary;
pub use uniform::uniform;
