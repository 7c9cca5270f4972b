//! A small table, its plan at full security, and everything that its training uploads.

use confide_ckks::KeyKind;
use confide_client::{
    session::Object,
    workflow::{ObjectFactory, ObjectJob, ResultOpener},
};
use confide_protocol::{Digest, JobSpec, to_bytes};
use confide_train::{Packer, Plan, PlanRequest, plan};

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
        let factory = ObjectFactory::new(&SEED, &self.plan).expect("the plan is secure");
        let packer = Packer::new(&self.plan.layout, &self.plan.schedule);
        let mut objects = Vec::new();
        let mut make = |job: ObjectJob, slots: Option<Vec<_>>| {
            let object = factory.make(&job, slots.as_deref()).expect("it is made");
            objects.push(object.clone());
            object.digest
        };
        let mut relin = None;
        let mut galois = Vec::new();
        for (kind, level) in self.plan.switching_keys() {
            match kind {
                KeyKind::Relin => relin = Some(make(ObjectJob::RelinKey { level }, None)),
                KeyKind::Galois(element) => {
                    galois.push((element, make(ObjectJob::GaloisKey { element, level }, None)));
                }
                kind => panic!("no training uses the {kind}"),
            }
        }
        let features = (0..packer.feature_vectors())
            .map(|index| {
                let slots = packer.pack_features(&self.rows, index).expect("rows fit");
                make(ObjectJob::Features { index }, Some(slots))
            })
            .collect();
        let labels = (0..self.plan.layout.blocks)
            .map(|index| {
                let slots = packer.pack_labels(&self.labels, index).expect("labels fit");
                make(ObjectJob::Labels { index }, Some(slots))
            })
            .collect();
        let packs = packer.pack_prediction(&self.records).expect("records fit");
        let records = packs
            .into_iter()
            .enumerate()
            .map(|(index, slots)| make(ObjectJob::Records { batch: 0, index }, Some(slots)))
            .collect();
        Upload {
            relin: relin.expect("plans multiply"),
            objects,
            galois,
            features,
            labels,
            records,
        }
    }

    /// The plan as it travels.
    ///
    /// # Panics
    /// When it is too large.
    pub fn plan_bytes(&self) -> Vec<u8> {
        to_bytes(&self.plan).expect("plans are small")
    }

    /// The training job.
    pub fn train(&self, upload: &Upload) -> JobSpec {
        JobSpec::Train {
            plan: self.plan_bytes(),
            relin: upload.relin,
            galois: upload.galois.clone(),
            features: upload.features.clone(),
            labels: upload.labels.clone(),
        }
    }

    /// The prediction of the records.
    pub fn predict(&self, upload: &Upload, head: Digest) -> JobSpec {
        JobSpec::Predict {
            plan: self.plan_bytes(),
            relin: upload.relin,
            galois: upload.galois.clone(),
            head,
            rows: self.records.len() as u32,
            records: upload.records.clone(),
        }
    }

    /// Decrypts results.
    ///
    /// # Panics
    /// When the engine refuses.
    pub fn opener(&self) -> ResultOpener {
        ResultOpener::new(&SEED, &self.plan).expect("the plan is secure")
    }
}
