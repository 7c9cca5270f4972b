//! Plans of features that stay with the compute party.

use std::path::Path;

use confide_model::inference::{Gathering, InferencePlan, feature_shape, plan};
use confide_model::{InferenceRequest, Model};

fn model(name: &str) -> Model {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    Model::read(&models.join(name)).expect("a valid model")
}

const GATHERING: Gathering = Gathering {
    log_n: 16,
    columns: 256,
    scale: 1e-3,
};

#[test]
fn features_end_in_one_ciphertext_at_the_level_of_the_switch() {
    let card = model("resnet8-mednist-3").card;
    let [levels, cells] = feature_shape(&card).expect("it has features");
    assert_eq!(cells, 64);
    let mut request = InferenceRequest::features(&card, 240, GATHERING).expect("it has features");
    request.max_memory_bytes = 10 << 30;
    let found = plan(&card, &request, &Default::default()).expect("a plan");
    println!("{found}");
    found
        .check(&card, &request)
        .expect("it follows from its choice");
    assert_eq!((found.jobs(), found.choice.images), (2, 120));
    assert_eq!((found.outputs, found.output_level), (1, 2));
    assert_eq!(found.parameters().expect("secure").max_level(), levels + 2);
    assert!(found.costs.memory_bytes <= 10 << 30);

    // The rest of the images' places are free: fewer images under the keys of more.
    let mut fewer = InferenceRequest::features(&card, 60, GATHERING).expect("it has features");
    fewer.batch = Some(found.choice.batch);
    let tests = plan(&card, &fewer, &Default::default()).expect("a plan");
    let keys = found.switching_keys();
    let own = tests.switching_keys().into_iter();
    let more = own.filter(|key| !keys.contains(key)).count();
    assert_eq!((tests.jobs(), more), (1, 0));

    type Change = fn(&mut InferencePlan);
    let changes: [Change; 5] = [
        |plan| plan.task.gathering = None,
        |plan| plan.choice.images = 129,
        |plan| plan.choice.special += 1,
        |plan| plan.params.log_q[1] = 36,
        |plan| plan.choice.log_n = 15,
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut altered = found.clone();
        change(&mut altered);
        assert!(altered.check(&card, &request).is_err(), "change {index}");
    }
}

#[test]
fn what_cannot_be_gathered_is_refused() {
    let card = model("resnet8-mednist-3").card;
    for gathering in [
        Gathering {
            log_n: 40,
            ..GATHERING
        },
        Gathering {
            log_n: 0,
            ..GATHERING
        },
        Gathering {
            columns: 0,
            ..GATHERING
        },
        Gathering {
            columns: 100,
            ..GATHERING
        },
        Gathering {
            columns: 8,
            ..GATHERING
        },
        Gathering {
            scale: f64::NAN,
            ..GATHERING
        },
        Gathering {
            scale: 0.0,
            ..GATHERING
        },
    ] {
        let request = InferenceRequest::features(&card, 100, gathering).expect("it has features");
        assert!(
            plan(&card, &request, &Default::default()).is_err(),
            "{gathering:?}"
        );
    }
    assert!(InferenceRequest::features(&model("tiny").card, 5, GATHERING).is_err());
}
