//! A small table, its plan at full security, and everything that its training uploads.

use confide_ckks::KeyKind;
use confide_client::{
    session::Object,
    workflow::{ObjectFactory, ObjectJob, ResultOpener},
};
use confide_protocol::{Digest, JobSpec, to_bytes};
use confide_train::{Plan, PlanRequest, TablePacker, TrainingPlan, plan};

/// The key's seed of all tests.
const SEED: [u8; 32] = [5; 32];

/// Records that one can learn from, with a plan.
pub struct Table {
    /// The plan.
    pub plan: Plan,
    /// Training records, the constant 1 last.
    pub rows: Vec<Vec<f64>>,
    /// Their classes.
    pub labels: Vec<usize>,
    /// Records to predict.
    pub records: Vec<Vec<f64>>,
}

/// What was made of a table for the worker.
pub struct Upload {
    /// All objects.
    pub objects: Vec<Object>,
    /// The relinearisation key.
    pub relin: Digest,
    /// The Galois keys by element.
    pub galois: Vec<(u64, Digest)>,
    /// Feature ciphertexts.
    pub features: Vec<Digest>,
    /// Label ciphertexts.
    pub labels: Vec<Digest>,
    /// Record ciphertexts.
    pub records: Vec<Digest>,
    /// Keys of a sparse secret.
    pub sparse: Vec<Digest>,
    /// Ciphertexts of validation records.
    pub validation: Vec<Digest>,
}

impl Upload {
    /// Makes keys and encrypts training records with their classes, and records to predict. As validation records the
    /// first training records will do.
    ///
    /// # Panics
    /// When the engine refuses.
    pub fn new(
        plan: &TrainingPlan,
        (rows, classes): (&[Vec<f64>], &[usize]),
        records: &[Vec<f64>],
    ) -> Self {
        let factory = ObjectFactory::new(&SEED, plan).expect("the plan is secure");
        let packer = TablePacker::new(plan);
        let mut objects = Vec::new();
        let mut make = |job: ObjectJob, slots: Option<Vec<_>>| {
            let object = factory.make(&job, slots.as_deref()).expect("it is made");
            objects.push(object.clone());
            object.digest
        };
        let (mut relin, mut galois, mut sparse) = (None, Vec::new(), Vec::new());
        for (kind, level) in plan.switching_keys() {
            let digest = make(ObjectJob::of_key(kind, level), None);
            match kind {
                KeyKind::Relin => relin = Some(digest),
                KeyKind::Galois(element) => galois.push((element, digest)),
                KeyKind::ToSparse(_) | KeyKind::FromSparse(_) => sparse.push(digest),
            }
        }
        let features = (0..plan.feature_vectors())
            .map(|index| {
                let slots = packer.features(rows, index).expect("rows fit");
                make(ObjectJob::Features { index }, Some(slots))
            })
            .collect();
        let labels = (0..plan.label_vectors())
            .map(|index| {
                let slots = packer.labels(classes, index).expect("labels fit");
                make(ObjectJob::Labels { index }, Some(slots))
            })
            .collect();
        let packs = packer.records(records).expect("records fit");
        let records = packs
            .into_iter()
            .enumerate()
            .map(|(index, slots)| make(ObjectJob::Records { batch: 0, index }, Some(slots)))
            .collect();
        let tiles = plan.prediction_vectors(1).expect("a record fits").max(1);
        let validation = (0..plan.validation_vectors())
            .map(|index| {
                let rows = &rows[..plan.validation_rows()];
                let mut blocks = rows.chunks(plan.max_prediction_rows());
                let block = blocks.nth(index / tiles).expect("a block of records");
                let mut packs = packer.records(block).expect("records fit");
                let slots = packs.swap_remove(index % tiles);
                make(ObjectJob::Validation { index }, Some(slots))
            })
            .collect();
        Self {
            relin: relin.expect("plans multiply"),
            objects,
            galois,
            features,
            labels,
            records,
            sparse,
            validation,
        }
    }

    /// The training job of a plan.
    ///
    /// # Panics
    /// When the plan is too large.
    pub fn train(&self, plan: &TrainingPlan) -> JobSpec {
        JobSpec::Train {
            plan: to_bytes(plan).expect("plans are small"),
            relin: self.relin,
            galois: self.galois.clone(),
            features: self.features.clone(),
            labels: self.labels.clone(),
            sparse: self.sparse.clone(),
            validation: self.validation.clone(),
        }
    }

    /// The prediction of `rows` records under a plan.
    ///
    /// # Panics
    /// When the plan is too large.
    pub fn predict(&self, plan: &TrainingPlan, head: Digest, rows: usize) -> JobSpec {
        let needed = plan.prediction_keys();
        let element = |(kind, _): &(KeyKind, usize)| match kind {
            KeyKind::Galois(element) => Some(*element),
            _ => None,
        };
        let needed: Vec<u64> = needed.iter().filter_map(element).collect();
        let galois = self.galois.iter();
        JobSpec::Predict {
            plan: to_bytes(plan).expect("plans are small"),
            relin: self.relin,
            galois: galois
                .filter(|(element, _)| needed.contains(element))
                .copied()
                .collect(),
            head,
            rows: rows as u32,
            records: self.records.clone(),
        }
    }
}

/// Decrypts results of a plan.
///
/// # Panics
/// When the engine refuses.
pub fn opener(plan: &TrainingPlan) -> ResultOpener {
    ResultOpener::new(&SEED, plan).expect("the plan is secure")
}

impl Table {
    /// A table of two classes and so many features, and a plan of so many iterations.
    ///
    /// # Panics
    /// When there is no plan.
    pub fn new(rows: usize, features: usize, iterations: usize) -> Self {
        let mut request = PlanRequest::new(rows, features + 1, 2);
        request.max_iterations = iterations;
        request.predict_rows_hint = 9;
        let plan = plan(&request).expect("a plan exists");
        let value = |row: usize, column: usize| {
            let noise = (row * 7919 + column * 104_729) % 1009;
            noise as f64 / 1009.0 - 0.5
        };
        let record = |row: usize| {
            let class = row % 2;
            let mut values: Vec<f64> = (0..features).map(|column| value(row, column)).collect();
            values[0] += class as f64 - 0.5;
            values.push(1.0);
            values
        };
        Self {
            plan,
            rows: (0..rows).map(record).collect(),
            labels: (0..rows).map(|row| row % 2).collect(),
            records: (rows..rows + 9).map(record).collect(),
        }
    }

    /// Makes keys and encrypts everything.
    ///
    /// # Panics
    /// When the engine refuses.
    pub fn encrypt(&self) -> Upload {
        Upload::new(
            &self.training_plan(),
            (&self.rows, &self.labels),
            &self.records,
        )
    }

    /// The plan as one of all kinds.
    pub fn training_plan(&self) -> TrainingPlan {
        TrainingPlan::Levelled(self.plan.clone())
    }

    /// The plan as it travels.
    ///
    /// # Panics
    /// When it is too large.
    pub fn plan_bytes(&self) -> Vec<u8> {
        to_bytes(&self.training_plan()).expect("plans are small")
    }

    /// The training job.
    pub fn train(&self, upload: &Upload) -> JobSpec {
        upload.train(&self.training_plan())
    }

    /// The prediction of the records.
    pub fn predict(&self, upload: &Upload, head: Digest) -> JobSpec {
        upload.predict(&self.training_plan(), head, self.records.len())
    }

    /// Decrypts results.
    ///
    /// # Panics
    /// When the engine refuses.
    pub fn opener(&self) -> ResultOpener {
        opener(&self.training_plan())
    }
}
