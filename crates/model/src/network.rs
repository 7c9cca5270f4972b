//! A network as data: layers that name what they read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{ModelError, layer};
use crate::weights::Weights;

/// Name of the input among the tensors.
pub const INPUT: &str = "input";
/// Most channels, pixels a side, or layers that a card may ask for: bounds the work on a card from outside.
const LARGEST: usize = 1 << 12;

/// What a layer does to the tensors that it reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Op {
    /// Two-dimensional convolution with zero padding and a bias; weights `[out, in, kernel, kernel]`.
    Conv {
        /// Input channels.
        #[serde(rename = "in")]
        inputs: usize,
        /// Output channels.
        #[serde(rename = "out")]
        outputs: usize,
        /// Taps a side: 1 or 3.
        kernel: usize,
        /// 1 or 2.
        stride: usize,
        /// Rows and columns of zeros on each side: `kernel / 2`.
        pad: usize,
    },
    /// Per channel `a x^2 + b x + c`.
    Activation {
        /// Channels.
        channels: usize,
        /// `quadratic`; no other kind can be evaluated.
        kind: String,
    },
    /// Sum of two tensors of one shape.
    Add,
    /// Mean over height and width.
    Pool,
    /// Matrix product and bias; weights `[out, in]`.
    Dense {
        /// Input features.
        #[serde(rename = "in")]
        inputs: usize,
        /// Output features.
        #[serde(rename = "out")]
        outputs: usize,
    },
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name, and that of the tensor that it makes.
    pub name: String,
    /// The tensors that it reads.
    pub inputs: Vec<String>,
    /// What it does.
    #[serde(flatten)]
    pub op: Op,
}

/// Layers in an order in which each reads only earlier ones; the last one is the output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Channels, height and width of one input.
    pub input: [usize; 3],
    /// The layers.
    pub layers: Vec<Layer>,
}

/// Channels, height and width; after pooling height and width are 1.
pub type Shape = [usize; 3];

impl Network {
    /// The shape of every tensor by its name, the input's included; checks the whole graph.
    ///
    /// # Errors
    /// [`ModelError::Layer`] for the first layer that does not fit what it reads, and for operations that cannot be
    /// evaluated on ciphertexts.
    pub fn shapes(&self) -> Result<BTreeMap<&str, Shape>, ModelError> {
        let [channels, height, width] = self.input;
        if self.input.iter().any(|&n| n == 0 || n > LARGEST) || height != width {
            let found = format!("{channels} x {height} x {width}");
            return Err(layer(INPUT, "shape", "square images of 1 to 4096", found));
        }
        if self.layers.is_empty() || self.layers.len() > LARGEST {
            return Err(layer(
                INPUT,
                "number of layers",
                "1 to 4096",
                self.layers.len(),
            ));
        }
        let mut shapes = BTreeMap::from([(INPUT, self.input)]);
        for one in &self.layers {
            let shape = one.shape(&shapes)?;
            if shapes.insert(&one.name, shape).is_some() {
                return Err(layer(&one.name, "name", "one that is new", &one.name));
            }
        }
        Ok(shapes)
    }

    /// The output's name.
    pub fn output(&self) -> &str {
        self.layers.last().map_or(INPUT, |one| &one.name)
    }

    /// The shape of every weight by its name in the weights file.
    pub fn tensor_shapes(&self) -> BTreeMap<String, Vec<usize>> {
        let mut found = BTreeMap::new();
        for one in &self.layers {
            let mut put = |key: &str, shape: Vec<usize>| {
                found.insert(format!("{}.{key}", one.name), shape);
            };
            match one.op {
                Op::Conv {
                    inputs,
                    outputs,
                    kernel,
                    ..
                } => {
                    put("weight", vec![outputs, inputs, kernel, kernel]);
                    put("bias", vec![outputs]);
                }
                Op::Dense { inputs, outputs } => {
                    put("weight", vec![outputs, inputs]);
                    put("bias", vec![outputs]);
                }
                Op::Activation { channels, .. } => {
                    for key in ["a", "b", "c"] {
                        put(key, vec![channels]);
                    }
                }
                Op::Add | Op::Pool => {}
            }
        }
        found
    }

    /// Multiplicative levels from the input to the output along the deepest path.
    pub fn levels(&self) -> usize {
        self.depths().get(self.output()).copied().unwrap_or(0)
    }

    /// Levels from the input to each tensor along the deepest path.
    pub(crate) fn depths(&self) -> BTreeMap<&str, usize> {
        let mut depth: BTreeMap<&str, usize> = BTreeMap::from([(INPUT, 0)]);
        for one in &self.layers {
            let deepest = one
                .inputs
                .iter()
                .filter_map(|name| depth.get(name.as_str()));
            let spent = match one.op {
                Op::Conv { .. } | Op::Activation { .. } | Op::Dense { .. } => 1,
                Op::Add | Op::Pool => 0,
            };
            let reached = deepest.max().unwrap_or(&0) + spent;
            depth.insert(&one.name, reached);
        }
        depth
    }

    /// The layers up to and with `name`, and their weights.
    ///
    /// # Errors
    /// [`ModelError::Layer`] if there is no such layer.
    pub fn until(&self, name: &str, weights: &Weights) -> Result<(Self, Weights), ModelError> {
        let end = self.layers.iter().position(|one| one.name == name);
        let end = end.ok_or_else(|| layer(name, "name", "a layer of the network", "none"))?;
        let cut = Self {
            input: self.input,
            layers: self.layers[..=end].to_vec(),
        };
        let weights = weights.only(&cut);
        Ok((cut, weights))
    }

    /// Names of the layers that read the tensor `name`.
    pub(crate) fn readers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Layer> {
        self.layers.iter().filter(move |one| one.reads(name))
    }
}

impl Layer {
    /// Whether it reads the tensor `name`.
    pub(crate) fn reads(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input == name)
    }

    fn shape(&self, known: &BTreeMap<&str, Shape>) -> Result<Shape, ModelError> {
        let error =
            |what, needed: String, found: String| Err(layer(&self.name, what, needed, found));
        let count = if self.op == Op::Add { 2 } else { 1 };
        if self.inputs.len() != count {
            return error("inputs", count.to_string(), self.inputs.len().to_string());
        }
        let mut shapes = Vec::with_capacity(count);
        for name in &self.inputs {
            match known.get(name.as_str()) {
                Some(shape) => shapes.push(*shape),
                None => return error("input", "an earlier layer".into(), name.clone()),
            }
        }
        let [channels, height, width] = shapes[0];
        let expected = match &self.op {
            Op::Conv { inputs, .. } | Op::Dense { inputs, .. } => *inputs,
            Op::Activation { channels, .. } => *channels,
            Op::Add | Op::Pool => channels,
        };
        if channels != expected {
            return error("channels", expected.to_string(), channels.to_string());
        }
        match &self.op {
            Op::Conv {
                outputs,
                kernel,
                stride,
                pad,
                ..
            } => {
                if ![1, 3].contains(kernel) || *pad != kernel / 2 || ![1, 2].contains(stride) {
                    let found = format!("kernel {kernel}, stride {stride}, pad {pad}");
                    return error(
                        "geometry",
                        "kernel 1 or 3, stride 1 or 2, pad kernel / 2".into(),
                        found,
                    );
                }
                if !(1..=LARGEST).contains(outputs) {
                    return error("outputs", format!("1 to {LARGEST}"), outputs.to_string());
                }
                Ok([*outputs, height.div_ceil(*stride), width.div_ceil(*stride)])
            }
            Op::Activation { kind, .. } if kind != "quadratic" => {
                error("activation", "quadratic".into(), kind.clone())
            }
            Op::Activation { .. } => Ok(shapes[0]),
            Op::Add if shapes[1] != shapes[0] => error(
                "shape",
                format!("{:?}", shapes[0]),
                format!("{:?}", shapes[1]),
            ),
            Op::Add => Ok(shapes[0]),
            Op::Pool => Ok([channels, 1, 1]),
            Op::Dense { .. } if (height, width) != (1, 1) => error(
                "input",
                "pooled features".into(),
                format!("{height} x {width} pixels"),
            ),
            Op::Dense { outputs, .. } if !(1..=LARGEST).contains(outputs) => {
                error("outputs", format!("1 to {LARGEST}"), outputs.to_string())
            }
            Op::Dense { outputs, .. } => Ok([*outputs, 1, 1]),
        }
    }
}
