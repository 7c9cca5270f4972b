//! From logits to residuals: the sigmoid's polynomial, its mask and the labels.

use confide_tensor::{Evaluator, TensorError};

use crate::sigmoid::OddSigmoid;

/// `factor (p(z) - (y - 1/2))` in the columns of `mask`, zero elsewhere, from logits that carry `mu`; labels minus one half
/// come with the factor 1 and are zero outside the mask.
///
/// Consumes 2, 3 or 4 levels for degree 3, 7 or 15: `mask z` (the mask is free, since `z` loses that level for its
/// product anyway) times `u - r`, times a quadratic, times the product of two more, with `u = z^2`.
pub(super) fn residual<E: Evaluator>(
    ev: &E,
    sigmoid: &OddSigmoid,
    z: &E::Ct,
    labels: &E::Ct,
    mask: &[f64],
    [mu, factor]: [f64; 2],
) -> Result<E::Ct, TensorError> {
    let square = mu * mu;
    let shape = sigmoid.factors();
    let u = ev.mul(z, z)?;
    let level = ev.level(&u);
    let leading = factor * sigmoid.leading() / mu.powi(sigmoid.degree() as i32);
    let masked: Vec<f64> = mask.iter().map(|m| m * leading).collect();
    let masked = ev.mul_periodic_to(z, &masked, level)?;
    let mut product = ev.mul(&masked, &ev.add_const(&u, -shape.root * square)?)?;
    let mut quadratics = Vec::with_capacity(shape.quadratics.len());
    for [s, t] in &shape.quadratics {
        let shifted = ev.add_const(&u, s * square)?;
        quadratics.push(ev.add_const(&ev.mul(&u, &shifted)?, t * square * square)?);
    }
    let mut quadratics = quadratics.into_iter();
    if let Some(first) = quadratics.next() {
        product = ev.mul(&product, &first)?;
    }
    if let Some(second) = quadratics.next() {
        let rest = quadratics.try_fold(second, |product, q| ev.mul(&product, &q))?;
        product = ev.mul(&product, &rest)?;
    }
    let labels = ev.mul_const_to(labels, -factor, ev.level(&product))?;
    ev.add(&product, &labels)
}
