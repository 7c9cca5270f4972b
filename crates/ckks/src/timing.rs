//! How fast this machine is, without anybody's keys.

use std::time::{Duration, Instant};

pub use confide_ring::hand_out;
use confide_ring::{Form, sampling};

use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::evaluator::Evaluator;
use crate::keys::{EvaluationKeys, KeyKind, SwitchingKey};
use crate::params::Parameters;

/// Seconds of the fastest rotation at the highest level of `params` among those that fit `budget`, on the threads of
/// the calling pool.
/// Key and ciphertext are uniform residues: they hold nothing, and cost what real ones cost.
///
/// # Errors
/// Those of [`Evaluator::rotate`]; none for a checked parameter set.
pub fn fastest_rotation(params: &Parameters, budget: Duration) -> Result<f64, CkksError> {
    const OP: &str = "fastest_rotation";
    let (ring, level, seed) = (params.ring(), params.max_level(), [0; 32]);
    let (set, key_set) = (params.q_set(OP, level)?, params.qp_set(OP, level)?);
    let half = |domain: usize| sampling::uniform(ring, &seed, domain as u64, key_set);
    let element = ring.galois_for_rotation(1);
    let mut keys = EvaluationKeys::new();
    keys.insert(SwitchingKey {
        kind: KeyKind::Galois(element),
        level,
        digits: (0..params.digits(level))
            .map(|d| [half(2 * d), half(2 * d + 1)])
            .collect(),
    });
    let zero = || ring.zero(set, Form::Ntt);
    let ct = Ciphertext {
        parts: vec![zero(), zero()],
        level,
        scale: params.scale_at(level),
    };
    let evaluator = Evaluator::new(params);
    // The first run fills tables.
    drop(evaluator.rotate(&ct, 1, &keys)?);
    let (begun, mut fastest) = (Instant::now(), f64::INFINITY);
    loop {
        let start = Instant::now();
        let rotated = evaluator.rotate(&ct, 1, &keys)?;
        fastest = fastest.min(start.elapsed().as_secs_f64());
        drop(rotated);
        if begun.elapsed() >= budget {
            return Ok(fastest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::ParametersLiteral;

    #[test]
    fn a_rotation_takes_time() {
        let params = Parameters::new_insecure_for_tests(ParametersLiteral {
            log_n: 10,
            log_q: vec![45, 40, 40],
            log_p: vec![48],
            log_scale: 40,
            dnum_alpha: 1,
        })
        .unwrap();
        let seconds = fastest_rotation(&params, Duration::from_millis(5)).unwrap();
        assert!(seconds > 1e-7 && seconds < 10.0, "{seconds}");
    }
}
