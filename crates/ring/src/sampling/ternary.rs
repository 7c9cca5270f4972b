//! Uniform and sparse ternary secrets.

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

/// `n` coefficients of which exactly `weight` are not zero: their places a uniform set and their signs uniform, up to
/// 2^-32 a choice. Time and memory access do not depend on them.
///
/// Selection sampling (Knuth, "The Art of Computer Programming", volume 2, 3.4.2, algorithm S).
///
/// # Panics
/// When `weight` exceeds `n`.
pub fn sparse_ternary(n: usize, weight: usize, rng: &mut Prng) -> Vec<i8> {
    assert!(weight <= n, "weight {weight} of {n} coefficients");
    let mut left = weight as u64;
    let mut out = Vec::with_capacity(n);
    let mut bytes = [0u8; 512];
    while out.len() < n {
        rng.fill(&mut bytes);
        for word in bytes.as_chunks::<8>().0.iter().take(n - out.len()) {
            let r = u64::from_le_bytes(*word);
            let rest = (n - out.len()) as u64;
            // Below `left` with probability left / rest; the top bit is the sign.
            let place = ((r & 0x7fff_ffff_ffff) * rest) >> 47;
            let chosen = (place.wrapping_sub(left) >> 63) as i8;
            let sign = 1 - 2 * (r >> 63) as i8;
            out.push(chosen * sign);
            left -= chosen as u64;
        }
    }
    bytes.zeroize();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_secrets_have_their_weight_and_every_place_and_sign_occurs() {
        let mut rng = Prng::from_seed([9; 32], 0);
        let mut counts = [[0u32; 2]; 16];
        for _ in 0..4000 {
            let secret = sparse_ternary(16, 4, &mut rng);
            assert_eq!(secret.iter().filter(|&&c| c != 0).count(), 4);
            for (count, c) in counts.iter_mut().zip(&secret) {
                assert!((-1..=1).contains(c));
                if *c != 0 {
                    count[usize::from(*c > 0)] += 1;
                }
            }
        }
        // Each of 32 counts is binomial with mean 500 and deviation 21: six deviations.
        assert!(
            counts
                .iter()
                .flatten()
                .all(|&count| count.abs_diff(500) < 126),
            "{counts:?}"
        );
        assert_eq!(sparse_ternary(5, 0, &mut rng), [0; 5]);
        assert!(sparse_ternary(5, 5, &mut rng).iter().all(|c| c.abs() == 1));
    }
}
