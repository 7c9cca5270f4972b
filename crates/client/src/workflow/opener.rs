//! Decrypting what the worker returns.

use super::{from_engine, from_train};
use crate::ClientError;
use confide_ckks::{
    Ciphertext, Complex64, Decryptor, Encoder, KeyGenerator, Parameters, SecretKey,
};
use confide_train::{TablePacker, TrainingPlan};

/// Decrypts ciphertexts of one parameter set.
pub(super) struct Opener {
    params: Parameters,
    secret: SecretKey,
    decryptor: Decryptor,
    encoder: Encoder,
}

impl Opener {
    pub(super) fn new(seed: &[u8; 32], params: Parameters) -> Self {
        Self {
            secret: KeyGenerator::new(&params, seed).secret_key(),
            decryptor: Decryptor::new(&params),
            encoder: Encoder::new(&params),
            params,
        }
    }

    pub(super) fn params(&self) -> &Parameters {
        &self.params
    }

    /// The slots of a ciphertext that must be at `level`.
    pub(super) fn open(&self, bytes: &[u8], level: usize) -> Result<Vec<Complex64>, ClientError> {
        let ciphertext = Ciphertext::from_bytes(&self.params, bytes)
            .map_err(|error| nonsense(&error.to_string()))?;
        if ciphertext.level() != level {
            return Err(nonsense(&format!(
                "its level is {}, not {level}",
                ciphertext.level()
            )));
        }
        let plain = self
            .decryptor
            .decrypt(&self.secret, &ciphertext)
            .map_err(|error| from_engine(&error))?;
        self.encoder
            .decode(&plain)
            .map_err(|error| from_engine(&error))
    }
}

/// Decrypts heads and scores of one plan. What it gives must stay with the data party.
pub struct ResultOpener {
    opener: Opener,
    packer: TablePacker,
    prediction_level: usize,
    score_level: usize,
}

impl ResultOpener {
    /// An opener for a plan that has been accepted.
    ///
    /// # Errors
    /// `CC-5004` when the parameters are refused.
    pub fn new(seed: &[u8; 32], plan: &TrainingPlan) -> Result<Self, ClientError> {
        let params = plan.parameters().map_err(from_train)?;
        Ok(Self {
            opener: Opener::new(seed, params),
            packer: TablePacker::new(plan),
            prediction_level: plan.prediction_level(),
            score_level: plan.score_level(),
        })
    }

    /// Most bytes that a head or scores can have: a limit for downloads.
    pub fn max_bytes(&self) -> u64 {
        let params = self.opener.params();
        Ciphertext::encoded_len(params, params.max_level(), 2) as u64
    }

    /// Weights of a trained head, as [`PlainRun`](confide_train::PlainRun) has them.
    ///
    /// # Errors
    /// `CC-5020` when the bytes are no head under this plan, or decrypt to nonsense.
    pub fn open_head(&self, bytes: &[u8]) -> Result<Vec<Vec<f64>>, ClientError> {
        let slots = self.opener.open(bytes, self.prediction_level)?;
        let weights = self.packer.weights(&slots).map_err(from_train)?;
        finite(weights)
    }

    /// Logits `[row][output]` of a batch of `rows` records.
    ///
    /// # Errors
    /// `CC-5020` when the bytes are no scores under this plan, or decrypt to nonsense.
    pub fn open_scores(&self, bytes: &[u8], rows: usize) -> Result<Vec<Vec<f64>>, ClientError> {
        let slots = self.opener.open(bytes, self.score_level)?;
        let logits = self.packer.logits(&slots, rows).map_err(from_train)?;
        finite(logits)
    }
}

/// Refuses numbers that no head of scaled features has: a wrong key or a wrong computation.
fn finite(numbers: Vec<Vec<f64>>) -> Result<Vec<Vec<f64>>, ClientError> {
    if numbers
        .iter()
        .flatten()
        .all(|number| number.is_finite() && number.abs() < 1e4)
    {
        Ok(numbers)
    } else {
        let mut error = nonsense("it decrypts to values out of all proportion");
        error.remedy = format!(
            "{} Of encrypted pictures: check that they are like those that the network was made for.",
            error.remedy
        );
        Err(error)
    }
}

fn nonsense(what: &str) -> ClientError {
    ClientError::new(
        "CC-5020",
        format!("The worker's result cannot be used: {what}."),
        "Check that the key is the one of the training; else train again, and report this if it goes on.",
    )
}
