//! Steps of the minibatch program at full security, with their bootstraps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use confide_tensor::{CostModel, Ledger, NoObserver, Observed, Op, TensorError};
use confide_train::minibatch::{
    Action, LossKind, MinibatchSchedule, Recipe, TileLayout, TilePacker, Trainer, TrainingState,
    minibatch_reference,
};
use confide_train::{Activation, TrainError};

use super::rig::{LOG_N, Rig, plan, preset};
use super::{TrainBenchArgs, records};
use crate::bench::bootstrap::peak_rss_bytes;
use crate::output;

/// Runs `args.steps` steps and reports them.
pub fn measure(args: &TrainBenchArgs) -> Result<(), TrainError> {
    let begun = Instant::now();
    let sizes = [args.rows, args.features + 1, args.classes as usize];
    let hidden = args.hidden.unwrap_or(0) as usize;
    let loss = match args.softmax {
        true => LossKind::Softmax,
        false => LossKind::OneVsRest,
    };
    let layout = match args.columns {
        None => TileLayout::best_for((loss, hidden), LOG_N, sizes, args.batch)?,
        Some(columns) => TileLayout::with_hidden(LOG_N, sizes, args.batch, columns, hidden)?,
    };
    let (set, levels) = preset(&layout)?;
    let recipe = Recipe {
        loss,
        degree: args.degree,
        ..Recipe::with_hidden(args.steps.div_ceil(layout.batches()), hidden)
    };
    let mut schedule = MinibatchSchedule::new(&layout, &recipe)?;
    schedule.steps.truncate(args.steps);
    let plan = plan(&layout, &schedule, levels)?;
    let rig = Rig::new(set, &plan)?;
    let (keys, held) = rig.held();
    line(
        args,
        &format!(
            "{keys} keys in {:.1} s, {:.2} GB to upload, {:.2} GB in memory with the bootstrap's matrices",
            begun.elapsed().as_secs_f64(),
            rig.key_bytes as f64 / 1e9,
            held as f64 / 1e9
        ),
        &serde_json::json!({
            "op": "keys", "seconds": begun.elapsed().as_secs_f64(), "keys": keys, "upload_bytes": rig.key_bytes,
            "memory_bytes": held,
        }),
    );

    let begun = Instant::now();
    let (rows, labels) = records(args.rows, args);
    let packer = TilePacker::new(&layout, &schedule);
    let mut batches = BTreeMap::new();
    let used: BTreeSet<usize> = schedule.steps.iter().map(|step| step.batch).collect();
    for batch in used {
        batches.insert(batch, rig.batch((&layout, &packer), &rows, &labels, batch)?);
    }
    let ciphertexts = layout.blocks() * (layout.tiles() + 1);
    let seconds = begun.elapsed().as_secs_f64();
    line(
        args,
        &format!(
            "{ciphertexts} ciphertexts of {:.1} MB a minibatch, {} minibatches encrypted in {seconds:.1} s",
            rig.ciphertext_bytes() as f64 / 1e6,
            batches.len()
        ),
        &serde_json::json!({
            "op": "encrypt", "seconds": seconds, "minibatches": batches.len(), "ciphertexts": ciphertexts,
            "ciphertext_bytes": rig.ciphertext_bytes(),
        }),
    );

    let inner = rig.evaluator();
    let ev = Observed::new(&inner, &NoObserver, CostModel::default(), rig.shape(), 0);
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let mut actions = Vec::new();
    let mut since = Instant::now();
    let missing = TensorError::TooFewOperands {
        op: "bench train",
        needed: 1,
        available: 0,
    };
    let end = trainer.run(
        TrainingState::start(),
        &mut |batch| batches.get(&batch).cloned().ok_or(missing.clone()),
        &mut |action, state| {
            let seconds = since.elapsed().as_secs_f64();
            let name = if action == Action::Refresh { "refresh" } else { "step" };
            let level = state.parts().map(|ct| ct.level()).min().unwrap_or(0);
            line(
                args,
                &format!("{name:<8} {seconds:>8.2} s   level {level} after it"),
                &serde_json::json!({"op": name, "seconds": seconds, "level": level, "step": state.step}),
            );
            actions.push((action, seconds));
            since = Instant::now();
            Ok(())
        },
    )?;

    let weights = rig.weights(&packer, &end)?;
    let clear = minibatch_reference(
        &layout,
        &schedule,
        &rows,
        &labels,
        Activation::Polynomial,
        &mut |_, _| (),
    )?;
    let pairs = weights.iter().flatten().zip(clear.weights.iter().flatten());
    let apart = pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    let amortised = amortised(&actions);
    let switches = plan
        .actions
        .iter()
        .rev()
        .find(|plan| plan.action != Action::Refresh);
    let switches = switches.map_or(0, |plan| plan.key_switches);
    summary(args, &layout, &ev.ledger(), (amortised, switches));
    let (bytes, rss) = (rig.state_bytes(&end)?, peak_rss_bytes().unwrap_or(0));
    line(
        args,
        &format!(
            "largest difference of a weight to the clear program {apart:.1e} (all in range: {}); a stored state {:.1} MB; \
             peak memory {:.2} GB",
            clear.within(&schedule),
            bytes as f64 / 1e6,
            rss as f64 / 1e9
        ),
        &serde_json::json!({
            "op": "check", "max_weight_difference": apart, "within_ranges": clear.within(&schedule),
            "state_bytes": bytes, "peak_rss_bytes": rss,
        }),
    );
    Ok(())
}

/// Seconds of a step with its share of the refreshes, and how many refreshes a step takes: over whole cycles from one
/// refresh to the next, or over all steps but the first where there is no whole one.
fn amortised(actions: &[(Action, f64)]) -> (f64, f64) {
    let refreshes: Vec<usize> = (0..actions.len())
        .filter(|&i| actions[i].0 == Action::Refresh)
        .collect();
    let whole = match (refreshes.first(), refreshes.last()) {
        (Some(&first), Some(&last)) if first < last => &actions[first..last],
        _ => &actions[1.min(actions.len())..],
    };
    let refreshes = whole
        .iter()
        .filter(|(action, _)| *action == Action::Refresh)
        .count();
    let steps = (whole.len() - refreshes).max(1) as f64;
    let seconds: f64 = whole.iter().map(|(_, seconds)| seconds).sum();
    (seconds / steps, refreshes as f64 / steps)
}

fn summary(
    args: &TrainBenchArgs,
    layout: &TileLayout,
    ledger: &Ledger,
    ((seconds, refreshes), key_switches): ((f64, f64), u64),
) {
    for (phase, ops) in &ledger.phases {
        let all: f64 = ops.values().map(|entry| entry.seconds).sum();
        let parts: Vec<String> = ops
            .iter()
            .map(|(op, entry)| format!("{} {op:?}", entry.count))
            .collect();
        let parts = parts.join(", ");
        let json: Vec<_> = ops
            .iter()
            .map(|(op, e)| serde_json::json!({"op": op, "count": e.count, "seconds": e.seconds, "levels": e.levels}))
            .collect();
        line(
            args,
            &format!("{phase:<18} {all:>8.2} thread seconds: {parts}"),
            &serde_json::json!({"op": "ledger", "phase": phase, "thread_seconds": all, "operations": json}),
        );
    }
    line(
        args,
        &format!(
            "\n{} rows x {} features, {} classes, minibatches of {}: {seconds:.2} s a step with {refreshes:.2} bootstraps, {} \
             threads\n{} blocks of {} rows x {} columns, {} tiles, {} key switches a step, degree {}",
            args.rows,
            args.features,
            args.classes,
            layout.batch,
            args.threads,
            layout.blocks(),
            layout.block_rows(),
            layout.columns,
            layout.tiles(),
            key_switches,
            args.degree,
        ),
        &serde_json::json!({
            "op": "train-step", "rows": args.rows, "features": args.features, "classes": args.classes,
            "batch": layout.batch, "threads": args.threads, "seconds": seconds, "bootstraps": refreshes,
            "key_switches": key_switches, "blocks": layout.blocks(), "block_rows": layout.block_rows(),
            "columns": layout.columns, "tiles": layout.tiles(), "degree": args.degree, "softmax": args.softmax,
            "hidden": layout.hidden,
            "all_key_switches": ledger.key_switches(), "all_bootstraps": ledger.refreshes(),
            "bootstrap_thread_seconds": ledger.seconds(Op::Refresh),
        }),
    );
}

fn line(args: &TrainBenchArgs, text: &str, json: &serde_json::Value) {
    if args.json {
        output::line(json);
    } else {
        output::line(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_is_not_counted_and_refreshes_are_shared() {
        let step = |seconds| (Action::Step { batch: 0 }, seconds);
        let refresh = (Action::Refresh, 8.0);
        let cycles = [
            step(1.0),
            step(5.0),
            refresh,
            step(6.0),
            step(4.0),
            refresh,
            step(9.0),
        ];
        assert_eq!(amortised(&cycles), (9.0, 0.5));
        assert_eq!(amortised(&cycles[..2]), (5.0, 0.0));
    }
}
