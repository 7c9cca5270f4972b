//! The primes of a parameter set, as a pure function of the literal's bit lengths.

use confide_ring::{is_prime, ntt_primes};

use crate::error::CkksError;
use crate::params::{ParametersLiteral, Reserved};

/// Every prime lies strictly between these, so that each kernel backend can work with it.
pub(crate) const MIN_PRIME: u64 = 1 << 20;
pub(crate) const MAX_PRIME: u64 = 1 << 50;

/// Primes and canonical scales of a set.
pub(crate) struct Chain {
    pub q: Vec<u64>,
    pub p: Vec<u64>,
    /// Canonical scale by level.
    pub scales: Vec<f64>,
}

/// Chooses the primes.
///
/// The special primes and `q_0` are the largest free ones below their power of two. Each rescaling prime is chosen
/// so that the canonical scale comes back to its nominal value: with primes on one side of the power of two only,
/// the relative error of the scale doubles at each level and destroys it within about 20 levels.
///
/// Reserved primes are the closest to their power of two: no scale drifts there. Those above get the scale from which a
/// product falls to the scale below, a geometric mean that stays near the primes.
pub(crate) fn choose(literal: &ParametersLiteral, reserved: &Reserved) -> Result<Chain, CkksError> {
    let mut taken = Vec::with_capacity(literal.log_q.len() + literal.log_p.len());
    for &bits in &literal.log_p {
        let prime = below(literal.log_n, bits, &taken)?;
        taken.push(prime);
    }
    let p = taken.clone();
    let top = literal.log_q.len() - 1;
    let mut q = vec![0; top + 1];
    q[0] = below(literal.log_n, literal.log_q[0], &taken)?;
    taken.push(q[0]);

    let mut scales = vec![0.0; top + 1];
    scales[top] = f64::from(literal.log_scale).exp2();
    let mut nominal = i64::from(literal.log_scale);
    for level in (1..=top).rev() {
        nominal = 2 * nominal - i64::from(literal.log_q[level]);
        if !(10..=100).contains(&nominal) {
            return Err(CkksError::InvalidParameters {
                field: "log_q",
                needed: "rescaling primes that keep the scale between 2^10 and 2^100".into(),
                available: format!("a scale of 2^{nominal} at level {}", level - 1),
            });
        }
        let scale: f64 = scales[level];
        let target = scale * scale / power_of_two(nominal);
        q[level] = near(literal.log_n, literal.log_q[level], target, &taken)?;
        taken.push(q[level]);
        // Same order of operations as a product followed by a rescale, so that scales agree to the bit.
        scales[level - 1] = scale * scale / q[level] as f64;
    }
    let mut reserve = |bits: &u32| {
        let prime = near(literal.log_n, *bits, f64::from(*bits).exp2(), &taken)?;
        taken.push(prime);
        Ok(prime)
    };
    let upper: Vec<u64> = reserved
        .upper
        .iter()
        .map(&mut reserve)
        .collect::<Result<_, CkksError>>()?;
    let lower: Vec<u64> = reserved
        .lower
        .iter()
        .map(&mut reserve)
        .collect::<Result<_, CkksError>>()?;
    let mut scale = scales[top];
    for prime in upper {
        scale = (scale * prime as f64).sqrt();
        scales.push(scale);
        q.push(prime);
    }
    scales.splice(1..1, std::iter::repeat_n(scales[0], lower.len()));
    q.splice(1..1, lower);
    Ok(Chain { q, p, scales })
}

fn power_of_two(exponent: i64) -> f64 {
    (exponent as f64).exp2()
}

/// The largest free prime below `2^bits`.
fn below(log_n: u32, bits: u32, taken: &[u64]) -> Result<u64, CkksError> {
    let primes = ntt_primes(log_n, bits, 1, taken)?;
    primes.first().copied().ok_or(CkksError::NoPrime {
        bits,
        log_2n: log_n + 1,
    })
}

/// Candidates on either side of its target among which a prime is looked for. About one in 35 is prime and at most
/// 160 are taken: no usable set needs a hundredth of this, and a hostile one must not keep the search busy.
const REACH: u64 = 1 << 16;

/// The free prime `1 mod 2N` closest to `target`; ties go to the larger.
fn near(log_n: u32, bits: u32, target: f64, taken: &[u64]) -> Result<u64, CkksError> {
    let step = 1u64 << (log_n + 1);
    let none = CkksError::NoPrime {
        bits,
        log_2n: log_n + 1,
    };
    if !(target > MIN_PRIME as f64 && target < 2.0 * MAX_PRIME as f64) {
        return Err(none);
    }
    let centre = (target / step as f64).round() as u64;
    for distance in 0..=REACH.min(centre / 2) {
        // On the side of the rounding error first: that one is closer.
        let mut candidates = [centre + distance, centre - distance];
        if (centre * step + 1) as f64 > target {
            candidates.reverse();
        }
        for candidate in candidates.map(|multiple| multiple * step + 1) {
            let usable = candidate > MIN_PRIME && candidate < MAX_PRIME;
            if usable && !taken.contains(&candidate) && is_prime(candidate) {
                return Ok(candidate);
            }
        }
    }
    Err(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_does_not_drift_over_a_deep_chain() {
        let literal = ParametersLiteral {
            log_n: 16,
            log_q: std::iter::once(50)
                .chain(std::iter::repeat_n(36, 40))
                .collect(),
            log_p: vec![50; 4],
            log_scale: 36,
            dnum_alpha: 4,
        };
        let chain = choose(&literal, &Reserved::default()).expect("a usable literal");
        for (level, scale) in chain.scales.iter().enumerate() {
            assert!(
                (scale.log2() - 36.0).abs() < 1e-2,
                "level {level}: 2^{}",
                scale.log2()
            );
        }
        let mut all: Vec<u64> = chain.q.iter().chain(&chain.p).copied().collect();
        assert!(
            all.iter()
                .all(|&prime| is_prime(prime) && prime < MAX_PRIME && prime % (1 << 17) == 1)
        );
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 45);
    }

    /// Found by fuzzing: the scale drifts to where the next prime would have to lie above the largest one.
    #[test]
    fn a_scale_that_no_prime_brings_back_is_refused_at_once() {
        for (log_n, log_q, log_scale) in [
            (8, vec![48, 39, 39, 50, 22, 38, 39, 38], 39),
            (8, vec![39, 48, 39, 50, 25, 38, 39, 39], 39),
            (6, vec![45, 50, 24, 35], 34),
        ] {
            let literal = ParametersLiteral {
                log_n,
                log_q,
                log_p: vec![45, 45],
                log_scale,
                dnum_alpha: 2,
            };
            let begun = std::time::Instant::now();
            let _ = choose(&literal, &Reserved::default());
            assert!(begun.elapsed().as_secs() < 5, "{literal:?}");
        }
    }
}
