//! Written by `confide bench cost --write FILE`; formatted by `cargo fmt`.

use super::RingCost;

/// What was measured.
pub const MACHINE: &str =
    "Xeon (Sapphire Rapids) at 2.0 GHz nominal, 2 virtual cores, AVX-512 IFMA";

/// Fastest time of the rotation that machines are compared by, on one thread.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const ROTATION_SECONDS: f64 = 0.002818;

/// Share of the work that two threads share.
pub(super) const PARALLEL_SHARE: f64 = 0.978;

/// Nanoseconds.
pub(super) const RINGS: [RingCost; 4] = [
    RingCost {
        log_n: 13,
        nanos: [0.2037, 1.5767, 0.2350, 0.1233, 0.0000],
        key_nanos: 17.76,
        fresh_nanos: 28.94,
    },
    RingCost {
        log_n: 14,
        nanos: [0.3788, 0.0271, 0.1969, 0.1216, 0.0403],
        key_nanos: 15.58,
        fresh_nanos: 24.43,
    },
    RingCost {
        log_n: 15,
        nanos: [0.3835, 0.0503, 0.1217, 0.1404, 0.0281],
        key_nanos: 16.30,
        fresh_nanos: 22.47,
    },
    RingCost {
        log_n: 16,
        nanos: [0.3764, 0.2487, 0.1045, 0.1601, 0.0246],
        key_nanos: 16.64,
        fresh_nanos: 26.03,
    },
];
