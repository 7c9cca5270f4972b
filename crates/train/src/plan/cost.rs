//! Predicted time and memory of a plan.

use confide_tensor::{CostModel, Held, KeySwitchShape, Op, PlanReport};
use serde::{Deserialize, Serialize};

use super::Choice;
use crate::layout::Layout;

/// Memory of a worker that holds no data: code, tables of the ring, buffers of one connection.
pub(crate) const FIXED_MEMORY: u64 = 96 << 20;

/// Predicted time of a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseCost {
    /// Name of the phase.
    pub name: String,
    /// Seconds on the plan's threads.
    pub seconds: f64,
}

impl PhaseCost {
    /// What a training takes beside its program ([`CostModel::seconds_beside`]).
    pub(crate) fn beside(
        model: &CostModel,
        held: &Held,
        threads: usize,
    ) -> impl Iterator<Item = Self> + use<> {
        let beside = model.seconds_beside(held, threads).into_iter();
        beside.map(|(name, seconds)| Self {
            name: name.to_owned(),
            seconds,
        })
    }
}

/// Predictions of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Worker threads that the times are for.
    pub threads: usize,
    /// Worker, by phase.
    pub phases: Vec<PhaseCost>,
    /// Single-thread work of the worker in microseconds: the unit of progress.
    pub work_micros: u64,
    /// Data party on one thread: keys and encryption.
    pub client_seconds: f64,
    /// Peak memory of the worker in bytes.
    pub memory_bytes: u64,
    /// How often each operation runs.
    pub operations: Vec<(Op, u64)>,
}

impl Costs {
    /// Predicts from what the program recorded.
    pub(crate) fn new(
        choice: &Choice,
        layout: &Layout,
        levels: usize,
        report: &PlanReport,
        threads: usize,
        model: &CostModel,
    ) -> Self {
        let micros = report.micros(model, &key_switch_shape(choice));
        let phases = micros.iter().map(|(name, micros)| PhaseCost {
            name: name.clone(),
            seconds: model.seconds(*micros, threads),
        });
        let held = Held {
            keys: key_memory(choice, report),
            matrices: 0,
            memory: memory(choice, levels, report, threads),
        };
        let phases = phases.chain(PhaseCost::beside(model, &held, threads));
        let ops = [
            Op::KeySwitch,
            Op::Relinearise,
            Op::Product,
            Op::Rescale,
            Op::Scale,
            Op::Monomial,
            Op::Add,
        ];
        Self {
            threads,
            phases: phases.collect(),
            work_micros: micros.iter().map(|(_, micros)| micros).sum::<f64>().round() as u64,
            client_seconds: client_seconds(model, choice, layout, levels, report),
            memory_bytes: held.memory,
            operations: ops.into_iter().map(|op| (op, report.count(op))).collect(),
        }
    }

    /// How often the programs run `op`; what bootstraps consist of is not counted.
    pub fn count(&self, op: Op) -> u64 {
        let operations = self.operations.iter();
        operations
            .filter(|(kind, _)| *kind == op)
            .map(|(_, count)| count)
            .sum()
    }

    /// Seconds of all phases of the worker.
    pub fn worker_seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }
}

pub(super) fn key_switch_shape(choice: &Choice) -> KeySwitchShape {
    KeySwitchShape {
        log_n: choice.log_n,
        alpha: choice.alpha,
        special: choice.special_bits.len(),
    }
}

/// Limbs of one half of a switching key for `level`.
pub(crate) fn key_limbs(choice: &Choice, level: usize) -> u64 {
    let digits = (level + 1).div_ceil(choice.alpha.max(1));
    (digits * (level + 1 + choice.special_bits.len())) as u64
}

/// Levels of all keys of a report.
pub(crate) fn key_levels(report: &PlanReport) -> impl Iterator<Item = usize> + '_ {
    report.relin.iter().chain(report.galois.values()).copied()
}

/// Bytes of a limb.
fn limb_bytes(choice: &Choice) -> u64 {
    8 << choice.log_n.min(30)
}

fn key_memory(choice: &Choice, report: &PlanReport) -> u64 {
    let limbs: u64 = key_levels(report)
        .map(|level| 2 * key_limbs(choice, level))
        .sum();
    limbs * limb_bytes(choice)
}

fn memory(choice: &Choice, levels: usize, report: &PlanReport, threads: usize) -> u64 {
    // A key switch holds the raised digits and two sums; each thread has one under way, and a few operands.
    let scratch = key_limbs(choice, levels) + 12 * (levels + 1) as u64;
    let limbs = report.peak_limbs as u64 + threads as u64 * scratch;
    key_memory(choice, report) + limbs * limb_bytes(choice) + FIXED_MEMORY
}

fn client_seconds(
    model: &CostModel,
    choice: &Choice,
    layout: &Layout,
    levels: usize,
    report: &PlanReport,
) -> f64 {
    let n = f64::from(1u32 << choice.log_n.min(30));
    let ring = model.ring(choice.log_n);
    let keys: u64 = key_levels(report)
        .map(|level| key_limbs(choice, level))
        .sum();
    let data = layout.blocks * (layout.packs() + 1) * (levels + 1);
    let nanos = n * (ring.key_nanos * keys as f64 + ring.fresh_nanos * data as f64);
    model.client_factor * nanos / 1e9
}
