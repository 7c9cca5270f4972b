//! Matrices of whole numbers and their product with the vectors of tokens.
//!
//! Weights have 8 bits and a scale for each row; vectors have 14 bits and a scale for each token, so that only the
//! weights lose precision. Products are summed as whole numbers: the result is the same to the bit on every machine.

use crate::lanes::{LANES, products};

/// Largest whole number of a vector: 1536 products with 127 stay below 2^31.
const VECTOR_RANGE: f32 = 8191.0;
/// Longest row for which the sums cannot overflow, whatever the weights.
pub const MAX_COLUMNS: usize = 2048;
/// Adding and taking away 1.5 x 2^23 rounds a number below 2^22 to the nearest whole one, ties to even.
const ROUND: f32 = 12_582_912.0;

/// Vectors of whole numbers, one a token, each with a scale.
pub struct Quantised {
    columns: usize,
    values: Vec<i16>,
    scales: Vec<f32>,
}

impl Quantised {
    /// Rounds vectors of `columns` numbers.
    pub fn new(vectors: &[f32], columns: usize) -> Self {
        let mut values = vec![0; vectors.len()];
        let rows = vectors.chunks_exact(columns);
        let scales = rows.zip(values.chunks_exact_mut(columns));
        let scales = scales
            .map(|(from, to)| {
                let most = from.iter().fold(0.0_f32, |most, value| {
                    let size = value.abs();
                    if size > most { size } else { most }
                });
                if most == 0.0 {
                    return 0.0;
                }
                let factor = VECTOR_RANGE / most;
                for (value, rounded) in from.iter().zip(to) {
                    // The low bits of the sum are the rounded number.
                    *rounded = (value * factor + ROUND).to_bits() as i16;
                }
                most / VECTOR_RANGE
            })
            .collect();
        Self {
            columns,
            values,
            scales,
        }
    }

    fn row(&self, row: usize) -> &[[i16; LANES]] {
        let row = &self.values[row * self.columns..(row + 1) * self.columns];
        row.as_chunks().0
    }
}

/// A matrix of `rows` outputs and `columns` inputs, with a bias for each output.
pub struct Linear {
    columns: usize,
    weights: Vec<i16>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl Linear {
    /// From weights by row, a scale for each row and a bias for each row; shapes were checked by the reader of the file.
    pub fn new(weights: &[i8], scales: Vec<f32>, bias: Vec<f32>) -> Self {
        Self {
            columns: weights.len() / scales.len().max(1),
            weights: weights.iter().map(|&weight| i16::from(weight)).collect(),
            scales,
            bias,
        }
    }

    /// Several matrices of the same inputs as one, the outputs of the first before those of the next.
    pub fn stack(parts: Vec<Self>) -> Self {
        let mut all = Self {
            columns: parts.first().map_or(0, |part| part.columns),
            weights: Vec::new(),
            scales: Vec::new(),
            bias: Vec::new(),
        };
        for part in parts {
            all.weights.extend(part.weights);
            all.scales.extend(part.scales);
            all.bias.extend(part.bias);
        }
        all
    }

    /// Number of outputs.
    pub fn rows(&self) -> usize {
        self.scales.len()
    }

    /// The outputs of each vector, one vector after the other.
    pub fn apply(&self, vectors: &Quantised) -> Vec<f32> {
        let tokens = vectors.scales.len();
        let rows = self.rows();
        let mut out = vec![0.0; tokens * rows];
        // Four tokens by two rows at a time; where none is left, the last is taken again.
        for row in (0..rows).step_by(2) {
            let pair = [row, (row + 1).min(rows - 1)];
            let weights = pair.map(|row| {
                let row = &self.weights[row * self.columns..(row + 1) * self.columns];
                row.as_chunks::<LANES>().0
            });
            for token in (0..tokens).step_by(4) {
                let four = [0, 1, 2, 3].map(|i| (token + i).min(tokens - 1));
                let sums = products(four.map(|token| vectors.row(token)), weights);
                for (token, sums) in four.into_iter().zip(sums) {
                    for (row, sum) in pair.into_iter().zip(sums) {
                        let scale = vectors.scales[token] * self.scales[row];
                        out[token * rows + row] = sum as f32 * scale + self.bias[row];
                    }
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_are_those_of_plain_numbers(
            tokens in 1_usize..10, rows in 1_usize..7, steps in 1_usize..5, seed: u64,
        ) {
            let columns = steps * LANES;
            let mut state = seed | 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) as i32
            };
            let weights: Vec<i8> = (0..rows * columns).map(|_| next() as i8).collect();
            let scales: Vec<f32> = (0..rows).map(|_| (next() % 100 + 200) as f32 / 1e4).collect();
            let bias: Vec<f32> = (0..rows).map(|_| next() as f32 / 1e9).collect();
            let vectors: Vec<f32> = (0..tokens * columns).map(|_| next() as f32 / 1e9 - 1.0).collect();
            let linear = Linear::new(&weights, scales.clone(), bias.clone());
            let out = linear.apply(&Quantised::new(&vectors, columns));
            for token in 0..tokens {
                let vector = &vectors[token * columns..(token + 1) * columns];
                let most = vector.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
                for row in 0..rows {
                    let weights = &weights[row * columns..(row + 1) * columns];
                    let sum: f64 = weights.iter().zip(vector).map(|(&w, &v)| f64::from(w) * f64::from(v)).sum();
                    let exact = sum * f64::from(scales[row]) + f64::from(bias[row]);
                    // Half a step of each number of the vector, by each weight, and the rounding of the result.
                    let size: f64 = weights.iter().map(|&w| f64::from(w).abs()).sum();
                    let bound = size * f64::from(scales[row]) * f64::from(most / VECTOR_RANGE) * 0.51 + 1e-5;
                    prop_assert!((f64::from(out[token * rows + row]) - exact).abs() <= bound);
                }
            }
        }
    }

    #[test]
    fn the_longest_row_does_not_overflow() {
        let weights = vec![-128_i8; MAX_COLUMNS];
        let columns = weights.len();
        let out = Linear::new(&weights, vec![1.0], vec![0.0])
            .apply(&Quantised::new(&vec![3.0; columns], columns));
        let exact = -3.0 * 128.0 * columns as f32;
        assert!((out[0] - exact).abs() < exact.abs() * 1e-6);
    }
}
