//! The transform between slots and coefficients in double precision, `O(n log n)`.
//!
//! With `n = N/2` slots, `z_j = m_j + i m_(j+n)` and `zeta = exp(i pi / N)`, slot `s` is
//! `sum_j z_j zeta^(j 5^s)`: since `5^s = 1 mod 4`, `zeta^(n 5^s) = i`. This is a decimation-in-time transform over
//! the powers of five (Cheon, Han, Kim, Kim and Song, "Bootstrapping for approximate homomorphic encryption",
//! EUROCRYPT 2018, section 5.1).
//!
//! The roots come from `libm` and only basic operations follow, so every platform encodes to the same bits.

use std::f64::consts::TAU;

use num_complex::Complex64;

/// Tables for one number of slots.
pub(super) struct SlotTransform {
    slots: usize,
    /// Stage by stage, lengths 2, 4, ..., n: the `length/2` roots `exp(2 pi i (5^j mod 4 length) / (4 length))`.
    roots: Vec<Complex64>,
}

impl SlotTransform {
    /// `slots` must be a power of two.
    pub(super) fn new(slots: usize) -> Self {
        debug_assert!(slots.is_power_of_two());
        let mut roots = Vec::with_capacity(slots);
        for length in stages(slots) {
            let order = 4 * length;
            let mut exponent = 1;
            for _ in 0..length / 2 {
                let (sin, cos) = libm::sincos(TAU * exponent as f64 / order as f64);
                roots.push(Complex64::new(cos, sin));
                exponent = exponent * 5 % order;
            }
        }
        Self { slots, roots }
    }

    fn stage_roots(&self, length: usize) -> &[Complex64] {
        // The stages below hold 1 + 2 + ... + length/4 roots.
        let start = length / 2 - 1;
        &self.roots[start..start + length / 2]
    }

    /// In place, `z_j` to slots.
    pub(super) fn coefficients_to_slots(&self, values: &mut [Complex64]) {
        debug_assert_eq!(values.len(), self.slots);
        bit_reverse(values);
        for length in stages(self.slots) {
            let roots = self.stage_roots(length);
            for block in values.chunks_exact_mut(length) {
                let (low, high) = block.split_at_mut(length / 2);
                for ((a, b), root) in low.iter_mut().zip(high).zip(roots) {
                    let product = *b * root;
                    *b = *a - product;
                    *a += product;
                }
            }
        }
    }

    /// In place, slots to `z_j`: the inverse.
    pub(super) fn slots_to_coefficients(&self, values: &mut [Complex64]) {
        debug_assert_eq!(values.len(), self.slots);
        for length in stages(self.slots).rev() {
            let roots = self.stage_roots(length);
            for block in values.chunks_exact_mut(length) {
                let (low, high) = block.split_at_mut(length / 2);
                for ((a, b), root) in low.iter_mut().zip(high).zip(roots) {
                    let difference = *a - *b;
                    *a += *b;
                    *b = difference * root.conj();
                }
            }
        }
        bit_reverse(values);
        let factor = 1.0 / self.slots as f64;
        for value in values {
            *value *= factor;
        }
    }
}

/// Lengths of the butterfly blocks: 2, 4, ..., `slots`.
fn stages(slots: usize) -> impl DoubleEndedIterator<Item = usize> {
    (1..=slots.trailing_zeros()).map(|stage| 1 << stage)
}

fn bit_reverse(values: &mut [Complex64]) {
    let bits = values.len().trailing_zeros();
    if bits == 0 {
        return;
    }
    for index in 0..values.len() {
        let reversed = index.reverse_bits() >> (usize::BITS - bits);
        if index < reversed {
            values.swap(index, reversed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(z: &[Complex64]) -> Vec<Complex64> {
        let order = 4 * z.len();
        let mut power = 1;
        z.iter()
            .map(|_| {
                let value = z
                    .iter()
                    .enumerate()
                    .map(|(j, z)| {
                        z * Complex64::cis(TAU * (j * power % order) as f64 / order as f64)
                    })
                    .sum();
                power = power * 5 % order;
                value
            })
            .collect()
    }

    fn sample(slots: usize) -> Vec<Complex64> {
        (0..slots)
            .map(|j| Complex64::new((j as f64 * 1.7).sin() + 0.1, (j as f64 * 0.3).cos()))
            .collect()
    }

    #[test]
    fn agrees_with_evaluation_at_the_powers_of_five() {
        for slots in [1, 2, 4, 8, 128] {
            let z = sample(slots);
            let mut fast = z.clone();
            SlotTransform::new(slots).coefficients_to_slots(&mut fast);
            for (fast, naive) in fast.iter().zip(naive(&z)) {
                assert!(
                    (fast - naive).norm() < 1e-11,
                    "{slots} slots: {fast} {naive}"
                );
            }
        }
    }

    #[test]
    fn the_inverse_inverts_to_double_precision() {
        let z = sample(1 << 14);
        let transform = SlotTransform::new(z.len());
        let mut back = z.clone();
        transform.coefficients_to_slots(&mut back);
        transform.slots_to_coefficients(&mut back);
        for (back, z) in back.iter().zip(&z) {
            assert!((back - z).norm() < 1e-13, "{back} {z}");
        }
    }
}
