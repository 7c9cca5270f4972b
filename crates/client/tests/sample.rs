//! The bundled sample through the data party's half, on plain numbers: what accuracy the plan can give.

use confide_client::intake::{Selection, read_csv};
use confide_client::workflow::{Outcome, TrainingOptions, TrainingSetup, WorkerFacts};
use confide_train::TrainingPlan;
use confide_train::minibatch::LossKind;

const WORKER: WorkerFacts = WorkerFacts {
    threads: 2,
    memory_bytes: 4 << 30,
    max_client_bytes: 4 << 30,
};

fn sample() -> Vec<u8> {
    std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../samples/wisconsin.csv"
    ))
    .unwrap()
}

fn apply(rows: &[Vec<f64>], weights: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let dot = |row: &[f64], head: &[f64]| row.iter().zip(head).map(|(x, w)| x * w).sum();
    rows.iter()
        .map(|row| weights.iter().map(|head| dot(row, head)).collect())
        .collect()
}

#[test]
fn five_splits_lose_no_accuracy_to_the_program() {
    let table = read_csv(&sample()).unwrap();
    assert!(table.problems.is_empty());
    let dataset = table.select(&Selection::all("diagnosis")).unwrap();
    let (mut program, mut converged) = (0.0, 0.0);
    for seed in 1..=5 {
        let options = TrainingOptions {
            seed,
            ..TrainingOptions::default()
        };
        let setup = TrainingSetup::new(dataset.clone(), options).unwrap();
        assert_eq!((setup.rows(), setup.positive().0), ((456, 113), "M"));
        let plan = confide_train::plan(&setup.request(&WORKER)).unwrap();
        assert!(plan.upload.total() < 150_000_000, "{plan}");
        let run = setup.accept(&bytes(plan), &WORKER).unwrap();
        let clear = run.clear_heads().unwrap();
        let logits = apply(run.test_records(), &clear.program);
        let report = run
            .report(
                &Outcome {
                    weights: clear.program.clone(),
                    logits,
                    curve: Vec::new(),
                },
                &clear,
            )
            .unwrap();
        assert_eq!(
            (report.max_weight_difference, report.max_logit_difference),
            (0.0, 0.0)
        );
        assert!(report.max_abs_z <= report.range, "{report:?}");
        println!(
            "seed {seed}: program {:.4}, converged {:.4}, AUC {:.4} {:.4}, z {:.2}, scale {}, notes {:?}",
            report.accuracy_encrypted.unwrap(),
            report.accuracy_clear.unwrap(),
            report.auc_encrypted.unwrap(),
            report.auc_clear.unwrap(),
            report.max_abs_z,
            report.feature_scale,
            report.notes
        );
        program += report.accuracy_encrypted.unwrap() / 5.0;
        converged += report.accuracy_clear.unwrap() / 5.0;
    }
    assert!(program >= 0.96, "{program}");
    assert!(
        (program - converged).abs() < 0.005,
        "program {program}, converged {converged}"
    );
}

/// A plan as it travels.
fn bytes(plan: confide_train::Plan) -> Vec<u8> {
    confide_protocol::to_bytes(&TrainingPlan::Levelled(plan)).unwrap()
}

#[test]
fn an_altered_plan_is_refused() {
    let dataset = read_csv(&sample())
        .unwrap()
        .select(&Selection::all("diagnosis"))
        .unwrap();
    let setup = TrainingSetup::new(dataset, TrainingOptions::default()).unwrap();
    let plan = confide_train::plan(&setup.request(&WORKER)).unwrap();
    let refused = |plan: &confide_train::Plan| {
        setup
            .accept(&bytes(plan.clone()), &WORKER)
            .err()
            .map(|error| error.code)
    };
    assert_eq!(refused(&plan), None);
    let mut weaker = plan.clone();
    weaker.params.log_q.iter_mut().for_each(|bits| *bits += 3);
    assert_eq!(refused(&weaker).as_deref(), Some("CC-5002"));
    let mut more_keys = plan.clone();
    more_keys.keys.push(confide_train::KeySpec {
        element: 12345,
        level: 1,
    });
    assert_eq!(refused(&more_keys).as_deref(), Some("CC-5002"));
    let mut other_rate = plan.clone();
    other_rate.schedule.learning_rates[0] *= 1.1;
    assert_eq!(refused(&other_rate).as_deref(), Some("CC-5002"));
    let bytes = bytes(plan);
    assert_eq!(
        setup
            .accept(&bytes[..bytes.len() / 2], &WORKER)
            .err()
            .map(|e| e.code)
            .as_deref(),
        Some("CC-5004")
    );
}

#[test]
fn heads_that_do_not_fit_are_refused_with_a_way_out() {
    let table = read_csv(&sample()).unwrap();
    let dataset = table.select(&Selection::all("diagnosis")).unwrap();
    let refused = |options: TrainingOptions| {
        let refused = TrainingSetup::new(dataset.clone(), options).unwrap_err();
        assert_eq!(refused.code, "CC-5015");
        assert!(!refused.remedy.is_empty());
    };
    let good = TrainingOptions {
        epochs: Some(4),
        hidden: Some(8),
        ..TrainingOptions::default()
    };
    let setup = TrainingSetup::new(dataset.clone(), good.clone()).unwrap();
    let wish = setup.request(&WORKER).bootstrapping.unwrap();
    assert_eq!((wish.epochs, wish.hidden), (4, 8));
    // The sample has two classes.
    refused(TrainingOptions {
        loss: LossKind::Softmax,
        hidden: None,
        ..good.clone()
    });
    refused(TrainingOptions {
        loss: LossKind::Softmax,
        ..good.clone()
    });
    refused(TrainingOptions {
        epochs: None,
        ..good.clone()
    });
    refused(TrainingOptions {
        hidden: Some(33),
        ..good
    });
}
