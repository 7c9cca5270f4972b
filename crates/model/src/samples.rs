//! Networks of known shape with made-up weights: for tests and for timings, which do not depend on the weights.

use std::collections::BTreeMap;

use crate::error::ModelError;
use crate::network::{INPUT, Layer, Network, Op};
use crate::weights::Weights;

/// Where a block's second activation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Before the addition.
    Branch,
    /// After it, as in the original network.
    Sum,
}

/// The residual network of He et al. ("Deep residual learning for image recognition", CVPR 2016, section 4.2) of
/// `blocks` blocks for each width, with quadratic activations and 1x1 projections where the shape changes.
pub fn resnet(
    input: [usize; 3],
    widths: &[usize],
    blocks: usize,
    classes: usize,
    placement: Placement,
) -> Network {
    let stages: Vec<(usize, usize)> = widths.iter().map(|&width| (width, blocks)).collect();
    resnet_of(input, &stages, classes, placement)
}

/// As [`resnet`] for stages of a width and a number of blocks each.
pub fn resnet_of(
    input: [usize; 3],
    stages: &[(usize, usize)],
    classes: usize,
    placement: Placement,
) -> Network {
    let mut builder = Builder { layers: Vec::new() };
    let mut last = INPUT.to_owned();
    let mut channels = input[0];
    last = builder.conv(
        "stem.conv",
        &last,
        &mut channels,
        stages.first().map_or(1, |stage| stage.0),
        3,
        1,
    );
    last = builder.activation("stem.act", &last, channels);
    for (stage, &(width, blocks)) in stages.iter().enumerate() {
        for block in 0..blocks {
            let name = format!("stage{}.block{}", stage + 1, block + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let (source, mut inner) = (last.clone(), channels);
            last = builder.conv(
                &format!("{name}.conv1"),
                &source,
                &mut inner,
                width,
                3,
                stride,
            );
            last = builder.activation(&format!("{name}.act1"), &last, width);
            last = builder.conv(&format!("{name}.conv2"), &last, &mut inner, width, 3, 1);
            if placement == Placement::Branch {
                last = builder.activation(&format!("{name}.act2"), &last, width);
            }
            let shortcut = if stride != 1 || channels != width {
                builder.conv(
                    &format!("{name}.project"),
                    &source,
                    &mut channels,
                    width,
                    1,
                    stride,
                )
            } else {
                source
            };
            last = builder.push(format!("{name}.add"), vec![last, shortcut], Op::Add);
            if placement == Placement::Sum {
                last = builder.activation(&format!("{name}.act2"), &last, width);
            }
        }
    }
    last = builder.push("pool".into(), vec![last], Op::Pool);
    builder.push(
        "dense".into(),
        vec![last],
        Op::Dense {
            inputs: channels,
            outputs: classes,
        },
    );
    Network {
        input,
        layers: builder.layers,
    }
}

/// Made-up weights with which values stay of size 1, the same for the same seed.
///
/// # Errors
/// [`ModelError::Tensor`]; none for a valid network.
pub fn weights(network: &Network, seed: u64) -> Result<Weights, ModelError> {
    let mut state = seed;
    let mut tensors = BTreeMap::new();
    for (name, shape) in network.tensor_shapes() {
        let fan_in: usize = shape[1..].iter().product();
        let count: usize = shape.iter().product();
        let values = (0..count).map(|_| {
            let x = uniform(&mut state);
            match name.rsplit('.').next() {
                Some("weight") => x * (1.5 / fan_in as f64).sqrt(),
                // Some channels with a negative leading coefficient.
                Some("a") => (0.15 + 0.05 * x) * if uniform(&mut state) > 0.6 { -1.0 } else { 1.0 },
                Some("b") => 0.5 + 0.1 * x,
                _ => 0.1 * x,
            }
        });
        let values = values.collect();
        tensors.insert(name, (shape, values));
    }
    Weights::new(network, tensors)
}

/// A number in (-1, 1), and the next state (the multiplier of Knuth's MMIX).
pub fn uniform(state: &mut u64) -> f64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

struct Builder {
    layers: Vec<Layer>,
}

impl Builder {
    fn push(&mut self, name: String, inputs: Vec<String>, op: Op) -> String {
        self.layers.push(Layer {
            name: name.clone(),
            inputs,
            op,
        });
        name
    }

    fn conv(
        &mut self,
        name: &str,
        source: &str,
        channels: &mut usize,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> String {
        let inputs = std::mem::replace(channels, outputs);
        let op = Op::Conv {
            inputs,
            outputs,
            kernel,
            stride,
            pad: kernel / 2,
        };
        self.push(name.to_owned(), vec![source.to_owned()], op)
    }

    fn activation(&mut self, name: &str, source: &str, channels: usize) -> String {
        let op = Op::Activation {
            channels,
            kind: "quadratic".into(),
        };
        self.push(name.to_owned(), vec![source.to_owned()], op)
    }
}
