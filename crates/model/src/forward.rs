//! A network on plain 32-bit numbers, as fast as one core goes: what a data party runs on its own images.
//!
//! Products are added in a fixed order and never fused, so a terminal and a browser get the same numbers to the bit.

use std::collections::BTreeMap;

use crate::card::{ClosestRange, Ranges};
use crate::error::{ModelError, layout};
use crate::network::{INPUT, Layer, Network, Op, Shape};
use crate::weights::Weights;

/// Channels that are computed together; tensors have a multiple of it.
const LANES: usize = 8;
/// Pixels that are computed together.
const PIXELS: usize = 4;

/// A tensor of one image: `[y][x][channel]`, channels filled up with zeros to a multiple of [`LANES`].
struct Map {
    shape: Shape,
    values: Vec<f32>,
}

/// The layers of a network up to one of them, ready to run.
#[derive(Debug, Clone)]
pub struct Forward {
    input: Shape,
    steps: Vec<Step>,
}

/// A layer, with the places of the tensors that it reads: 0 is the input, `i + 1` what step `i` makes.
#[derive(Debug, Clone)]
struct Step {
    name: String,
    reads: Vec<usize>,
    /// Tensors that nobody reads afterwards.
    frees: Vec<usize>,
    shape: Shape,
    kernel: Kernel,
}

#[derive(Debug, Clone)]
enum Kernel {
    Conv(Conv),
    /// `a`, `b` and `c` by channel.
    Quadratic([Vec<f32>; 3]),
    Add,
    Pool,
}

/// A convolution; a dense layer is one of a single pixel.
#[derive(Debug, Clone)]
struct Conv {
    kernel: usize,
    stride: usize,
    pad: usize,
    inputs: usize,
    /// By block of [`LANES`] outputs, row and column of the kernel, input.
    weights: Vec<[f32; LANES]>,
    /// By block of outputs.
    bias: Vec<[f32; LANES]>,
}

impl Forward {
    /// Makes the layers of `network` up to the one named `until` ready.
    ///
    /// # Errors
    /// [`ModelError::Layer`] for a network that is not valid or has no such layer.
    pub fn new(network: &Network, weights: &Weights, until: &str) -> Result<Self, ModelError> {
        let (network, weights) = network.until(until, weights)?;
        let shapes = network.shapes()?;
        let names = std::iter::once(INPUT).chain(network.layers.iter().map(|one| &*one.name));
        let places: BTreeMap<&str, usize> = names.zip(0..).collect();
        let mut last: Vec<usize> = vec![network.layers.len(); network.layers.len() + 1];
        let mut steps = Vec::with_capacity(network.layers.len());
        for (index, layer) in network.layers.iter().enumerate() {
            let reads: Vec<usize> = layer.inputs.iter().map(|name| places[&**name]).collect();
            for &place in &reads {
                last[place] = index;
            }
            steps.push(Step {
                name: layer.name.clone(),
                reads,
                frees: Vec::new(),
                shape: shapes[&*layer.name],
                kernel: Kernel::new(layer, &weights),
            });
        }
        for (place, &index) in last.iter().enumerate() {
            if let Some(step) = steps.get_mut(index) {
                step.frees.push(place);
            }
        }
        Ok(Self {
            input: network.input,
            steps,
        })
    }

    /// The last layer's values of one image by channel, row and column. `image` is `[channel][y * width + x]`, normalised.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for an image of another shape.
    pub fn run(&self, image: &[Vec<f64>]) -> Result<Vec<f32>, ModelError> {
        self.observed(image, |_, _| ())
    }

    /// The layer whose values come closest to those that `ranges` promise, or leave them the furthest: then by a ratio above 1.
    ///
    /// # Errors
    /// Those of [`Forward::run`].
    pub fn closest(&self, image: &[Vec<f64>], ranges: &Ranges) -> Result<ClosestRange, ModelError> {
        let mut closest = ClosestRange {
            layer: INPUT.to_owned(),
            ratio: 0.0,
        };
        self.observed(image, |layer, map| {
            let largest = map.values.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
            let bound = ranges.bound.get(layer).copied().unwrap_or(f64::INFINITY);
            let ratio = f64::from(largest) / bound;
            if ratio > closest.ratio {
                closest = ClosestRange {
                    layer: layer.to_owned(),
                    ratio,
                };
            }
        })?;
        Ok(closest)
    }

    /// [`Forward::run`], with `seen` told of what each layer makes.
    fn observed(
        &self,
        image: &[Vec<f64>],
        mut seen: impl FnMut(&str, &Map),
    ) -> Result<Vec<f32>, ModelError> {
        let [channels, height, width] = self.input;
        if image.len() != channels || image.iter().any(|plane| plane.len() != height * width) {
            return Err(layout(
                "image",
                format!("{channels} planes of {height} x {width}"),
                format!("{} of other sizes", image.len()),
            ));
        }
        let mut input = Map::new(self.input);
        let stride = input.stride();
        for (channel, plane) in image.iter().enumerate() {
            for (pixel, value) in input.values.chunks_exact_mut(stride).zip(plane) {
                pixel[channel] = *value as f32;
            }
        }
        let mut maps = vec![Some(input)];
        for step in &self.steps {
            let read = |place: &usize| maps.get(*place).and_then(Option::as_ref);
            let inputs: Vec<&Map> = step.reads.iter().filter_map(read).collect();
            let map = step.kernel.apply(&inputs, step.shape);
            seen(&step.name, &map);
            maps.push(Some(map));
            for &place in &step.frees {
                maps[place] = None;
            }
        }
        let last = maps.pop().flatten();
        Ok(last.map_or_else(Vec::new, |map| map.by_channel()))
    }
}

impl Map {
    fn new(shape: Shape) -> Self {
        let [channels, height, width] = shape;
        Self {
            shape,
            values: vec![0.0; height * width * channels.next_multiple_of(LANES)],
        }
    }

    /// Numbers from a pixel to the next.
    fn stride(&self) -> usize {
        self.shape[0].next_multiple_of(LANES)
    }

    fn by_channel(&self) -> Vec<f32> {
        let pixels = || self.values.chunks_exact(self.stride());
        let channel = |channel| pixels().map(move |pixel| pixel[channel]);
        (0..self.shape[0]).flat_map(channel).collect()
    }

    /// With rows and columns of zeros on each side.
    fn padded(&self, pad: usize) -> Self {
        let [channels, height, width] = self.shape;
        let mut out = Self::new([channels, height + 2 * pad, width + 2 * pad]);
        let (row, wide) = (width * self.stride(), (width + 2 * pad) * self.stride());
        let rows = out.values.chunks_exact_mut(wide).skip(pad);
        for (to, from) in rows.zip(self.values.chunks_exact(row)) {
            let start = pad * self.stride();
            to[start..start + row].copy_from_slice(from);
        }
        out
    }
}

impl Kernel {
    fn new(layer: &Layer, weights: &Weights) -> Self {
        let get = |key| weights.get(&layer.name, key);
        match layer.op {
            Op::Conv {
                kernel,
                stride,
                pad,
                inputs,
                ..
            } => Self::Conv(Conv::new(
                [kernel, stride, pad, inputs],
                get("weight"),
                get("bias"),
            )),
            Op::Dense { inputs, .. } => {
                Self::Conv(Conv::new([1, 1, 0, inputs], get("weight"), get("bias")))
            }
            Op::Activation { .. } => Self::Quadratic(["a", "b", "c"].map(|key| {
                let mut values: Vec<f32> = get(key).iter().map(|&value| value as f32).collect();
                values.resize(values.len().next_multiple_of(LANES), 0.0);
                values
            })),
            Op::Add => Self::Add,
            Op::Pool => Self::Pool,
        }
    }

    /// What the layer makes; the network was checked, so there are as many inputs as it reads.
    fn apply(&self, inputs: &[&Map], shape: Shape) -> Map {
        let mut out = Map::new(shape);
        let [x, others @ ..] = inputs else { return out };
        match self {
            Self::Conv(conv) if conv.pad == 0 => conv.apply(x, &mut out),
            Self::Conv(conv) => conv.apply(&x.padded(conv.pad), &mut out),
            Self::Quadratic([a, b, c]) => {
                let stride = x.stride();
                let pixels = x.values.chunks_exact(stride);
                for (from, to) in pixels.zip(out.values.chunks_exact_mut(stride)) {
                    for i in 0..stride {
                        to[i] = (a[i] * from[i] + b[i]) * from[i] + c[i];
                    }
                }
            }
            Self::Add => {
                let terms = x.values.iter().zip(others.iter().flat_map(|y| &y.values));
                for (to, (x, y)) in out.values.iter_mut().zip(terms) {
                    *to = x + y;
                }
            }
            Self::Pool => {
                let mut sums = vec![0.0_f64; x.stride()];
                for pixel in x.values.chunks_exact(x.stride()) {
                    for (sum, value) in sums.iter_mut().zip(pixel) {
                        *sum += f64::from(*value);
                    }
                }
                let pixels = (x.shape[1] * x.shape[2]) as f64;
                for (to, sum) in out.values.iter_mut().zip(sums) {
                    *to = (sum / pixels) as f32;
                }
            }
        }
        out
    }
}

impl Conv {
    fn new([kernel, stride, pad, inputs]: [usize; 4], weights: &[f64], bias: &[f64]) -> Self {
        let blocks = bias.len().div_ceil(LANES);
        let taps = kernel * kernel;
        let mut packed = vec![[0.0; LANES]; blocks * taps * inputs];
        let mut biases = vec![[0.0; LANES]; blocks];
        for (output, &value) in bias.iter().enumerate() {
            let (block, lane) = (output / LANES, output % LANES);
            biases[block][lane] = value as f32;
            for input in 0..inputs {
                for tap in 0..taps {
                    let weight = weights[(output * inputs + input) * taps + tap];
                    packed[(block * taps + tap) * inputs + input][lane] = weight as f32;
                }
            }
        }
        Self {
            kernel,
            stride,
            pad,
            inputs,
            weights: packed,
            bias: biases,
        }
    }

    /// Convolves an image that has its borders already.
    fn apply(&self, x: &Map, out: &mut Map) {
        let [_, height, width] = out.shape;
        let (from, to) = (x.stride(), out.stride());
        let row = x.shape[2] * from;
        let taps = self.kernel * self.kernel;
        let blocks = self.weights.chunks_exact(taps * self.inputs);
        for (block, (weights, bias)) in blocks.zip(&self.bias).enumerate() {
            for y in 0..height {
                for first in (0..width).step_by(PIXELS) {
                    // Where no pixel is left, the last is taken again.
                    let columns = std::array::from_fn(|i| (first + i).min(width - 1));
                    let mut sums = [*bias; PIXELS];
                    for (tap, weights) in weights.chunks_exact(self.inputs).enumerate() {
                        let line = (y * self.stride + tap / self.kernel) * row;
                        let pixels = columns.map(|column: usize| {
                            let column = column * self.stride + tap % self.kernel;
                            let start = line + column * from;
                            &x.values[start..start + self.inputs]
                        });
                        add_products(&mut sums, pixels, weights);
                    }
                    for (column, sum) in columns.into_iter().zip(sums) {
                        let start = (y * width + column) * to + block * LANES;
                        out.values[start..start + LANES].copy_from_slice(&sum);
                    }
                }
            }
        }
    }
}

/// Adds to the sums of each pixel its channels times their weights.
#[inline]
fn add_products(
    sums: &mut [[f32; LANES]; PIXELS],
    pixels: [&[f32]; PIXELS],
    weights: &[[f32; LANES]],
) {
    let [a, b, c, d] = pixels.map(|pixel| &pixel[..weights.len()]);
    for (i, weights) in weights.iter().enumerate() {
        for (sums, x) in sums.iter_mut().zip([a[i], b[i], c[i], d[i]]) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += x * weight;
            }
        }
    }
}
