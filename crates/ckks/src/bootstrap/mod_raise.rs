//! ModRaise under a sparse secret.
//!
//! Raised to a larger modulus a ciphertext decrypts to `m + q_0 I`, and `I` is small only if the secret is sparse. So the
//! ciphertext is switched to a sparse secret modulo `q_0`, raised, and switched back at once (Bossuat,
//! Troncoso-Pastoriza and Hubaux, "Bootstrapping for approximate homomorphic encryption with negligible
//! failure-probability by using sparse-secret encapsulation", ACNS 2022, section 4). Nothing is ever encrypted under the
//! sparse secret beyond `q_0` and one special prime.

use confide_ring::PrimeSet;

use crate::ciphertext::Ciphertext;
use crate::error::CkksError;
use crate::evaluator::Evaluator;
use crate::keys::{EvaluationKeys, KeyKind};

/// Raises `ct` from level 0 to the highest level. The result encrypts `m + q_0 I` under the main secret, its scale is 1:
/// slots hold sums of its integer coefficients.
///
/// # Errors
/// [`CkksError::MissingKey`] for [`KeyKind::ToSparse`] and [`KeyKind::FromSparse`] of that weight;
/// [`CkksError::ShapeMismatch`] for a ciphertext that is not at level 0 with two parts.
pub(crate) fn raise(
    evaluator: &Evaluator,
    ct: &Ciphertext,
    weight: u32,
    keys: &EvaluationKeys,
) -> Result<Ciphertext, CkksError> {
    const OP: &str = "mod_raise";
    let params = evaluator.params();
    let (ring, top) = (params.ring(), params.max_level());
    let to_sparse = evaluator.checked_key(OP, keys, KeyKind::ToSparse(weight), 0)?;
    let from_sparse = evaluator.checked_key(OP, keys, KeyKind::FromSparse(weight), top)?;
    let [c0, c1] = ct.parts.as_slice() else {
        return Err(CkksError::PartCount {
            op: OP,
            needed: 2,
            available: ct.parts.len(),
        });
    };
    for part in [c0, c1] {
        params.check_shape(OP, part, PrimeSet { q: 1, p: 0 }, confide_ring::Form::Ntt)?;
    }

    let mut coefficients = c1.clone();
    ring.intt(&mut coefficients);
    let bottom = PrimeSet { q: 1, p: 1 };
    let digit = ring.mod_up_from(&coefficients, Some(c1), 0..1, bottom);
    let mut switched = ring.inner_product(&[digit], &to_sparse.digits);
    ring.add_times_p_assign(&mut switched[0], c0);
    let [mut c0, mut c1] = switched.map(|poly| ring.mod_down(poly));

    ring.intt(&mut c0);
    ring.intt(&mut c1);
    // One digit holds what was raised: it is smaller than q_0 everywhere.
    let all = params.qp_set(OP, top)?;
    let c1 = ring.mod_up(&c1, 0..1, all);
    let c0 = ring.mod_up(&c0, 0..1, PrimeSet { p: 0, ..all });
    let mut switched = ring.inner_product(&[c1], &from_sparse.digits);
    ring.add_times_p_assign(&mut switched[0], &c0);
    Ok(Ciphertext {
        parts: switched.map(|poly| ring.mod_down(poly)).into(),
        level: top,
        scale: 1.0,
    })
}
