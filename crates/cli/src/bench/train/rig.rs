//! The data party and the keys of a minibatch run, in this process.

use std::sync::Arc;

use confide_ckks::bootstrap::{BootstrapParameters, Bootstrapper};
use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters,
    SecretKey, SeededCiphertext, SeededSwitchingKey,
};
use confide_tensor::{CkksEvaluator, KeySwitchShape, RefreshLevels};
use confide_train::TrainError;
use confide_train::bootstrapped::Preset;
use confide_train::minibatch::{
    Batch, MinibatchPlan, MinibatchSchedule, TileLayout, TilePacker, TrainingState,
};

/// Everything that a run at full security needs beside its records.
pub struct Rig {
    set: BootstrapParameters,
    boots: Vec<Bootstrapper>,
    keys: EvaluationKeys,
    secret: SecretKey,
    encoder: Encoder,
    encryptor: Encryptor,
    data_level: usize,
    /// Bytes of the keys on the wire.
    pub key_bytes: usize,
}

/// Seed of all keys.
pub const SEED: [u8; 32] = [1; 32];

/// log2 of the ring degree of the preset.
pub const LOG_N: u32 = 16;

/// The preset, and the levels of its refreshes.
pub fn preset(layout: &TileLayout) -> Result<(BootstrapParameters, RefreshLevels), TrainError> {
    let set = Preset::N16.parameters(Preset::N16.baby())?;
    let levels = RefreshLevels::of(&set, layout.log_period());
    Ok((set, levels))
}

impl Rig {
    /// Keys for a plan; the seed is fixed, so that every run is the same.
    pub fn new(set: BootstrapParameters, plan: &MinibatchPlan) -> Result<Self, TrainError> {
        Self::with_periods(set, plan, &[])
    }

    /// As [`Rig::new`], with bootstraps of further periods (log2) than those of the plan.
    pub fn with_periods(
        set: BootstrapParameters,
        plan: &MinibatchPlan,
        more: &[u32],
    ) -> Result<Self, TrainError> {
        let params = set.params().clone();
        let encoder = Encoder::new(&params);
        let periods = plan.report.refreshed.iter().chain(more);
        let boots = periods
            .map(|&log_period| Bootstrapper::new(&set, &encoder, log_period))
            .collect::<Result<Vec<_>, _>>()?;
        let needed: Vec<_> = boots.iter().flat_map(Bootstrapper::keys).collect();
        let generator = KeyGenerator::new(&params, &SEED);
        let (mut keys, mut key_bytes) = (EvaluationKeys::new(), 0);
        for (kind, level) in plan.switching_keys(&needed) {
            key_bytes += SeededSwitchingKey::encoded_len_of(&params, kind, level)?;
            keys.insert(generator.switching_key(kind, level)?.expand(&params)?);
        }
        Ok(Self {
            secret: generator.secret_key(),
            encryptor: Encryptor::new(&params, &SEED),
            encoder,
            boots,
            keys,
            data_level: plan.levels.output,
            set,
            key_bytes,
        })
    }

    /// Parameters of ciphertexts.
    pub fn params(&self) -> &Parameters {
        self.set.params()
    }

    /// Number of keys, and their bytes in memory together with those of the bootstrap's matrices.
    pub fn held(&self) -> (usize, usize) {
        let matrices: usize = self.boots.iter().map(Bootstrapper::memory).sum();
        (self.keys.len(), self.keys.memory() + matrices)
    }

    /// The compute party.
    pub fn evaluator(&self) -> CkksEvaluator<'_> {
        let ev = CkksEvaluator::new(self.params(), &self.keys);
        self.boots.iter().fold(ev, CkksEvaluator::with_refresh)
    }

    /// What key switching costs.
    pub fn shape(&self) -> KeySwitchShape {
        KeySwitchShape {
            log_n: LOG_N,
            alpha: self.params().alpha(),
            special: self.set.literal().program.log_p.len(),
        }
    }

    /// Bytes of a fresh ciphertext on the wire.
    pub fn ciphertext_bytes(&self) -> usize {
        SeededCiphertext::encoded_len(self.params(), self.data_level)
    }

    /// Encrypts slots at the level of refreshed ciphertexts.
    pub fn encrypt(&self, slots: &[Complex64], label: &str) -> Result<Ciphertext, TrainError> {
        let level = self.data_level;
        let scale = self.params().scale_at(level);
        let plain = self.encoder.encode(slots, level, scale)?;
        let label = label.as_bytes();
        let seeded = self.encryptor.encrypt_seeded(&self.secret, &plain, label)?;
        Ok(seeded.expand(self.params())?)
    }

    /// Encrypts the tiles of any rows.
    pub fn tiles(
        &self,
        packer: &TilePacker,
        rows: &[Vec<f64>],
        label: &str,
    ) -> Result<Vec<Vec<Ciphertext>>, TrainError> {
        let blocks = packer.features(rows)?.into_iter().enumerate();
        let block = |(i, tiles): (usize, Vec<Vec<Complex64>>)| {
            let tiles = tiles.iter().enumerate();
            tiles
                .map(|(b, slots)| self.encrypt(slots, &format!("{label} {i} {b}")))
                .collect()
        };
        blocks.map(block).collect()
    }

    /// Encrypts a minibatch.
    pub fn batch(
        &self,
        (layout, packer): (&TileLayout, &TilePacker),
        rows: &[Vec<f64>],
        labels: &[usize],
        batch: usize,
    ) -> Result<Arc<Batch<Ciphertext>>, TrainError> {
        let range = layout.batch_rows(batch);
        let mut tiles = self.tiles(packer, &rows[range.clone()], &format!("features {batch}"))?;
        let mut labels = packer
            .labels(&labels[range])?
            .iter()
            .enumerate()
            .map(|(i, slots)| self.encrypt(slots, &format!("labels {batch} {i}")))
            .collect::<Result<Vec<_>, _>>()?;
        // The last minibatch may have fewer rows than the others.
        for i in tiles.len()..layout.blocks() {
            let none = |b| self.encrypt(&[], &format!("features {batch} {i} {b}"));
            tiles.push((0..layout.tiles()).map(none).collect::<Result<_, _>>()?);
            labels.push(self.encrypt(&[], &format!("labels {batch} {i}"))?);
        }
        Ok(Arc::new(Batch { tiles, labels }))
    }

    /// Decrypted slots.
    pub fn open(&self, ct: &Ciphertext) -> Result<Vec<Complex64>, TrainError> {
        let plain = Decryptor::new(self.params()).decrypt(&self.secret, ct)?;
        Ok(self.encoder.decode(&plain)?)
    }

    /// Weights of a state after a step.
    pub fn weights(
        &self,
        packer: &TilePacker,
        state: &TrainingState<Ciphertext>,
    ) -> Result<Vec<Vec<f64>>, TrainError> {
        match &state.point {
            Some(point) => packer.weights(&self.open(point)?),
            None => packer.weights(&[]),
        }
    }

    /// Bytes of a stored state.
    pub fn state_bytes(&self, state: &TrainingState<Ciphertext>) -> Result<usize, TrainError> {
        let mut bytes = 0;
        for ct in state.parts() {
            bytes += ct.to_bytes(self.params())?.len();
        }
        Ok(bytes)
    }
}

/// The schedule's run on counters.
pub fn plan(
    layout: &TileLayout,
    schedule: &MinibatchSchedule,
    levels: RefreshLevels,
) -> Result<MinibatchPlan, TrainError> {
    Ok(MinibatchPlan::derive(layout, schedule, levels)?)
}
