//! Integer combinations of many ciphertexts: the inner loop of convolutions with one weight for all slots.

use super::scalar::to_integer;
use super::{Evaluator, has_level, same_scale};
use crate::ciphertext::Ciphertext;
use crate::error::CkksError;

/// Largest weight times its scale: products with residues have no rounding to hide a larger one.
const MAX_BITS: f64 = 62.0;

/// A matrix of real weights as integers `round(w * scale)`, one row for each output ciphertext.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightMatrix {
    inputs: usize,
    /// Row by row.
    integers: Vec<i64>,
    scale: f64,
}

impl WeightMatrix {
    /// Rounds `rows` of weights, each as long as there are inputs, at `scale`: an error of at most half a unit of
    /// `1/scale` each. Weights that are integers already have scale 1.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] for rows of different length or none, [`CkksError::InvalidScale`],
    /// [`CkksError::NotFinite`], or [`CkksError::Overflow`] for a weight that reaches `2^62 / scale`.
    pub fn new(rows: &[Vec<f64>], scale: f64) -> Result<Self, CkksError> {
        const OP: &str = "WeightMatrix::new";
        let inputs = rows.first().map_or(0, Vec::len);
        if inputs == 0 {
            return Err(invalid(OP, "number of weights", "at least 1", 0));
        }
        if let Some(row) = rows.iter().find(|row| row.len() != inputs) {
            let needed = inputs.to_string();
            return Err(invalid(OP, "length of a row", &needed, row.len()));
        }
        if !(scale.is_finite() && scale > 0.0) {
            return Err(CkksError::InvalidScale { op: OP, scale });
        }
        let mut integers = Vec::with_capacity(rows.len() * inputs);
        for &weight in rows.iter().flatten() {
            let integer = to_integer(OP, weight, scale)?;
            let bits = (integer as f64).abs().log2();
            integers.push(
                i64::try_from(integer)
                    .ok()
                    .filter(|_| bits < MAX_BITS)
                    .ok_or(CkksError::Overflow {
                        op: OP,
                        needed: bits,
                        available: MAX_BITS,
                    })?,
            );
        }
        Ok(Self {
            inputs,
            integers,
            scale,
        })
    }

    /// Number of input ciphertexts.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of output ciphertexts.
    pub fn outputs(&self) -> usize {
        self.integers.len() / self.inputs
    }

    /// Factor between the integers and the weights.
    pub fn scale(&self) -> f64 {
        self.scale
    }
}

impl Evaluator {
    /// `out[o] = sum_i w[o, i] * in[i]` slot by slot, at the lowest level of the inputs; the scale of the inputs,
    /// which must agree, is multiplied by that of the weights. No level consumed, no rescale. Inputs may have two
    /// parts or three.
    ///
    /// The noise of an output is at most the sum of `|round(w * scale)|` times that of the inputs. Scalar weights as
    /// a plain matrix product: Bae, Cheon, Hanrot, Park and Stehlé, "Plaintext-ciphertext matrix multiplication and
    /// FHE bootstrapping: fast and fused", CRYPTO 2024.
    ///
    /// # Errors
    /// [`CkksError::InvalidArgument`] if the matrix has another number of inputs, [`CkksError::ScaleMismatch`],
    /// [`CkksError::PartCount`] for inputs with different numbers of parts, [`CkksError::InvalidScale`], or operands
    /// of other parameters.
    pub fn matrix_product(
        &self,
        inputs: &[&Ciphertext],
        weights: &WeightMatrix,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        const OP: &str = "matrix_product";
        let (level, scale) = self.check_matrix(OP, inputs, weights)?;
        let mut out: Vec<Ciphertext> = (0..weights.outputs())
            .map(|_| Ciphertext {
                parts: Vec::with_capacity(inputs[0].parts.len()),
                level,
                scale,
            })
            .collect();
        for part in 0..inputs[0].parts.len() {
            let lowered: Vec<_> = inputs
                .iter()
                .map(|ct| self.lowered(&ct.parts[part], level))
                .collect();
            let polys: Vec<_> = lowered.iter().map(|poly| &**poly).collect();
            let products = self.params.ring().matrix_product(&polys, &weights.integers);
            for (ct, poly) in out.iter_mut().zip(products) {
                ct.parts.push(poly);
            }
        }
        Ok(out)
    }

    /// [`Evaluator::matrix_product`] with one rescale of each output. Consumes one level. With the weights at
    /// [`Evaluator::weight_scale`] the outputs have the canonical scale of their level.
    ///
    /// # Errors
    /// As [`Evaluator::matrix_product`], and [`CkksError::LevelTooLow`] at level 0.
    pub fn matrix_product_rescale(
        &self,
        inputs: &[&Ciphertext],
        weights: &WeightMatrix,
    ) -> Result<Vec<Ciphertext>, CkksError> {
        for ct in inputs {
            has_level("matrix_product_rescale", ct.level, 1)?;
        }
        let products = self.matrix_product(inputs, weights)?;
        products
            .into_iter()
            .map(|product| self.rescale_owned(product))
            .collect()
    }

    /// The scale of weights with which a product and a rescale lead from `scale` at `level` to the canonical scale
    /// of the level below.
    ///
    /// # Errors
    /// [`CkksError::LevelTooLow`] at level 0, [`CkksError::LevelTooHigh`] above the top, [`CkksError::InvalidScale`].
    pub fn weight_scale(&self, level: usize, scale: f64) -> Result<f64, CkksError> {
        const OP: &str = "weight_scale";
        self.params.q_set(OP, level)?;
        has_level(OP, level, 1)?;
        let wanted = self.params.q(level) as f64 * self.params.scale_at(level - 1) / scale;
        self.params.check_scale(OP, wanted)?;
        Ok(wanted)
    }

    /// Level and scale of the products.
    fn check_matrix(
        &self,
        op: &'static str,
        inputs: &[&Ciphertext],
        weights: &WeightMatrix,
    ) -> Result<(usize, f64), CkksError> {
        if inputs.len() != weights.inputs {
            let needed = weights.inputs.to_string();
            return Err(invalid(op, "number of inputs", &needed, inputs.len()));
        }
        // A matrix has at least one column.
        let (first, mut level) = (inputs[0], self.params.max_level());
        for ct in inputs {
            self.check(op, ct)?;
            same_scale(op, first.scale, ct.scale)?;
            if ct.parts.len() != first.parts.len() {
                let (needed, available) = (first.parts.len(), ct.parts.len());
                return Err(CkksError::PartCount {
                    op,
                    needed,
                    available,
                });
            }
            level = level.min(ct.level);
        }
        let scale = first.scale * weights.scale;
        self.params.check_scale(op, scale)?;
        Ok((level, scale))
    }
}

fn invalid(op: &'static str, what: &'static str, needed: &str, available: usize) -> CkksError {
    CkksError::InvalidArgument {
        op,
        what,
        needed: needed.to_owned(),
        available: available.to_string(),
    }
}
