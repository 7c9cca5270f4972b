//! The sets that we recommend.

use super::params::{BootstrapLiteral, Order};
use crate::params::ParametersLiteral;

impl BootstrapLiteral {
    /// `N = 2^16`, 13 levels of 40 bits left (one of 41, one of 44), full or fewer slots, SlotsToCoeffs first. Fewer slots cost one
    /// level: two steps of training with a sigmoid of degree 15 fit into what is left.
    ///
    /// EvalMod has single primes but for one multiplication: errors of its second and third Chebyshev polynomial count
    /// most, so the scale grows to 54 and 58 bits there and falls back to 50. See `docs/maths/bootstrapping.md`.
    pub fn n16() -> Self {
        let mut log_q = vec![50, 41];
        log_q.resize(13, 40);
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

    /// `N = 2^16` with as many bits left as fit: 14 levels of 49 bits, at more and larger key digits.
    ///
    /// Digits of six primes instead of nine leave more to the modulus, and there are five digits instead of three: a key
    /// switch takes half as long again. Four baby steps instead of eight keep the keys below 1.2 GB.
    pub fn n16_wide() -> Self {
        let preset = Self::n16();
        let mut log_q = vec![50];
        log_q.resize(15, 49);
        Self {
            program: ParametersLiteral {
                log_q,
                log_p: vec![50, 49, 49, 49, 49, 49],
                log_scale: 49,
                dnum_alpha: 6,
                ..preset.program
            },
            coeffs_to_slots: vec![48; 3],
            eval_mod: [
                &[47][..],
                &[49],
                &[35, 34],
                &[49],
                &[49],
                &[49],
                &[49],
                &[41],
            ]
            .map(Vec::from)
            .into(),
            slots_to_coeffs: vec![vec![], vec![49], vec![49]],
            log_scale: 50.5,
            log_ratio: 10.0,
            baby: 4,
            ..preset
        }
    }

    /// `N = 2^15`, three levels of 40 bits left, full or fewer slots, SlotsToCoeffs first.
    ///
    /// There is room for two matrices each way and for scales of 44 to 48 bits, so messages keep 15.9 bits on average, 12.6 at worst.
    pub fn n15() -> Self {
        Self {
            program: ParametersLiteral {
                log_n: 15,
                log_q: vec![46, 40, 40, 42],
                log_p: vec![45, 44, 44, 44],
                log_scale: 41,
                dnum_alpha: 4,
            },
            coeffs_to_slots: vec![46, 45],
            eval_mod: [
                &[42][..],
                &[44],
                &[26, 26],
                &[44],
                &[44],
                &[44],
                &[44],
                &[40],
            ]
            .map(Vec::from)
            .into(),
            slots_to_coeffs: vec![vec![], vec![50]],
            log_scale: 44.0,
            log_ratio: 9.6,
            baby: 16,
            ..Self::n16()
        }
    }
}
