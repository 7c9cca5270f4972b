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
    bootstrapped: false,
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

/// The chain of all 39 levels has two special primes only; the set of training has nine.
#[test]
fn a_deep_network_is_bootstrapped_under_the_parameters_of_training() {
    let card = model("resnet20-cifar10-5").card;
    let gathering = Gathering {
        columns: 64,
        bootstrapped: true,
        ..GATHERING
    };
    let with = |gathering| {
        let mut request = InferenceRequest::features(&card, 1024, gathering).expect("features");
        request.max_memory_bytes = 16 << 30;
        request.max_store_bytes = 8 << 30;
        request
    };
    let request = with(gathering);
    let found = plan(&card, &request, &Default::default()).expect("a plan");
    println!("{found}");
    found
        .check(&card, &request)
        .expect("it follows from its choice");
    let set = found.bootstraps().expect("a set").expect("with bootstraps");
    assert_eq!((found.jobs(), found.outputs), (2, 1));
    assert_eq!(found.output_level, set.input_level());
    let operations = &found.costs.operations;
    let (_, count) = operations.last().expect("operations");
    assert!(
        operations
            .last()
            .is_some_and(|(name, _)| name == "bootstraps")
            && *count > 0
    );

    // Fewer images by themselves would come in lower; with those before they need no key of their own.
    let mut fewer = InferenceRequest::features(&card, 125, gathering).expect("features");
    fewer.max_memory_bytes = 16 << 30;
    fewer.batch = Some(found.choice.batch);
    let alone = plan(&card, &fewer, &Default::default()).expect("a plan");
    assert_ne!(alone.choice.entry, found.choice.entry);
    fewer.entry = found.choice.entry;
    assert!(alone.check(&card, &fewer).is_err());
    let beside = plan(&card, &fewer, &Default::default()).expect("a plan");
    beside.check(&card, &fewer).expect("as asked for");
    assert_eq!(beside.image_level(), found.image_level());
    let keys = found.switching_keys();
    let own = beside.switching_keys().into_iter();
    assert_eq!(own.filter(|key| !keys.contains(key)).count(), 0);

    // What training reads decides: neither way stands for the other.
    let at_once = Gathering {
        bootstrapped: false,
        ..gathering
    };
    assert!(found.check(&card, &with(at_once)).is_err());
    let mut other = found.clone();
    other.task.gathering = Some(at_once);
    assert!(other.check(&card, &with(at_once)).is_err());
    let mut large = with(at_once);
    large.max_memory_bytes = 20 << 30;
    let slow = plan(&card, &large, &Default::default()).expect("a plan");
    assert_eq!(slow.bootstraps().expect("none"), None);
    let seconds = [&found, &slow].map(|plan| plan.costs.worker_seconds());
    assert!(seconds[0] < 0.8 * seconds[1], "{seconds:?}");
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
        Gathering {
            log_n: 15,
            bootstrapped: true,
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
