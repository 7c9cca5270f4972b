//! The random generator: ChaCha20 (RFC 8439's block function with a 64-bit counter and a 64-bit stream).

use core::fmt;

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::ZeroizeOnDrop;

use crate::RingError;

/// A ChaCha20 keystream. Its state is wiped on drop.
pub struct Prng(ChaCha20Rng);

// The generator inside wipes its key, counter and buffered blocks.
impl ZeroizeOnDrop for Prng {}

impl Prng {
    /// The keystream of `seed` (the key) with stream number `stream` (the nonce).
    pub fn from_seed(seed: [u8; 32], stream: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Fills `out` with keystream. Each call starts at a fresh 32-bit word.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// The next 64 bits, little endian.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

impl fmt::Debug for Prng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prng(..)")
    }
}

/// 32 bytes from the operating system or the browser.
///
/// # Errors
/// [`RingError::Randomness`] when there is none.
pub fn os_seed() -> Result<[u8; 32], RingError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| RingError::Randomness {
        reason: e.to_string(),
    })?;
    Ok(seed)
}
