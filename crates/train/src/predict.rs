//! Prediction on encrypted records with an encrypted head.

use confide_tensor::{Evaluator, TensorError};

use crate::layout::{Layout, PredictionLayout};
use crate::program::product;
use crate::steps::{Turn, map, split};

/// Logits of a batch of records, one level below the lower of head and records: one ciphertext whose real parts are
/// `logit_scale` times the logits.
///
/// # Errors
/// [`TensorError`] of the evaluator, or `TooFewOperands` if the records do not match the layout.
pub fn predict<E: Evaluator>(
    ev: &E,
    layout: &Layout,
    batch: &PredictionLayout,
    head: &E::Ct,
    records: Vec<E::Ct>,
) -> Result<E::Ct, TensorError> {
    if records.len() != batch.packs {
        return Err(TensorError::TooFewOperands {
            op: "predict",
            needed: batch.packs,
            available: records.len(),
        });
    }
    ev.phase("predict");
    let size = 1usize << batch.pack_steps;
    let weights = split(
        ev,
        &layout.tower(),
        head.clone(),
        0..layout.merge_steps(),
        layout.pairs,
        Turn::Forward,
    )?;
    let features = map(
        ev,
        records.into_iter().enumerate().collect(),
        |(index, ct)| {
            let count = size.min(layout.pairs - index * size);
            split(ev, &layout.tower(), ct, batch.steps(), count, Turn::Forward)
        },
    )?;
    let features: Vec<_> = features.into_iter().flatten().collect();
    product(ev, &features, &weights)
}
