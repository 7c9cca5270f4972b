//! Files that are read: key backups, projects, models and pictures of the data party, cards and job records of the worker.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use confide_client::archive;
use confide_client::intake::{Picture, read_cifar};
use confide_client::vault::Vault;
use confide_client::workflow::{PredictionRun, SavedModel};
use confide_fuzz::Input;
use confide_model::{Card, InferenceRequest, inference};
use confide_protocol::{Digest, JobId, JobState, Limits, Token, from_bytes, to_bytes};
use confide_tensor::CostModel;
use confide_worker::store::{JobRecord, Store};
use libfuzzer_sys::fuzz_target;

const PASSPHRASE: &str = "correct horse battery";

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    match input.byte() % 7 {
        0 => {
            let text = String::from_utf8_lossy(input.rest());
            assert!(
                Vault::restore(&text, PASSPHRASE).is_err(),
                "a backup was forged"
            );
        }
        1 => sealed(&mut input),
        2 => model(&String::from_utf8_lossy(input.rest())),
        3 => picture(input.rest()),
        4 => {
            // A card from outside; deriving plans for it is bounded.
            if let Ok(card) = Card::parse(input.rest()) {
                let request = InferenceRequest::new(&card, 64);
                let _ = inference::plan(&card, &request, &CostModel::default());
            }
        }
        5 => project(&mut input),
        _ => records(&mut input),
    }
});

/// A picture of whatever size fits a network's input, or none at all.
fn picture(bytes: &[u8]) {
    if let Ok(picture) = Picture::read(bytes) {
        assert_eq!(picture.to_input([3, 8, 8]).len(), 192);
    }
    let _ = read_cifar(bytes);
}

/// A backup of a secret, sealed as the vault seals it, but at the least cost that Argon2 has.
fn backup(salt_and_nonce: [u8; 40], secret: &[u8]) -> String {
    let mut bytes = 1_u16.to_le_bytes().to_vec();
    for cost in [8, 1, 1_u32] {
        bytes.extend(cost.to_le_bytes());
    }
    bytes.extend(salt_and_nonce);
    let mut key = [0; 32];
    Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        Params::new(8, 1, 1, Some(32)).expect("least costs"),
    )
    .hash_password_into(PASSPHRASE.as_bytes(), &bytes[14..30], &mut key)
    .expect("valid lengths");
    let nonce = *XNonce::from_slice(&bytes[30..54]);
    let payload = Payload {
        msg: secret,
        aad: &bytes,
    };
    let cipher = XChaCha20Poly1305::new_from_slice(&key).expect("32 bytes");
    let ciphertext = cipher.encrypt(&nonce, payload).expect("short");
    bytes.extend(ciphertext);
    bytes.extend(blake3::hash(&bytes).as_bytes());
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("confide-key-backup 1\n{digits}\n")
}

/// A backup of any secret.
fn sealed(input: &mut Input<'_>) {
    let salt_and_nonce = input.array::<40>();
    let secret = input.rest();
    let text = backup(salt_and_nonce, secret);
    let digits = text.lines().nth(1).unwrap_or_default();
    let name = secret.get(64..).map(std::str::from_utf8);
    // A file of more than 4,096 digits is no backup.
    let good = digits.len() <= 4096 && matches!(name, Some(Ok(name)) if name.len() <= 128);
    match Vault::restore(&text, PASSPHRASE) {
        Ok(vault) => {
            assert!(good);
            assert_eq!(vault.seed()[..], secret[..32]);
            assert_eq!(vault.token()[..], secret[32..64]);
            assert_eq!(vault.name().as_bytes(), &secret[64..]);
        }
        Err(_) => assert!(!good),
    }
}

/// A project with any sections, under a key that fits, and any bytes that say they are one.
fn project(input: &mut Input<'_>) {
    let content = input.rest();
    let head = b"confide-project 1\n";
    assert!(
        archive::open(&[head, content].concat(), PASSPHRASE).is_err(),
        "a project was forged"
    );
    let secret = [1; 64];
    let text = backup([2; 40], &secret);
    let mut file = head.to_vec();
    file.extend((text.len() as u32).to_le_bytes());
    file.extend(text.as_bytes());
    let nonce = [3; 24];
    file.extend(nonce);
    let key = blake3::derive_key("confide 2026 project file v1", &secret[..32]);
    let payload = Payload {
        msg: content,
        aad: &file,
    };
    let cipher = XChaCha20Poly1305::new_from_slice(&key).expect("32 bytes");
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), payload)
        .expect("short");
    file.extend(sealed);
    match archive::open(&file, PASSPHRASE) {
        Ok((vault, sections)) => {
            assert_eq!(vault.seed()[..], secret[..32]);
            let sizes = sections
                .iter()
                .map(|(name, bytes)| 12 + name.len() + bytes.len());
            assert!(sizes.sum::<usize>() <= content.len());
        }
        Err(error) => assert_eq!(error.code, "CC-2021"),
    }
}

fn model(text: &str) {
    let Ok(model) = SavedModel::from_json(text) else {
        return;
    };
    let written = model.to_json().expect("it was read");
    let again = SavedModel::from_json(&written).expect("it was written here");
    assert_eq!(again.to_json().expect("it was read"), written);
    let features = model.preprocessing.features.clone();
    let records = confide_client::intake::Records {
        values: vec![0.5; features.len()],
        features,
        row_numbers: vec![1],
        notes: Vec::new(),
    };
    if let Ok(run) = PredictionRun::new(&model, &records) {
        assert_eq!(run.classes().len(), model.classes.len());
        let items = run.items().expect("a plan that was read");
        let _ = run.slots(&items[0].job);
    }
}

/// The worker's store after a crash that left anything at all in a job's record.
fn records(input: &mut Input<'_>) {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = if fs::exists("/dev/shm").unwrap_or(false) {
            PathBuf::from("/dev/shm")
        } else {
            std::env::temp_dir()
        };
        root.join(format!("confide-fuzz-{}", std::process::id()))
    });
    const LIMITS: Limits = Limits {
        chunk_bytes: 1 << 20,
        window_chunks: 8,
        max_object_bytes: 1 << 20,
        max_client_bytes: 1 << 24,
        max_jobs: 2,
        max_memory_bytes: 1 << 30,
        max_control_bytes: 1 << 20,
        idle_timeout_s: 60,
    };
    let (namespace, id) = (Token([1; 32]).namespace(), JobId(Digest([2; 32])));
    let client = ROOT.join("clients").join(namespace.to_hex());
    let job = client.join("jobs").join(id.0.to_hex());
    fs::create_dir_all(&job).expect("a writable temporary directory");
    let present = input.byte();
    let state = {
        let length = usize::from(input.u16() & 0x3FF);
        input.take(length)
    };
    let spec = input.rest();
    for (bit, name, bytes) in [(1, "state.v1", state), (2, "spec.v1", spec)] {
        let path = job.join(name);
        if present & bit == 0 {
            let _ = fs::remove_file(path);
        } else {
            fs::write(path, bytes).expect("a writable temporary directory");
        }
    }
    let store = Store::open(&ROOT, LIMITS, 1 << 30).expect("a readable directory");
    let unfinished = store.unfinished_jobs().expect("a readable directory");
    let ended = store.ended_job(&namespace, &id);
    assert!(unfinished.len() <= 1 && (unfinished.is_empty() || ended.is_none()));
    assert!(
        ended.as_ref().is_none_or(JobState::is_final) || from_bytes::<JobRecord>(state).is_ok()
    );
    for found in unfinished {
        let written = to_bytes(&found.spec).expect("it was read");
        assert_eq!(from_bytes(&written), Ok(found.spec));
    }
    // Whatever was there, a new job can be recorded and ends.
    let cancelled = JobRecord::Ended(JobState::Cancelled);
    store
        .record_state(&namespace, &id, &cancelled)
        .expect("a writable directory");
    assert_eq!(store.ended_job(&namespace, &id), Some(JobState::Cancelled));
}
