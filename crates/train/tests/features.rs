//! A head on features that the compute party made itself: pooled channels of a network's parameters, gathered into rows, switched to
//! the modulus of bootstrapping, refreshed and trained on. On a small, insecure ring.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{Random, distance};
use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters, Bootstrapper};
use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, KeyKind,
    Parameters, ParametersLiteral, Reserved,
};
use confide_model::features::{FeatureRows, FeatureSums, MASK_BITS};
use confide_model::{CkksLayers, FeatureCard, Grid, Layout};
use confide_tensor::{CkksEvaluator, Evaluator, RefreshLevels};
use confide_train::Activation;
use confide_train::bootstrapped::{Crossing, head, predict_block};
use confide_train::minibatch::{
    Batch, MinibatchPlan, MinibatchSchedule, Recipe, TileLayout, TilePacker, Trainer,
    TrainingState, minibatch_reference,
};

const SEED: [u8; 32] = [7; 32];
const LOG_N: u32 = 10;
const CHANNELS: usize = 6;
const CLASSES: usize = 3;
/// Rotations of a network: all that the gathering of any layout below needs.
const ROTATIONS: [i64; 5] = [-1, 1, -15, 16, -16];

/// The chain of a network, at its end.
fn network() -> Parameters {
    let literal = ParametersLiteral {
        log_n: LOG_N,
        log_q: vec![46, 46],
        log_p: vec![46; 3],
        log_scale: 36,
        dnum_alpha: 3,
    };
    let reserved = Reserved {
        lower: vec![46, 46],
        upper: Vec::new(),
    };
    Parameters::with_reserved_insecure_for_tests(literal, reserved).expect("a usable literal")
}

/// The chain of the large preset.
fn bootstrapping() -> BootstrapParameters {
    let preset = BootstrapLiteral::n16();
    let program = ParametersLiteral {
        log_n: LOG_N,
        ..preset.program.clone()
    };
    let literal = BootstrapLiteral { program, ..preset };
    BootstrapParameters::new_insecure_for_tests(literal).expect("a set")
}

/// Pooled channels of images, and labels that depend on them.
fn images(count: usize) -> (Vec<Vec<f64>>, Vec<usize>) {
    let mut random = Random::new(11);
    let label = |i: usize| i % CLASSES;
    let one = |i: usize| {
        let channel =
            |c: usize| 3.0 + 0.7 * random.normal() + if c == label(i) { 1.5 } else { 0.0 };
        (0..CHANNELS).map(channel).collect()
    };
    (
        (0..count).map(one).collect(),
        (0..count).map(label).collect(),
    )
}

/// What pooling leaves of images: sums in the first cell of each, anything in the other cells.
fn pooled(layout: &Layout, images: &[Vec<f64>], channel: usize, slots: usize) -> Vec<f64> {
    let mut random = Random::new(channel as u64);
    let mut values: Vec<f64> = (0..slots).map(|_| 3.0 + random.normal()).collect();
    for (image, channels) in images.iter().enumerate() {
        values[layout.slot(image, 0, 0).1] = channels[channel];
    }
    values
}

#[test]
fn a_head_is_trained_and_used_on_encrypted_features() {
    let (from, set) = (network(), bootstrapping());
    let params = set.params().clone();
    let crossing = Crossing::new(&from, &set).expect("enough levels");
    assert_eq!((crossing.level(), from.max_level()), (2, 3));

    // Maps of 2 x 2 pixels at spacing 2: four runs of 32 images share ciphertexts of 512 slots.
    let grid = Grid::new(512, 32).expect("4 x 4 cells");
    let layout = Layout::new(grid, 4).and_then(|layout| layout.halved(false));
    let layout = layout.expect("four pixels");
    let (images, labels) = images(52);
    let tiles = TileLayout::new(LOG_N, [52, CHANNELS + 1, CLASSES], 64, 16).expect("fits");
    let rows = FeatureRows::new(layout, images.len(), tiles.columns).expect("fits");
    assert_eq!((tiles.tiles(), rows.rows()), (1, tiles.block_rows()));
    let recipe = Recipe {
        rate: 2.0,
        ..Recipe::new(3)
    };
    let schedule = MinibatchSchedule::new(&tiles, &recipe).expect("valid");

    // The data party: one secret, keys of both sets.
    let generator = KeyGenerator::under_secret_of(&from, &params, &SEED).expect("one degree");
    let (encoder, encryptor) = (Encoder::new(&from), Encryptor::new(&from, &SEED));
    let secret = generator.secret_key();
    let encrypt = |values: &[f64], label: &str| {
        let level = from.max_level();
        let plain = encoder.encode_real(values, level, from.scale_at(level));
        let seeded = encryptor.encrypt_seeded(&secret, &plain.expect("fits"), label.as_bytes());
        Arc::new(seeded.and_then(|ct| ct.expand(&from)).expect("encryption"))
    };
    let channels: Vec<Vec<Arc<Ciphertext>>> = (0..CHANNELS)
        .map(|c| vec![encrypt(&pooled(&layout, &images, c, 512), &c.to_string())])
        .collect();
    let mut keys = EvaluationKeys::new();
    for k in ROTATIONS {
        let kind = KeyKind::Galois(from.ring().galois_for_rotation(k));
        let key = generator
            .switching_key(kind, crossing.level())
            .expect("key");
        keys.insert(key.expand(&from).expect("own parameters"));
    }
    let training = Training::new(&set, &tiles, &schedule);

    // The compute party: features, gathered, switched and refreshed.
    let card = FeatureCard {
        layer: "pool".into(),
        mean: vec![3.5; CHANNELS],
        rows: (0..CHANNELS)
            .map(|f| {
                (0..CHANNELS)
                    .map(|c| if c == f { 0.8 } else { 0.05 })
                    .collect()
            })
            .collect(),
        bound: 4.0,
    };
    let scale = schedule.data_scale * crossing.factor();
    let sums = FeatureSums::new(&card, &[1.0; CHANNELS], scale).expect("as many channels");
    let layers = CkksLayers::new(&from, &encoder, &keys).with_mask_bits(MASK_BITS);
    let gathered = rows.pack(&layers, channels, &sums).expect("gathers");
    let ev = training.evaluator();
    let refresh = |tile: &Ciphertext| {
        let crossed = crossing.cross(tile).expect("crosses");
        ev.refresh(&crossed, ev.slots().ilog2()).expect("refreshes")
    };
    let of_rows = rows.images_of_rows();
    let packer = TilePacker::new(&tiles, &schedule);
    let batch = Arc::new(Batch {
        tiles: gathered.iter().map(|tile| vec![refresh(tile)]).collect(),
        labels: of_rows
            .iter()
            .enumerate()
            .map(|(block, images)| {
                let own: Vec<_> = images.iter().map(|i| i.map(|i| labels[i])).collect();
                let slots = packer.label_block(&own).expect("labels");
                training.encrypt(&slots, &format!("labels {block}"))
            })
            .collect(),
    });
    assert_eq!(batch.tiles.len(), tiles.blocks());

    // In the clear, in the same order of rows.
    let table: Vec<Vec<f64>> = images
        .iter()
        .map(|channels| {
            let centred: Vec<f64> = channels.iter().map(|x| x - 3.5).collect();
            let feature = |row: &Vec<f64>| row.iter().zip(&centred).map(|(w, x)| w * x).sum();
            card.rows.iter().map(feature).chain([1.0]).collect()
        })
        .collect();
    let (packed, block) = (&of_rows[0], training.open(&batch.tiles[0][0]));
    for (row, image) in packed.iter().enumerate() {
        for column in 0..tiles.columns {
            let value = |feature: usize| {
                let record = image.and_then(|i| table[i].get(feature));
                record.map_or(0.0, |x| x * schedule.data_scale)
            };
            let expected = Complex64::new(value(2 * column), value(2 * column + 1));
            let apart = (block[row * tiles.columns + column] - expected).norm();
            assert!(apart < 1e-3, "row {row}, column {column}: {apart:e}");
        }
    }

    let trainer = Trainer::new(&ev, &tiles, &schedule);
    let end = trainer
        .run(
            TrainingState::start(),
            &mut |_| Ok(batch.clone()),
            &mut |_, _| Ok(()),
        )
        .expect("runs");
    let expected = minibatch_reference(
        &tiles,
        &schedule,
        &table,
        &labels,
        Activation::Polynomial,
        &mut |_, _| (),
    )
    .expect("reference");
    assert!(expected.within(&schedule), "{expected:?}");
    let trained = head(&ev, &trainer, &end).expect("a head");
    let weights = packer.weights(&training.open(&trained)).expect("a head");
    let apart = distance(&weights, &expected.weights);
    assert!(apart < 5e-3, "{apart:e}");

    // Prediction needs no refresh: what crossed over is high enough.
    let crossed = crossing.cross(&gathered[0]).expect("crosses");
    assert!(crossed.level() > tiles.prediction_depth());
    let crossed = ev.at_level(&crossed, tiles.prediction_depth());
    let scores = predict_block(
        &ev,
        &tiles,
        &schedule,
        trained,
        vec![crossed.expect("high enough")],
    );
    let slots = training.open(&scores.expect("scores"));
    let scores = packer.scores(&[slots], rows.rows()).expect("scores");
    for (row, image) in of_rows[0].iter().enumerate() {
        let Some(image) = *image else { continue };
        for (head, score) in expected.weights.iter().zip(&scores[row]) {
            let z: f64 = head.iter().zip(&table[image]).map(|(w, x)| w * x).sum();
            assert!((z - score).abs() < 2e-2, "image {image}: {z} {score}");
        }
    }
}

#[test]
fn networks_that_leave_too_little_are_refused() {
    let literal = ParametersLiteral {
        log_q: vec![46, 36, 36],
        ..network().literal().clone()
    };
    let from = Parameters::new_insecure_for_tests(literal).expect("a usable literal");
    let error = Crossing::new(&from, &bootstrapping()).expect_err("two levels");
    assert!(
        error.to_string().contains("scale of encrypted features"),
        "{error}"
    );
}

/// The bootstrapping set with its keys, and the secret.
struct Training {
    params: Parameters,
    boots: Vec<Bootstrapper>,
    keys: EvaluationKeys,
    encoder: Encoder,
    generator: KeyGenerator,
}

impl Training {
    fn new(set: &BootstrapParameters, layout: &TileLayout, schedule: &MinibatchSchedule) -> Self {
        let params = set.params().clone();
        let encoder = Encoder::new(&params);
        let levels = RefreshLevels::of(set, layout.log_period());
        let plan = MinibatchPlan::derive(layout, schedule, levels).expect("plans");
        // Those of the run, and all slots for the features.
        let periods = plan.report.refreshed.iter().copied();
        let boots: Vec<_> = periods
            .chain([params.log_slots()])
            .map(|log_period| Bootstrapper::new(set, &encoder, log_period).expect("matrices"))
            .collect();
        let generator = KeyGenerator::new(&params, &SEED);
        let mut needed: BTreeMap<KeyKind, usize> = BTreeMap::new();
        let all: Vec<_> = boots.iter().flat_map(Bootstrapper::keys).collect();
        for (kind, level) in plan.switching_keys(&all) {
            needed.insert(kind, level);
        }
        let mut keys = EvaluationKeys::new();
        for (kind, level) in needed {
            let key = generator.switching_key(kind, level).expect("level exists");
            keys.insert(key.expand(&params).expect("own parameters"));
        }
        Self {
            params,
            boots,
            keys,
            encoder,
            generator,
        }
    }

    fn evaluator(&self) -> CkksEvaluator<'_> {
        let ev = CkksEvaluator::new(&self.params, &self.keys);
        self.boots.iter().fold(ev, CkksEvaluator::with_refresh)
    }

    fn encrypt(&self, slots: &[Complex64], label: &str) -> Ciphertext {
        let ev = self.evaluator();
        let level = ev.refresh_levels().expect("refreshes");
        let scale = self.params.scale_at(level.output);
        let plain = self.encoder.encode(slots, level.output, scale);
        Encryptor::new(&self.params, &SEED)
            .encrypt_seeded(
                &self.generator.secret_key(),
                &plain.expect("fits"),
                label.as_bytes(),
            )
            .and_then(|seeded| seeded.expand(&self.params))
            .expect("encryption")
    }

    fn open(&self, ct: &Ciphertext) -> Vec<Complex64> {
        let plain = Decryptor::new(&self.params).decrypt(&self.generator.secret_key(), ct);
        self.encoder
            .decode(&plain.expect("own key"))
            .expect("canonical")
    }
}
