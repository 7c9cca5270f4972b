//! Writes the corpus that fuzzing starts from: valid bytes of every kind. `cargo run --example seeds -- DIR`

use std::path::Path;
use std::{env, fs, io};

use confide_client::vault::Vault;
use confide_client::workflow::{Digests, ObjectJob, SavedModel};
use confide_fuzz::{SAMPLE_CSV, sample_plan, sample_request, sample_setup, schemes, worker_facts};
use confide_protocol::{
    ClientMessage, Digest, JobReport, JobSpec, JobState, ObjectKind, PROTOCOL_VERSION, Token,
    WorkerMessage, encode_chunk, encode_client, encode_worker, to_bytes,
};
use confide_train::TrainingPlan;

fn main() -> io::Result<()> {
    let root = env::args().nth(1).unwrap_or_else(|| "corpus".into());
    let root = Path::new(&root);
    write(root, "objects", &objects())?;
    write(root, "frames", &frames())?;
    write(root, "session", &session())?;
    write(
        root,
        "tables",
        &[[&[4, 2, 51], SAMPLE_CSV.as_bytes()].concat()],
    )?;
    write(root, "files", &files())?;
    write(root, "plans", &plans())
}

fn write(root: &Path, target: &str, seeds: &[Vec<u8>]) -> io::Result<()> {
    let dir = root.join(target);
    fs::create_dir_all(&dir)?;
    for (index, seed) in seeds.iter().enumerate() {
        fs::write(dir.join(format!("seed-{index:02}")), seed)?;
    }
    println!("{}: {} seeds", dir.display(), seeds.len());
    Ok(())
}

fn after(selector: &[u8], bytes: Vec<u8>) -> Vec<u8> {
    [selector, &bytes].concat()
}

fn objects() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, scheme) in schemes().iter().enumerate() {
        let ring = (index as u8) << 7 | 0x40;
        let (params, ev) = (&scheme.params, &scheme.evaluator);
        let product = ev.mul(&scheme.fresh, &scheme.fresh).expect("equal scales");
        for ct in [
            scheme.fresh.clone(),
            ev.drop_level(&scheme.fresh, 0).expect("a level"),
            product,
        ] {
            seeds.push(after(&[ring | 1], ct.to_bytes(params).expect("own")));
        }
        seeds.push(after(
            &[ring | 2],
            scheme.seeded.to_bytes(params).expect("own"),
        ));
        for level in [0, 1, params.max_level()] {
            let keys = [
                scheme.generator.relin_key(level),
                scheme.generator.galois_key(5, level),
            ];
            for key in keys {
                seeds.push(after(
                    &[ring | 3],
                    key.expect("a level").to_bytes(params).expect("own"),
                ));
            }
        }
        let public = scheme.generator.public_key().expect("a key");
        seeds.push(after(&[ring | 4], public.to_bytes(params).expect("own")));
        seeds.push(after(&[0], to_bytes(params.literal()).expect("small")));
    }
    seeds.push(after(&[0], to_bytes(&sample_plan().params).expect("small")));
    seeds
}

fn job() -> JobSpec {
    let (plan, digest) = (sample_plan(), Digest([1; 32]));
    JobSpec::Train {
        plan: to_bytes(&TrainingPlan::Levelled(plan.clone())).expect("small"),
        relin: digest,
        galois: plan.keys.iter().map(|key| (key.element, digest)).collect(),
        features: vec![digest; plan.layout.blocks * plan.layout.packs()],
        labels: vec![digest; plan.layout.blocks],
        sparse: Vec::new(),
        validation: Vec::new(),
    }
}

fn frames() -> Vec<Vec<u8>> {
    let digest = Digest([1; 32]);
    let client = [
        ClientMessage::Hello {
            version: PROTOCOL_VERSION,
            client: "seed".into(),
            token: Token([2; 32]),
        },
        ClientMessage::RequestPlan {
            request: 1,
            plan_request: to_bytes(&sample_request()).expect("small"),
        },
        ClientMessage::Have {
            request: 2,
            digests: vec![digest; 3],
        },
        ClientMessage::Put {
            request: 3,
            transfer: 4,
            digest,
            size: 1000,
            kind: ObjectKind::GaloisKey { element: 5 },
        },
        ClientMessage::StartJob {
            request: 5,
            job: job(),
        },
    ];
    let worker = [
        WorkerMessage::HaveReply {
            request: 2,
            missing: vec![(digest, 1 << 20)],
        },
        WorkerMessage::GetStart {
            request: 3,
            transfer: 4,
            size: 2000,
            offset: 0,
        },
        WorkerMessage::JobUpdate {
            request: None,
            job: confide_protocol::JobId(digest),
            state: JobState::Done(report()),
        },
        WorkerMessage::JobUpdate {
            request: Some(6),
            job: confide_protocol::JobId(digest),
            state: JobState::Running {
                phase: "validate".into(),
                done: 1,
                total: 2,
                elapsed_ms: 3,
                remaining_ms: Some(3),
                outputs: vec![(ObjectKind::Validation { step: 4 }, digest, 1000)],
            },
        },
        WorkerMessage::ShuttingDown,
    ];
    let mut seeds: Vec<Vec<u8>> = client
        .iter()
        .map(|message| after(&[0], encode_client(message).expect("small")))
        .collect();
    seeds.extend(
        worker
            .iter()
            .map(|message| after(&[1], encode_worker(message).expect("small"))),
    );
    let chunk = encode_chunk(7, 1, b"some data").expect("short");
    seeds.extend([after(&[0], chunk.clone()), after(&[1], chunk)]);
    // A sender of three chunks that are acknowledged one by one, and receivers of one and of two chunks.
    let numbers = [(5_u64 << 19).to_le_bytes(), [0; 8]].concat();
    seeds.push([&[2], &numbers[..], &[2, 0, 0, 0], &[0, 1, 0, 1, 0, 1]].concat());
    seeds.push(vec![3, 100, 0, 0, 7, 0, 0]);
    seeds.push(vec![3, 100, 0, 1, 7, 0, 0, 0]);
    seeds
}

fn report() -> JobReport {
    JobReport {
        outputs: vec![(ObjectKind::Head, Digest([3; 32]), 500)],
        seconds: vec![("step".into(), 1.5)],
        peak_rss_bytes: 1 << 30,
        counts: vec![("rotate".into(), 12)],
    }
}

/// Sequences of the session target's steps: greeting and upload, greeting and download.
fn session() -> Vec<Vec<u8>> {
    let welcome = [6, 0, 0, 0, 1, 0, 11, 0, 0, 16, 0, 8, 0, 0, 0];
    let upload = [3, 4, 0, 2];
    let put_ready = [6, 1, 2, 0, 1, 0, 2, 2];
    let ack_and_done = [6, 0, 2, 0, 1, 0, 3, 0, 6, 0, 2, 0, 1, 0, 4];
    let download = [3, 5, 0, 2, 6, 1, 2, 0, 1, 0, 5, 5, 0, 0, 2];
    let job = [3, 6, 7, 2, 6, 3, 0, 0, 1, 0, 6, 1];
    let start = [&[0, 2], &welcome[..]].concat();
    vec![
        [
            &start[..],
            &upload,
            &put_ready,
            &ack_and_done,
            &download,
            &job,
        ]
        .concat(),
        [&start[..], &upload, &put_ready, &[1, 0, 2], &welcome].concat(),
        [&start[..], &download].concat(),
        [&start[..], &job].concat(),
    ]
}

fn files() -> Vec<Vec<u8>> {
    let vault = Vault::from_parts([1; 32], [2; 32], "seed").expect("a short name");
    let mut secret = vec![0; 40];
    secret.extend([vault.seed().as_slice(), vault.token(), b"seed"].concat());
    let plan = to_bytes(&TrainingPlan::Levelled(sample_plan().clone())).expect("small");
    let run = sample_setup()
        .accept(&plan, &worker_facts())
        .expect("own plan");
    let digests: Digests = run
        .items()
        .expect("an accepted plan")
        .iter()
        .map(|item| item.job)
        .filter(|job: &ObjectJob| !job.has_slots())
        .map(|job| (job, Digest([4; 32])))
        .collect();
    let model = SavedModel::new(&run, Digest([5; 32]), &digests, vault.fingerprint());
    let record = |present: u8, state: &[u8]| {
        let spec = to_bytes(&job()).expect("small");
        [
            &[6, present],
            &(state.len() as u16).to_le_bytes()[..],
            state,
            &spec,
        ]
        .concat()
    };
    let ended = [
        &[2],
        &to_bytes(&JobState::Done(report())).expect("small")[..],
    ]
    .concat();
    vec![
        after(
            &[0],
            vault
                .backup("another passphrase")
                .expect("long enough")
                .into_bytes(),
        ),
        after(&[1], secret),
        after(&[2], model.to_json().expect("a model").into_bytes()),
        after(
            &[5],
            [&[1, 0, 0, 0, b'a', 2, 0, 0, 0, 0, 0, 0, 0][..], b"bc"].concat(),
        ),
        record(3, &[0]),
        record(3, &[1, 2]),
        record(1, &ended),
    ]
}

fn plans() -> Vec<Vec<u8>> {
    let plan = to_bytes(&TrainingPlan::Levelled(sample_plan().clone())).expect("small");
    vec![
        after(&[0], to_bytes(&sample_request()).expect("small")),
        after(&[1, 0], plan.clone()),
        after(&[1, 1], to_bytes(&job()).expect("small")),
        after(&[2], plan),
    ]
}
