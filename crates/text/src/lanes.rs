//! The inner products of four vectors with two rows, by the instruction of each machine that is made for it (`pmaddwd`,
//! `i32x4.dot_i16x8_s`, `smlal`), which the compiler does not find by itself; all give the same whole numbers.

use wide::{i16x8, i32x4};

/// Numbers that are multiplied at a time.
pub const LANES: usize = 8;

/// For each vector its inner products with both rows. All have the same length.
#[inline(always)]
pub fn products(vectors: [&[[i16; LANES]]; 4], rows: [&[[i16; LANES]]; 2]) -> [[i32; 2]; 4] {
    let steps = rows[0].len();
    let [a, b, c, d] = vectors.map(|vector| &vector[..steps]);
    let [v, w] = rows.map(|row| &row[..steps]);
    // Four by two sums fill the registers.
    let mut sums = [[i32x4::ZERO; 2]; 4];
    for i in 0..steps {
        let pair = [i16x8::new(v[i]), i16x8::new(w[i])];
        for (sums, vector) in sums.iter_mut().zip([a[i], b[i], c[i], d[i]]) {
            let vector = i16x8::new(vector);
            sums[0] += vector.dot(pair[0]);
            sums[1] += vector.dot(pair[1]);
        }
    }
    sums.map(|pair| pair.map(|sums| sums.to_array().iter().sum()))
}
