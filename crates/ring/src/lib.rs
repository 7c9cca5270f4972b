//! Arithmetic in the rings Z_q\[X\]/(X^N + 1) for products of primes below 2^50: number theoretic
//! transforms, residue number system (RNS) base conversion, automorphisms and sampling.
//!
//! A [`Ring`] is built once for a degree and two prime chains: the main chain `q` and the special
//! primes `p` of hybrid key switching. An [`RnsPoly`] holds one residue vector (a *limb*) for each
//! prime of its [`PrimeSet`]. At every API boundary residues are canonical, in `[0, q)`, so all
//! [`backend`]s agree to the bit; lazy ranges exist only inside kernels.
//!
//! Functions of [`Ring`] whose operands must share a set or a form panic when they do not: that is a
//! programming error of the calling layer, which checks everything that comes from outside.

pub mod backend;
pub mod sampling;

mod arithmetic;
mod automorphism;
mod buffer;
mod conversion;
mod error;
mod matrix;
mod modulus;
mod monomial;
mod par;
mod periodic;
mod poly;
mod primes;
mod product;
mod ring;
mod shifted;
mod switch;
mod table;
mod tensor;

pub use backend::{Backend, available_backends, backend};
#[cfg(not(target_arch = "wasm32"))]
pub use buffer::hand_out;
pub use error::RingError;
pub use modulus::Modulus;
pub use poly::{Form, PrimeSet, RnsPoly};
pub use primes::{is_prime, ntt_primes};
pub use product::Baby;
pub use ring::Ring;
pub use shifted::{Shift, ShiftedSums, Weights};
pub use switch::Switch;
pub use table::{Constant, NttTable};
