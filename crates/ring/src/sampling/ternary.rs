//! Uniform ternary secrets.

use zeroize::Zeroize;

use super::Prng;

/// `n` independent coefficients, each of -1, 0, 1 with probability 1/3 up to 2^-64. Time and memory access
/// do not depend on them.
pub fn ternary(n: usize, rng: &mut Prng) -> Vec<i8> {
    let mut out = Vec::with_capacity(n);
    let mut bytes = [0u8; 512];
    while out.len() < n {
        rng.fill(&mut bytes);
        for word in bytes.as_chunks::<8>().0.iter().take(n - out.len()) {
            // floor(3 r / 2^64) in two halves.
            let r = u64::from_le_bytes(*word);
            let third = ((r >> 32) * 3 + (((r & 0xffff_ffff) * 3) >> 32)) >> 32;
            out.push(third as i8 - 1);
        }
    }
    bytes.zeroize();
    out
}
