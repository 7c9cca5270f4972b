//! The training program, generic over what evaluates it. Derivation and levels: `docs/maths/training.md`.

use confide_tensor::{Evaluator, TensorError};

use crate::layout::Layout;
use crate::schedule::Schedule;
use crate::steps::{Turn, map, merge, split};

/// Products summed under one relinearisation; more would leave threads idle, fewer would relinearise too often.
const CHUNK: usize = 8;

/// Encrypted training data in upload order.
#[derive(Debug, Clone)]
pub struct TrainingInputs<Ct> {
    /// Feature ciphertexts, block by block.
    pub features: Vec<Ct>,
    /// Labels, one ciphertext a block.
    pub labels: Vec<Ct>,
}

/// What a block needs of its logits: `z`, and the factors of the sigmoid's polynomial in `u = z^2` that its features
/// are multiplied by in turn, each one level below the one before.
struct Activation<Ct> {
    z: Ct,
    factors: Vec<Ct>,
}

/// Trains a head. The result is one dense ciphertext, `head_scale` times the weights, one level below the data after the
/// first iteration and another 3, 4 or 5 (degree 3, 7 or 15) for each further one.
///
/// # Errors
/// [`TensorError`] of the evaluator, or `TooFewOperands` for inputs that do not match the layout.
pub fn train<E: Evaluator>(
    ev: &E,
    layout: &Layout,
    schedule: &Schedule,
    inputs: TrainingInputs<E::Ct>,
) -> Result<E::Ct, TensorError> {
    let needed = layout.blocks * layout.packs();
    for (needed, available) in [
        (needed, inputs.features.len()),
        (layout.blocks, inputs.labels.len()),
    ] {
        if needed != available {
            return Err(TensorError::TooFewOperands {
                op: "train",
                needed,
                available,
            });
        }
    }
    ev.phase("unpack records");
    let data = unpack(ev, layout, inputs.features)?;

    ev.phase("iteration 1");
    let first = map(ev, (0..layout.pairs).collect(), |p| {
        let pairs: Vec<_> = data
            .iter()
            .zip(&inputs.labels)
            .map(|(block, labels)| (&block[p], labels))
            .collect();
        ev.dot(&pairs)
    })?;
    let mut points = vec![merge(ev, &layout.tower(), first)?];
    drop(inputs.labels);

    for t in 1..schedule.iterations {
        ev.phase(&format!("iteration {}", t + 1));
        let gradient = gradient(
            ev,
            layout,
            schedule,
            &data,
            &points[t - 1],
            schedule.z_scale[t - 1],
        )?;
        let level = ev.level(&gradient);
        // The leading coefficient is negative, as the step against the gradient is.
        let mut next = if schedule.sigmoid.leading() < 0.0 {
            gradient
        } else {
            ev.sub(&zero(ev, &gradient)?, &gradient)?
        };
        for (point, &weight) in points.iter().zip(&schedule.history[t - 1]) {
            if weight != 0.0 {
                next = ev.add(&next, &ev.mul_const_to(point, weight, level)?)?;
            }
        }
        points.push(next);
    }
    points.pop().ok_or(TensorError::TooFewOperands {
        op: "train",
        needed: 1,
        available: 0,
    })
}

fn zero<E: Evaluator>(ev: &E, like: &E::Ct) -> Result<E::Ct, TensorError> {
    ev.sub(like, like)
}

/// Feature pairs of every block, at the level of the upload.
fn unpack<E: Evaluator>(
    ev: &E,
    layout: &Layout,
    features: Vec<E::Ct>,
) -> Result<Vec<Vec<E::Ct>>, TensorError> {
    let size = 1usize << layout.pack_steps;
    let packs = layout.packs();
    let numbered: Vec<_> = features.into_iter().enumerate().collect();
    let leaves = map(ev, numbered, |(index, ct)| {
        let count = size.min(layout.pairs - index % packs * size);
        split(
            ev,
            &layout.tower(),
            ct,
            layout.data_steps(),
            count,
            Turn::Forward,
        )
    })?;
    let mut blocks = Vec::with_capacity(layout.blocks);
    let mut leaves = leaves.into_iter();
    for _ in 0..layout.blocks {
        blocks.push(leaves.by_ref().take(packs).flatten().collect());
    }
    Ok(blocks)
}

/// `data_scale z_scale^d / |c_d|` times the sum over all rows of features times the sigmoid minus one half.
fn gradient<E: Evaluator>(
    ev: &E,
    layout: &Layout,
    schedule: &Schedule,
    data: &[Vec<E::Ct>],
    point: &E::Ct,
    z_scale: f64,
) -> Result<E::Ct, TensorError> {
    let weights = split(
        ev,
        &layout.tower(),
        ev.conjugate(point)?,
        0..layout.merge_steps(),
        layout.pairs,
        Turn::Backward,
    )?;
    let activations = map(ev, data.iter().collect(), |block| {
        activation(ev, schedule, block, &weights, z_scale)
    })?;
    drop(weights);
    let leaves = map(ev, (0..layout.pairs).collect(), |p| {
        // The last product of every block is summed before it is relinearised.
        let mut last = Vec::with_capacity(data.len());
        for (block, activation) in data.iter().zip(&activations) {
            let (final_factor, earlier) =
                activation
                    .factors
                    .split_last()
                    .ok_or(TensorError::TooFewOperands {
                        op: "gradient",
                        needed: 1,
                        available: 0,
                    })?;
            let first = ev.mul(&block[p], &activation.z)?;
            let product = earlier
                .iter()
                .try_fold(first, |product, factor| ev.mul(&product, factor))?;
            last.push((product, final_factor));
        }
        ev.dot(
            &last
                .iter()
                .map(|(left, right)| (left, *right))
                .collect::<Vec<_>>(),
        )
    })?;
    drop(activations);
    merge(ev, &layout.tower(), leaves)
}

/// Logits of a block and the factors of its sigmoid, each scaled by a power of `mu = z_scale`: `mu z`, then
/// `mu^2 (u - r)`, `mu^4 (u^2 + s u + t)`, and for degree 15 the product of two more such quadratics.
fn activation<E: Evaluator>(
    ev: &E,
    schedule: &Schedule,
    block: &[E::Ct],
    weights: &[E::Ct],
    mu: f64,
) -> Result<Activation<E::Ct>, TensorError> {
    let product = product(ev, block, weights)?;
    // The real part of the product of a pair with conjugated weights is its share of the logit.
    let z = ev.add(&product, &ev.conjugate(&product)?)?;
    let u = ev.mul(&z, &z)?;
    let square = mu * mu;
    let shape = schedule.sigmoid.factors();
    let mut factors = vec![ev.add_const(&u, -shape.root * square)?];
    let mut quadratics = Vec::with_capacity(shape.quadratics.len());
    for [s, t] in &shape.quadratics {
        let shifted = ev.add_const(&u, s * square)?;
        quadratics.push(ev.add_const(&ev.mul(&u, &shifted)?, t * square * square)?);
    }
    let mut quadratics = quadratics.into_iter();
    factors.extend(quadratics.next());
    if let Some(second) = quadratics.next() {
        factors.push(quadratics.try_fold(second, |product, q| ev.mul(&product, &q))?);
    }
    Ok(Activation { z, factors })
}

/// Sum over pairs of left times right.
pub(crate) fn product<E: Evaluator>(
    ev: &E,
    left: &[E::Ct],
    right: &[E::Ct],
) -> Result<E::Ct, TensorError> {
    let pairs: Vec<_> = left.iter().zip(right).collect();
    let sums = map(ev, pairs.chunks(CHUNK).collect(), |chunk| ev.dot(chunk))?;
    let mut sums = sums.into_iter();
    let first = sums.next().ok_or(TensorError::TooFewOperands {
        op: "product",
        needed: 1,
        available: 0,
    })?;
    sums.try_fold(first, |total, sum| ev.add(&total, &sum))
}
