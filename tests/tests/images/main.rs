//! A head on encrypted images, by the real worker: features kept, a head trained on them, predictions right; the same bytes past
//! a kill. On a ring of no security, so that it ends in seconds.

mod scans;

use std::path::Path;

use confide_client::workflow::images::{
    ImagePredictionSetup, ImageRun, ImageSetup, SavedImageModel,
};
use confide_client::workflow::{ObjectFactory, ResultOpener, WorkerFacts};
use confide_protocol::{Digest, JobReport, JobSpec, JobState, ObjectKind, code};
use confide_tests::{
    party::{Party, done, output},
    pictures,
    worker::Worker,
};

/// About 60 of them train: two jobs, because 32 fill a ciphertext.
const IMAGES: usize = 75;

/// Those of them for which a network is bootstrapped: one job of 32 trains.
const FEWER: usize = 40;

/// Images that are predicted once more.
const NEW: usize = 5;

const FACTS: WorkerFacts = pictures::FACTS;

async fn start(data: &Path, models: &Path) -> Worker {
    let models = models.display().to_string();
    let limits = [
        "--threads",
        "2",
        "--max-memory",
        "2GiB",
        "--max-client-bytes",
        "1GiB",
    ];
    let flags: Vec<&str> = limits.into_iter().chain(["--models", &models]).collect();
    Worker::start_insecure(data, &flags).await
}

/// The report of a job at its end; the worker is killed once the job has made a step, where it is to be.
async fn finished(
    (party, worker): (&mut Party, Worker),
    (data, models): (&Path, &Path),
    job: JobSpec,
    kill: bool,
) -> (JobReport, Worker) {
    let mut worker = worker;
    let id = party.start(job).await.unwrap();
    if kill {
        let working =
            |state: &JobState| matches!(state, JobState::Running { done, .. } if *done > 0);
        party
            .job_until(id, |state| working(state) || state.is_final())
            .await;
        worker.kill().await;
        worker = start(data, models).await;
        party.url = worker.url();
    }
    party.session.attach_job(id);
    (done(party.job_until(id, JobState::is_final).await), worker)
}

/// The run of a setup, with plans from the worker. The model is in `folder`.
async fn plan(party: &mut Party, folder: &Path, setup: ImageSetup) -> ImageRun {
    let mut planned = scans::planned(setup, &FACTS);
    while planned.wants_plan() {
        let request = planned.request_bytes(&FACTS).unwrap();
        let plan = pictures::ask(party, request).await.unwrap();
        // A plan of other features is refused.
        let request = planned.request(&FACTS).unwrap();
        let mut altered: confide_model::InferencePlan =
            confide_protocol::from_bytes(&plan).unwrap();
        altered.task.gathering.as_mut().unwrap().scale *= 2.0;
        assert!(altered.check(&card(folder), &request).is_err());
        planned.accept(&plan, &FACTS).unwrap();
    }
    planned.into_run().unwrap()
}

fn card(folder: &Path) -> confide_model::Card {
    let text = std::fs::read(folder.join("card.json")).unwrap();
    confide_model::Card::parse(&text).unwrap()
}

/// Features of all jobs; the worker is killed in the middle of job `kill`.
async fn features(
    run: &ImageRun,
    (party, worker): (&mut Party, Worker),
    places: (&Path, &Path),
    kill: Option<usize>,
) -> (Vec<Digest>, Worker) {
    let (factory, mut worker) = (scans::network_factory(run), worker);
    let (keys, mut digests) = scans::make(run, &factory, run.feature_keys().unwrap());
    party.upload(&keys).await;
    let (mut kept, jobs) = (Vec::new(), run.jobs().iter().sum::<usize>());
    for job in 0..jobs {
        let (images, made) = scans::make(run, &factory, run.image_items(job).unwrap());
        party.upload(&images).await;
        digests.extend(made);
        let spec = run.feature_job(job, &digests).unwrap();
        let report;
        (report, worker) = finished((party, worker), places, spec, kill == Some(job)).await;
        kept.push(output(&report, ObjectKind::ImageFeatures));
        // Images go, features stay.
        let images: Vec<Digest> = images.iter().map(|object| object.digest).collect();
        party.session.delete(images).unwrap();
    }
    (kept, worker)
}

/// Trains on kept features and predicts: head and scores as bytes.
async fn head(
    run: &ImageRun,
    (party, worker): (&mut Party, Worker),
    places: (&Path, &Path),
    features: &[Digest],
    kill: bool,
) -> (Vec<u8>, Vec<Vec<u8>>, Worker) {
    let factory = ObjectFactory::new(&scans::SEED, run.training()).unwrap();
    let (objects, digests) = scans::make(run, &factory, run.training_items().unwrap());
    party.upload(&objects).await;
    let (train, test) = features.split_at(run.jobs()[0]);
    let job = run.train_job(train, &digests).unwrap();
    // Features of another place, or one too few, are no features.
    if let (false, JobSpec::Train { features, .. }) = (kill, &job) {
        let mut wrong = job.clone();
        if let JobSpec::Train {
            features: list,
            labels,
            ..
        } = &mut wrong
        {
            *list = labels.clone();
        }
        let state = party.run(wrong).await.unwrap();
        let refused =
            matches!(&state, JobState::Failed(error) if error.code == code::OBJECT_INVALID);
        assert!(refused, "{state:?}");
        let mut short = job.clone();
        if let JobSpec::Train { features: list, .. } = &mut short {
            *list = features[1..].to_vec();
        }
        assert_eq!(party.run(short).await.unwrap_err().code, code::JOB_OBJECTS);
    }
    let (report, worker) = finished((party, worker), places, job, kill).await;
    let trained = output(&report, ObjectKind::Head);
    let mut scores = Vec::new();
    for job in run.predict_jobs(trained, test, &digests).unwrap() {
        let report = done(party.run(job).await.unwrap());
        scores.push(party.download(output(&report, ObjectKind::Scores)).await);
    }
    (party.download(trained).await, scores, worker)
}

/// Logits of the test images.
fn opened(run: &ImageRun, scores: &[Vec<u8>]) -> Vec<Vec<f64>> {
    let opener = ResultOpener::new(&scans::SEED, run.training()).unwrap();
    let rows = run.score_rows();
    let opened = scores.iter().map(|bytes| opener.open_scores(bytes, rows));
    run.logits(&opened.collect::<Result<Vec<_>, _>>().unwrap())
        .unwrap()
}

/// Predicts test images once more, as new ones, with what is kept of the training: the same probabilities as then.
async fn later(run: &ImageRun, party: &mut Party, head: Digest, logits: &[Vec<f64>]) {
    let seed = &scans::SEED;
    let (_, network) = scans::make(
        run,
        &scans::network_factory(run),
        run.feature_keys().unwrap(),
    );
    let factory = ObjectFactory::new(seed, run.training()).unwrap();
    let (_, training) = scans::make(run, &factory, run.training_items().unwrap());
    let saved = SavedImageModel::new(run, head, [&network, &training], "mark".into()).unwrap();
    let json = saved.to_json().unwrap();
    assert!(SavedImageModel::is_one(&json));
    assert_eq!(SavedImageModel::from_json(&json).unwrap(), saved);
    let damaged = json.replace("\"positive\":", "\"positive\":9");
    assert_eq!(
        SavedImageModel::from_json(&damaged).unwrap_err().code,
        "CC-5030"
    );

    let known = run.predictions(logits);
    let mut new = pictures::labelled(IMAGES).0;
    new.retain(|image| known[..NEW].iter().any(|one| one.image == image.name));
    let none = ImagePredictionSetup::new(saved.clone(), Vec::new());
    assert_eq!(none.err().unwrap().code, "CC-5032");
    let setup = ImagePredictionSetup::new(saved, new).unwrap();
    let request = setup.request_bytes(&FACTS).unwrap();
    let plan = pictures::ask(party, request).await.unwrap();
    let prediction = setup.accept(&plan, &FACTS).unwrap();
    // No key is needed that the training has not sent.
    let keys = prediction.network_keys().unwrap();
    assert!(
        keys.iter()
            .all(|(item, digest)| *digest == network.get(&item.job).copied())
    );
    assert!(keys.iter().all(|(_, digest)| digest.is_some()));
    let scoring = prediction.training_keys().unwrap();
    assert!(!scoring.is_empty() && scoring.iter().all(|(_, digest)| digest.is_some()));

    let plan = prediction.plan().unwrap();
    let factory = ObjectFactory::of_features(seed, plan, prediction.training()).unwrap();
    let items = prediction.image_items(0).unwrap();
    let (images, digests) = pictures::make(&factory, items, |job| prediction.slots(job));
    party.upload(&images).await;
    let all = network.into_iter().chain(digests).collect();
    assert_eq!(prediction.jobs(), 1);
    let job = prediction.feature_job(0, &all).unwrap();
    let features = done(party.run(job).await.unwrap());
    let features = output(&features, ObjectKind::ImageFeatures);
    let job = prediction.predict_job(features, &training).unwrap();
    let scores = output(&done(party.run(job).await.unwrap()), ObjectKind::Scores);
    let opener = ResultOpener::new(seed, prediction.training()).unwrap();
    let scores = party.download(scores).await;
    let opened = opener
        .open_scores(&scores, prediction.score_rows())
        .unwrap();
    assert_eq!(prediction.predictions(&[]).unwrap_err().code, "CC-5021");
    let found = prediction.predictions(&[opened]).unwrap();
    assert_eq!((found.len(), prediction.names().len()), (NEW, NEW));

    for (one, name) in found.iter().zip(prediction.names()) {
        let before = known.iter().find(|known| known.image == name).unwrap();
        let apart = one.probabilities.iter().zip(&before.scores);
        let worst = apart.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        assert!(worst < 5e-3, "{one:?} {before:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_is_trained_on_encrypted_images_and_a_kill_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let labelled = pictures::labelled(IMAGES);
    let model = pictures::with_features(&models, &labelled.0);
    let folder = models.join(&model.card.name);
    let mut results = Vec::new();
    for (name, kills) in [("calm", [None, None]), ("killed", [Some(1), Some(1)])] {
        let data = dir.path().join(name);
        std::fs::create_dir(&data).unwrap();
        let worker = start(&data, &models).await;
        let mut party = Party::connect(worker.url(), 1).await;
        let setup = scans::setup(&folder, labelled.clone(), false);
        let run = plan(&mut party, &folder, setup).await;
        if results.is_empty() {
            println!("{}", run.training());
            run.features().for_each(|plan| println!("{plan}"));
            assert_eq!(run.jobs(), [2, 1]);
        }
        let places = (data.as_path(), models.as_path());
        let (kept, worker) = features(&run, (&mut party, worker), places, kills[0]).await;
        let kill = kills[1].is_some();
        let found = head(&run, (&mut party, worker), places, &kept, kill).await;
        let (trained, scores, worker) = found;
        if !kill {
            let scores = opened(&run, &scores);
            later(&run, &mut party, Digest::of(&trained), &scores).await;
        }
        assert!(worker.terminate().await);
        results.push((run, kept, trained, scores));
    }
    let [calm, killed] = &results[..] else {
        unreachable!("two runs");
    };
    assert_eq!(
        (&calm.1, &calm.2, &calm.3),
        (&killed.1, &killed.2, &killed.3)
    );

    let (run, _, _, scores) = calm;
    let logits = opened(run, scores);
    let clear = run.clear(&model.weights).unwrap();
    assert!(clear.share_of_range < 1.0, "{}", clear.share_of_range);
    let report = run.report(&logits, Some(&clear)).unwrap();
    let beside = report.clear.as_ref().unwrap();
    println!("{beside:?}");
    let images = [report.train_images, report.test_images];
    assert_eq!(images[0] % 2, 0, "{images:?}");
    assert!(beside.max_logit_difference < 5e-3, "{beside:?}");
    assert_eq!(beside.label_agreement, 1.0, "{beside:?}");
    assert!(
        report.accuracy_encrypted > Some(0.6),
        "{:?}",
        report.accuracy_encrypted
    );
    assert_eq!(run.predictions(&logits).len(), images[1]);
    assert_eq!(run.logits(&[]).unwrap_err().code, "CC-5021");
}

/// 27 levels up to the features on a ring with 13 between bootstraps: the network works under the parameters of training.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_network_is_bootstrapped_before_a_head_is_trained() {
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    let deep = pictures::networks().join("deep");
    let network = confide_model::Model::read(&deep).unwrap();
    let labelled = pictures::labelled_by(&network, FEWER);
    let model = pictures::with_features_of(&deep, &models, &labelled.0);
    let folder = models.join(&model.card.name);
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let worker = start(&data, &models).await;
    let mut party = Party::connect(worker.url(), 1).await;

    let setup = scans::setup(&folder, labelled, true);
    let run = plan(&mut party, &folder, setup).await;
    for plan in run.features() {
        println!("{plan}");
        let text = plan.to_string();
        assert!(text.contains("then bootstraps where blocks"), "{text}");
        // The ring of training, which therefore can do without a switch of the modulus.
        let params = run.training().parameters().unwrap();
        assert_eq!(plan.parameters().unwrap().literal(), params.literal());
    }
    let places = (data.as_path(), models.as_path());
    let (kept, worker) = features(&run, (&mut party, worker), places, None).await;
    let found = head(&run, (&mut party, worker), places, &kept, true).await;
    let (trained, scores, worker) = found;
    let logits = opened(&run, &scores);
    later(&run, &mut party, Digest::of(&trained), &logits).await;
    assert!(worker.terminate().await);

    let clear = run.clear(&model.weights).unwrap();
    assert!(clear.share_of_range < 1.0, "{}", clear.share_of_range);
    let report = run.report(&logits, Some(&clear)).unwrap();
    let beside = report.clear.as_ref().unwrap();
    println!("{beside:?}");
    assert!(beside.max_logit_difference < 5e-3, "{beside:?}");
    assert_eq!(beside.label_agreement, 1.0, "{beside:?}");
}
