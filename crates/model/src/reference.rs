//! A network on plain numbers, layer by layer, written as directly as possible: what other evaluations are held against.

use std::collections::BTreeMap;

use crate::error::{ModelError, layout};
use crate::network::{INPUT, Layer, Network, Op, Shape};
use crate::weights::Weights;

/// A tensor of one image: its shape and values `[channel][y * width + x]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Channels, height, width.
    pub shape: Shape,
    /// By channel.
    pub values: Vec<Vec<f64>>,
}

/// Every tensor of one image by the name of the layer that makes it.
///
/// # Errors
/// [`ModelError::Layer`] for a network that is not valid, [`ModelError::Layout`] for an image of another shape.
pub fn run(
    network: &Network,
    weights: &Weights,
    image: &[Vec<f64>],
) -> Result<BTreeMap<String, Map>, ModelError> {
    let shapes = network.shapes()?;
    let [channels, height, width] = network.input;
    if image.len() != channels || image.iter().any(|plane| plane.len() != height * width) {
        let found = image.first().map_or(0, Vec::len);
        return Err(layout(
            "image",
            format!("{channels} planes of {height} x {width}"),
            format!("{} of {found}", image.len()),
        ));
    }
    let input = Map {
        shape: network.input,
        values: image.to_vec(),
    };
    let mut maps = BTreeMap::from([(INPUT.to_owned(), input)]);
    for layer in &network.layers {
        let inputs: Vec<&Map> = layer.inputs.iter().map(|name| &maps[name]).collect();
        let map = apply(layer, weights, &inputs, shapes[layer.name.as_str()]);
        maps.insert(layer.name.clone(), map);
    }
    Ok(maps)
}

fn apply(layer: &Layer, weights: &Weights, inputs: &[&Map], shape: Shape) -> Map {
    let get = |key| weights.get(&layer.name, key);
    let x = inputs[0];
    let values = match &layer.op {
        Op::Conv {
            kernel,
            stride,
            pad,
            ..
        } => conv(
            x,
            get("weight"),
            get("bias"),
            [*kernel, *stride, *pad],
            shape,
        ),
        Op::Activation { .. } => {
            let (a, b, c) = (get("a"), get("b"), get("c"));
            let plane = |(i, plane): (usize, &Vec<f64>)| {
                plane.iter().map(|x| (a[i] * x + b[i]) * x + c[i]).collect()
            };
            x.values.iter().enumerate().map(plane).collect()
        }
        Op::Add => {
            let sum =
                |(x, y): (&Vec<f64>, &Vec<f64>)| x.iter().zip(y).map(|(x, y)| x + y).collect();
            x.values.iter().zip(&inputs[1].values).map(sum).collect()
        }
        Op::Pool => {
            let mean = |plane: &Vec<f64>| vec![plane.iter().sum::<f64>() / plane.len() as f64];
            x.values.iter().map(mean).collect()
        }
        Op::Dense { inputs, .. } => {
            let rows = get("weight").chunks_exact(*inputs).zip(get("bias"));
            rows.map(|(row, bias)| {
                let products = row.iter().zip(&x.values).map(|(w, x)| w * x[0]);
                vec![bias + products.sum::<f64>()]
            })
            .collect()
        }
    };
    Map { shape, values }
}

fn conv(
    x: &Map,
    weight: &[f64],
    bias: &[f64],
    [kernel, stride, pad]: [usize; 3],
    [outputs, height, width]: Shape,
) -> Vec<Vec<f64>> {
    let [channels, rows, columns] = x.shape;
    let mut out = Vec::with_capacity(outputs);
    for (o, &b) in bias.iter().enumerate() {
        let mut plane = vec![b; height * width];
        for (c, source) in x.values.iter().enumerate() {
            for ky in 0..kernel {
                for kx in 0..kernel {
                    let w = weight[((o * channels + c) * kernel + ky) * kernel + kx];
                    for y in 0..height {
                        // Rows above the first wrap around to large numbers: outside either way.
                        let sy = (y * stride + ky).wrapping_sub(pad);
                        if sy >= rows {
                            continue;
                        }
                        for xx in 0..width {
                            let sx = (xx * stride + kx).wrapping_sub(pad);
                            if sx < columns {
                                plane[y * width + xx] += w * source[sy * columns + sx];
                            }
                        }
                    }
                }
            }
        }
        out.push(plane);
    }
    out
}
