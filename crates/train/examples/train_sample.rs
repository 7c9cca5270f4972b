//! Trains on an encrypted synthetic table of the sample's size (455 x 31) under the real plan and prints one JSON object
//! with the seconds of each phase. `--iterations N` and `--threads N` (for the plan's prediction) are optional.

use std::sync::Mutex;
use std::time::Instant;

#[path = "../tests/common/mod.rs"]
mod common;

use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator,
};
use confide_tensor::{CkksEvaluator, CostModel, Observed, Observer};
use confide_train::{
    Activation, Packer, PlanRequest, TrainingInputs, plan, predict, train, train_reference,
};

/// Remembers when each phase was first seen.
struct Phases(Mutex<Vec<(String, Instant)>>);

impl Observer for Phases {
    fn progress(&self, _done: u64, _total: u64, phase: &str) {
        if let Ok(mut phases) = self.0.lock()
            && phases.last().is_none_or(|(name, _)| name != phase)
        {
            phases.push((phase.to_owned(), Instant::now()));
        }
    }

    fn cancelled(&self) -> bool {
        false
    }
}

fn option(name: &str) -> Option<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const PREDICTED: usize = 114;
    let mut request = PlanRequest {
        predict_rows_hint: PREDICTED,
        ..PlanRequest::new(455, 31, 2)
    };
    request.max_iterations = option("--iterations").unwrap_or(request.max_iterations);
    request.threads = option("--threads").unwrap_or(request.threads);
    let start = Instant::now();
    let plan = plan(&request)?;
    let planning = start.elapsed();
    eprintln!("{plan}");

    let params = plan.parameters()?;
    let (rows, labels) = common::table([455, 31, 2], 5);
    let seed = [9; 32];
    let start = Instant::now();
    let generator = KeyGenerator::new(&params, &seed);
    let secret = generator.secret_key();
    let mut seeded = Vec::new();
    for (kind, level) in plan.switching_keys() {
        seeded.push(generator.switching_key(kind, level)?);
    }
    let key_generation = start.elapsed();
    let start = Instant::now();
    let mut keys = EvaluationKeys::new();
    for key in seeded {
        keys.insert(key.expand(&params)?);
    }
    let key_expansion = start.elapsed();

    let start = Instant::now();
    let packer = Packer::new(&plan.layout, &plan.schedule);
    let encoder = Encoder::new(&params);
    let encryptor = Encryptor::new(&params, &seed);
    let encrypt = |slots: &[Complex64],
                   level: usize,
                   label: String|
     -> Result<Ciphertext, Box<dyn std::error::Error>> {
        let plain = encoder.encode(slots, level, params.scale_at(level))?;
        Ok(encryptor
            .encrypt_seeded(&secret, &plain, label.as_bytes())?
            .expand(&params)?)
    };
    let mut inputs = TrainingInputs {
        features: Vec::new(),
        labels: Vec::new(),
    };
    for i in 0..packer.feature_vectors() {
        inputs.features.push(encrypt(
            &packer.pack_features(&rows, i)?,
            plan.data_level,
            format!("x{i}"),
        )?);
    }
    for block in 0..plan.layout.blocks {
        inputs.labels.push(encrypt(
            &packer.pack_labels(&labels, block)?,
            plan.data_level,
            format!("y{block}"),
        )?);
    }
    let encryption = start.elapsed();

    let ev = CkksEvaluator::new(&params, &keys);
    let phases = Phases(Mutex::default());
    let observed = Observed::new(
        &ev,
        &phases,
        CostModel::default(),
        plan.key_switch_shape(),
        plan.costs.work_micros,
    );
    let start = Instant::now();
    let head = train(&observed, &plan.layout, &plan.schedule, inputs)?;
    let training = start.elapsed();
    let end = Instant::now();

    let batch = plan.layout.prediction(PREDICTED)?;
    let packed = packer.pack_prediction(&rows[..PREDICTED])?;
    let mut records = Vec::new();
    for (i, slots) in packed.iter().enumerate() {
        records.push(encrypt(slots, plan.prediction_level, format!("p{i}"))?);
    }
    let start = Instant::now();
    let logits = predict(&ev, &plan.layout, &batch, &head, records)?;
    let prediction = start.elapsed();

    let decryptor = Decryptor::new(&params);
    let weights =
        packer.weights_from_dense(&encoder.decode(&decryptor.decrypt(&secret, &head)?)?)?;
    let reference = train_reference(
        &plan.layout,
        &plan.schedule,
        &rows,
        &labels,
        Activation::Polynomial,
    )?;
    let slots = encoder.decode(&decryptor.decrypt(&secret, &logits)?)?;
    let logits = packer.unpack_logits(&slots, PREDICTED)?;
    let mut logit_error = 0.0f64;
    for (row, logit) in rows.iter().zip(&logits) {
        let expected: f64 = reference.weights[0]
            .iter()
            .zip(row)
            .map(|(w, x)| w * x)
            .sum();
        logit_error = logit_error.max((logit[0] - expected).abs());
    }

    let seen = phases.0.into_inner().unwrap_or_default();
    let ends = seen.iter().skip(1).map(|(_, time)| *time).chain([end]);
    let by_phase: serde_json::Map<_, _> = seen
        .iter()
        .zip(ends)
        .map(|((name, time), end)| (name.clone(), (end - *time).as_secs_f64().into()))
        .collect();
    let predicted: serde_json::Map<_, _> = plan
        .costs
        .phases
        .iter()
        .map(|phase| (phase.name.clone(), phase.seconds.into()))
        .collect();
    let report = serde_json::json!({
        "seconds": {
            "plan": planning.as_secs_f64(),
            "keys": key_generation.as_secs_f64(),
            "expand_keys": key_expansion.as_secs_f64(),
            "encrypt": encryption.as_secs_f64(),
            "train": training.as_secs_f64(),
            "train_by_phase": by_phase,
            "predict": prediction.as_secs_f64(),
        },
        "predicted_seconds": predicted,
        "backend": confide_ring::backend().name(),
        "upload_bytes": plan.upload.total(),
        "predicted_memory_bytes": plan.costs.memory_bytes,
        "largest_weight_error": common::distance(&weights, &reference.weights),
        "largest_logit_error": logit_error,
    });
    println!("{report}");
    Ok(())
}
