//! From the original weights to the file that page and terminal load.

use crate::error::TextError;
use crate::file::{FORMAT, FORMAT_KEY, HEADS, POSITIONS, VOCABULARY, WORDS};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use std::collections::{BTreeMap, HashMap};

/// Places that the file keeps: windows are this long.
const MAX_POSITIONS: usize = 256;
/// Added to every place, since a record is a single segment.
const SEGMENTS: &str = "embeddings.token_type_embeddings.weight";
/// Largest 8-bit number that is used.
const RANGE: f32 = 127.0;

/// The file of a model from its safetensors and its word list: the same bytes for the same input on every machine.
///
/// Matrices become whole numbers from -127 to 127 with the scale of the largest of each row; biases, norms and places
/// stay as they are; tensors that an embedding does not use (`pooler`, `position_ids`) are left out.
///
/// # Errors
/// [`TextError::File`] or [`TextError::Tensor`].
pub fn quantise(weights: &[u8], vocabulary: &str, heads: u8) -> Result<Vec<u8>, TextError> {
    let broken = |error: safetensors::SafeTensorError| TextError::File(error.to_string());
    let file = SafeTensors::deserialize(weights).map_err(broken)?;
    let mut made: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = BTreeMap::new();
    for (name, tensor) in file.iter() {
        let kept = name.starts_with("embeddings.") || name.starts_with("encoder.");
        if !kept || name.ends_with("position_ids") || name == SEGMENTS {
            continue;
        }
        let values = numbers(name, &tensor)?;
        let shape = tensor.shape().to_vec();
        match (name, shape.as_slice()) {
            (POSITIONS, &[rows, columns]) => {
                let segment = file.tensor(SEGMENTS).map_err(broken)?;
                let segment = numbers(SEGMENTS, &segment)?;
                let rows = rows.min(MAX_POSITIONS);
                let segment = segment.iter().take(columns).cycle();
                let places = values.iter().take(rows * columns).zip(segment);
                let bytes = places.flat_map(|(a, b)| (a + b).to_le_bytes()).collect();
                made.insert(name.to_owned(), (Dtype::F32, vec![rows, columns], bytes));
            }
            (_, &[_, columns]) if name.ends_with(".weight") => {
                let (bytes, scales) = rounded(&values, columns);
                let scale = format!("{}.scale", name.trim_end_matches(".weight"));
                let rows = vec![scales.len()];
                let scales = scales.iter().flat_map(|scale| scale.to_le_bytes());
                made.insert(scale, (Dtype::F32, rows, scales.collect()));
                made.insert(name.to_owned(), (Dtype::I8, shape, bytes));
            }
            _ => {
                let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                made.insert(name.to_owned(), (Dtype::F32, shape, bytes.collect()));
            }
        }
    }
    if !made.contains_key(&format!("{WORDS}.weight")) {
        return Err(TextError::tensor(WORDS, "a matrix", "nothing"));
    }
    let words = vocabulary.as_bytes().to_vec();
    made.insert(VOCABULARY.to_owned(), (Dtype::U8, vec![words.len()], words));
    made.insert(HEADS.to_owned(), (Dtype::U8, vec![1], vec![heads]));
    let views = made.iter().map(|(name, (kind, shape, bytes))| {
        let view = TensorView::new(*kind, shape.clone(), bytes).map_err(broken)?;
        Ok((name.clone(), view))
    });
    let views: Vec<_> = views.collect::<Result<_, TextError>>()?;
    // One entry only: their order in the file would be left to chance.
    let header = HashMap::from([(FORMAT_KEY.to_owned(), FORMAT.to_owned())]);
    serialize(views, Some(header)).map_err(broken)
}

fn numbers(name: &str, tensor: &TensorView) -> Result<Vec<f32>, TextError> {
    if tensor.dtype() != Dtype::F32 {
        let found = format!("{:?}", tensor.dtype());
        return Err(TextError::tensor(name, "F32", found));
    }
    let bytes = tensor.data().as_chunks::<4>().0;
    Ok(bytes.iter().map(|four| f32::from_le_bytes(*four)).collect())
}

/// Whole numbers as bytes, and the scale of each row.
fn rounded(values: &[f32], columns: usize) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = Vec::with_capacity(values.len());
    let mut scales = Vec::new();
    for row in values.chunks_exact(columns.max(1)) {
        let most = row
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = if most > 0.0 { most / RANGE } else { 1.0 };
        bytes.extend(row.iter().map(|value| {
            let whole = (value / scale).round_ties_even().clamp(-RANGE, RANGE);
            whole as i8 as u8
        }));
        scales.push(scale);
    }
    (bytes, scales)
}
