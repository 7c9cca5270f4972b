//! Plans: limits, exactness, refusal of anything altered.

mod common;

use common::{distance, table, upload_mb};
use confide_ckks::{Parameters, SeededCiphertext, SeededSwitchingKey, security};
use confide_train::{
    Activation, Plan, PlanRequest, TrainError, plan, predict_clear, train_clear, train_reference,
};

fn sample() -> PlanRequest {
    PlanRequest {
        predict_rows_hint: 114,
        ..PlanRequest::new(455, 31, 2)
    }
}

#[test]
fn the_sample_gets_a_secure_plan_of_the_best_fit_within_the_limits() {
    let request = sample();
    let plan = plan(&request).expect("the sample fits");
    println!("{plan}");
    assert_eq!(plan.choice.degree, 15);
    assert!((4..=6).contains(&plan.choice.iterations));
    assert!(upload_mb(&plan) < 140.0);
    assert!(plan.costs.memory_bytes < 4 << 30);
    let params = Parameters::new(plan.params.clone()).expect("secure");
    assert!(security::preset_cap(params.log_n()).is_some_and(|cap| params.log_qp() <= cap + 0.1));
    // Bytes are those of the formats, summed over what is really sent.
    let keys: usize = plan
        .switching_keys()
        .iter()
        .map(|&(_, level)| SeededSwitchingKey::encoded_len(&params, level))
        .sum();
    assert_eq!(plan.upload.keys, keys as u64);
    let data = SeededCiphertext::encoded_len(&params, plan.data_level) * (plan.layout.packs() + 1);
    assert_eq!(plan.upload.features + plan.upload.labels, data as u64);
    plan.check(&request).expect("its own plan");
}

#[test]
fn the_whole_plan_runs_in_the_clear_and_agrees_with_the_reference() {
    let request = sample();
    let plan = plan(&request).expect("the sample fits");
    let (rows, labels) = table([455, 31, 2], 5);
    let reference = train_reference(
        &plan.layout,
        &plan.schedule,
        &rows,
        &labels,
        Activation::Polynomial,
    )
    .expect("matches");
    let weights = train_clear(&plan, &rows, &labels).expect("enough levels");
    assert!(distance(&weights, &reference.weights) < 1e-6);
    let logits = predict_clear(&plan, &rows, &labels, &rows[..114]).expect("enough levels");
    for (row, logit) in rows.iter().zip(&logits) {
        let expected: f64 = reference.weights[0]
            .iter()
            .zip(row)
            .map(|(w, x)| w * x)
            .sum();
        assert!((logit[0] - expected).abs() < 1e-6);
    }
}

#[test]
fn tables_of_many_shapes_get_plans() {
    for (shape, upload) in [
        ((5, 3, 2), 140),
        ((1500, 65, 10), 400),
        ((2000, 10, 2), 140),
        ((20_000, 31, 2), 400),
        ((100_000, 51, 2), 4000),
    ] {
        let mut request = PlanRequest::new(shape.0, shape.1, shape.2);
        request.max_upload_bytes = upload * 1_000_000;
        request.max_memory_bytes = 16 << 30;
        let plan = plan(&request).unwrap_or_else(|error| panic!("{shape:?}: {error}"));
        println!("{plan}\n");
        plan.check(&request).expect("its own plan");
        assert_eq!(
            plan,
            Plan::derive(&plan.shape, &plan.choice, 2).expect("deterministic")
        );
    }
}

#[test]
fn what_does_not_fit_says_what_is_missing() {
    let mut request = PlanRequest::new(100_000, 500, 2);
    let error = plan(&request).expect_err("gigabytes of features");
    assert!(
        matches!(&error, TrainError::NoPlan { what: "upload", .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("principal components"),
        "{error}"
    );
    request = sample();
    request.max_memory_bytes = 1 << 20;
    let error = plan(&request).expect_err("no memory");
    assert!(
        matches!(
            &error,
            TrainError::NoPlan {
                what: "worker memory",
                ..
            }
        ),
        "{error}"
    );
    request = sample();
    request.max_iterations = 1;
    assert!(matches!(plan(&request), Err(TrainError::NoPlan { .. })));
    assert!(matches!(
        plan(&PlanRequest::new(1, 31, 2)),
        Err(TrainError::Shape { .. })
    ));
}

#[test]
fn an_altered_plan_is_refused() {
    let request = sample();
    let honest = plan(&request).expect("the sample fits");
    let json = serde_json::to_string(&honest).expect("serialises");
    let back: Plan = serde_json::from_str(&json).expect("parses");
    back.check(&request).expect("unchanged by the wire");

    type Alteration = (&'static str, fn(&mut Plan));
    let alterations: [Alteration; 10] = [
        ("version", |plan| plan.version += 1),
        ("more key bits", |plan| plan.params.log_p.push(50)),
        ("insecure choice", |plan| {
            plan.choice.special_bits = vec![50; 20]
        }),
        ("another key", |plan| plan.keys[0].element = 3),
        ("a key less", |plan| plan.keys.truncate(1)),
        ("higher key level", |plan| plan.relin_level += 1),
        ("another scale of the labels", |plan| {
            plan.schedule.label_scale *= 1.01
        }),
        ("not a number", |plan| plan.schedule.lambda[0] = f64::NAN),
        ("other rows", |plan| plan.shape.rows -= 1),
        ("smaller upload", |plan| plan.upload.keys -= 1),
    ];
    for (what, alter) in alterations {
        let mut altered = honest.clone();
        alter(&mut altered);
        assert!(altered.check(&request).is_err(), "{what}");
    }
    let strict = PlanRequest {
        max_upload_bytes: honest.upload.total() - 1,
        ..request
    };
    assert!(matches!(
        honest.check(&strict),
        Err(TrainError::NoPlan { .. })
    ));
}

#[test]
fn a_plan_for_a_hostile_shape_is_refused_before_any_work() {
    let good = plan(&sample()).expect("fits");
    for (rows, features, predict_rows) in [
        (1 << 24, 4096, 1),
        (455, 31, usize::MAX),
        (455, 31, (1 << 24) + 1),
    ] {
        let shape = confide_train::plan::TableShape {
            rows,
            features,
            predict_rows,
            ..good.shape
        };
        let refused = Plan::derive(&shape, &good.choice, 2);
        assert!(
            matches!(refused, Err(TrainError::Shape { .. })),
            "{shape:?}: {refused:?}"
        );
    }
}
