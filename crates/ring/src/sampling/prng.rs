//! The random generator: ChaCha20 (RFC 8439's block function with a 64-bit counter and a 64-bit stream).

use core::fmt;

use zeroize::ZeroizeOnDrop;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::chacha_wasm::ChaCha20;
use crate::RingError;

/// A ChaCha20 keystream. Its state is wiped on drop.
pub struct Prng(ChaCha20);

// The generator inside wipes its key, counter and buffered blocks.
impl ZeroizeOnDrop for Prng {}

impl Prng {
    /// The keystream of `seed` (the key) with stream number `stream` (the nonce).
    pub fn from_seed(seed: [u8; 32], stream: u64) -> Self {
        Self(ChaCha20::new(seed, stream))
    }

    /// Fills `out` with keystream. Each call starts at a fresh 32-bit word.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    /// The next 64 bits, little endian.
    pub fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// The generator of the crate `chacha20`, which has vectors for all processors that matter but WebAssembly.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
struct ChaCha20(chacha20::ChaCha20Rng);

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl ChaCha20 {
    fn new(seed: [u8; 32], stream: u64) -> Self {
        use rand_core::SeedableRng;
        let mut rng = chacha20::ChaCha20Rng::from_seed(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    fn fill(&mut self, out: &mut [u8]) {
        use rand_core::Rng;
        self.0.fill_bytes(out);
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
