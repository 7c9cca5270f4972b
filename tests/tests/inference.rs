//! A network on encrypted images, by the real worker: known answers, canaries, hostile jobs, a killed worker. The ring
//! is the smallest secure one that holds the network.

use confide_client::session::{Event, Object};
use confide_model::inference::Choice;
use confide_model::refresh::INSECURE_LOG_N;
use confide_model::{InferencePlan, InferenceRequest, Model};
use confide_protocol::{
    Digest, JobSpec, JobState, ObjectKind, WireError, code, from_bytes, to_bytes,
};
use confide_tensor::CostModel;
use confide_tests::{
    party::{Party, done},
    pictures,
    worker::Worker,
};

fn flags() -> Vec<String> {
    pictures::flags()
}

async fn start(dir: &std::path::Path, more: &[&str]) -> Worker {
    let flags = flags();
    let all: Vec<&str> = flags
        .iter()
        .map(String::as_str)
        .chain(more.iter().copied())
        .collect();
    Worker::start(dir, &all).await
}

/// The error of a job, whether it was refused or failed.
async fn error_of(party: &mut Party, job: JobSpec) -> WireError {
    match party.run(job).await {
        Err(error) | Ok(JobState::Failed(error)) => error,
        Ok(other) => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_are_classified_unseen_and_canaries_tell_another_model() {
    let model = pictures::tiny();
    let [card, weights, golden] = pictures::tiny_files();
    let dir = tempfile::tempdir().unwrap();
    let worker = start(dir.path(), &[]).await;
    let mut party = Party::connect(worker.url(), 1).await;

    // What the worker offers is what lies in the folder.
    let number = party.session.list_models();
    let models = party
        .until(|event| match event {
            Event::Models { request, models } if *request == number => Some(models.clone()),
            _ => None,
        })
        .await;
    let entry = models.iter().find(|entry| entry.name == "tiny").unwrap();
    assert_eq!(party.download(entry.card.digest).await, card);
    assert_eq!(party.download(entry.weights.unwrap().digest).await, weights);

    let mut setup = pictures::setup(7);
    setup.canaries_of_images(&weights, 2).unwrap();
    setup.canaries_of_answers(&golden, 2).unwrap();
    let request = setup.request_bytes(&pictures::FACTS).unwrap();
    let plan = pictures::ask(&mut party, request).await.unwrap();
    let run = setup.accept(&plan, &pictures::FACTS).unwrap();
    println!("{}", run.plan());
    assert_eq!(run.jobs(), 1);
    let (objects, job) = pictures::encrypt(&run);
    party.upload(&objects).await;
    let report = done(party.run(job.clone()).await.unwrap());
    let (peak, predicted) = (report.peak_rss_bytes, run.plan().costs.memory_bytes);
    println!("{peak} bytes held, {predicted} predicted");
    assert!(peak < predicted * 5 / 4, "{peak} {predicted}");
    assert!(
        report
            .outputs
            .iter()
            .all(|(kind, _, _)| *kind == ObjectKind::Scores)
    );

    let slots = vec![pictures::open(&mut party, &run, &report).await];
    let (found, guard) = run.results(&slots).unwrap();
    assert_eq!((guard.canaries, guard.out_of_range, found.len()), (4, 0, 7));
    assert!(guard.worst < 0.5, "{guard:?}");
    for (image, found) in run.images().iter().zip(&found) {
        let clear = pictures::clear(&model, &image.pixels);
        let apart = clear.iter().zip(&found.scores);
        let worst = apart.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-3, "{found:?} {clear:?}");
        let best = (0..3).max_by(|&i, &j| clear[i].total_cmp(&clear[j]));
        assert_eq!(found.predicted, best);
    }
    // Scores of another model: two classes exchanged.
    let mut other = slots.clone();
    other[0].swap(0, 1);
    assert_eq!(run.results(&other).unwrap_err().code, "CC-5043");
    // Values beyond the promised range are no scores.
    let mut wild = slots.clone();
    wild[0].iter_mut().flatten().for_each(|slot| *slot *= 1e6);
    assert_eq!(run.results(&wild).unwrap_err().code, "CC-5043");
    assert_eq!(run.results(&[]).unwrap_err().code, "CC-5020");
    assert!(worker.terminate().await);

    // The same job on a worker that dies on the way ends in the same bytes.
    let dir = tempfile::tempdir().unwrap();
    let worker = start(dir.path(), &["--private-weights"]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    party.upload(&objects).await;
    let id = party.start(job).await.unwrap();
    let working = |state: &JobState| matches!(state, JobState::Running { done, total, .. } if *done > 0 && done < total);
    party.job_until(id, working).await;
    worker.kill().await;
    let worker = start(dir.path(), &[]).await;
    party.url = worker.url();
    let again = done(party.job_until(id, JobState::is_final).await);
    assert_eq!(again.outputs, report.outputs);
    assert!(worker.terminate().await);
}

/// 27 levels on a ring with 13 between bootstraps. The ring has no security: the secure one takes minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_deeper_than_its_levels_is_bootstrapped() {
    let models = pictures::networks();
    let folder = models.join("deep");
    let model = Model::read(&folder).unwrap();
    let card = std::fs::read(folder.join("card.json")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let models = models.display().to_string();
    let worker = Worker::start_insecure(dir.path(), &["--threads", "2", "--models", &models]).await;
    let mut party = Party::connect(worker.url(), 3).await;

    let images = pictures::images(&model, 7);
    let setup = pictures::setup_of(&card, images);
    let request = setup.request_bytes(&pictures::FACTS).unwrap();
    let request: InferenceRequest = from_bytes(&request).unwrap();
    let choice = Choice {
        log_n: INSECURE_LOG_N,
        special: 9,
        batch: 8,
        images: 7,
        fold: false,
        entry: Some(19),
        working_bytes: 1 << 27,
    };
    let cost = CostModel::default();
    let plan = InferencePlan::derive(&model.card, &request.task(), choice, 2, &cost).unwrap();
    // A choice that has no bootstraps, or another ring, is another plan.
    type Change = fn(&mut InferencePlan);
    let changes: [(&str, Change); 6] = [
        ("no bootstraps", |p| p.choice.entry = None),
        ("another level", |p| p.choice.entry = Some(18)),
        ("no level", |p| p.choice.entry = Some(usize::MAX)),
        ("ring", |p| p.choice.log_n = 200),
        ("special primes", |p| p.choice.special = 8),
        ("keys", |p| p.keys.truncate(1)),
    ];
    for (what, change) in changes {
        let mut altered = plan.clone();
        change(&mut altered);
        assert!(altered.check(&model.card, &request).is_err(), "{what}");
    }
    let run = setup.accept(&to_bytes(&plan).unwrap(), &pictures::FACTS);
    let run = run.unwrap();
    println!("{}", run.plan());
    let (objects, job) = pictures::encrypt(&run);
    party.upload(&objects).await;
    let report = done(party.run(job).await.unwrap());
    let count = |name: &str| report.counts.iter().find(|(known, _)| known == name);
    let (_, bootstraps) = count("bootstraps").unwrap();
    assert!(*bootstraps >= 2, "{bootstraps}");
    let slots = vec![pictures::open(&mut party, &run, &report).await];
    let (found, guard) = run.results(&slots).unwrap();
    assert_eq!((guard.out_of_range, found.len()), (0, 7));
    for (image, found) in run.images().iter().zip(&found) {
        let clear = pictures::clear(&model, &image.pixels);
        let apart = clear.iter().zip(&found.scores);
        let worst = apart.map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-3, "{found:?} {clear:?}");
    }
    assert!(worker.terminate().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_stay_encrypted_and_hostile_jobs_get_an_error() {
    let model = pictures::tiny();
    let dir = tempfile::tempdir().unwrap();
    let worker = start(dir.path(), &["--private-weights"]).await;
    let mut party = Party::connect(worker.url(), 2).await;
    let party = &mut party;

    // Requests: unreadable, another model, nothing, too much.
    let own = InferenceRequest::new(&model.card, 5);
    let error = pictures::ask(party, vec![1, 2, 3]).await.unwrap_err();
    assert_eq!(error.code, code::PLAN_MALFORMED);
    type Wish = fn(&mut InferenceRequest);
    let wishes: [(&str, Wish, &str); 7] = [
        ("model", |r| r.card[0] ^= 1, code::UNKNOWN_MODEL),
        ("no images", |r| r.images = 0, code::NO_PLAN),
        ("images", |r| r.images = usize::MAX, code::NO_PLAN),
        ("layer", |r| r.until = Some("none".into()), code::NO_PLAN),
        ("levels", |r| r.spare_levels = usize::MAX / 4, code::NO_PLAN),
        ("batch", |r| r.batch = Some(3), code::NO_PLAN),
        ("memory", |r| r.max_memory_bytes = 1 << 20, code::NO_PLAN),
    ];
    for (what, change, expected) in wishes {
        let mut request = own.clone();
        change(&mut request);
        let asked = pictures::ask(party, to_bytes(&request).unwrap()).await;
        assert_eq!(asked.unwrap_err().code, expected, "{what}");
    }

    // A job that keeps features, with a level left to go on.
    let mut request = own.clone();
    (request.until, request.spare_levels) = (Some("pool".into()), 1);
    request.max_memory_bytes = pictures::FACTS.memory_bytes;
    request.max_store_bytes = pictures::FACTS.max_client_bytes;
    let plan = pictures::ask(party, to_bytes(&request).unwrap())
        .await
        .unwrap();
    let plan: InferencePlan = from_bytes(&plan).unwrap();
    plan.check(&model.card, &request).unwrap();
    assert_eq!((plan.outputs, plan.output_level), (6, 1));

    let setup = pictures::setup(5);
    let request = setup.request_bytes(&pictures::FACTS).unwrap();
    let scores = pictures::ask(party, request).await.unwrap();
    let run = setup.accept(&scores, &pictures::FACTS).unwrap();
    let (objects, job) = pictures::encrypt(&run);
    party.upload(&objects).await;
    let JobSpec::Infer { plan, keys, images } = job.clone() else {
        unreachable!()
    };

    // Plans: unreadable, altered.
    type Change = fn(&mut InferencePlan);
    let changes: [(&str, Change); 10] = [
        ("version", |p| p.version += 1),
        ("ring", |p| p.choice.log_n = 40),
        ("a smaller ring", |p| {
            (p.choice.log_n, p.params.log_n) = (13, 13)
        }),
        ("batch", |p| p.choice.batch = usize::MAX),
        ("images", |p| p.choice.images = 0),
        ("working", |p| p.choice.working_bytes = u64::MAX),
        ("special primes", |p| p.choice.special = u32::MAX),
        ("primes", |p| p.params.log_q.push(36)),
        ("memory", |p| p.costs.memory_bytes = 1),
        ("layer", |p| p.task.until = Some("dense ".into())),
    ];
    for (what, change) in changes {
        let mut altered: InferencePlan = from_bytes(&plan).unwrap();
        change(&mut altered);
        let job = JobSpec::Infer {
            plan: to_bytes(&altered).unwrap(),
            keys: keys.clone(),
            images: images.clone(),
        };
        let error = error_of(party, job).await;
        assert_eq!(error.code, code::PLAN_REFUSED, "{what}: {error:?}");
    }
    let with = |keys: &[Digest], images: &[Digest]| JobSpec::Infer {
        plan: plan.clone(),
        keys: keys.to_vec(),
        images: images.to_vec(),
    };
    let unreadable = JobSpec::Infer {
        plan: vec![9; 30],
        keys: vec![],
        images: vec![],
    };
    assert_eq!(error_of(party, unreadable).await.code, code::PLAN_MALFORMED);
    for job in [with(&keys[1..], &images), with(&keys, &images[1..])] {
        assert_eq!(error_of(party, job).await.code, code::JOB_OBJECTS);
    }
    let unknown = with(&keys, &[&[Digest([9; 32])], &images[1..]].concat());
    assert_eq!(error_of(party, unknown).await.code, code::UNKNOWN_OBJECT);
    // Keys exchanged, an image in a key's place, a damaged image, one of another level.
    let mut exchanged = keys.clone();
    exchanged.swap(0, 1);
    let mut image = keys.clone();
    image[0] = images[0];
    for keys in [exchanged, image] {
        let error = error_of(party, with(&keys, &images)).await;
        assert_eq!(error.code, code::OBJECT_INVALID, "{error:?}");
    }
    let first = objects.iter().find(|o| o.digest == images[0]).unwrap();
    for (what, at) in [("level", 40), ("parameters", 10)] {
        let mut bytes = first.bytes.to_vec();
        bytes[at] ^= 1;
        let object = Object::new(what, ObjectKind::Images, bytes);
        party.upload(std::slice::from_ref(&object)).await;
        let damaged = with(&keys, &[&[object.digest], &images[1..]].concat());
        let error = error_of(party, damaged).await;
        assert_eq!(error.code, code::OBJECT_INVALID, "{what}: {error:?}");
    }
    // After all this, the honest job runs.
    done(party.run(job).await.unwrap());
    assert!(worker.terminate().await);
}
