//! Hostile jobs against the real worker: false plans, keys and ciphertexts get an error that says
//! what is wrong, and another client's job goes on.

use confide_client::session::Object;
use confide_protocol::{Digest, JobSpec, JobState, ObjectKind, WireError, code, to_bytes};
use confide_tests::{
    party::Party,
    table::{Table, Upload},
    worker::Worker,
};
use confide_train::{Plan, TrainingPlan};

/// The job of a hostile client: the honest one with one thing changed.
struct Honest<'a> {
    table: &'a Table,
    upload: &'a Upload,
}

impl Honest<'_> {
    fn with(&self, change: impl FnOnce(&mut Parts)) -> JobSpec {
        let mut parts = Parts {
            plan: self.table.plan.clone(),
            relin: self.upload.relin,
            galois: self.upload.galois.clone(),
            features: self.upload.features.clone(),
            labels: self.upload.labels.clone(),
            sparse: vec![],
            validation: vec![],
        };
        change(&mut parts);
        JobSpec::Train {
            plan: to_bytes(&TrainingPlan::Levelled(parts.plan)).unwrap(),
            relin: parts.relin,
            galois: parts.galois,
            features: parts.features,
            labels: parts.labels,
            sparse: parts.sparse,
            validation: parts.validation,
        }
    }

    fn bytes(&self, digest: Digest) -> Vec<u8> {
        let object = self.upload.objects.iter().find(|o| o.digest == digest);
        object.unwrap().bytes.to_vec()
    }
}

struct Parts {
    plan: Plan,
    relin: Digest,
    galois: Vec<(u64, Digest)>,
    features: Vec<Digest>,
    labels: Vec<Digest>,
    sparse: Vec<Digest>,
    validation: Vec<Digest>,
}

/// The error of a job, whether it was refused or failed.
async fn error_of(party: &mut Party, job: JobSpec) -> WireError {
    match party.run(job).await {
        Err(error) | Ok(JobState::Failed(error)) => error,
        Ok(other) => panic!("{other:?}"),
    }
}

async fn upload(party: &mut Party, bytes: Vec<u8>) -> Digest {
    let object = Object::new("false", ObjectKind::Features, bytes);
    party.upload(std::slice::from_ref(&object)).await;
    object.digest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_jobs_get_an_error_while_others_go_on() {
    let table = Table::new(60, 3, 2);
    let made = table.encrypt();
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &[]).await;
    let honest = Honest {
        table: &table,
        upload: &made,
    };
    let mut party = Party::connect(worker.url(), 6).await;
    party.upload(&made.objects).await;
    let party = &mut party;

    // Plans: unreadable, altered, insecure, another table's.
    let unreadable = JobSpec::Train {
        plan: vec![7; 40],
        relin: made.relin,
        galois: vec![],
        features: vec![],
        labels: vec![],
        sparse: vec![],
        validation: vec![],
    };
    assert_eq!(error_of(party, unreadable).await.code, code::PLAN_MALFORMED);
    type Change = fn(&mut Parts);
    let plans: [(&str, Change); 9] = [
        ("iterations", |p| p.plan.choice.iterations = usize::MAX),
        ("rows", |p| p.plan.shape.rows = 1 << 40),
        ("degree of the ring", |p| p.plan.choice.log_n = 40),
        ("more primes", |p| p.plan.params.log_q.push(40)),
        ("a smaller ring", |p| {
            p.plan.choice.log_n = 13;
            p.plan.params.log_n = 13;
            p.plan.layout.log_n = 13;
        }),
        ("memory", |p| p.plan.costs.memory_bytes = 1),
        ("special primes", |p| {
            p.plan.choice.special_bits = vec![50; 1000]
        }),
        ("schedule", |p| p.plan.schedule.data_scale = f64::NAN),
        ("version", |p| p.plan.version += 1),
    ];
    for (what, change) in plans {
        let error = error_of(party, honest.with(change)).await;
        assert!(
            [code::PLAN_REFUSED, code::JOB_OBJECTS].contains(&error.code.as_str()),
            "{what}: {error:?}"
        );
    }

    // Lists of objects: an unknown Galois element, one too few, one twice, a label missing.
    let lists: [(&str, Change); 7] = [
        ("unknown element", |p| p.galois[0].0 ^= 1 << 9),
        ("key missing", |p| p.galois.truncate(p.galois.len() - 1)),
        ("key twice", |p| p.galois.push(p.galois[0])),
        ("label missing", |p| p.labels.clear()),
        ("key of a sparse secret", |p| p.sparse.push(p.labels[0])),
        ("validation record", |p| p.validation.push(p.labels[0])),
        ("feature twice", |p| p.features.push(p.features[0])),
    ];
    for (what, change) in lists {
        let error = error_of(party, honest.with(change)).await;
        assert_eq!(error.code, code::JOB_OBJECTS, "{what}: {error:?}");
    }
    let unknown = honest.with(|p| p.relin = Digest([9; 32]));
    assert_eq!(error_of(party, unknown).await.code, code::UNKNOWN_OBJECT);

    // Objects: keys exchanged, residues out of range, cut off, of another parameter set.
    let exchanged = honest.with(|p| {
        let (first, second) = (p.galois[0].1, p.galois[1].1);
        p.galois[0].1 = second;
        p.galois[1].1 = first;
    });
    assert_eq!(error_of(party, exchanged).await.code, code::OBJECT_INVALID);
    for target in [
        made.galois[0].1,
        made.relin,
        made.features[0],
        made.labels[0],
    ] {
        let bytes = honest.bytes(target);
        // All ones is above every prime of that many bits.
        let mut range = bytes.clone();
        range[88..188].fill(0xff);
        let mut parameters = bytes.clone();
        parameters[10] ^= 1;
        let mut level = bytes.clone();
        level[40] ^= 1;
        let cut = bytes[..bytes.len() - 1].to_vec();
        let longer = [bytes.as_slice(), &[0]].concat();
        for (what, bad) in [
            ("residues", range),
            ("parameters", parameters),
            ("level", level),
            ("cut", cut),
            ("longer", longer),
            ("tiny", vec![1]),
        ] {
            let digest = upload(party, bad).await;
            let job = honest.with(|p| {
                for place in std::iter::once(&mut p.relin)
                    .chain(p.galois.iter_mut().map(|(_, digest)| digest))
                    .chain(&mut p.features)
                    .chain(&mut p.labels)
                {
                    if *place == target {
                        *place = digest;
                    }
                }
            });
            let error = error_of(party, job).await;
            assert_eq!(error.code, code::OBJECT_INVALID, "{what}: {error:?}");
        }
    }
    // A head that is no head.
    let job = table.predict(&made, made.features[0]);
    assert_eq!(error_of(party, job).await.code, code::OBJECT_INVALID);
    // Rows that the records do not match.
    let JobSpec::Predict {
        plan,
        relin,
        galois,
        head,
        records,
        ..
    } = table.predict(&made, made.relin)
    else {
        unreachable!()
    };
    let rows = u32::MAX;
    let job = JobSpec::Predict {
        plan,
        relin,
        galois,
        head,
        rows,
        records,
    };
    assert_eq!(error_of(party, job).await.code, code::JOB_OBJECTS);

    // After all this, the honest job of another client runs on the same worker.
    let mut other = Party::connect(worker.url(), 7).await;
    other.upload(&made.objects).await;
    let end = other.run(table.train(&made)).await.unwrap();
    assert!(matches!(end, JobState::Done(_)), "{end:?}");
    assert!(worker.terminate().await);
}

/// Memory is checked by the plan's own prediction, before anything is loaded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_beyond_the_workers_memory_is_refused() {
    let table = Table::new(60, 3, 2);
    let dir = tempfile::tempdir().unwrap();
    let worker = Worker::start(dir.path(), &["--max-memory", "100MiB"]).await;
    let mut party = Party::connect(worker.url(), 1).await;
    let digests = |count: usize| vec![Digest([1; 32]); count];
    let job = JobSpec::Train {
        plan: table.plan_bytes(),
        relin: Digest([1; 32]),
        galois: table
            .plan
            .keys
            .iter()
            .map(|key| (key.element, Digest([1; 32])))
            .collect(),
        features: digests(table.plan.layout.blocks * table.plan.layout.packs()),
        labels: digests(table.plan.layout.blocks),
        sparse: vec![],
        validation: vec![],
    };
    let error = error_of(&mut party, job).await;
    assert_eq!(error.code, code::MEMORY, "{error:?}");
    assert!(error.message.contains("100MiB"), "{error:?}");
    assert!(worker.terminate().await);
}
