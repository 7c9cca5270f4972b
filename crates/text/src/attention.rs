//! Attention between the tokens of a window (Vaswani et al. 2017, section 3.2).

use crate::maths::softmax;

/// Tokens that are scored at a time.
const LANES: usize = 16;
/// Numbers that are summed at a time.
const WIDTH: usize = 8;

/// What each token takes from the others. `projected` holds query, key and value of each token, `hidden` numbers each;
/// the answer holds `hidden` numbers a token. `hidden / heads` is a multiple of 8, which the reader of the file checks.
pub fn attend(projected: &[f32], hidden: usize, heads: usize) -> Vec<f32> {
    let tokens = projected.len() / (3 * hidden);
    let size = hidden / heads;
    let padded = tokens.next_multiple_of(LANES);
    let scale = 1.0 / (size as f32).sqrt();
    let mut out = vec![0.0; tokens * hidden];
    // Keys by number and token, values by token and number: both are then read along.
    let mut keys = vec![0.0; size * padded];
    let mut values = vec![0.0; tokens * size];
    let mut scores = vec![0.0; padded];
    for head in 0..heads {
        for (token, row) in projected.chunks_exact(3 * hidden).enumerate() {
            let key = &row[hidden + head * size..][..size];
            for (number, &key) in key.iter().enumerate() {
                keys[number * padded + token] = key;
            }
            let value = &row[2 * hidden + head * size..][..size];
            values[token * size..][..size].copy_from_slice(value);
        }
        for token in 0..tokens {
            let query = &projected[token * 3 * hidden + head * size..][..size];
            score(query, &keys, &mut scores);
            for score in &mut scores[..tokens] {
                *score *= scale;
            }
            softmax(&mut scores[..tokens]);
            let out = &mut out[token * hidden + head * size..][..size];
            mix(&scores[..tokens], &values, out);
        }
    }
    out
}

/// The inner product of a query with each key.
fn score(query: &[f32], keys: &[f32], scores: &mut [f32]) {
    let padded = scores.len();
    for (block, scores) in scores.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut sums = [0.0; LANES];
        for (query, keys) in query.iter().zip(keys.chunks_exact(padded)) {
            let keys = &keys.as_chunks::<LANES>().0[block];
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += query * key;
            }
        }
        *scores = sums;
    }
}

/// The sum of the values, each by its weight.
fn mix(weights: &[f32], values: &[f32], out: &mut [f32]) {
    let size = out.len();
    for (block, out) in out.as_chunks_mut::<WIDTH>().0.iter_mut().enumerate() {
        let mut sums = [0.0; WIDTH];
        for (weight, values) in weights.iter().zip(values.chunks_exact(size)) {
            let values = &values.as_chunks::<WIDTH>().0[block];
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += weight * value;
            }
        }
        *out = sums;
    }
}
