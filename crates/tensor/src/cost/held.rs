//! What a job takes beside its program: keys, matrices, and the memory for them and everything else.

use super::CostModel;

/// Nanoseconds of a residue of a switching key that is read: unpacked, its random half expanded, hashed.
const KEY_READ_NANOS: f64 = 12.0;
/// Nanoseconds of a residue of a bootstrap's matrices that is encoded: 3 s for 0.86 GB where other work takes 0.72 of the reference
/// machine's time (docs/benchmarks.md).
const MATRIX_NANOS: f64 = 39.0;
/// Bytes of a residue.
const RESIDUE: f64 = 8.0;

/// Bytes that a job holds.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// In switching keys.
    pub keys: u64,
    /// In the matrices of bootstraps.
    pub matrices: u64,
    /// In all, at most.
    pub memory: u64,
}

impl CostModel {
    /// Seconds of a job on `threads` threads beside its program, by name: `keys`, which are read, the matrices of bootstraps with them;
    /// and `memory`, which the system hands out for everything else, where it is known how long it takes.
    pub fn seconds_beside(&self, held: &Held, threads: usize) -> Vec<(&'static str, f64)> {
        let nanos = held.keys as f64 * KEY_READ_NANOS + held.matrices as f64 * MATRIX_NANOS;
        let read = self.seconds(nanos / RESIDUE / 1000.0, threads);
        let handed_out = |bytes: u64| self.memory_nanos * bytes as f64 / 1e9;
        let kept = held.keys + held.matrices;
        let rest = held.memory.saturating_sub(kept);
        let all = [
            ("keys", read + handed_out(kept)),
            ("memory", handed_out(rest)),
        ];
        all.into_iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_matrices_and_memory_take_time() {
        let mut model = CostModel::default();
        let held = |keys, matrices| Held {
            keys,
            matrices,
            memory: 8 << 30,
        };
        let [keys] = model.seconds_beside(&held(1 << 30, 0), 1)[..] else {
            panic!("the time of memory is not known");
        };
        assert!(keys.0 == "keys" && keys.1 > 1.0 && keys.1 < 3.0);
        let both = model.seconds_beside(&held(1 << 30, 1 << 30), 1);
        assert!(both[0].1 > 2.0 * keys.1);
        assert!(model.seconds_beside(&held(1 << 30, 0), 2)[0].1 < keys.1);
        model.memory_nanos = 1.0;
        let [more, memory] = model.seconds_beside(&held(1 << 30, 0), 1)[..] else {
            panic!("two parts");
        };
        assert!((more.1 - keys.1 - 1.074).abs() < 0.001);
        assert!(memory.0 == "memory" && (memory.1 - 7.516).abs() < 0.001);
    }
}
