//! Predicted time and memory of a plan.

use confide_tensor::{CostModel, Held, Op};
use serde::{Deserialize, Serialize};

use crate::ops::LayerOp;
use crate::plan::Plan;

/// Memory of a worker that holds no data: code, tables of the ring, buffers of one connection.
const FIXED_MEMORY: u64 = 130 << 20;
/// Freed memory that the engine keeps at most.
const POOL: u64 = 1 << 30;

/// Predicted time of a phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseSeconds {
    /// Part of the network before the first point of its layers' names; or one of [`CostModel::seconds_beside`].
    pub name: String,
    /// Seconds of all jobs on the plan's threads.
    pub seconds: f64,
}

/// Predictions of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceCosts {
    /// Worker threads that the times are for.
    pub threads: usize,
    /// Worker, all jobs, by phase.
    pub phases: Vec<PhaseSeconds>,
    /// Data party on one thread: keys and encryption.
    pub client_seconds: f64,
    /// Peak memory of the worker in bytes.
    pub memory_bytes: u64,
    /// Bytes of that in keys, and in ciphertexts.
    pub memory_parts: [u64; 2],
    /// How often each operation runs in one job.
    pub operations: Vec<(String, u64)>,
}

impl InferenceCosts {
    pub(super) fn new(
        counted: &Plan,
        inputs: usize,
        jobs: usize,
        threads: usize,
        model: &CostModel,
    ) -> Self {
        let (key_memory, _) = counted.key_bytes();
        let held = Held {
            keys: key_memory,
            matrices: matrix_bytes(counted),
            memory: memory(counted, threads),
        };
        let beside = model.seconds_beside(&held, threads);
        let beside = beside.into_iter().map(|(name, one)| (name.to_owned(), one));
        let mut phases: Vec<PhaseSeconds> = Vec::new();
        let program = counted.micros(model, threads).into_iter();
        let program = program.map(|(step, micros)| {
            let seconds = model.seconds(micros, threads);
            (stage(&step).to_owned(), seconds)
        });
        for (name, one) in beside.chain(program) {
            let seconds = jobs as f64 * one;
            match phases.iter_mut().find(|phase| phase.name == name) {
                Some(phase) => phase.seconds += seconds,
                None => phases.push(PhaseSeconds { name, seconds }),
            }
        }
        Self {
            threads,
            phases,
            client_seconds: client_seconds(counted, inputs * jobs, model),
            memory_bytes: held.memory,
            memory_parts: [key_memory, counted.peak_bytes()],
            operations: operations(counted),
        }
    }

    /// Seconds of all phases of the worker.
    pub fn worker_seconds(&self) -> f64 {
        self.phases.iter().map(|phase| phase.seconds).sum()
    }
}

/// The part of a network that a step belongs to.
pub fn stage(step: &str) -> &str {
    step.split('.').next().unwrap_or(step)
}

/// Operations of a counted program by name.
pub fn operations(counted: &Plan) -> Vec<(String, u64)> {
    let count = |op| counted.counts.count(op);
    let rescales = count(LayerOp::Divide) + count(LayerOp::Program(Op::Rescale));
    let rotations = count(LayerOp::Rotation) + count(LayerOp::Program(Op::KeySwitch));
    let named = [
        ("rotations", rotations),
        (
            "decompositions shared by rotations",
            count(LayerOp::Decompose),
        ),
        (
            "multiplications of ciphertexts",
            count(LayerOp::Program(Op::Relinearise)),
        ),
        ("products with weights", count(LayerOp::MultiplyAdd)),
        ("products with masks", count(LayerOp::Mask)),
        ("rescales", rescales),
        ("bootstraps", count(LayerOp::Program(Op::Refresh))),
    ];
    named.map(|(name, count)| (name.to_owned(), count)).to_vec()
}

/// Bytes of the matrices of bootstraps.
fn matrix_bytes(counted: &Plan) -> u64 {
    let needs = counted.bootstraps.as_ref();
    needs.map_or(0, |needs| needs.matrix_bytes)
}

fn memory(counted: &Plan, threads: usize) -> u64 {
    let (keys, _) = counted.key_bytes();
    // A key switch holds raised digits and two sums; each thread has one under way, and a few operands.
    let limbs = counted.literal.log_q.len() + counted.shape.special;
    let digits = counted.literal.log_q.len().div_ceil(counted.shape.alpha);
    let scratch = (((digits + 12) * limbs * threads) as u64) << counted.shape.log_n;
    // Blocks of ciphertexts of higher levels that the engine keeps for the next ones; at most as much as its pool holds.
    let pooled = POOL.min(2 * counted.peak_bytes() / 3);
    keys + matrix_bytes(counted) + counted.peak_bytes() + pooled + 8 * scratch + FIXED_MEMORY
}

fn client_seconds(counted: &Plan, inputs: usize, model: &CostModel) -> f64 {
    let ring = model.ring(counted.shape.log_n);
    let (key_memory, _) = counted.key_bytes();
    // The data party makes one of a key's two halves.
    let keys = key_memory as f64 / 16.0;
    let data = (((inputs * counted.literal.log_q.len()) as u64) << counted.shape.log_n) as f64;
    model.client_factor * (ring.key_nanos * keys + ring.fresh_nanos * data) / 1e9
}

pub(super) fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}
