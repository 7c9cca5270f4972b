//! Written by `confide bench cost --write FILE`; formatted by `cargo fmt`.

use super::RingCost;

/// What was measured.
pub const MACHINE: &str =
    "Xeon (Sapphire Rapids) at 2.0 GHz nominal, 2 virtual cores, AVX-512 IFMA";

/// Fastest time of the rotation that machines are compared by, on one thread.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const ROTATION_SECONDS: f64 = 0.004410;

/// Share of the work that two threads share.
pub(super) const PARALLEL_SHARE: f64 = 0.943;

/// Nanoseconds.
pub(super) const RINGS: [RingCost; 4] = [
    RingCost {
        log_n: 13,
        nanos: [0.1810, 2.7700, 0.2560, 0.1290, 0.0000],
        key_nanos: 24.68,
        fresh_nanos: 42.53,
    },
    RingCost {
        log_n: 14,
        nanos: [0.3340, 1.7100, 0.2140, 0.1330, 0.0480],
        key_nanos: 24.12,
        fresh_nanos: 38.58,
    },
    RingCost {
        log_n: 15,
        nanos: [0.4870, 1.0080, 0.1680, 0.1380, 0.0420],
        key_nanos: 24.08,
        fresh_nanos: 40.70,
    },
    RingCost {
        log_n: 16,
        nanos: [0.7410, 0.5830, 0.0060, 0.1220, 0.0670],
        key_nanos: 29.45,
        fresh_nanos: 44.04,
    },
];
