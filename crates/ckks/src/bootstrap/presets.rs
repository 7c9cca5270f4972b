//! The sets that we recommend.

use super::params::{BootstrapLiteral, Order};
use crate::params::ParametersLiteral;

impl BootstrapLiteral {
    /// `N = 2^16`, 12 levels of 40 bits left, full or fewer slots, SlotsToCoeffs first.
    ///
    /// EvalMod has single primes but for one multiplication: errors of its second and third Chebyshev polynomial count
    /// most, so the scale grows to 54 and 58 bits there and falls back to 50. See `docs/maths/bootstrapping.md`.
    pub fn n16() -> Self {
        let mut log_q = vec![50];
        log_q.resize(12, 40);
        log_q.push(44);
        Self {
            program: ParametersLiteral {
                log_n: 16,
                log_q,
                log_p: vec![50, 46, 46, 46, 46, 46, 46, 46, 46],
                log_scale: 42,
                dnum_alpha: 9,
            },
            order: Order::SlotsToCoeffs,
            coeffs_to_slots: vec![50; 3],
            eval_mod: [
                &[48][..],
                &[50],
                &[33, 33],
                &[50],
                &[50],
                &[50],
                &[50],
                &[50],
            ]
            .map(Vec::from)
            .into(),
            slots_to_coeffs: vec![vec![], vec![50], vec![50]],
            log_scale: 51.0,
            weight: 32,
            interval: 16,
            degree: 30,
            doublings: 3,
            arcsine: 0,
            log_ratio: 10.6,
            baby: 8,
        }
    }

    /// `N = 2^16` as [`BootstrapLiteral::n16`] with SlotsToCoeffs last: ciphertexts are refreshed from level 0.
    ///
    /// EvalMod works at scales of 60 and 74 bits in turn: 60 because its noise is amplified by `K q_0 / scale sqrt(N)`,
    /// in turn because one prime below 2^46 and two primes of 44 bits are fewer limbs than two primes each time.
    pub fn n16_mod_raise_first() -> Self {
        let mut log_q = vec![50];
        log_q.resize(13, 40);
        Self {
            program: ParametersLiteral {
                log_n: 16,
                log_q,
                log_p: vec![50, 44, 44, 44, 44, 44, 44, 44],
                log_scale: 40,
                dnum_alpha: 8,
            },
            order: Order::ModRaise,
            eval_mod: vec![[44, 44].to_vec(), [46].to_vec()]
                .into_iter()
                .cycle()
                .take(8)
                .collect(),
            slots_to_coeffs: vec![vec![39]; 3],
            log_scale: 74.0,
            log_ratio: 10.0,
            ..Self::n16()
        }
    }

    /// `N = 2^15`, three levels of 40 bits left, full or fewer slots.
    ///
    /// There is room for two matrices each way and for scales of 49 bits: the precision is measured as 11.7 bits mean and 9.7
    /// worst.
    pub fn n15() -> Self {
        let mut eval_mod = vec![vec![49]; 8];
        eval_mod[0] = vec![33, 32];
        Self {
            program: ParametersLiteral {
                log_n: 15,
                log_q: vec![50, 40, 40, 40],
                log_p: vec![50, 50],
                log_scale: 40,
                dnum_alpha: 2,
            },
            order: Order::ModRaise,
            coeffs_to_slots: vec![49; 2],
            eval_mod,
            slots_to_coeffs: vec![vec![30]; 2],
            log_scale: 57.0,
            log_ratio: 10.0,
            baby: 16,
            ..Self::n16()
        }
    }
}
