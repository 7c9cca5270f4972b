//! Plans with bootstraps: derivation, checks, and the whole program of such a plan on plain numbers.

mod common;

use std::sync::Arc;

use common::{distance, hidden_logits, table};
use confide_tensor::{ClearEvaluator, Evaluator, RefreshLevels};
use confide_train::bootstrapped::{
    BootstrapWish, BootstrappedPlan, NetworkFeatures, head, predict_block, validation_scores,
};
use confide_train::minibatch::{Batch, LossKind, Trainer, TrainingState, minibatch_reference};
use confide_train::{Activation, PlanRequest, TablePacker, TrainError, TrainingPlan};

const SIZES: [usize; 3] = [300, 9, 3];

fn request(hidden: usize) -> PlanRequest {
    let mut request = PlanRequest::new(SIZES[0], SIZES[1], SIZES[2]);
    request.predict_rows_hint = 20;
    request.max_upload_bytes = 4_000_000_000;
    request.max_memory_bytes = 12 << 30;
    request.bootstrapping = Some(BootstrapWish {
        batch: 128,
        validation: 20,
        hidden,
        ..BootstrapWish::new(2)
    });
    request
}

fn planned(hidden: usize) -> BootstrappedPlan {
    match TrainingPlan::of_request(&request(hidden), &Default::default()).expect("a plan") {
        TrainingPlan::Bootstrapped(plan) => plan,
        TrainingPlan::Levelled(_) => panic!("bootstraps were asked for"),
    }
}

#[test]
fn the_program_of_a_plan_gives_the_weights_of_the_formulas() {
    weights_are_those_of_the_formulas(0);
}

#[test]
fn the_program_of_a_plan_with_hidden_units_gives_the_weights_of_the_formulas() {
    weights_are_those_of_the_formulas(4);
}

/// Trains and validates by the program of a plan, and compares weights and scores.
fn weights_are_those_of_the_formulas(hidden: usize) {
    let plan = planned(hidden);
    assert_eq!(plan.schedule.steps.len(), 6);
    assert!(plan.bootstraps >= 2, "{}", plan.bootstraps);
    let (rows, labels) = table(SIZES, 5);
    let whole = TrainingPlan::Bootstrapped(plan.clone());
    let packer = TablePacker::new(&whole);
    let set = plan.bootstrapping().expect("a checked set");
    let levels = RefreshLevels::of(&set, plan.layout.log_period());
    let ev = ClearEvaluator::new(plan.layout.log_n, levels.output).with_refresh(levels, 0.0);
    let (tiles, blocks) = (plan.layout.tiles(), plan.layout.blocks());
    let mut batches = |batch: usize| {
        let block = |block: usize| -> Vec<_> {
            let first = (batch * blocks + block) * tiles;
            let slots = |tile| packer.features(&rows, first + tile).expect("rows fit");
            (0..tiles)
                .map(|tile| ev.encrypt(&slots(tile), plan.data_level).expect("fits"))
                .collect()
        };
        let label = |block: usize| {
            let slots = packer.labels(&labels, batch * blocks + block);
            ev.encrypt(&slots.expect("labels fit"), plan.data_level)
                .expect("fits")
        };
        Ok(Arc::new(Batch {
            tiles: (0..blocks).map(block).collect(),
            labels: (0..blocks).map(label).collect(),
        }))
    };
    let records = &rows[..20];
    let encrypt = |slots: Vec<_>| ev.encrypt(&slots, plan.prediction_level).expect("fits");
    let packed = || -> Vec<_> {
        let packed = packer.records(records).expect("records fit").into_iter();
        packed.map(encrypt).collect()
    };
    let logits_of = |weights: &[Vec<f64>], row: &[f64]| -> Vec<f64> {
        if hidden > 0 {
            return hidden_logits(weights, row, hidden);
        }
        let logit = |head: &Vec<f64>| head.iter().zip(row).map(|(w, x)| w * x).sum();
        weights.iter().map(logit).collect()
    };
    let trainer = Trainer::new(&ev, &plan.layout, &plan.schedule);
    let blocks = [packed()];
    let mut curve = Vec::new();
    let end = trainer
        .run(
            TrainingState::start(),
            &mut batches,
            &mut |action, state| {
                if plan.validation.is_due(action, state.step) {
                    let scores = validation_scores(&ev, &trainer, state, &blocks)?;
                    curve.push((state.step, scores));
                }
                Ok(())
            },
        )
        .expect("fits the levels");
    assert_eq!(plan.validation.points, [3, 6]);
    assert_eq!(
        curve.iter().map(|(step, _)| *step).collect::<Vec<_>>(),
        [3, 6]
    );
    minibatch_reference(
        &plan.layout,
        &plan.schedule,
        &rows,
        &labels,
        Activation::Polynomial,
        &mut |step, weights| {
            for (_, scores) in curve.iter().filter(|(at, _)| *at == step + 1) {
                let found = packer.logits(scores[0].values(), 20).expect("logits");
                let expected = records.iter().map(|row| logits_of(weights, row));
                assert!(distance(&found, &expected.collect::<Vec<_>>()) < 1e-8);
                assert_eq!(ev.level(&scores[0]), 0);
            }
        },
    )
    .expect("same sizes");
    let head = head(&ev, &trainer, &end).expect("a head");
    let weights = packer.weights(head.values()).expect("weights");
    let reference = whole.reference(&rows, &labels).expect("same sizes");
    let apart = distance(&weights, &reference.weights);
    assert!(apart < 1e-9, "{apart:e}");
    assert!(reference.largest <= whole.range(), "{}", reference.largest);

    let scores = predict_block(&ev, &plan.layout, &plan.schedule, head, packed()).expect("scores");
    let logits = packer.logits(scores.values(), 20).expect("logits");
    let expected = records.iter().map(|row| logits_of(&reference.weights, row));
    assert!(distance(&logits, &expected.collect::<Vec<_>>()) < 1e-8);
}

#[test]
fn an_altered_plan_is_refused() {
    let honest = planned(0);
    let request = request(0);
    let check = |plan: BootstrappedPlan| TrainingPlan::Bootstrapped(plan).check(&request);
    check(honest.clone()).expect("the plan follows from its choice");
    let changes: [fn(&mut BootstrappedPlan); 10] = [
        |plan| plan.version += 1,
        |plan| plan.shape.rows += 1,
        |plan| plan.choice.recipe.epochs = 3,
        |plan| plan.keys[0].level += 1,
        |plan| plan.layout.columns *= 2,
        |plan| plan.schedule.steps[1].rate *= 1.01,
        |plan| plan.upload.keys -= 1,
        |plan| plan.costs.memory_bytes /= 2,
        |plan| plan.choice.validation = 0,
        |plan| plan.validation.points.push(7),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut plan = honest.clone();
        change(&mut plan);
        assert!(check(plan).is_err(), "change {index}");
    }
    let mut other = request.clone();
    other.bootstrapping = None;
    let kind = TrainingPlan::Bootstrapped(honest).check(&other);
    assert!(matches!(
        kind,
        Err(TrainError::Deviation { field: "kind", .. })
    ));
}

#[test]
fn limits_hold() {
    let mut small = request(0);
    small.max_upload_bytes = 100_000_000;
    let plan = TrainingPlan::of_request(&small, &Default::default());
    assert!(
        matches!(plan, Err(TrainError::NoPlan { what: "upload", .. })),
        "{plan:?}"
    );
    let mut long = request(0);
    long.bootstrapping = Some(BootstrapWish {
        batch: 128,
        ..BootstrapWish::new(usize::MAX)
    });
    assert!(TrainingPlan::of_request(&long, &Default::default()).is_err());
}

#[test]
fn loss_and_hidden_units_are_the_data_partys_choice() {
    let linear = TrainingPlan::Bootstrapped(planned(0));
    let wish = |loss, hidden| {
        let mut request = request(0);
        request.bootstrapping = Some(BootstrapWish {
            batch: 300,
            loss,
            hidden,
            ..BootstrapWish::new(2)
        });
        request
    };
    for (loss, hidden, level, words) in [
        (LossKind::Softmax, 0, 1, "softmax on [-16, 16]"),
        (LossKind::OneVsRest, 8, 4, "8 hidden units, squared"),
    ] {
        let request = wish(loss, hidden);
        assert!(linear.check(&request).is_err());
        let plan = TrainingPlan::of_request(&request, &Default::default()).expect("a plan");
        plan.check(&request).expect("it follows from its choice");
        assert_eq!((plan.loss(), plan.hidden()), (loss, hidden));
        assert_eq!((plan.prediction_level(), plan.score_level()), (level, 0));
        assert!(plan.to_string().contains(words), "{plan}");
    }
    for (loss, hidden) in [(LossKind::Softmax, 8), (LossKind::OneVsRest, 100)] {
        let plan = TrainingPlan::of_request(&wish(loss, hidden), &Default::default());
        assert!(matches!(plan, Err(TrainError::Shape { .. })), "{plan:?}");
    }
}

#[test]
fn the_penalty_is_the_data_partys_choice() {
    let with = |l2| {
        let mut request = request(0);
        let wish = BootstrapWish::new(2);
        request.bootstrapping = Some(BootstrapWish { l2, ..wish });
        request
    };
    let plan = |l2| TrainingPlan::of_request(&with(l2), &Default::default());
    let heavy = plan(Some(0.1)).expect("a plan");
    heavy.check(&with(Some(0.1))).expect("as asked for");
    let TrainingPlan::Bootstrapped(found) = &heavy else {
        panic!("bootstraps were asked for");
    };
    // No step takes more than half of the weights away.
    let recipe = &found.choice.recipe;
    assert_eq!((recipe.l2, found.schedule.l2, recipe.rate), (0.1, 0.1, 5.0));
    for other in [None, Some(0.0), Some(0.2)] {
        let refused = heavy.check(&with(other));
        assert!(matches!(
            refused,
            Err(TrainError::Deviation {
                field: "recipe",
                ..
            })
        ));
    }
    // A worker that changes any number of the recipe is found out, not only one that changes what was chosen.
    let mut faster = found.clone();
    faster.choice.recipe.momentum = 0.5;
    assert!(
        TrainingPlan::Bootstrapped(faster)
            .check(&with(Some(0.1)))
            .is_err()
    );
    assert!(plan(Some(1.5)).is_err() && plan(Some(f64::NAN)).is_err());
    let none = plan(Some(0.0)).expect("no penalty is one too");
    none.check(&with(Some(0.0))).expect("as asked for");
}

#[test]
fn features_of_a_network_are_refreshed_once_and_not_sent() {
    let mut request = PlanRequest::new(240, 65, 3);
    request.max_upload_bytes = 4_000_000_000;
    request.max_memory_bytes = 12 << 30;
    let network = NetworkFeatures {
        levels: 17,
        cells: 256,
        bootstrapped: false,
    };
    let wish = BootstrapWish::on_features(4, network);
    request.bootstrapping = Some(wish);
    let plan = TrainingPlan::of_request(&request, &Default::default()).expect("a plan");
    plan.check(&request).expect("it follows from its choice");
    let text = plan.to_string();
    assert!(text.contains("network 17 levels deep"), "{text}");
    let TrainingPlan::Bootstrapped(found) = &plan else {
        panic!("bootstraps were asked for");
    };
    // 128 images have their last maps in one ciphertext.
    let layout = &found.layout;
    assert_eq!(
        (layout.columns, layout.blocks(), layout.tiles()),
        (256, 2, 1)
    );
    assert_eq!((layout.batches(), found.upload.features), (1, 0));
    assert_eq!(found.log_periods.last(), Some(&15));
    let phases = &plan.costs().phases;
    assert_eq!(phases[0].name, "refresh features");
    let kept = found.kept_features().expect("one ring").expect("a network");
    assert_eq!((kept.level(), kept.parameters().max_level()), (2, 19));

    // The same network, and nothing that its features do not go with.
    let mut other = found.clone();
    other.choice.network = None;
    assert!(TrainingPlan::Bootstrapped(other).check(&request).is_err());
    for wish in [
        BootstrapWish { hidden: 4, ..wish },
        BootstrapWish {
            validation: 8,
            ..wish
        },
        BootstrapWish { batch: 100, ..wish },
        BootstrapWish::on_features(
            4,
            NetworkFeatures {
                levels: 60,
                ..network
            },
        ),
        BootstrapWish::on_features(
            4,
            NetworkFeatures {
                cells: 1 << 40,
                ..network
            },
        ),
    ] {
        request.bootstrapping = Some(wish);
        let plan = TrainingPlan::of_request(&request, &Default::default());
        let error = plan.expect_err("cannot be trained").to_string();
        assert!(
            error.contains("features") || error.contains("columns"),
            "{error}"
        );
    }
}
