//! Minibatch training on ciphertexts of a small, insecure ring, bootstraps included.

mod common;

use std::sync::Arc;

use common::{distance, hidden_logits, table};
use confide_ckks::bootstrap::{BootstrapLiteral, BootstrapParameters, Bootstrapper};
use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters,
    ParametersLiteral, SecretKey,
};
use confide_tensor::{CkksEvaluator, Evaluator, RefreshLevels, TensorError};
use confide_train::Activation;
use confide_train::bootstrapped::{head, predict_block};
use confide_train::minibatch::{
    Action, Batch, LossKind, MinibatchPlan, MinibatchSchedule, Recipe, TileLayout, TilePacker,
    Trainer, TrainingState, minibatch_reference,
};

const SEED: [u8; 32] = [7; 32];
const LOG_N: u32 = 10;
const SIZES: [usize; 3] = [60, 9, 3];

/// The data party, and the keys that it gives away.
struct Party {
    set: BootstrapParameters,
    boots: Vec<Bootstrapper>,
    keys: EvaluationKeys,
    secret: SecretKey,
    encoder: Encoder,
    encryptor: Encryptor,
}

impl Party {
    fn new(layout: &TileLayout, schedule: &MinibatchSchedule) -> Self {
        // The chain of the large preset.
        let preset = BootstrapLiteral::n16();
        let literal = BootstrapLiteral {
            program: ParametersLiteral {
                log_n: LOG_N,
                ..preset.program.clone()
            },
            ..preset
        };
        let set = BootstrapParameters::new_insecure_for_tests(literal).expect("a set");
        let params = set.params().clone();
        let encoder = Encoder::new(&params);
        let levels = RefreshLevels::of(&set, layout.log_period());
        let plan = MinibatchPlan::derive(layout, schedule, levels).expect("plans");
        let periods = plan.report.refreshed.iter();
        let boots: Vec<_> = periods
            .map(|&log_period| Bootstrapper::new(&set, &encoder, log_period).expect("matrices"))
            .collect();
        let bootstrap: Vec<_> = boots.iter().flat_map(Bootstrapper::keys).collect();
        let generator = KeyGenerator::new(&params, &SEED);
        let mut keys = EvaluationKeys::new();
        for (kind, level) in plan.switching_keys(&bootstrap) {
            let key = generator.switching_key(kind, level).expect("level exists");
            keys.insert(key.expand(&params).expect("own parameters"));
        }
        Self {
            secret: generator.secret_key(),
            encryptor: Encryptor::new(&params, &SEED),
            encoder,
            keys,
            boots,
            set,
        }
    }

    fn params(&self) -> &Parameters {
        self.set.params()
    }

    fn evaluator(&self) -> CkksEvaluator<'_> {
        let ev = CkksEvaluator::new(self.params(), &self.keys);
        self.boots.iter().fold(ev, CkksEvaluator::with_refresh)
    }

    fn encrypt(&self, slots: &[Complex64], label: &str) -> Ciphertext {
        let level = self.evaluator().refresh_levels().expect("refreshes").output;
        let plain = self
            .encoder
            .encode(slots, level, self.params().scale_at(level))
            .expect("fits");
        let seeded = self
            .encryptor
            .encrypt_seeded(&self.secret, &plain, label.as_bytes())
            .expect("own key");
        seeded.expand(self.params()).expect("own parameters")
    }

    fn batches(
        &self,
        layout: &TileLayout,
        packer: &TilePacker,
        rows: &[Vec<f64>],
        labels: &[usize],
    ) -> Vec<Arc<Batch<Ciphertext>>> {
        let batch = |batch: usize| {
            let range = layout.batch_rows(batch);
            let tiles = packer.features(&rows[range.clone()]).expect("rows");
            let tiles = tiles.iter().enumerate().map(|(block, tiles)| {
                let one = |(b, slots): (usize, &Vec<Complex64>)| {
                    self.encrypt(slots, &format!("features {batch} {block} {b}"))
                };
                tiles.iter().enumerate().map(one).collect()
            });
            let labels = packer.labels(&labels[range]).expect("labels");
            let labels = labels.iter().enumerate();
            Arc::new(Batch {
                tiles: tiles.collect(),
                labels: labels
                    .map(|(block, slots)| self.encrypt(slots, &format!("labels {batch} {block}")))
                    .collect(),
            })
        };
        (0..layout.batches()).map(batch).collect()
    }

    fn decrypt(&self, ct: &Ciphertext) -> Vec<Complex64> {
        let plain = Decryptor::new(self.params())
            .decrypt(&self.secret, ct)
            .expect("own key");
        self.encoder.decode(&plain).expect("canonical")
    }
}

/// A state as what is on disk.
fn bytes(params: &Parameters, state: &TrainingState<Ciphertext>) -> (usize, bool, Vec<Vec<u8>>) {
    let parts = state.parts().map(|ct| ct.to_bytes(params).expect("bytes"));
    (state.step, state.halved, parts.collect())
}

#[test]
fn training_with_bootstraps_gives_the_clear_weights_and_resumes_to_the_same_bytes() {
    let layout = TileLayout::new(LOG_N, SIZES, 32, 16).expect("fits");
    let recipe = Recipe {
        rate: 2.0,
        ..Recipe::new(2)
    };
    let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
    let (rows, labels) = table(SIZES, 3);
    let party = Party::new(&layout, &schedule);
    let packer = TilePacker::new(&layout, &schedule);
    let data = party.batches(&layout, &packer, &rows, &labels);
    let ev = party.evaluator();
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let mut give = |batch: usize| Ok::<_, TensorError>(data[batch].clone());

    let mut stored = Vec::new();
    let mut refreshes = 0;
    let end = trainer
        .run(TrainingState::start(), &mut give, &mut |action, state| {
            refreshes += usize::from(action == Action::Refresh);
            stored.push(bytes(party.params(), state));
            Ok(())
        })
        .expect("runs");
    assert_eq!((layout.batches(), stored.len()), (2, 4 + refreshes));
    assert!(refreshes >= 1);

    let point = end.point.as_ref().expect("a point");
    let weights = packer.weights(&party.decrypt(point)).expect("a head");
    let expected = minibatch_reference(
        &layout,
        &schedule,
        &rows,
        &labels,
        Activation::Polynomial,
        &mut |_, _| (),
    )
    .expect("reference");
    assert!(expected.within(&schedule), "{expected:?}");
    let apart = distance(&weights, &expected.weights);
    assert!(apart < 1e-4, "{apart:e}");

    // From every state on disk, as after a process that was killed.
    let last = stored.last().expect("states").clone();
    for (step, halved, parts) in &stored {
        let parts = parts
            .iter()
            .map(|bytes| Ciphertext::from_bytes(party.params(), bytes).expect("own bytes"));
        let state = TrainingState::from_parts(*step, *halved, parts.collect()).expect("a state");
        let resumed = trainer
            .run(state, &mut give, &mut |_, _| Ok(()))
            .expect("runs");
        assert_eq!(bytes(party.params(), &resumed), last, "from step {step}");
    }

    let scores = trainer.scores(&end, &data[0].tiles).expect("scores");
    let slots: Vec<_> = scores.iter().map(|ct| party.decrypt(ct)).collect();
    let batch = layout.batch_rows(0);
    let scores = packer.scores(&slots, batch.len()).expect("scores");
    for (row, scores) in rows[batch].iter().zip(&scores) {
        for (head, score) in expected.weights.iter().zip(scores) {
            let z: f64 = head.iter().zip(row).map(|(w, x)| w * x).sum();
            assert!((z - score).abs() < 1e-3, "{z} {score}");
        }
    }
    let levels = ev.refresh_levels().expect("refreshes");
    let plan = MinibatchPlan::derive(&layout, &schedule, levels).expect("plans");
    assert_eq!(
        plan.actions.last().map(|last| last.level),
        Some(ev.level(point))
    );
}

#[test]
fn the_softmax_refreshes_within_its_steps() {
    let layout = TileLayout::new(LOG_N, SIZES, 60, 16).expect("fits");
    let recipe = Recipe {
        loss: LossKind::Softmax,
        rate: 2.0,
        weight_bound: 16.0,
        ..Recipe::new(3)
    };
    let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
    let (rows, labels) = table(SIZES, 3);
    let party = Party::new(&layout, &schedule);
    let packer = TilePacker::new(&layout, &schedule);
    let data = party.batches(&layout, &packer, &rows, &labels);
    let ev = party.evaluator();
    let mut refreshes = 0;
    let end = Trainer::new(&ev, &layout, &schedule)
        .run(
            TrainingState::start(),
            &mut |batch| Ok(data[batch].clone()),
            &mut |action, _| {
                refreshes += usize::from(action == Action::Refresh);
                Ok(())
            },
        )
        .expect("runs");
    assert_eq!((party.boots.len(), refreshes), (2, 2));
    let point = end.point.as_ref().expect("a point");
    let weights = packer.weights(&party.decrypt(point)).expect("a head");
    let expected = minibatch_reference(
        &layout,
        &schedule,
        &rows,
        &labels,
        Activation::Sigmoid,
        &mut |_, _| (),
    )
    .expect("reference");
    assert!(expected.within(&schedule), "{expected:?}");
    let apart = distance(&weights, &expected.weights);
    assert!(apart < 1e-2, "{apart:e}");
}

#[test]
fn a_hidden_layer_learns_the_clear_weights_and_resumes_to_the_same_bytes() {
    let layout = TileLayout::with_hidden(LOG_N, SIZES, 60, 16, 4).expect("fits");
    let recipe = Recipe::with_hidden(2, 4);
    let schedule = MinibatchSchedule::new(&layout, &recipe).expect("valid");
    let (rows, labels) = table(SIZES, 3);
    let party = Party::new(&layout, &schedule);
    let packer = TilePacker::new(&layout, &schedule);
    let data = party.batches(&layout, &packer, &rows, &labels);
    let ev = party.evaluator();
    let trainer = Trainer::new(&ev, &layout, &schedule);
    let mut give = |batch: usize| Ok::<_, TensorError>(data[batch].clone());
    let mut stored = Vec::new();
    let end = trainer
        .run(TrainingState::start(), &mut give, &mut |action, state| {
            stored.push((action, bytes(party.params(), state)));
            Ok(())
        })
        .expect("runs");
    let step = Action::Step { batch: 0 };
    let actions: Vec<_> = stored.iter().map(|(action, _)| *action).collect();
    assert_eq!(actions, [step, Action::Refresh, step]);

    let point = end.point.as_ref().expect("a point");
    let weights = packer.weights(&party.decrypt(point)).expect("a head");
    let activation = Activation::Polynomial;
    let silent = &mut |_: usize, _: &[Vec<f64>]| ();
    let expected = minibatch_reference(&layout, &schedule, &rows, &labels, activation, silent);
    let expected = expected.expect("reference");
    assert!(expected.within(&schedule), "{expected:?}");
    let apart = distance(&weights, &expected.weights);
    assert!(apart < 1e-3, "{apart:e}");

    // Predictions with what is left of the run, at the few levels that they need.
    let head = head(&ev, &trainer, &end).expect("a head");
    let tiles = data[0].tiles[0].iter();
    let tiles: Vec<_> = tiles
        .map(|tile| {
            ev.at_level(tile, trainer.prediction_level())
                .expect("lower")
        })
        .collect();
    let scores = predict_block(&ev, &layout, &schedule, head, tiles).expect("scores");
    let slots = [party.decrypt(&scores)];
    let count = layout.block_rows().min(rows.len());
    let scores = packer.scores(&slots, count).expect("scores");
    for (row, scores) in rows.iter().zip(&scores) {
        let expected = hidden_logits(&expected.weights, row, 4);
        let apart = distance(&[scores.clone()], &[expected.clone()]);
        assert!(apart < 1e-3, "{scores:?} {expected:?}");
    }

    let last = stored.last().expect("states").1.clone();
    for (_, (step, halved, parts)) in &stored {
        let parts = parts
            .iter()
            .map(|bytes| Ciphertext::from_bytes(party.params(), bytes).expect("own bytes"));
        let state = TrainingState::from_parts(*step, *halved, parts.collect()).expect("a state");
        let resumed = trainer.run(state, &mut give, &mut |_, _| Ok(()));
        assert_eq!(bytes(party.params(), &resumed.expect("runs")), last);
    }
}
