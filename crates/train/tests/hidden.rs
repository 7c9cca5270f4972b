//! Heads with a hidden layer on plain numbers: the encrypted program against backpropagation by direct formulas, and what
//! such a head is good for.

mod common;

use std::sync::Arc;

use common::{Random, distance, hidden_logits, table};
use confide_tensor::{ClearCt, ClearEvaluator, Evaluator, RefreshLevels, TensorError};
use confide_train::bootstrapped::{head, predict_block};
use confide_train::minibatch::{
    Batch, LossKind, MinibatchPlan, MinibatchReference, MinibatchSchedule, Recipe, TileLayout,
    TilePacker, Trainer, TrainingState, minibatch_reference,
};
use confide_train::{Activation, TrainError};

/// Those of the large preset.
const LEVELS: RefreshLevels = RefreshLevels {
    input: 2,
    output: 14,
};

/// The rows of a minibatch, packed and "encrypted".
fn batch(
    ev: &ClearEvaluator,
    packer: &TilePacker,
    layout: &TileLayout,
    (rows, labels): (&[Vec<f64>], &[usize]),
    batch: usize,
) -> Arc<Batch<ClearCt>> {
    let fresh = |slots: Vec<_>| ev.encrypt(&slots, LEVELS.output).expect("fits");
    let range = layout.batch_rows(batch);
    let tiles = packer.features(&rows[range.clone()]).expect("rows");
    let mut tiles: Vec<Vec<ClearCt>> = tiles
        .into_iter()
        .map(|block| block.into_iter().map(fresh).collect())
        .collect();
    let labels = packer.labels(&labels[range]).expect("labels");
    let mut labels: Vec<ClearCt> = labels.into_iter().map(fresh).collect();
    while tiles.len() < layout.blocks() {
        tiles.push((0..layout.tiles()).map(|_| fresh(Vec::new())).collect());
        labels.push(fresh(Vec::new()));
    }
    Arc::new(Batch { tiles, labels })
}

fn reference(
    layout: &TileLayout,
    schedule: &MinibatchSchedule,
    (rows, labels): (&[Vec<f64>], &[usize]),
) -> MinibatchReference {
    let silent = &mut |_: usize, _: &[Vec<f64>]| ();
    let polynomial = Activation::Polynomial;
    minibatch_reference(layout, schedule, rows, labels, polynomial, silent).expect("reference")
}

#[test]
fn the_program_is_backpropagation_with_nesterovs_method() {
    for (sizes, rows, columns, hidden) in [
        ([60, 9, 2], 60, 8, 4),
        ([61, 9, 2], 20, 16, 5),
        ([60, 9, 3], 25, 16, 6),
        ([150, 12, 5], 80, 16, 4),
        ([40, 30, 4], 40, 16, 4),
        ([40, 7, 6], 30, 8, 2),
    ] {
        for degree in [3, 15] {
            let layout = TileLayout::with_hidden(10, sizes, rows, columns, hidden).expect("fits");
            let recipe = Recipe {
                degree,
                rate: 0.1,
                seed: 5,
                ..Recipe::with_hidden(3, hidden)
            };
            let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
            let (table, labels) = table(sizes, 3);
            let data = (&table[..], &labels[..]);
            let ev = ClearEvaluator::new(10, LEVELS.output).with_refresh(LEVELS, 0.0);
            let packer = TilePacker::new(&layout, &schedule);
            let trainer = Trainer::new(&ev, &layout, &schedule);
            let mut states = vec![TrainingState::start()];
            let mut give = |index| Ok(batch(&ev, &packer, &layout, data, index));
            let end = trainer
                .run(TrainingState::start(), &mut give, &mut |_, state| {
                    states.push(state.clone());
                    Ok(())
                })
                .expect("runs");
            let point = end.point.as_ref().expect("a point");
            let weights = packer.weights(point.values()).expect("a head");
            let expected = reference(&layout, &schedule, data);
            let apart = distance(&weights, &expected.weights);
            let largest = expected.weights.iter().flatten();
            let largest = largest.fold(0.0, |most: f64, weight| most.max(weight.abs()));
            assert!(
                apart < 1e-9 && largest < 10.0,
                "{sizes:?}, {hidden}, degree {degree}: {apart:e} of {largest}"
            );
            // Both layers have moved.
            let moved = |row: &Vec<f64>| row.iter().any(|weight| weight.abs() > 1e-3);
            assert!(weights.iter().all(moved), "{weights:?}");

            // Predictions with what is left of the run.
            let head = head(&ev, &trainer, &end).expect("a head");
            let blocks = packer.features(&table[..layout.block_rows().min(sizes[0])]);
            let fresh = |slots: Vec<_>| {
                ev.encrypt(&slots, trainer.prediction_level())
                    .expect("fits")
            };
            let tiles = blocks.expect("rows").swap_remove(0);
            let tiles = tiles.into_iter().map(fresh).collect();
            let scores = predict_block(&ev, &layout, &schedule, head, tiles).expect("scores");
            let rows = layout.block_rows().min(sizes[0]);
            let found = packer
                .scores(&[scores.into_values()], rows)
                .expect("scores");
            let expected: Vec<_> = table[..rows]
                .iter()
                .map(|row| hidden_logits(&expected.weights, row, hidden))
                .collect();
            let apart = distance(&found, &expected);
            assert!(apart < 1e-8, "{sizes:?}, {hidden}: logits {apart:e}");

            for state in states {
                let parts: Vec<ClearCt> = state.parts().cloned().collect();
                let again = TrainingState::from_parts(state.step, state.halved, parts);
                let again = again.expect("a state");
                let resumed = trainer.run(again, &mut give, &mut |_, _| Ok(()));
                assert_eq!(resumed.expect("runs"), end, "from step {}", state.step);
            }
        }
    }
}

/// Points on rings around each other, with a bias column.
fn rings(rows: usize, classes: usize) -> (Vec<Vec<f64>>, Vec<usize>) {
    let mut random = Random::new(4);
    let point = |row: usize| {
        let label = row % classes;
        let radius = 0.6 + 1.3 * label as f64;
        let angle = std::f64::consts::TAU * random.uniform();
        let mut near = |value: f64| value + 0.15 * random.normal();
        let point = [radius * angle.cos(), radius * angle.sin()].map(&mut near);
        (vec![point[0] / 1.3, point[1] / 1.3, 1.0], label)
    };
    (0..rows).map(point).unzip()
}

fn right(scores: &[Vec<f64>], labels: &[usize]) -> f64 {
    let decide = |scores: &Vec<f64>| match scores[..] {
        [score] => usize::from(score > 0.0),
        _ => (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best }),
    };
    let right = scores.iter().zip(labels).filter(|(s, l)| decide(s) == **l);
    right.count() as f64 / labels.len() as f64
}

#[test]
fn it_parts_rings_that_a_linear_head_cannot() {
    let mut found = Vec::new();
    for hidden in [0, 8] {
        let (rows, labels) = rings(400, 2);
        let data = (&rows[..], &labels[..]);
        let layout = TileLayout::with_hidden(11, [400, 3, 2], 200, 16, hidden).expect("fits");
        let recipe = Recipe::with_hidden(8, hidden);
        let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
        let expected = reference(&layout, &schedule, data);
        assert!(expected.within(&schedule), "{expected:?}");
        // Refreshes as precise as the large preset's.
        let precision = (-17.0f64).exp2();
        let ev = ClearEvaluator::new(11, LEVELS.output).with_refresh(LEVELS, precision);
        let packer = TilePacker::new(&layout, &schedule);
        let trainer = Trainer::new(&ev, &layout, &schedule);
        let end = trainer
            .run(
                TrainingState::start(),
                &mut |index| Ok(batch(&ev, &packer, &layout, data, index)),
                &mut |_, _| Ok(()),
            )
            .expect("runs");
        let blocks = packer.features(&rows).expect("rows").into_iter();
        let fresh = |slots: Vec<_>| ev.encrypt(&slots, LEVELS.output).expect("fits");
        let blocks: Vec<Vec<ClearCt>> = blocks
            .map(|tiles| tiles.into_iter().map(fresh).collect())
            .collect();
        let scores = trainer.scores(&end, &blocks).expect("scores");
        let slots: Vec<_> = scores.into_iter().map(ClearCt::into_values).collect();
        found.push(right(&packer.scores(&slots, 400).expect("scores"), &labels));
    }
    assert!(found[0] < 0.65 && found[1] > 0.97, "{found:?}");
}

#[test]
fn a_step_takes_ten_levels_and_a_bootstrap() {
    let layout = TileLayout::best_for((LossKind::OneVsRest, 16), 16, [1024, 769, 8], 1024);
    let layout = layout.expect("fits");
    let schedule = MinibatchSchedule::new(&layout, &Recipe::with_hidden(3, 16)).expect("valid");
    let plan = MinibatchPlan::derive(&layout, &schedule, LEVELS).expect("plans");
    let levels: Vec<_> = plan.actions.iter().map(|action| action.level).collect();
    assert_eq!(levels, [3, 14, 4, 14, 4]);
    let switches = plan.actions.last().map_or(0, |last| last.key_switches);
    let estimate = layout.key_switches() as u64;
    assert!(
        switches.abs_diff(estimate) * 10 < switches,
        "{switches} {estimate}"
    );
    assert!(switches < 800, "{switches}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let shape = |result: Result<TileLayout, TrainError>| {
        assert!(
            matches!(result, Err(TrainError::Shape { .. })),
            "{result:?}"
        );
    };
    shape(TileLayout::with_hidden(10, [60, 9, 3], 60, 8, 65));
    // Diagonals need a column each.
    shape(TileLayout::with_hidden(10, [60, 9, 3], 60, 8, 7));
    let layout = TileLayout::with_hidden(10, [60, 9, 3], 60, 16, 4).expect("fits");
    let recipe = Recipe {
        loss: LossKind::Softmax,
        ..Recipe::with_hidden(3, 4)
    };
    assert!(MinibatchSchedule::new(&layout, &recipe).is_err());
    let schedule = MinibatchSchedule::new(&layout, &Recipe::with_hidden(3, 4)).expect("valid");
    let packer = TilePacker::new(&layout, &schedule);
    assert!(packer.dense(&vec![vec![0.0; 9]; 3]).is_err());
    let ev = ClearEvaluator::new(10, LEVELS.output).with_refresh(LEVELS, 0.0);
    let none = Batch {
        tiles: Vec::new(),
        labels: Vec::new(),
    };
    let step = Trainer::new(&ev, &layout, &schedule).step(&TrainingState::start(), &none);
    assert!(matches!(step, Err(TensorError::TooFewOperands { .. })));
    assert_eq!(ev.max_level(), LEVELS.output);
}
