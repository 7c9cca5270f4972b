//! A machine's own speed, from a tenth of a second of work.

use std::time::Duration;

use confide_ckks::{Parameters, ParametersLiteral, timing};

use super::{CostModel, measured};
use crate::error::TensorError;

/// For rotations of a few milliseconds each; the fastest counts, because other load only slows them.
const BUDGET: Duration = Duration::from_millis(100);
/// Factors beyond these are a clock that lies.
const FACTORS: std::ops::RangeInclusive<f64> = 0.05..=50.0;

impl CostModel {
    /// The model of this machine: the default one, scaled by how long a rotation takes here on one thread against the
    /// measured machine. Takes about a tenth of a second; call it where the pool has one thread.
    ///
    /// # Errors
    /// [`TensorError::Ckks`]; none in practice, the parameters are fixed.
    pub fn calibrated() -> Result<Self, TensorError> {
        let factor = rotation_seconds()? / measured::ROTATION_SECONDS;
        Ok(Self {
            machine_factor: factor.clamp(*FACTORS.start(), *FACTORS.end()),
            ..Self::default()
        })
    }
}

/// Memory that a thread takes to find out how long that takes: 64 MiB.
const HANDED_OUT: usize = 64 << 20;

/// Seconds that the system takes to hand out a byte to the calling thread.
pub fn hand_out_seconds() -> f64 {
    timing::hand_out(HANDED_OUT).as_secs_f64() / HANDED_OUT as f64
}

/// Seconds of the rotation that machines are compared by, on the threads of the calling pool.
///
/// # Errors
/// [`TensorError::Ckks`]; none in practice, the parameters are fixed.
pub fn rotation_seconds() -> Result<f64, TensorError> {
    let mut log_q = vec![48];
    log_q.resize(7, 40);
    let params = Parameters::new(ParametersLiteral {
        log_n: 14,
        log_q,
        log_p: vec![45; 2],
        log_scale: 40,
        dnum_alpha: 2,
    })?;
    Ok(timing::fastest_rotation(&params, BUDGET)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_gets_a_plausible_factor() {
        let model = CostModel::calibrated().unwrap();
        assert!(FACTORS.contains(&model.machine_factor));
        // Only the factor differs.
        let default = CostModel {
            machine_factor: model.machine_factor,
            ..CostModel::default()
        };
        assert_eq!(model, default);
    }
}
