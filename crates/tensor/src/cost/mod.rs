//! What operations cost: their work in primitive counts, and the time of it on a measured machine.

#[cfg(not(target_arch = "wasm32"))]
mod calibrate;
mod held;
mod measured;
mod terms;

use confide_ckks::bootstrap::BootstrapWork;
use serde::{Deserialize, Serialize};

#[cfg(not(target_arch = "wasm32"))]
pub use calibrate::{hand_out_seconds, rotation_seconds};
pub use held::Held;
pub use measured::MACHINE;
pub use terms::Terms;

/// The operations that dominate a program, in the units in which they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Sum or difference of two ciphertexts, or of one and a constant.
    Add,
    /// Product of two ciphertexts into three parts.
    Product,
    /// Hybrid key switch: rotation or conjugation.
    KeySwitch,
    /// Division by the last prime, of two parts.
    Rescale,
    /// Product with a scalar.
    Scale,
    /// Product with a monomial.
    Monomial,
    /// Relinearisation and rescale in one: a key switch too.
    Relinearise,
    /// Product with a vector of known factors, encoded for it.
    Mask,
    /// Bootstrap; its level is the one that it leaves.
    Refresh,
}

/// Share of a bootstrap that two threads share: 4.6 s on one and 2.84 s on two (docs/benchmarks.md, "Bootstrapping").
const REFRESH_SHARE: f64 = 0.765;

/// What the cost of a key switch depends on beside the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySwitchShape {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Primes in a digit.
    pub alpha: usize,
    /// Special primes.
    pub special: usize,
}

/// Times of one thread at one ring degree, fitted to measured operations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RingCost {
    /// log2 of the ring degree.
    pub log_n: u32,
    /// Nanoseconds of each kind of [`Terms`].
    pub nanos: [f64; Terms::KINDS],
    /// Nanoseconds that a residue of a fresh switching key takes the data party.
    pub key_nanos: f64,
    /// Nanoseconds that a residue of a fresh ciphertext takes the data party, encoding included.
    pub fresh_nanos: f64,
}

/// Predicts times. A prediction is a guide, and the worker rescales it by its own progress.
#[derive(Debug, Clone, PartialEq)]
pub struct CostModel {
    /// By ring degree, ascending.
    pub rings: Vec<RingCost>,
    /// Share of the work that runs on all threads.
    pub parallel_share: f64,
    /// How much slower this machine is than the measured one.
    pub machine_factor: f64,
    /// Nanoseconds until the system has handed out a byte of memory, with all threads at work; 0 where that is not known.
    pub memory_nanos: f64,
    /// Microseconds of a bootstrap on one thread of the measured machine; 0 unless [`CostModel::with_refresh`] was called.
    pub refresh_micros: f64,
    /// How much slower the data party (a browser on one thread) is than one core of the measured machine.
    pub client_factor: f64,
}

/// The machine of [`MACHINE`], measured by `confide bench cost`.
impl Default for CostModel {
    fn default() -> Self {
        Self {
            rings: measured::RINGS.to_vec(),
            parallel_share: measured::PARALLEL_SHARE,
            machine_factor: 1.0,
            memory_nanos: 0.0,
            refresh_micros: 0.0,
            client_factor: 2.0,
        }
    }
}

impl CostModel {
    /// The figures of a ring degree, or of the nearest one that was measured.
    pub fn ring(&self, log_n: u32) -> &RingCost {
        let nearest = self
            .rings
            .iter()
            .min_by_key(|ring| ring.log_n.abs_diff(log_n));
        nearest.unwrap_or(&measured::RINGS[0])
    }

    /// The same model with the time of bootstraps that consist of `work`.
    #[must_use]
    pub fn with_refresh(mut self, work: &BootstrapWork, shape: &KeySwitchShape) -> Self {
        let nanos = &self.ring(shape.log_n).nanos;
        let matrices = work.matrices.iter();
        let matrices: f64 = matrices
            .map(|matrix| Terms::of_matrix(matrix, shape).nanos(nanos))
            .sum();
        let switches = work.switches.iter().map(|&(level, count)| {
            let one =
                Terms::of(Op::Product, level, shape) + Terms::of(Op::Relinearise, level, shape);
            count as f64 * one.nanos(nanos)
        });
        self.refresh_micros = (matrices + switches.sum::<f64>()) / 1000.0;
        self
    }

    /// Microseconds of `op` on one thread of the measured machine at `level` (before the operation): the unit of
    /// progress, the same on every machine.
    pub fn micros(&self, op: Op, level: usize, shape: &KeySwitchShape) -> f64 {
        if op == Op::Refresh {
            return self.refresh_micros;
        }
        let terms = Terms::of(op, level, shape);
        terms.nanos(&self.ring(shape.log_n).nanos) / 1000.0
    }

    /// Seconds of `micros` of single-thread work on `threads` threads of this machine.
    pub fn seconds(&self, micros: f64, threads: usize) -> f64 {
        self.machine_factor * micros * amdahl(self.parallel_share, threads) / 1e6
    }

    /// The same model, with bootstraps as long as to take on `threads` threads, by [`CostModel::seconds`], what they do: threads
    /// share less of one ciphertext than of the many of other operations.
    #[must_use]
    pub fn with_refresh_on(mut self, threads: usize) -> Self {
        self.refresh_micros *=
            amdahl(REFRESH_SHARE, threads) / amdahl(self.parallel_share, threads);
        self
    }
}

/// Time of work of which threads share a part, against one thread (Amdahl's law).
fn amdahl(share: f64, threads: usize) -> f64 {
    share / threads.max(1) as f64 + (1.0 - share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Op; 7] = [
        Op::Add,
        Op::Product,
        Op::KeySwitch,
        Op::Rescale,
        Op::Scale,
        Op::Monomial,
        Op::Relinearise,
    ];

    fn shape(log_n: u32) -> KeySwitchShape {
        KeySwitchShape {
            log_n,
            alpha: 4,
            special: 4,
        }
    }

    #[test]
    fn costs_grow_with_the_level_and_the_ring() {
        let cost = CostModel::default();
        for op in ALL {
            for log_n in 13..=16 {
                let micros = |level| cost.micros(op, level, &shape(log_n));
                assert!(micros(1) > 0.0, "{op:?}");
                for level in 2..30 {
                    assert!(micros(level) > micros(level - 1), "{op:?} at {level}");
                }
            }
            // At levels that the smaller ring can have. N = 2^13 has no room for digits of this shape.
            for (log_n, level) in [(15, 7), (16, 15)] {
                let [small, large] = [log_n - 1, log_n].map(|n| cost.micros(op, level, &shape(n)));
                // Twice the words; caches and calls may make it a little less or much more.
                assert!(large > 1.5 * small && large < 5.0 * small, "{op:?} {log_n}");
            }
        }
        // Rings that were not measured borrow from the nearest one.
        assert_eq!(cost.ring(9), cost.ring(13));
        assert!(cost.micros(Op::Add, 3, &shape(17)) > cost.micros(Op::Add, 3, &shape(16)));
    }

    #[test]
    fn more_digits_and_a_rescale_cost_more() {
        let cost = CostModel::default();
        let few = cost.micros(Op::KeySwitch, 15, &shape(15));
        let many = KeySwitchShape {
            alpha: 1,
            special: 1,
            ..shape(15)
        };
        assert!(cost.micros(Op::KeySwitch, 15, &many) > 1.3 * few);
        // A rotation is far more than a rescale and far less than sixteen of them.
        let rescale = cost.micros(Op::Rescale, 15, &shape(15));
        assert!(few > 2.0 * rescale && few < 16.0 * rescale);
    }

    #[test]
    fn threads_help_but_never_more_than_linearly() {
        let mut cost = CostModel::default();
        let one = cost.seconds(1e6, 1);
        assert!((one - 1.0).abs() < 1e-9);
        let mut last = one;
        for threads in 2..=16 {
            let seconds = cost.seconds(1e6, threads);
            assert!(seconds < last && seconds * threads as f64 >= one);
            last = seconds;
        }
        cost.machine_factor = 3.0;
        assert!((cost.seconds(1e6, 1) - 3.0).abs() < 1e-9);
    }

    #[test]
    fn threads_speed_bootstraps_up_as_measured() {
        let cost = CostModel {
            refresh_micros: 4.6e6,
            ..CostModel::default()
        };
        let seconds = |threads| {
            let one = cost.clone().with_refresh_on(threads);
            one.seconds(one.refresh_micros, threads)
        };
        for (threads, measured) in [(1, 4.6), (2, 2.84)] {
            assert!((seconds(threads) / measured - 1.0).abs() < 0.01);
        }
        assert!(seconds(4) < seconds(2));
    }

    #[test]
    fn bootstraps_are_predicted_from_their_parts() {
        use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters};
        // Seconds of one thread on the measured machine, docs/benchmarks.md.
        for (literal, measured) in [
            (BootstrapLiteral::n16(), 4.77),
            (BootstrapLiteral::n15(), 1.48),
        ] {
            let seconds = |baby: usize| {
                let changed = BootstrapLiteral {
                    baby,
                    ..literal.clone()
                };
                let set = BootstrapParameters::new(changed).expect("secure");
                let shape = KeySwitchShape {
                    log_n: set.params().log_n(),
                    alpha: set.params().alpha(),
                    special: set.literal().program.log_p.len(),
                };
                let work = set.work(set.params().log_slots()).expect("fits");
                CostModel::default()
                    .with_refresh(&work, &shape)
                    .refresh_micros
                    / 1e6
            };
            let own = seconds(literal.baby);
            eprintln!("{:?}", [2, 4, 8, 16].map(seconds));
            assert!(
                (own / measured - 1.0).abs() < 0.25,
                "{own} s, measured {measured} s"
            );
            assert!(seconds(2) > own);
        }
    }
}
