//! Errors of programs: which operation, what it needed, what was available.

use confide_ckks::CkksError;
use thiserror::Error;

/// Everything that can go wrong while a program runs.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TensorError {
    /// An operand has fewer levels than the operation consumes.
    #[error("{op}: needs an operand at level {needed} or above, this one is at level {available}")]
    LevelTooLow {
        /// Operation.
        op: &'static str,
        /// Lowest level that would do.
        needed: usize,
        /// Level of the operand.
        available: usize,
    },
    /// A fresh operand asks for more levels than the evaluator has.
    #[error("{op}: level {needed} does not exist, the highest is {available}")]
    LevelTooHigh {
        /// Operation.
        op: &'static str,
        /// Level asked for.
        needed: usize,
        /// Highest level.
        available: usize,
    },
    /// An operation on several operands got none.
    #[error("{op}: needs at least {needed} operands, got {available}")]
    TooFewOperands {
        /// Operation.
        op: &'static str,
        /// Operands needed.
        needed: usize,
        /// Operands given.
        available: usize,
    },
    /// More values than slots.
    #[error("{op}: {needed} values do not fit in {available} slots")]
    TooManyValues {
        /// Operation.
        op: &'static str,
        /// Values given.
        needed: usize,
        /// Slots.
        available: usize,
    },
    /// A constant is NaN or infinite.
    #[error("{op}: the constant {value} is not a finite number")]
    NotFinite {
        /// Operation.
        op: &'static str,
        /// The constant.
        value: f64,
    },
    /// A ciphertext does not carry the canonical scale of its level.
    #[error("{op}: level {level} needs scale 2^{:.6}, the ciphertext carries 2^{:.6}", needed.log2(), available.log2())]
    NotCanonical {
        /// Operation.
        op: &'static str,
        /// Level of the ciphertext.
        level: usize,
        /// Canonical scale of the level.
        needed: f64,
        /// Scale of the ciphertext.
        available: f64,
    },
    /// A vector of factors that does not repeat evenly over the slots.
    #[error("{op}: {available} values do not repeat evenly over {needed} slots")]
    Period {
        /// Operation.
        op: &'static str,
        /// Slots.
        needed: usize,
        /// Values given.
        available: usize,
    },
    /// The evaluator cannot refresh vectors of that period.
    #[error("refresh: not set up for slots that repeat with the period 2^{log_period}")]
    NoRefresh {
        /// log2 of the period.
        log_period: u32,
    },
    /// The observer asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The scheme refused the operation.
    #[error(transparent)]
    Ckks(#[from] CkksError),
}

/// Refuses an operand below the level that an operation needs.
pub(crate) fn need_level(
    op: &'static str,
    needed: usize,
    available: usize,
) -> Result<(), TensorError> {
    if available >= needed {
        Ok(())
    } else {
        Err(TensorError::LevelTooLow {
            op,
            needed,
            available,
        })
    }
}

/// Refuses factors that do not repeat evenly over the slots.
pub(crate) fn need_period(
    op: &'static str,
    values: usize,
    slots: usize,
) -> Result<(), TensorError> {
    if values > 0 && slots.is_multiple_of(values) {
        Ok(())
    } else {
        Err(TensorError::Period {
            op,
            needed: slots,
            available: values,
        })
    }
}

/// Refuses NaN and infinities.
pub(crate) fn need_finite(op: &'static str, value: f64) -> Result<(), TensorError> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(TensorError::NotFinite { op, value })
    }
}
