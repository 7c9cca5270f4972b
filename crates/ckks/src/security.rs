//! The 128-bit security check.
//!
//! Limits are those of the 2024 security guidelines for homomorphic encryption (Bossuat et al., "Security
//! guidelines for implementing homomorphic encryption", IACR CiC 2025, table 5.2): classical 128 bits, uniform
//! ternary secret, error of standard deviation 3.19. They do not apply to sparse secrets, which have a table of
//! their own ([`check_sparse`]) and occur only inside of bootstrapping.

use crate::error::CkksError;

/// Standard deviation of the error distribution that the table assumes and that this crate samples.
pub const SIGMA: f64 = 3.19;

/// log2 of the ring degree, largest log2(QP) at 128 bits, largest log2(QP) of our own presets.
const TABLE: [(u32, f64, f64); 5] = [
    (13, 214.0, 208.0),
    (14, 430.0, 418.0),
    (15, 868.0, 842.0),
    (16, 1747.0, 1694.0),
    (17, 3523.0, 3416.0),
];

/// Largest log2(QP) at 128-bit security for `N = 2^log_n`, if the guidelines cover that degree.
pub fn hard_cap(log_n: u32) -> Option<f64> {
    TABLE.iter().find(|row| row.0 == log_n).map(|row| row.1)
}

/// Largest log2(QP) that presets and planners should use: at least 132 bits by the lattice estimator (usvp, bdd
/// and dual attacks, MATZOV cost model), so that a better attack of a few bits breaks no promise.
pub fn preset_cap(log_n: u32) -> Option<f64> {
    TABLE.iter().find(|row| row.0 == log_n).map(|row| row.2)
}

/// log2 of the ring degree, weight of the secret, largest log2 of the modulus, measured security in bits: the least of
/// all attacks of the lattice estimator, the hybrid one with meet-in-the-middle included (MATZOV cost model).
const SPARSE: [(u32, u32, f64, f64); 2] = [(15, 32, 121.0, 147.2), (16, 32, 121.0, 171.9)];

/// Refuses a sparse ternary secret of weight `weight` at a modulus for which no measurement shows 128 bits. The table of
/// dense secrets says nothing about it.
///
/// # Errors
/// [`CkksError::InsecureSparse`].
pub fn check_sparse(log_n: u32, weight: u32, log_modulus: f64) -> Result<(), CkksError> {
    let row = SPARSE
        .iter()
        .find(|row| row.0 == log_n && row.1 == weight && row.3 >= 128.0);
    let needed = row.map_or(0.0, |row| row.2);
    // Written so that a NaN is refused too.
    if log_modulus <= needed {
        return Ok(());
    }
    Err(CkksError::InsecureSparse {
        log_n,
        weight,
        needed,
        available: log_modulus,
    })
}

/// The measured security in bits of a sparse secret at the modulus of the table or below; `None` outside of the table.
pub fn sparse_bits(log_n: u32, weight: u32) -> Option<f64> {
    let row = SPARSE.iter().find(|row| row.0 == log_n && row.1 == weight);
    row.map(|row| row.3)
}

/// Degrees (as log2) that [`check`] accepts.
pub fn supported_log_degrees() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|row| row.0)
}

/// Refuses a ring degree and modulus below 128 bits of security.
///
/// # Errors
/// [`CkksError::UnsupportedDegree`] for a degree without table entry, [`CkksError::Insecure`] for a modulus
/// above the limit.
pub fn check(log_n: u32, log_qp: f64) -> Result<(), CkksError> {
    let cap = hard_cap(log_n).ok_or(CkksError::UnsupportedDegree {
        log_n,
        min: TABLE[0].0,
        max: TABLE[TABLE.len() - 1].0,
    })?;
    // Written so that a NaN is refused too.
    if log_qp <= cap {
        return Ok(());
    }
    Err(CkksError::Insecure {
        log_n,
        needed: cap,
        available: log_qp,
    })
}

/// A rough estimate of the security in bits, for display only: near the table's entries the hardness of the
/// lattice problem falls in proportion to `N / log2(QP)`. `None` for a degree without table entry.
pub fn estimate_bits(log_n: u32, log_qp: f64) -> Option<f64> {
    hard_cap(log_n).map(|cap| 128.0 * cap / log_qp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_passes_and_anything_above_is_refused() {
        for (log_n, cap, preset) in TABLE {
            assert!(preset < cap);
            assert_eq!(check(log_n, cap), Ok(()));
            let above = cap + 1e-6;
            assert_eq!(
                check(log_n, above),
                Err(CkksError::Insecure {
                    log_n,
                    needed: cap,
                    available: above
                })
            );
            assert!(check(log_n, f64::NAN).is_err());
        }
    }

    #[test]
    fn sparse_secrets_have_a_table_of_their_own() {
        for (log_n, weight, modulus, bits) in SPARSE {
            assert!(bits >= 128.0);
            assert_eq!(check_sparse(log_n, weight, modulus), Ok(()));
            for (log_n, weight, modulus) in [
                (log_n, weight, modulus + 1e-6),
                (log_n, weight - 1, modulus),
                (log_n, weight, f64::NAN),
                (14, weight, 60.0),
            ] {
                let refused = check_sparse(log_n, weight, modulus);
                assert!(matches!(refused, Err(CkksError::InsecureSparse { .. })));
            }
        }
    }

    #[test]
    fn small_and_huge_rings_are_refused() {
        for log_n in [0, 4, 12, 18, 64] {
            assert_eq!(
                check(log_n, 10.0),
                Err(CkksError::UnsupportedDegree {
                    log_n,
                    min: 13,
                    max: 17
                })
            );
        }
    }

    #[test]
    fn presets_keep_a_margin_of_three_bits() {
        for (log_n, _, preset) in TABLE {
            assert!(estimate_bits(log_n, preset).is_some_and(|bits| bits > 131.0));
        }
    }
}
