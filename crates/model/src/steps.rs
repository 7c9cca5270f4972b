//! The layers on vectors: convolution, activation, sum, pooling, dense.

use std::collections::{BTreeMap, btree_map::Entry};
use std::sync::Arc;

use confide_tensor::TensorError;

use crate::layout::Layout;
use crate::lower::Square;
use crate::ops::{LayerEvaluator, Reads, Shift, Sums};
use crate::program::Tensor;
use crate::taps::{Source, Taps};

/// A convolution with a bias; one level lower.
///
/// Input channels are taken in groups that fit the evaluator's working set: each channel is rotated and masked once for
/// all outputs, and each output phase is a product with a matrix of weights, added to the sums of the groups before.
pub(crate) fn conv<E: LayerEvaluator>(
    ev: &E,
    taps: &Taps,
    weights: &[f64],
    bias: &[f64],
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let (channels, count) = (input.len(), taps.phases[0].len());
    let level = lowest_level(ev, &input);
    let mut numbers = BTreeMap::new();
    let mut shifts = Vec::new();
    for source in &taps.sources {
        if let Entry::Vacant(entry) = numbers.entry(source.carry) {
            let cells = taps.mask(source.carry);
            entry.insert(shifts.len());
            shifts.push(Shift {
                rotation: taps.rotation(source.carry),
                mask: cells.map(|cells| ev.mask(&cells, level)).transpose()?,
            });
        }
    }
    let (phases, made) = (taps.input.ciphertexts(), taps.sources.len());
    let group = ev.group(level, phases, made).clamp(1, channels.max(1));
    let mut sums: Option<Vec<E::Sum>> = None;
    let mut input = input.into_iter().enumerate().peekable();
    while let Some(&(start, _)) = input.peek() {
        let mut own: Vec<Arc<E::Ct>> = Vec::with_capacity(group * phases);
        for ct in input.by_ref().take(group).flat_map(|(_, channel)| channel) {
            own.push(lowered(ev, ct, level)?);
        }
        let taken = own.len() / phases;
        let mut sources = Vec::with_capacity(taken * made);
        for first in (0..own.len()).step_by(phases) {
            let at = |s: &Source| (first + s.phase, numbers[&s.carry]);
            sources.extend(taps.sources.iter().map(at));
        }
        let reads = Reads {
            inputs: own.iter().map(|ct| &**ct).collect(),
            shifts: &shifts,
            sources,
        };
        let rows: Vec<Vec<f64>> = (0..bias.len())
            .map(|o| weights[(o * channels + start) * count..][..taken * count].to_vec())
            .collect();
        let product = |phase: &Vec<usize>| Sums {
            sources: (0..taken)
                .flat_map(|channel| phase.iter().map(move |&s| channel * made + s))
                .collect(),
            rows: rows.clone(),
        };
        let products: Vec<Sums> = taps.phases.iter().map(product).collect();
        sums = Some(ev.shifted_sums(sums.take(), &reads, &products)?);
    }
    let mut out: Tensor<E::Ct> = bias
        .iter()
        .map(|_| Vec::with_capacity(taps.phases.len()))
        .collect();
    for (i, sum) in sums.into_iter().flatten().enumerate() {
        let channel = i % bias.len();
        out[channel].push(Arc::new(ev.finish(sum, bias[channel])?));
    }
    Ok(out)
}

/// An activation; one level lower, two for channels whose factor is not 1.
pub(crate) fn activation<E: LayerEvaluator>(
    ev: &E,
    squares: &[Square],
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let mut out = Vec::with_capacity(input.len());
    for (channel, square) in input.into_iter().zip(squares) {
        let one = |ct: Arc<E::Ct>| {
            Ok(Arc::new(match *square {
                Square::Linear { factor, constant } => {
                    ev.add_const(&ev.mul_const(&ct, factor)?, constant)?
                }
                Square::Square {
                    factor,
                    shift,
                    constant,
                } => {
                    let mut x = Arc::try_unwrap(ct).unwrap_or_else(|shared| E::Ct::clone(&shared));
                    if factor != 1.0 {
                        x = ev.mul_const(&x, factor)?;
                    }
                    if shift != 0.0 {
                        x = ev.add_const(&x, shift)?;
                    }
                    ev.square(x, constant)?
                }
            }))
        };
        out.push(
            channel
                .into_iter()
                .map(one)
                .collect::<Result<Vec<_>, TensorError>>()?,
        );
    }
    Ok(out)
}

/// `factors[0] * a + factors[1] * b` by channel, at the lower of the two levels; a level lower if that one has a factor
/// other than 1 and -1.
pub(crate) fn add<E: LayerEvaluator>(
    ev: &E,
    factors: &[Vec<f64>; 2],
    a: Tensor<E::Ct>,
    b: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let levels = [&a, &b].map(|tensor| lowest_level(ev, tensor));
    let spends = |i: usize| usize::from(factors[i].iter().any(|f| f.abs() != 1.0));
    let mut level = (levels[0].saturating_sub(spends(0))).min(levels[1].saturating_sub(spends(1)));
    let negative = factors[0]
        .iter()
        .zip(&factors[1])
        .any(|(&x, &y)| x == -1.0 && y == -1.0);
    if negative && levels[0] == level && levels[1] == level {
        level = level.saturating_sub(1);
    }
    let mut out = Vec::with_capacity(a.len());
    for (channel, (x, y)) in a.into_iter().zip(b).enumerate() {
        let own = [factors[0][channel], factors[1][channel]];
        let one = |(x, y): (Arc<E::Ct>, Arc<E::Ct>)| {
            let [(x, fx), (y, fy)] = [(x, own[0]), (y, own[1])].map(|(ct, factor)| {
                if ev.level(&ct) == level && factor.abs() == 1.0 {
                    return (Ok(ct), factor);
                }
                (ev.mul_const_to(&ct, factor, level).map(Arc::new), 1.0)
            });
            let (x, y) = (x?, y?);
            Ok(Arc::new(match (fx < 0.0, fy < 0.0) {
                (false, false) => ev.add(&x, &y)?,
                (false, true) => ev.sub(&x, &y)?,
                // Both cannot be: a level was spent on that above.
                (true, _) => ev.sub(&y, &x)?,
            }))
        };
        out.push(
            x.into_iter()
                .zip(y)
                .map(one)
                .collect::<Result<Vec<_>, TensorError>>()?,
        );
    }
    Ok(out)
}

/// The same values at the level of refreshed vectors.
pub(crate) fn refresh<E: LayerEvaluator>(
    ev: &E,
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let sizes: Vec<usize> = input.iter().map(Vec::len).collect();
    let all = ev.refresh_real(input.into_iter().flatten().collect())?;
    let mut all = all.into_iter().map(Arc::new);
    let channel = |size| all.by_ref().take(size).collect();
    Ok(sizes.into_iter().map(channel).collect())
}

/// The sum over all pixels, in the cell of the first one; same level.
pub(crate) fn pool<E: LayerEvaluator>(
    ev: &E,
    layout: &Layout,
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let mut out = Vec::with_capacity(input.len());
    for channel in input {
        let mut phases = channel.into_iter();
        let Some(first) = phases.next() else { continue };
        let sum = phases.try_fold(first, |sum, ct| ev.add(&sum, &ct).map(Arc::new))?;
        out.push(vec![Arc::new(over_cells(ev, layout, &sum)?)]);
    }
    Ok(out)
}

/// The lowest level in a tensor, 0 in an empty one.
pub(crate) fn lowest_level<E: LayerEvaluator>(ev: &E, tensor: &Tensor<E::Ct>) -> usize {
    let levels = tensor.iter().flatten().map(|ct| ev.level(ct));
    levels.min().unwrap_or(0)
}

/// A ciphertext at `level`, the same one if it is there.
pub(crate) fn lowered<E: LayerEvaluator>(
    ev: &E,
    ct: Arc<E::Ct>,
    level: usize,
) -> Result<Arc<E::Ct>, TensorError> {
    Ok(match ev.level(&ct) == level {
        true => ct,
        false => Arc::new(ev.at_level(&ct, level)?),
    })
}

/// The sum over the pixels, and over the channels between them where the map is folded, in the cell of the first one.
pub(crate) fn over_cells<E: LayerEvaluator>(
    ev: &E,
    layout: &Layout,
    ct: &E::Ct,
) -> Result<E::Ct, TensorError> {
    let mut sum = ct.clone();
    let mut step = layout.unit();
    while step < layout.grid.side() {
        let step_by = step as i64;
        for k in [
            layout.grid.rotation(0, step_by),
            layout.grid.rotation(step_by, 0),
        ] {
            sum = ev.add(&sum, &ev.rotate(&sum, k)?)?;
        }
        step *= 2;
    }
    Ok(sum)
}

/// A dense layer, of maps that are pooled on the way if `pool` is their layout; one level lower.
pub(crate) fn dense<E: LayerEvaluator>(
    ev: &E,
    rows: &[Vec<f64>],
    bias: &[f64],
    pool: Option<&Layout>,
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let inputs: Vec<&E::Ct> = input.iter().flatten().map(|ct| &**ct).collect();
    let wide = |row: &Vec<f64>| {
        let weights = row.iter().zip(&input);
        weights
            .flat_map(|(&w, phases)| std::iter::repeat_n(w, phases.len()))
            .collect()
    };
    let rows: Vec<Vec<f64>> = rows.iter().map(wide).collect();
    let sums = Sums {
        sources: (0..inputs.len()).collect(),
        rows,
    };
    let reads = Reads {
        sources: sums.sources.iter().map(|&i| (i, 0)).collect(),
        inputs,
        shifts: &[Shift {
            rotation: 0,
            mask: None,
        }],
    };
    let sums = ev.shifted_sums(None, &reads, &[sums])?;
    let mut out = Vec::with_capacity(bias.len());
    for (sum, &bias) in sums.into_iter().zip(bias) {
        let features = ev.finish(sum, 0.0)?;
        let pooled = match pool {
            Some(layout) => over_cells(ev, layout, &features)?,
            None => features,
        };
        out.push(vec![Arc::new(ev.add_const(&pooled, bias)?)]);
    }
    Ok(out)
}
