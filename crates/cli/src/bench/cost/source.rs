//! Fitted constants as Rust source.

use std::fmt::Write;

use confide_tensor::RingCost;

/// The file `crates/tensor/src/cost/measured.rs`.
pub fn source(machine: &str, rotation: f64, share: f64, rings: &[RingCost]) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "//! Written by `confide bench cost --write FILE`; formatted by `cargo fmt`.\n\n\
         use super::RingCost;\n\n\
         /// What was measured.\npub const MACHINE: &str = {machine:?};\n\n\
         /// Fastest time of the rotation that machines are compared by, on one thread.\n\
         #[cfg(not(target_arch = \"wasm32\"))]\n\
         pub(super) const ROTATION_SECONDS: f64 = {rotation:.6};\n\n\
         /// Share of the work that two threads share.\npub(super) const PARALLEL_SHARE: f64 = {share:.3};\n\n\
         /// Nanoseconds.\npub(super) const RINGS: [RingCost; {}] = [\n",
        rings.len()
    );
    for ring in rings {
        let nanos = ring.nanos.map(|time| format!("{time:.4}")).join(", ");
        let _ = writeln!(
            text,
            "    RingCost {{\n        log_n: {},\n        \
             nanos: [{nanos}],\n        \
             key_nanos: {:.2},\n        fresh_nanos: {:.2},\n    }},",
            ring.log_n, ring.key_nanos, ring.fresh_nanos
        );
    }
    text.push_str("];\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_holds_every_figure() {
        let ring = RingCost {
            log_n: 14,
            nanos: [0.5, 0.25, 0.125, 1.5, 0.0],
            key_nanos: 12.5,
            fresh_nanos: 8.0,
        };
        let text = source("a \"machine\"", 0.0025, 0.9, &[ring]);
        for part in [
            "MACHINE: &str = \"a \\\"machine\\\"\";",
            "ROTATION_SECONDS: f64 = 0.002500;",
            "PARALLEL_SHARE: f64 = 0.900;",
            "log_n: 14,",
            "nanos: [0.5000, 0.2500, 0.1250, 1.5000, 0.0000],",
            "key_nanos: 12.50,",
            "fresh_nanos: 8.00,",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
