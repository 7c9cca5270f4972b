//! Written by `confide bench cost --write FILE`; formatted by `cargo fmt`.

use super::RingCost;

/// What was measured.
pub const MACHINE: &str =
    "Xeon (Sapphire Rapids) at 2.0 GHz nominal, 2 virtual cores, AVX-512 IFMA";

/// Fastest time of the rotation that machines are compared by, on one thread.
#[cfg(not(target_arch = "wasm32"))]
pub(super) const ROTATION_SECONDS: f64 = 0.002851;

/// Share of the work that two threads share.
pub(super) const PARALLEL_SHARE: f64 = 0.954;

/// Nanoseconds.
pub(super) const RINGS: [RingCost; 4] = [
    RingCost {
        log_n: 13,
        nanos: [0.1695, 1.9045, 0.2367, 0.1271, 0.0000],
        key_nanos: 17.78,
        fresh_nanos: 29.35,
    },
    RingCost {
        log_n: 14,
        nanos: [0.3963, 0.0000, 0.1521, 0.1340, 0.0374],
        key_nanos: 15.75,
        fresh_nanos: 24.29,
    },
    RingCost {
        log_n: 15,
        nanos: [0.3813, 0.1617, 0.1287, 0.1560, 0.0238],
        key_nanos: 17.17,
        fresh_nanos: 22.67,
    },
    RingCost {
        log_n: 16,
        nanos: [0.4090, 0.1986, 0.0650, 0.1836, 0.0194],
        key_nanos: 17.69,
        fresh_nanos: 22.86,
    },
];
