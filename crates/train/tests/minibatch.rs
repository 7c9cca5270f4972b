//! Minibatch training on plain numbers: the encrypted program against direct formulas.

mod common;

use std::sync::Arc;

use common::{accuracy, distance, table};
use confide_tensor::{ClearCt, ClearEvaluator, Evaluator, RefreshLevels, TensorError};
use confide_train::Activation;
use confide_train::minibatch::{
    Action, Batch, LossKind, MinibatchPlan, MinibatchSchedule, Recipe, TileLayout, TilePacker,
    Trainer, TrainingState, minibatch_reference,
};

const LEVELS: RefreshLevels = RefreshLevels {
    input: 0,
    output: 12,
};

/// Every minibatch, packed and "encrypted".
fn batches(
    ev: &ClearEvaluator,
    packer: &TilePacker,
    layout: &TileLayout,
    rows: &[Vec<f64>],
    labels: &[usize],
) -> Vec<Arc<Batch<ClearCt>>> {
    let fresh = |slots: Vec<_>| ev.encrypt(&slots, LEVELS.output).expect("fits");
    (0..layout.batches())
        .map(|batch| {
            let range = layout.batch_rows(batch);
            let tiles = packer.features(&rows[range.clone()]).expect("rows");
            let mut tiles: Vec<Vec<ClearCt>> = tiles
                .into_iter()
                .map(|block| block.into_iter().map(fresh).collect())
                .collect();
            let labels = packer.labels(&labels[range]).expect("labels");
            let mut labels: Vec<ClearCt> = labels.into_iter().map(fresh).collect();
            // The last minibatch may have fewer rows than the others.
            while tiles.len() < layout.blocks() {
                tiles.push((0..layout.tiles()).map(|_| fresh(Vec::new())).collect());
                labels.push(fresh(Vec::new()));
            }
            Arc::new(Batch { tiles, labels })
        })
        .collect()
}

struct Run {
    weights: Vec<Vec<f64>>,
    refreshes: usize,
}

fn run(
    ev: &ClearEvaluator,
    layout: &TileLayout,
    schedule: &MinibatchSchedule,
    rows: &[Vec<f64>],
    labels: &[usize],
) -> Run {
    let packer = TilePacker::new(layout, schedule);
    let data = batches(ev, &packer, layout, rows, labels);
    let mut refreshes = 0;
    let head = Trainer::new(ev, layout, schedule)
        .run(
            TrainingState::start(),
            &mut |batch| Ok(data[batch].clone()),
            &mut |action, _| {
                refreshes += usize::from(action == Action::Refresh);
                Ok(())
            },
        )
        .expect("runs");
    let point = head.point.expect("a point");
    Run {
        weights: packer.weights(point.values()).expect("a head"),
        refreshes,
    }
}

/// Rows, features, classes, rows of a minibatch, columns.
const SHAPES: [([usize; 3], usize, usize); 7] = [
    ([60, 9, 2], 60, 8),
    ([61, 9, 2], 20, 4),
    ([60, 9, 3], 25, 8),
    ([64, 6, 3], 64, 16),
    ([150, 12, 5], 80, 16),
    ([40, 30, 4], 40, 32),
    ([100, 7, 2], 100, 1),
];

#[test]
fn the_program_is_nesterovs_method() {
    for degree in [3, 7, 15] {
        for (sizes, batch, columns) in SHAPES {
            let layout = TileLayout::new(10, sizes, batch, columns).expect("fits");
            let recipe = Recipe {
                degree,
                range: 16.0,
                rate: 1.0,
                weight_bound: 32.0,
                ..Recipe::new(3)
            };
            let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
            let (rows, labels) = table(sizes, 3);
            let ev = ClearEvaluator::new(10, LEVELS.output).with_refresh(LEVELS, 0.0);
            let found = run(&ev, &layout, &schedule, &rows, &labels);
            let expected = minibatch_reference(
                &layout,
                &schedule,
                &rows,
                &labels,
                Activation::Polynomial,
                &mut |_, _| (),
            )
            .expect("reference");
            let apart = distance(&found.weights, &expected.weights);
            assert!(
                apart < 1e-9,
                "degree {degree}, {sizes:?}, {columns}: {apart:e}"
            );
            assert!(expected.max_dense * schedule.point_scale <= 1.0);
        }
    }
}

#[test]
fn the_softmax_program_is_nesterovs_method() {
    for (sizes, batch, columns) in [([60, 9, 3], 60, 8), ([150, 12, 5], 80, 16)] {
        let layout = TileLayout::new(10, sizes, batch, columns).expect("fits");
        let recipe = Recipe {
            loss: LossKind::Softmax,
            rate: 2.0,
            ..Recipe::new(4)
        };
        let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
        let (rows, labels) = table(sizes, 3);
        let ev = ClearEvaluator::new(10, LEVELS.output).with_refresh(LEVELS, 0.0);
        let found = run(&ev, &layout, &schedule, &rows, &labels);
        let expected = minibatch_reference(
            &layout,
            &schedule,
            &rows,
            &labels,
            Activation::Sigmoid,
            &mut |_, _| (),
        )
        .expect("reference");
        let apart = distance(&found.weights, &expected.weights);
        assert!(apart < 1e-2, "{sizes:?}, {columns}: {apart:e}");
        assert!(expected.within(&schedule), "{expected:?}");
    }
    // Two classes have one output.
    let layout = TileLayout::new(10, [60, 9, 2], 60, 8).expect("fits");
    let recipe = Recipe {
        loss: LossKind::Softmax,
        ..Recipe::new(4)
    };
    assert!(MinibatchSchedule::new(&layout, &recipe).is_err());
}

#[test]
fn noise_of_refreshes_leaves_the_weights_alone() {
    let sizes = [200, 20, 5];
    let layout = TileLayout::best(11, sizes, 100).expect("fits");
    let recipe = Recipe {
        weight_bound: 8.0,
        ..Recipe::new(10)
    };
    let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
    let (rows, labels) = table(sizes, 8);
    // The precision of the large preset is about 20 bits.
    let noisy = ClearEvaluator::new(11, 12).with_refresh(LEVELS, (-20.0f64).exp2());
    let exact = ClearEvaluator::new(11, 12).with_refresh(LEVELS, 0.0);
    let [noisy, exact] = [noisy, exact].map(|ev| run(&ev, &layout, &schedule, &rows, &labels));
    assert_eq!(noisy.refreshes, exact.refreshes);
    assert!(exact.refreshes >= 9, "{}", exact.refreshes);
    let apart = distance(&noisy.weights, &exact.weights);
    assert!(apart > 0.0 && apart < 3e-4, "{apart:e}");
    assert!(accuracy(&noisy.weights, &rows, &labels) > 0.7);
}

#[test]
fn scores_are_logits_of_the_point_at_any_level() {
    let sizes = [50, 13, 4];
    let layout = TileLayout::new(10, sizes, 50, 16).expect("fits");
    let schedule = MinibatchSchedule::new(&layout, &Recipe::new(5)).expect("valid");
    let (rows, labels) = table(sizes, 4);
    let ev = ClearEvaluator::new(10, 12).with_refresh(LEVELS, 0.0);
    let packer = TilePacker::new(&layout, &schedule);
    let data = batches(&ev, &packer, &layout, &rows, &labels);
    let (new, _) = table([40, 13, 4], 77);
    let blocks = packer.features(&new).expect("rows");
    let blocks: Vec<Vec<ClearCt>> = blocks
        .iter()
        .map(|block| {
            block
                .iter()
                .map(|s| ev.encrypt(s, 12).expect("fits"))
                .collect()
        })
        .collect();
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let mut levels = Vec::new();
    let mut points = Vec::new();
    minibatch_reference(
        &layout,
        &schedule,
        &rows,
        &labels,
        Activation::Polynomial,
        &mut |_, p| {
            points.push(p.to_vec());
        },
    )
    .expect("reference");
    trainer
        .run(
            TrainingState::start(),
            &mut |batch| Ok(data[batch].clone()),
            &mut |_, state| {
                levels.push(ev.level(state.point.as_ref().expect("a point")));
                let scores = trainer.scores(state, &blocks)?;
                let slots: Vec<_> = scores.into_iter().map(ClearCt::into_values).collect();
                let found = packer.scores(&slots, new.len()).expect("scores");
                for (row, found) in new.iter().zip(&found) {
                    for (head, found) in points[state.step - 1].iter().zip(found) {
                        let expected: f64 = head.iter().zip(row).map(|(w, x)| w * x).sum();
                        assert!((expected - found).abs() < 1e-8, "{expected} {found}");
                    }
                }
                Ok(())
            },
        )
        .expect("runs");
    // After the first step, then with a refresh wherever the next step of six levels would not fit.
    assert_eq!(levels, [10, 4, 12, 6, 0, 12, 6]);
}

#[test]
fn another_run_from_any_state_ends_the_same() {
    let sizes = [50, 13, 3];
    let layout = TileLayout::new(10, sizes, 20, 8).expect("fits");
    let schedule = MinibatchSchedule::new(&layout, &Recipe::new(2)).expect("valid");
    let (rows, labels) = table(sizes, 4);
    let ev = ClearEvaluator::new(10, 12).with_refresh(LEVELS, 1e-5);
    let packer = TilePacker::new(&layout, &schedule);
    let data = batches(&ev, &packer, &layout, &rows, &labels);
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let mut give = |batch: usize| Ok(data[batch].clone());
    let mut states = vec![TrainingState::start()];
    let end = trainer
        .run(TrainingState::start(), &mut give, &mut |_, state| {
            states.push(state.clone());
            Ok(())
        })
        .expect("runs");
    for state in states {
        let parts: Vec<ClearCt> = state.parts().cloned().collect();
        let again = TrainingState::from_parts(state.step, state.halved, parts).expect("a state");
        assert_eq!(again, state);
        let resumed = trainer
            .run(again, &mut give, &mut |_, _| Ok(()))
            .expect("runs");
        assert_eq!(resumed, end);
    }
    let stopped = trainer.run(TrainingState::start(), &mut give, &mut |_, state| {
        if state.step == 2 {
            Err(TensorError::Cancelled)
        } else {
            Ok(())
        }
    });
    assert_eq!(stopped, Err(TensorError::Cancelled));
}

#[test]
fn records_of_another_layout_are_refused() {
    let layout = TileLayout::new(10, [50, 13, 3], 20, 8).expect("fits");
    let schedule = MinibatchSchedule::new(&layout, &Recipe::new(2)).expect("valid");
    let ev = ClearEvaluator::new(10, 12).with_refresh(LEVELS, 0.0);
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let none = Batch {
        tiles: Vec::new(),
        labels: Vec::new(),
    };
    assert!(trainer.step(&TrainingState::start(), &none).is_err());
    assert!(trainer.scores(&TrainingState::start(), &[]).is_err());
    assert!(TrainingState::<ClearCt>::from_parts(3, false, Vec::new()).is_err());
    let packer = TilePacker::new(&layout, &schedule);
    assert!(packer.features(&[vec![0.0; 12]]).is_err());
    assert!(packer.labels(&[3]).is_err());
    assert!(packer.weights(&[]).is_err());
    assert!(packer.scores(&[], 1).is_err());
}

#[test]
fn the_large_head_takes_few_key_switches() {
    let layout = TileLayout::best(16, [1024, 769, 8], 1024).expect("fits");
    let recipe = Recipe {
        degree: 7,
        ..Recipe::new(4)
    };
    let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
    let plan = MinibatchPlan::derive(&layout, &schedule, LEVELS).expect("plans");
    let counts: Vec<_> = plan
        .actions
        .iter()
        .map(|a| (a.action, a.level, a.key_switches))
        .collect();
    let step = Action::Step { batch: 0 };
    let switches = layout.key_switches() as u64;
    assert_eq!(
        counts[1..],
        [
            (step, 5, switches),
            (step, 0, switches),
            (Action::Refresh, 12, 1),
            (step, 7, switches)
        ]
    );
    assert_eq!((switches, plan.refreshes()), (237, 1));
    assert_eq!(
        plan.report.refreshed.iter().copied().collect::<Vec<_>>(),
        [13]
    );
    // One rotation of the refresh, one conjugation, and the rotations of rows and columns.
    assert!(plan.switching_keys(&[]).len() <= 24);
}
