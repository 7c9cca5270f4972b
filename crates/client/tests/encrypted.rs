//! A tiny table from CSV to report with real encryption, the worker's part done in place.

use confide_ckks::{Ciphertext, EvaluationKeys, SeededCiphertext, SeededSwitchingKey};
use confide_client::intake::{MissingPolicy, Selection, read_csv};
use confide_client::workflow::{
    Digests, HeldOut, ObjectFactory, ObjectJob, Outcome, PredictionRun, ResultOpener, SavedModel,
    TrainingOptions, TrainingSetup, WorkerFacts, results_csv,
};
use confide_protocol::{Digest, JobSpec};
use confide_tensor::CkksEvaluator;
use confide_train::{TrainingInputs, TrainingPlan, predict, train};
use std::collections::HashMap;

const WORKER: WorkerFacts = WorkerFacts {
    threads: 2,
    memory_bytes: 4 << 30,
    max_client_bytes: 4 << 30,
};
const SEED: [u8; 32] = [9; 32];

/// Three flowers a row: two separable classes, with a gap and a word.
const TABLE: &str = "length;width;note;kind
1,0;0,2;a;small
1,1;0,1;b;small
0,9;0,3;c;small
1,2;;d;small
0,8;0,2;e;small
3,0;1,1;f;large
3,2;1,4;g;large
2,9;1,2;h;large
3,1;1,3;i;large
3,3;1,0;j;large
";

type Store = HashMap<Digest, Vec<u8>>;

#[test]
fn ten_rows_train_and_predict_encrypted() {
    let table = read_csv(TABLE.as_bytes()).unwrap();
    let selection = Selection {
        missing: MissingPolicy::FillMedian,
        ..Selection::all("kind")
    };
    let options = TrainingOptions {
        test_fraction: 0.4,
        ..TrainingOptions::default()
    };
    let setup = TrainingSetup::new(table.select(&selection).unwrap(), options).unwrap();
    assert_eq!(setup.rows(), (6, 4));
    assert!(
        setup
            .notes()
            .iter()
            .any(|note| note.contains("little weight")),
        "{:?}",
        setup.notes()
    );
    // Few iterations keep the ring small; the check allows any number up to the request's.
    let mut request = setup.request(&WORKER);
    request.max_iterations = 2;
    let plan = confide_train::plan(&request).unwrap();
    let run = setup
        .accept(
            &confide_protocol::to_bytes(&TrainingPlan::Levelled(plan.clone())).unwrap(),
            &WORKER,
        )
        .unwrap();

    let factory = ObjectFactory::new(&SEED, run.plan()).unwrap();
    let (mut store, mut digests) = (Store::new(), Digests::new());
    let mut total = 0;
    for item in run.items().unwrap() {
        let slots = run.slots(&item.job).unwrap();
        assert_eq!(slots.is_some(), item.job.has_slots());
        let object = factory.make(&item.job, slots.as_deref()).unwrap();
        assert_eq!(object.bytes.len() as u64, item.bytes, "{}", item.name);
        total += item.bytes;
        digests.insert(item.job, object.digest);
        store.insert(object.digest, object.bytes.to_vec());
    }
    assert_eq!(total, run.plan().upload().total());
    let relin = ObjectJob::RelinKey {
        level: plan.relin_level,
    };
    let again = ObjectFactory::new(&SEED, run.plan())
        .unwrap()
        .make(&relin, None)
        .unwrap();
    assert_eq!(
        again.digest, digests[&relin],
        "the same seed makes the same bytes"
    );

    let head = work(&run.train_job(&digests).unwrap(), &mut store);
    let opener = ResultOpener::new(&SEED, run.plan()).unwrap();
    let mut logits = Vec::new();
    for (job, rows) in run.predict_jobs(head, &digests).unwrap() {
        let scores = work(&job, &mut store);
        logits.extend(opener.open_scores(&store[&scores], rows).unwrap());
    }
    let outcome = Outcome {
        weights: opener.open_head(&store[&head]).unwrap(),
        logits,
        curve: Vec::new(),
    };
    let clear = run.clear_heads().unwrap();
    let report = run.report(&outcome, &clear).unwrap();
    assert_eq!(report.accuracy_encrypted, Some(1.0));
    assert!(
        report.max_weight_difference < 1e-3 * report.max_weight.max(1.0),
        "{}",
        report.max_weight_difference
    );
    assert!(
        report.max_logit_difference < 1e-2,
        "{}",
        report.max_logit_difference
    );
    let held_out = run.held_out(&outcome, &clear).unwrap();
    assert_eq!(
        HeldOut::from_json(&held_out.to_json().unwrap()).unwrap(),
        held_out
    );
    let csv = results_csv(&held_out.predictions(0.5), &report.classes, &[]).unwrap();
    assert!(
        csv.starts_with("row,predicted,probability large,probability small,actual\n"),
        "{csv}"
    );

    // Later, from the saved model alone.
    let saved = SavedModel::new(&run, head, &digests, "fingerprint".into())
        .to_json()
        .unwrap();
    let model = SavedModel::from_json(&saved).unwrap();
    let new = read_csv(b"width,length\n0.2,1.05\n1.2,3.05\n,2.5\n").unwrap();
    let records = new
        .select_records(&model.preprocessing.features, MissingPolicy::FillMedian)
        .unwrap();
    let prediction = PredictionRun::new(&model, &records).unwrap();
    assert!(
        prediction
            .keys()
            .unwrap()
            .iter()
            .all(|(_, digest)| store.contains_key(digest))
    );
    let mut made = Digests::new();
    for item in prediction.items().unwrap() {
        let slots = prediction.slots(&item.job).unwrap();
        let object = factory.make(&item.job, slots.as_deref()).unwrap();
        made.insert(item.job, object.digest);
        store.insert(object.digest, object.bytes.to_vec());
    }
    let mut logits = Vec::new();
    for (job, rows) in prediction.jobs(&made).unwrap() {
        let scores = work(&job, &mut store);
        logits.extend(opener.open_scores(&store[&scores], rows).unwrap());
    }
    let predictions = prediction.predictions(&logits);
    assert_eq!(
        predictions.iter().map(|p| p.row).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(
        (
            predictions[0].predicted.as_str(),
            predictions[1].predicted.as_str()
        ),
        ("small", "large")
    );

    // Damage and wrong keys are told, not shown as results.
    let mut broken = store[&head].clone();
    broken.truncate(100);
    assert_eq!(opener.open_head(&broken).unwrap_err().code, "CC-5020");
    let stranger = ResultOpener::new(&[1; 32], run.plan()).unwrap();
    assert_eq!(
        stranger.open_head(&store[&head]).unwrap_err().code,
        "CC-5020"
    );
}

/// What the worker does with a job; gives the digest of its output.
fn work(job: &JobSpec, store: &mut Store) -> Digest {
    let plan: TrainingPlan = confide_protocol::from_bytes(job.plan()).unwrap();
    let TrainingPlan::Levelled(plan) = plan else {
        panic!("no bootstraps were asked for");
    };
    let params = plan.parameters().unwrap();
    let (JobSpec::Train { relin, galois, .. } | JobSpec::Predict { relin, galois, .. }) = job
    else {
        panic!("no images were sent");
    };
    let mut keys = EvaluationKeys::new();
    for digest in galois.iter().map(|(_, digest)| digest).chain([relin]) {
        keys.insert(
            SeededSwitchingKey::from_bytes(&params, &store[digest])
                .unwrap()
                .expand(&params)
                .unwrap(),
        );
    }
    let ev = CkksEvaluator::new(&params, &keys);
    let load = |digests: &[Digest]| -> Vec<Ciphertext> {
        let read = |digest| {
            SeededCiphertext::from_bytes(&params, &store[digest])
                .unwrap()
                .expand(&params)
                .unwrap()
        };
        digests.iter().map(read).collect()
    };
    let result = match job {
        JobSpec::Train {
            features, labels, ..
        } => {
            let inputs = TrainingInputs {
                features: load(features),
                labels: load(labels),
            };
            train(&ev, &plan.layout, &plan.schedule, inputs).unwrap()
        }
        JobSpec::Predict {
            head,
            records,
            rows,
            ..
        } => {
            let head = Ciphertext::from_bytes(&params, &store[head]).unwrap();
            let batch = plan.layout.prediction(*rows as usize).unwrap();
            predict(&ev, &plan.layout, &batch, &head, load(records)).unwrap()
        }
        JobSpec::Infer { .. } => panic!("no images were sent"),
    };
    let bytes = result.to_bytes(&params).unwrap();
    let digest = Digest::of(&bytes);
    store.insert(digest, bytes);
    digest
}
