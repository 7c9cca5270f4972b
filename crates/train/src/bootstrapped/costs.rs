//! Predicted time and memory of a run with bootstraps.

use confide_ckks::KeyKind;
use confide_ckks::bootstrap::BootstrapParameters;
use confide_tensor::{CostModel, Held, KeySwitchShape, Op};

use super::preset::{BootstrapNeeds, with_refreshes};
use super::{BootstrappedChoice, Measured, PlannedKey, kept};
use crate::error::TrainError;
use crate::minibatch::TileLayout;
use crate::plan::{Costs, FIXED_MEMORY, PhaseCost};

/// The operations that a ledger lists.
const OPERATIONS: [Op; 9] = [
    Op::Refresh,
    Op::KeySwitch,
    Op::Relinearise,
    Op::Product,
    Op::Rescale,
    Op::Scale,
    Op::Mask,
    Op::Monomial,
    Op::Add,
];

/// Predicts from what the program recorded.
pub(super) fn predict(
    choice: &BootstrappedChoice,
    layout: &TileLayout,
    (set, keys): (&BootstrapParameters, &[PlannedKey]),
    (measured, needs): (&Measured, &BootstrapNeeds),
    threads: usize,
    model: &CostModel,
) -> Result<Costs, TrainError> {
    let shape = key_switch_shape(set);
    let kept = choice.network.is_some();
    // Features are refreshed with all their slots, which takes longer than what steps refresh.
    let all_slots = if kept {
        layout.slots().ilog2()
    } else {
        layout.log_period()
    };
    let all_slots = &with_refreshes(model, set, &[all_slots], &shape)?;
    let periods = kept::step_periods(&measured.periods, layout, kept);
    let model = &with_refreshes(model, set, &periods, &shape)?;
    let reports = [&measured.training, &measured.prediction];
    let mut phases: Vec<(String, f64)> = Vec::new();
    let features = measured.training.micros(all_slots, &shape).into_iter();
    let features = features.filter(|(name, _)| name == kept::PHASE);
    let steps = measured.training.micros(model, &shape).into_iter();
    let steps = steps.filter(|(name, _)| name != kept::PHASE);
    for (name, micros) in features.chain(steps) {
        match phases.iter_mut().find(|(other, _)| *other == name) {
            Some((_, sum)) => *sum += micros,
            None => phases.push((name, micros)),
        }
    }
    // Its phases have the names of those of training, which a worker has to tell from them.
    let prediction = measured.prediction.micros(model, &shape);
    let prediction = prediction.iter().map(|(_, micros)| micros).sum();
    phases.push(("predict".to_owned(), prediction));
    let work: f64 = phases.iter().map(|(_, micros)| micros).sum();
    let phases = phases.into_iter().map(|(name, micros)| PhaseCost {
        name,
        seconds: model.seconds(micros, threads),
    });
    let held = Held {
        keys: key_memory(set, keys),
        matrices: needs.matrices,
        memory: memory(set, keys, (measured, needs), threads),
    };
    let phases = phases.chain(PhaseCost::beside(model, &held, threads));
    let count = |op| reports.iter().map(|report| report.count(op)).sum();
    Ok(Costs {
        threads,
        phases: phases.collect(),
        work_micros: work.round() as u64,
        client_seconds: client_seconds(choice, layout, (set, keys), model),
        memory_bytes: held.memory,
        operations: OPERATIONS.into_iter().map(|op| (op, count(op))).collect(),
    })
}

pub(super) fn key_switch_shape(set: &BootstrapParameters) -> KeySwitchShape {
    KeySwitchShape {
        log_n: set.params().log_n(),
        alpha: set.params().alpha(),
        special: set.literal().program.log_p.len(),
    }
}

/// Limbs of one half of a key.
fn key_limbs(set: &BootstrapParameters, key: &PlannedKey) -> u64 {
    let shape = key_switch_shape(set);
    let limbs = match key.kind {
        KeyKind::ToSparse(_) => 2,
        KeyKind::FromSparse(_) => key.level + 1 + shape.special,
        KeyKind::Relin | KeyKind::Galois(_) => {
            (key.level + 1).div_ceil(shape.alpha.max(1)) * (key.level + 1 + shape.special)
        }
    };
    limbs as u64
}

/// Bytes of a limb.
fn limb_bytes(set: &BootstrapParameters) -> u64 {
    8 << set.params().log_n()
}

fn key_memory(set: &BootstrapParameters, keys: &[PlannedKey]) -> u64 {
    let limbs: u64 = keys.iter().map(|key| 2 * key_limbs(set, key)).sum();
    limbs * limb_bytes(set)
}

fn memory(
    set: &BootstrapParameters,
    keys: &[PlannedKey],
    (measured, needs): (&Measured, &BootstrapNeeds),
    threads: usize,
) -> u64 {
    let shape = key_switch_shape(set);
    let top = set.params().max_level() + 1 + shape.special;
    // The widest moment of a bootstrap: baby steps and giant sums of the first matrix over Q P.
    let bootstrap = 2 * (2 * set.literal().baby + 4) * top;
    let digits = (set.params().max_level() + 1).div_ceil(shape.alpha.max(1)) * top;
    let scratch = bootstrap.max(digits + 12 * (set.output_level() + 1)) as u64;
    let limbs = measured.training.peak_limbs as u64 + threads as u64 * scratch;
    key_memory(set, keys) + limbs * limb_bytes(set) + needs.matrices + FIXED_MEMORY
}

fn client_seconds(
    choice: &BootstrappedChoice,
    layout: &TileLayout,
    (set, keys): (&BootstrapParameters, &[PlannedKey]),
    model: &CostModel,
) -> f64 {
    let n = f64::from(1u32 << choice.preset.log_n());
    let ring = model.ring(choice.preset.log_n());
    let limbs: u64 = keys.iter().map(|key| key_limbs(set, key)).sum();
    let blocks = layout.batches() * layout.blocks();
    let sent = match choice.network {
        None => layout.tiles() + 1,
        Some(_) => 1,
    };
    let data = blocks * sent * (set.output_level() + 1);
    let nanos = n * (ring.key_nanos * limbs as f64 + ring.fresh_nanos * data as f64);
    model.client_factor * nanos / 1e9
}
