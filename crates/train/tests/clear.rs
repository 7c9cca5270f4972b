//! The encrypted program on plain numbers against direct formulas.

mod common;

use common::{accuracy, distance, levels_per_iteration, small, table};
use confide_tensor::{ClearEvaluator, Evaluator, NoObserver, Observed, Observer, TensorError};
use confide_train::minibatch::LossKind;
use confide_train::plan::TableShape;
use confide_train::{
    Activation, Layout, Packer, Schedule, TrainingInputs, predict, train, train_converged,
    train_reference,
};

fn inputs(
    ev: &ClearEvaluator,
    packer: &Packer,
    layout: &Layout,
    rows: &[Vec<f64>],
    labels: &[usize],
) -> TrainingInputs<confide_tensor::ClearCt> {
    let level = ev.max_level();
    TrainingInputs {
        features: (0..packer.feature_vectors())
            .map(|i| {
                ev.encrypt(&packer.pack_features(rows, i).expect("matches"), level)
                    .expect("fits")
            })
            .collect(),
        labels: (0..layout.blocks)
            .map(|b| {
                ev.encrypt(&packer.pack_labels(labels, b).expect("matches"), level)
                    .expect("fits")
            })
            .collect(),
    }
}

/// Trains and predicts on plain numbers; weights and logits of the first rows.
fn run(
    layout: &Layout,
    schedule: &Schedule,
    rows: &[Vec<f64>],
    labels: &[usize],
) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let per_iteration = levels_per_iteration(schedule.sigmoid.degree());
    let levels = 1 + per_iteration * (schedule.iterations - 1) + 1;
    let ev = ClearEvaluator::new(layout.log_n, levels);
    let packer = Packer::new(layout, schedule);
    let head = train(
        &ev,
        layout,
        schedule,
        inputs(&ev, &packer, layout, rows, labels),
    )
    .expect("enough levels");
    assert_eq!(ev.level(&head), 1);
    let records = &rows[..rows.len().min(7)];
    let batch = layout.prediction(records.len()).expect("fits");
    let packed = packer.pack_prediction(records).expect("matches");
    let packed = packed
        .iter()
        .map(|slots| ev.encrypt(slots, 1).expect("fits"))
        .collect();
    let logits = predict(&ev, layout, &batch, &head, packed).expect("one level");
    assert_eq!(ev.level(&logits), 0);
    let logits = packer
        .unpack_logits(logits.values(), records.len())
        .expect("fits");
    (
        packer.weights_from_dense(head.values()).expect("a head"),
        logits,
    )
}

#[test]
fn the_program_computes_the_direct_formulas_coordinate_by_coordinate() {
    for (log_n, sizes, packing, program) in [
        // One block with copies, packed data; odd and even numbers of features.
        (10, [60, 9, 2], (2, 2), (7, 5)),
        (10, [60, 8, 2], (1, 1), (3, 4)),
        // A single pair; fewer rows than pairs.
        (8, [20, 2, 2], (0, 3), (7, 3)),
        (9, [5, 21, 2], (0, 1), (7, 3)),
        // Several classes, padded to columns.
        (10, [40, 13, 3], (1, 4), (7, 4)),
        (11, [33, 6, 10], (0, 2), (3, 5)),
        // Several blocks.
        (8, [300, 10, 2], (0, 1), (7, 4)),
        (8, [100, 7, 4], (0, 2), (7, 3)),
        // The best fit of the sigmoid.
        (10, [60, 9, 2], (2, 2), (15, 4)),
        (10, [40, 13, 3], (1, 4), (15, 3)),
    ] {
        let (layout, schedule) = small(log_n, sizes, packing, program).expect("fits");
        let (rows, labels) = table(sizes, 7);
        let (weights, logits) = run(&layout, &schedule, &rows, &labels);
        let reference = train_reference(&layout, &schedule, &rows, &labels, Activation::Polynomial)
            .expect("matches");
        let apart = distance(&weights, &reference.weights);
        assert!(apart < 1e-6, "{sizes:?} {packing:?} {program:?}: {apart}");
        for (row, logits) in rows.iter().zip(&logits) {
            for (head, logit) in reference.weights.iter().zip(logits) {
                let expected: f64 = head.iter().zip(row).map(|(w, x)| w * x).sum();
                assert!(
                    (logit - expected).abs() < 1e-6,
                    "{sizes:?}: {logit} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_few_iterations_come_close_to_the_converged_head() {
    for sizes in [[455, 31, 2], [900, 25, 4]] {
        let (rows, labels) = table(sizes, 3);
        let (layout, schedule) = small(15, sizes, (0, 1), (15, 4)).expect("fits");
        let polynomial =
            train_reference(&layout, &schedule, &rows, &labels, Activation::Polynomial)
                .expect("matches");
        let table = TableShape {
            rows: layout.rows,
            features: layout.features,
            classes: layout.classes,
            predict_rows: 1,
        };
        let converged = train_converged(
            &table,
            LossKind::OneVsRest,
            schedule.l2,
            &rows,
            &labels,
            500,
        )
        .expect("matches");
        assert!(
            polynomial.max_abs_z < schedule.sigmoid.range,
            "{}",
            polynomial.max_abs_z
        );
        let [few, many] =
            [&polynomial.weights, &converged.weights].map(|w| accuracy(w, &rows, &labels));
        assert!((few - many).abs() < 0.015, "{sizes:?}: {few} {many}");
        // The direction of each head, which is what ranks records.
        for (few, many) in polynomial.weights.iter().zip(&converged.weights) {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
            let cosine = dot(few, many) / (dot(few, few) * dot(many, many)).sqrt();
            assert!(cosine > 0.98, "{sizes:?}: {cosine}");
        }
    }
}

#[test]
fn too_few_levels_and_wrong_inputs_are_refused() {
    let sizes = [20, 5, 2];
    let (layout, schedule) = small(8, sizes, (0, 1), (7, 3)).expect("fits");
    let (rows, labels) = table(sizes, 1);
    let packer = Packer::new(&layout, &schedule);
    let ev = ClearEvaluator::new(8, 8);
    let data = inputs(&ev, &packer, &layout, &rows, &labels);
    let shallow = train(&ev, &layout, &schedule, data.clone()).expect_err("needs 9 levels");
    assert!(
        matches!(shallow, TensorError::LevelTooLow { .. }),
        "{shallow}"
    );
    let missing = TrainingInputs {
        labels: Vec::new(),
        ..data
    };
    assert!(matches!(
        train(&ev, &layout, &schedule, missing),
        Err(TensorError::TooFewOperands { .. })
    ));
    assert!(packer.pack_features(&rows[1..], 0).is_err());
    assert!(packer.pack_features(&rows, 99).is_err());
    assert!(packer.pack_labels(&[2; 20], 0).is_err());
    assert!(packer.pack_prediction(&[]).is_err());
    assert!(packer.pack_prediction(&[vec![1.0; 4]]).is_err());
}

struct StopAfter(std::sync::atomic::AtomicUsize);

impl Observer for StopAfter {
    fn progress(&self, done: u64, total: u64, phase: &str) {
        assert!(done <= total && !phase.is_empty());
    }

    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 1
    }
}

#[test]
fn an_observer_sees_progress_and_can_stop() {
    let sizes = [20, 5, 2];
    let (layout, schedule) = small(8, sizes, (0, 1), (7, 3)).expect("fits");
    let (rows, labels) = table(sizes, 1);
    let packer = Packer::new(&layout, &schedule);
    let ev = ClearEvaluator::new(8, 10);
    let data = inputs(&ev, &packer, &layout, &rows, &labels);
    let shape = confide_tensor::KeySwitchShape {
        log_n: 8,
        alpha: 2,
        special: 2,
    };
    let stop = StopAfter(40.into());
    let observed = Observed::new(&ev, &stop, Default::default(), shape, u64::MAX);
    assert_eq!(
        train(&observed, &layout, &schedule, data.clone()).err(),
        Some(TensorError::Cancelled)
    );
    let quiet = Observed::new(&ev, &NoObserver, Default::default(), shape, 1);
    assert!(train(&quiet, &layout, &schedule, data).is_ok());
}
