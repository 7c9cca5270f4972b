//! The encrypted program on the clear evaluator: checks packing, factors and levels without any noise.

use confide_tensor::ClearEvaluator;

use crate::error::TrainError;
use crate::pack::Packer;
use crate::plan::Plan;
use crate::predict::predict;
use crate::program::{TrainingInputs, train};

/// Weights `[output][feature]` from the very program that runs on ciphertexts, on plain numbers.
///
/// # Errors
/// [`TrainError`] for data that do not match the plan.
pub fn train_clear(
    plan: &Plan,
    rows: &[Vec<f64>],
    labels: &[usize],
) -> Result<Vec<Vec<f64>>, TrainError> {
    let packer = Packer::new(&plan.layout, &plan.schedule);
    packer.weights_from_dense(&dense_head(plan, &packer, rows, labels)?.into_values())
}

/// Logits `[row][output]` of records, from training and prediction programs on plain numbers.
///
/// # Errors
/// [`TrainError`] for data that do not match the plan.
pub fn predict_clear(
    plan: &Plan,
    rows: &[Vec<f64>],
    labels: &[usize],
    records: &[Vec<f64>],
) -> Result<Vec<Vec<f64>>, TrainError> {
    let packer = Packer::new(&plan.layout, &plan.schedule);
    let head = dense_head(plan, &packer, rows, labels)?;
    let ev = evaluator(plan);
    let batch = plan.layout.prediction(records.len())?;
    let packed = packer.pack_prediction(records)?;
    let packed = packed
        .iter()
        .map(|slots| ev.encrypt(slots, plan.prediction_level))
        .collect::<Result<_, _>>()?;
    let logits = predict(&ev, &plan.layout, &batch, &head, packed)?;
    packer.unpack_logits(logits.values(), records.len())
}

fn evaluator(plan: &Plan) -> ClearEvaluator {
    ClearEvaluator::new(plan.layout.log_n, plan.data_level)
}

fn dense_head(
    plan: &Plan,
    packer: &Packer,
    rows: &[Vec<f64>],
    labels: &[usize],
) -> Result<confide_tensor::ClearCt, TrainError> {
    let ev = evaluator(plan);
    let encrypt = |slots: Vec<_>| Ok::<_, TrainError>(ev.encrypt(&slots, plan.data_level)?);
    let features = (0..packer.feature_vectors()).map(|i| encrypt(packer.pack_features(rows, i)?));
    let features = features.collect::<Result<_, _>>()?;
    let labels = (0..plan.layout.blocks).map(|block| encrypt(packer.pack_labels(labels, block)?));
    let labels = labels.collect::<Result<_, _>>()?;
    Ok(train(
        &ev,
        &plan.layout,
        &plan.schedule,
        TrainingInputs { features, labels },
    )?)
}
