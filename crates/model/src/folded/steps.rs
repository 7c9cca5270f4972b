//! The layers on folded maps. A tensor has one vector for each `fold x fold` channels.

use std::sync::Arc;

use confide_tensor::TensorError;

use super::FoldedTaps;
use crate::layout::Layout;
use crate::lower::Square;
use crate::ops::{LayerEvaluator, PeriodicSums, Reads, Shift};
use crate::program::Tensor;
use crate::steps::{lowered, lowest_level, over_cells};

/// A convolution with a bias; one level lower.
pub(crate) fn conv<E: LayerEvaluator>(
    ev: &E,
    taps: &FoldedTaps,
    weights: &[f64],
    bias: &[f64],
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let level = lowest_level(ev, &input);
    let inputs = input.into_iter().flatten();
    let inputs: Vec<_> = inputs
        .map(|ct| lowered(ev, ct, level))
        .collect::<Result<_, _>>()?;
    let shift = |&baby: &[i64; 2]| Shift {
        rotation: taps.rotation(baby),
        mask: None,
    };
    let shifts: Vec<_> = taps.babies.iter().map(shift).collect();
    let reads = Reads {
        inputs: inputs.iter().map(|ct| &**ct).collect(),
        sources: (0..inputs.len())
            .flat_map(|input| (0..shifts.len()).map(move |shift| (input, shift)))
            .collect(),
        shifts: &shifts,
    };
    let [_, outputs] = taps.ciphertexts();
    let giants: Vec<i64> = taps
        .giants
        .iter()
        .map(|&giant| taps.rotation(giant))
        .collect();
    let count = taps.babies.len();
    let fills: Vec<_> = taps
        .giants
        .iter()
        .map(|&giant| {
            move |o: usize, source: usize, out: &mut [f64]| {
                taps.weights(weights, (o, giant), source, out);
            }
        })
        .collect();
    let by_giant = taps.giants.iter().zip(&fills);
    let sums: Vec<_> = by_giant
        .map(|(&giant, fill)| PeriodicSums {
            sources: (0..reads.sources.len())
                .filter(|source| taps.needs(giant, taps.babies[source % count]))
                .collect(),
            rows: outputs,
            period: taps.output.grid.cells(),
            weights: fill,
        })
        .collect();
    let mut made = ev.periodic_sums(&reads, &sums)?;
    // By giant, each the sums of all outputs.
    let mut parts: Vec<_> = (0..giants.len())
        .map(|_| made.drain(..outputs).collect::<Vec<_>>().into_iter())
        .collect();
    drop(reads);
    drop(inputs);
    let mut out = Vec::with_capacity(outputs);
    for bias in by_class(&taps.output, bias) {
        let parts: Vec<E::Ct> = parts
            .iter_mut()
            .filter_map(Iterator::next)
            .map(|sum| ev.finish(sum, 0.0))
            .collect::<Result<_, _>>()?;
        let terms: Vec<_> = parts.iter().zip(giants.iter().copied()).collect();
        let sum = ev.rotated_sum(&terms)?;
        out.push(vec![Arc::new(ev.add_periodic(&sum, &bias)?)]);
    }
    Ok(out)
}

/// An activation without factors or linear channels; one level lower.
pub(crate) fn activation<E: LayerEvaluator>(
    ev: &E,
    layout: &Layout,
    squares: &[Square],
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let parts = |part: fn(&Square) -> f64| -> Vec<f64> { squares.iter().map(part).collect() };
    let shifts = parts(|square| match square {
        Square::Square { shift, .. } => *shift,
        Square::Linear { .. } => 0.0,
    });
    let constants = parts(|square| match square {
        Square::Square { constant, .. } | Square::Linear { constant, .. } => *constant,
    });
    let shifted = shifts.iter().any(|&shift| shift != 0.0);
    let patterns = by_class(layout, &shifts).zip(by_class(layout, &constants));
    let mut out = Vec::with_capacity(input.len());
    for (ct, (shift, constant)) in input.into_iter().flatten().zip(patterns) {
        let x = match shifted {
            true => ev.add_periodic(&ct, &shift)?,
            false => Arc::try_unwrap(ct).unwrap_or_else(|shared| E::Ct::clone(&shared)),
        };
        let square = ev.square(x, 0.0)?;
        out.push(vec![Arc::new(ev.add_periodic(&square, &constant)?)]);
    }
    Ok(out)
}

/// `a + factors * b` by channel, at the level of `a`, which must be below that of `b`.
pub(crate) fn add<E: LayerEvaluator>(
    ev: &E,
    layout: &Layout,
    factors: &[f64],
    a: Tensor<E::Ct>,
    b: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let mut out = Vec::with_capacity(a.len());
    let pairs = a.into_iter().flatten().zip(b.into_iter().flatten());
    for ((a, b), factors) in pairs.zip(by_class(layout, factors)) {
        let b = ev.mul_periodic_to(&b, &factors, ev.level(&a))?;
        out.push(vec![Arc::new(ev.add(&a, &b)?)]);
    }
    Ok(out)
}

/// A dense layer of folded maps, which are summed over all pixels on the way; one level lower.
pub(crate) fn dense<E: LayerEvaluator>(
    ev: &E,
    layout: &Layout,
    rows: &[Vec<f64>],
    bias: &[f64],
    input: Tensor<E::Ct>,
) -> Result<Tensor<E::Ct>, TensorError> {
    let inputs: Vec<&E::Ct> = input.iter().flatten().map(|ct| &**ct).collect();
    let shifts = [Shift {
        rotation: 0,
        mask: None,
    }];
    let reads = Reads {
        sources: (0..inputs.len()).map(|input| (input, 0)).collect(),
        inputs,
        shifts: &shifts,
    };
    let weights = |row: usize, source: usize, out: &mut [f64]| {
        if let Some(values) = by_class(layout, &rows[row]).nth(source) {
            out.copy_from_slice(&values);
        }
    };
    let sums = [PeriodicSums {
        sources: (0..reads.sources.len()).collect(),
        rows: rows.len(),
        period: layout.grid.cells(),
        weights: &weights,
    }];
    let mut out = Vec::with_capacity(bias.len());
    for (sum, &bias) in ev.periodic_sums(&reads, &sums)?.into_iter().zip(bias) {
        let sum = over_cells(ev, layout, &ev.finish(sum, 0.0)?)?;
        out.push(vec![Arc::new(ev.add_const(&sum, bias)?)]);
    }
    Ok(out)
}

/// The values of channels in the cells of their classes, ciphertext by ciphertext; zero for channels that there are not.
fn by_class<'a>(layout: &'a Layout, values: &'a [f64]) -> impl Iterator<Item = Vec<f64>> + 'a {
    let side = layout.grid.side();
    values.chunks(layout.classes()).map(move |own| {
        let value = |cell: usize| {
            let class = layout.class(cell / side, cell % side);
            own.get(class).copied().unwrap_or(0.0)
        };
        (0..side * side).map(value).collect()
    })
}
