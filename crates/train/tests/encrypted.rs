//! The program on ciphertexts of small, insecure rings against direct formulas.

mod common;

use common::{distance, levels_per_iteration, small, table};
use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, KeyKind,
    Parameters, ParametersLiteral, SecretKey,
};
use confide_tensor::{CkksEvaluator, Evaluator, PlanEvaluator, TensorError};
use confide_train::{
    Activation, Layout, Packer, Schedule, TrainingInputs, predict, train, train_reference,
};

const SEED: [u8; 32] = [7; 32];

struct Party {
    params: Parameters,
    generator: KeyGenerator,
    secret: SecretKey,
    encryptor: Encryptor,
    encoder: Encoder,
}

impl Party {
    fn new(log_n: u32, levels: usize) -> Self {
        let mut log_q = vec![47];
        log_q.resize(levels + 1, 36);
        let literal = ParametersLiteral {
            log_n,
            log_q,
            log_p: vec![50; 3],
            log_scale: 36,
            dnum_alpha: 3,
        };
        let params = Parameters::new_insecure_for_tests(literal).expect("usable");
        let generator = KeyGenerator::new(&params, &SEED);
        Self {
            secret: generator.secret_key(),
            generator,
            encryptor: Encryptor::new(&params, &SEED),
            encoder: Encoder::new(&params),
            params,
        }
    }

    fn encrypt(&self, slots: &[Complex64], level: usize, label: &str) -> Ciphertext {
        let plain = self
            .encoder
            .encode(slots, level, self.params.scale_at(level))
            .expect("fits");
        let seeded = self
            .encryptor
            .encrypt_seeded(&self.secret, &plain, label.as_bytes())
            .expect("own key");
        seeded.expand(&self.params).expect("own parameters")
    }

    fn decrypt(&self, ct: &Ciphertext) -> Vec<Complex64> {
        let plain = Decryptor::new(&self.params)
            .decrypt(&self.secret, ct)
            .expect("own key");
        self.encoder.decode(&plain).expect("canonical")
    }

    fn keys(&self, kinds: impl IntoIterator<Item = (KeyKind, usize)>) -> EvaluationKeys {
        let mut keys = EvaluationKeys::new();
        for (kind, level) in kinds {
            let key = self
                .generator
                .switching_key(kind, level)
                .expect("level exists");
            keys.insert(key.expand(&self.params).expect("own parameters"));
        }
        keys
    }
}

/// The keys that running the program on counters asks for.
fn planned_keys(layout: &Layout, schedule: &Schedule, levels: usize) -> Vec<(KeyKind, usize)> {
    let ev = PlanEvaluator::new(layout.log_n, levels);
    let fresh = |count: usize| (0..count).map(|_| ev.fresh(levels).expect("top")).collect();
    let inputs = TrainingInputs {
        features: fresh(layout.blocks * layout.packs()),
        labels: fresh(layout.blocks),
    };
    let head = train(&ev, layout, schedule, inputs).expect("enough levels");
    assert_eq!(ev.level(&head), 1);
    let report = ev.report();
    let galois = report
        .galois
        .into_iter()
        .map(|(element, level)| (KeyKind::Galois(element), level));
    galois
        .chain(report.relin.map(|level| (KeyKind::Relin, level)))
        .collect()
}

#[test]
fn encrypted_weights_and_logits_are_those_of_the_direct_formulas() {
    for (log_n, sizes, packing, (degree, iterations)) in [
        (11, [60, 9, 2], (2, 2), (7, 4)),
        (10, [40, 13, 3], (1, 3), (7, 3)),
        (9, [300, 6, 2], (0, 1), (3, 4)),
        (10, [60, 7, 2], (1, 2), (15, 3)),
    ] {
        let (layout, schedule) = small(log_n, sizes, packing, (degree, iterations)).expect("fits");
        let levels = 2 + levels_per_iteration(degree) * (iterations - 1);
        let party = Party::new(log_n, levels);
        let keys = party.keys(planned_keys(&layout, &schedule, levels));
        let ev = CkksEvaluator::new(&party.params, &keys);
        let packer = Packer::new(&layout, &schedule);
        let (rows, labels) = table(sizes, 11);
        let encrypt = |slots: Vec<Complex64>, label: String| party.encrypt(&slots, levels, &label);
        let inputs = TrainingInputs {
            features: (0..packer.feature_vectors())
                .map(|i| {
                    encrypt(
                        packer.pack_features(&rows, i).expect("matches"),
                        format!("x{i}"),
                    )
                })
                .collect(),
            labels: (0..layout.blocks)
                .map(|b| {
                    encrypt(
                        packer.pack_labels(&labels, b).expect("matches"),
                        format!("y{b}"),
                    )
                })
                .collect(),
        };
        let head = train(&ev, &layout, &schedule, inputs).expect("the planned keys suffice");
        assert_eq!(head.level(), 1);
        ev.check_canonical(&head).expect("scale invariant");
        let weights = packer
            .weights_from_dense(&party.decrypt(&head))
            .expect("a head");
        let reference = train_reference(&layout, &schedule, &rows, &labels, Activation::Polynomial)
            .expect("matches");
        let apart = distance(&weights, &reference.weights);
        println!("{sizes:?} degree {degree}: weights differ by at most {apart:.2e}");
        assert!(apart < 2e-3, "{sizes:?}: {apart}");

        let records = &rows[..7];
        let batch = layout.prediction(records.len()).expect("fits");
        let packed = packer.pack_prediction(records).expect("matches");
        let packed = packed
            .iter()
            .enumerate()
            .map(|(i, s)| party.encrypt(s, 1, &format!("p{i}")))
            .collect();
        let logits =
            predict(&ev, &layout, &batch, &head, packed).expect("the keys of training suffice");
        let logits = packer
            .unpack_logits(&party.decrypt(&logits), records.len())
            .expect("fits");
        for (row, logits) in records.iter().zip(&logits) {
            for (head, logit) in reference.weights.iter().zip(logits) {
                let expected: f64 = head.iter().zip(row).map(|(w, x)| w * x).sum();
                assert!(
                    (logit - expected).abs() < 1e-2,
                    "{sizes:?}: {logit} {expected}"
                );
            }
        }
    }
}

#[test]
fn a_missing_key_is_an_error() {
    let sizes = [20, 5, 2];
    let (layout, schedule) = small(9, sizes, (0, 1), (3, 2)).expect("fits");
    let party = Party::new(9, 5);
    let mut kinds = planned_keys(&layout, &schedule, 5);
    kinds.remove(0);
    let keys = party.keys(kinds);
    let ev = CkksEvaluator::new(&party.params, &keys);
    let zero = party.encrypt(&[], 5, "zero");
    let inputs = TrainingInputs {
        features: vec![zero.clone(); layout.packs()],
        labels: vec![zero],
    };
    let error = train(&ev, &layout, &schedule, inputs).expect_err("a key is missing");
    assert!(matches!(error, TensorError::Ckks(_)), "{error}");
}
