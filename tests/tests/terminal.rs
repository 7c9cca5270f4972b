//! The terminal client as a process: TLS to the worker, and pictures: a base model reads them here, a head is trained on what it made of them, new ones are predicted
//! with the same base model and no other, and everything is forgotten in the end.

use std::fs;

use confide_tests::{
    pictures,
    terminal::{Done, confide},
    tls::TlsFront,
    worker::Worker,
};
use serde_json::Value;

/// Pictures that train and test.
const PICTURES: usize = 80;
const NEW: usize = 6;

fn json(done: &Done) -> Value {
    assert!(done.success, "{done:?}");
    serde_json::from_str(done.output.trim()).expect("one JSON object")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_on_features_of_pictures_predicts_new_ones_and_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (images, kinds) = pictures::labelled(PICTURES + NEW);
    let folder = dir.path().join("pictures");
    let mut lines = pictures::write(&folder, &images[..PICTURES], &kinds[..PICTURES]);
    let new = dir.path().join("new");
    pictures::write(&new, &images[PICTURES..], &kinds[PICTURES..]);
    // One that is no picture, and one that is not there.
    fs::write(folder.join("broken.png"), "no picture").unwrap();
    lines.extend(["broken.png,left".to_owned(), "gone.png,left".to_owned()]);
    fs::write(path("labels.csv"), lines.join("\n")).unwrap();
    fs::write(path("passphrase"), "violet harbour seven lamps\n").unwrap();

    let data = dir.path().join("data");
    let models = pictures::models();
    let flags = pictures::flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let worker = Worker::start(&data, &flags).await;
    let url = worker.url();
    let (key, secret) = (path("key"), path("passphrase"));
    let keyed = ["--key", &key, "--passphrase-file", &secret];
    let made = confide(&[&["keys", "new"], &keyed[..]].concat()).await;
    assert!(made.success, "{made:?}");

    let (all, labels, model) = (path("pictures"), path("labels.csv"), path("model.json"));
    let tiny = models.join("tiny").display().to_string();
    let given = [
        "train", "--worker", &url, "--images", &all, "--labels", &labels,
    ];
    let options = ["--base-model", "tiny", "--model-out", &model, "--json"];
    let train = [&given[..], &options, &keyed].concat();
    let refused = confide(&train).await;
    assert!(!refused.success, "{refused:?}");
    for word in ["broken.png: ", "gone.png: ", "CC-1012"] {
        let said = format!("{}{}", refused.output, refused.errors);
        assert!(said.contains(word), "{word}: {said}");
    }
    let report = json(&confide(&[&train[..], &["--missing", "drop"]].concat()).await);
    let rows = ["train_rows", "test_rows"].map(|name| report[name].as_u64().expect("a count"));
    assert_eq!(rows.iter().sum::<u64>(), PICTURES as u64);
    let accuracy = |head: &str| report[head]["accuracy"]["value"].as_f64().expect("a share");
    println!("accuracy {} / {}", accuracy("encrypted"), accuracy("clear"));
    assert!(accuracy("encrypted") > 0.6, "{report}");
    assert!((accuracy("encrypted") - accuracy("clear")).abs() < 0.15);

    let fresh = path("new");
    let given = [
        "predict", "--worker", &url, "--model", &model, "--images", &fresh,
    ];
    let predict = [&given[..], &keyed, &["--json"]].concat();
    let by_name = json(&confide(&predict).await);
    let by_folder = json(&confide(&[&predict[..], &["--base-model", &tiny]].concat()).await);
    assert_eq!(by_name["predictions"], by_folder["predictions"]);
    let predictions = by_name["predictions"].as_array().expect("predictions");
    let names = by_name["files"].as_array().expect("names");
    assert_eq!((predictions.len(), names.len()), (NEW, NEW));
    let right = predictions.iter().zip(names).filter(|(one, name)| {
        let class = one["predicted"].as_str().expect("a class");
        name.as_str().expect("a name").starts_with(class)
    });
    assert!(right.count() * 2 > NEW, "{by_name}");

    // Features of another network, or a table, are not what the head was trained on.
    let other = models.join("resnet8-mednist-3").display().to_string();
    let other = confide(&[&predict[..], &["--base-model", &other]].concat()).await;
    assert!(
        !other.success && other.errors.contains("CC-1031"),
        "{other:?}"
    );
    let table = [
        "predict", "--worker", &url, "--model", &model, "--csv", &labels,
    ];
    let table = confide(&[&table[..], &keyed].concat()).await;
    assert!(
        !table.success && table.errors.contains("CC-6082"),
        "{table:?}"
    );

    let features = path("features.csv");
    let embed = ["embed", &fresh, "--base-model", &tiny, "--out", &features];
    let embedded = confide(&embed).await;
    assert!(embedded.success, "{embedded:?}");
    let csv = fs::read_to_string(&features).unwrap();
    assert!(csv.starts_with("picture #1,picture #2,"), "{csv}");
    assert_eq!(csv.lines().count(), NEW + 1);

    let forget = [&["forget", "--worker", &url, "--json"], &keyed[..]].concat();
    let forgotten = json(&confide(&forget).await);
    assert!(forgotten["objects"].as_u64() > Some(0), "{forgotten}");
    let again = json(&confide(&forget).await);
    assert_eq!(again["objects"].as_u64(), Some(0));
    let gone = confide(&predict).await;
    assert!(!gone.success && gone.errors.contains("CC-6051"), "{gone:?}");
    assert!(worker.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_behind_tls_is_reached_and_another_certificate_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let worker = Worker::start(&dir.path().join("data"), &[]).await;
    let [own, other] = [path("own.pem"), path("other.pem")];
    let front = TlsFront::start(worker.address(), own.as_ref()).await;
    let _other = TlsFront::start(worker.address(), other.as_ref()).await;
    let rows: String = (0..40)
        .map(|i| format!("{},{},{}\n", i % 7, i % 5, i % 2))
        .collect();
    let csv = path("records.csv");
    fs::write(&csv, format!("a,b,label\n{rows}")).unwrap();
    let plan = async |url: &str, authority: &str| {
        let records = ["plan", "--csv", &csv, "--label", "label", "--json"];
        let line = ["--worker", url, "--ca", authority];
        confide(&[&records[..], &line].concat()).await
    };
    let planned = json(&plan(&front.url(), &own).await);
    assert!(planned["plan"].is_object(), "{planned}");
    for (url, authority) in [(front.url(), &other), (front.misnamed(), &own)] {
        let refused = plan(&url, authority).await;
        assert!(!refused.success, "{refused:?}");
        assert!(refused.output.contains("CC-6013"), "{refused:?}");
    }
}
