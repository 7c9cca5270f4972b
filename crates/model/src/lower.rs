//! From a network and its weights to the steps of a program.
//!
//! Tensors are stored times a *gain* of each channel, which the next convolution divides out of its weights. An
//! activation is a square: `a x^2 + b x + c = sign(a) (u^2 + sign(a) t)` with `u = sqrt|a| (x + s)`, `s = b / 2a` and
//! `t = c - b^2 / 4a`. The factor of `u` and `s` go into the convolution before, `sign(a)` is the gain of the result,
//! and `t` is added to it, so that zero padding outside of the image stays exactly zero.

use std::collections::BTreeMap;

use crate::error::{ModelError, layer};
use crate::folded::FoldedTaps;
use crate::layout::{Grid, Layout};
use crate::network::{INPUT, Layer, Network, Op};
use crate::refresh::Refreshes;
use crate::taps::Taps;
use crate::weights::Weights;

/// Largest `b^2 / 4|a|`: beyond it the square and its constant cancel too many bits.
const LARGEST_CONSTANT: f64 = (1 << 10) as f64;

/// One step of a program: reads tensors by number, makes one.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub name: String,
    pub inputs: Vec<usize>,
    pub output: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Weights `[out][in][tap]`.
    Conv {
        taps: Taps,
        weights: Vec<f64>,
        bias: Vec<f64>,
    },
    Activation(Vec<Square>),
    /// Factors of both operands by channel.
    Add([Vec<f64>; 2]),
    /// All vectors get the levels of a bootstrap.
    Refresh,
    Pool(Layout),
    /// Rows of weights; the layout of what is to be pooled first.
    Dense {
        rows: Vec<Vec<f64>>,
        bias: Vec<f64>,
        pool: Option<Layout>,
    },
    /// The same on folded maps. Weights `[out][in][tap]`.
    FoldedConv {
        taps: FoldedTaps,
        weights: Vec<f64>,
        bias: Vec<f64>,
    },
    /// Squares without factors.
    FoldedActivation {
        layout: Layout,
        squares: Vec<Square>,
    },
    /// One operand is added as it is, the other times factors.
    FoldedAdd {
        layout: Layout,
        plain: usize,
        factors: Vec<f64>,
    },
    /// Rows of weights for maps that are pooled on the way.
    FoldedDense {
        layout: Layout,
        rows: Vec<Vec<f64>>,
        bias: Vec<f64>,
    },
}

/// One channel of an activation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Square {
    /// `(factor x + shift)^2 + constant`; a factor other than 1 costs a level.
    Square {
        factor: f64,
        shift: f64,
        constant: f64,
    },
    /// `factor x + constant`.
    Linear { factor: f64, constant: f64 },
}

/// A network made into steps.
#[derive(Debug, Clone)]
pub(crate) struct Lowered {
    /// In segments: the first works on the grid as it is, each further one at twice the spacing of the one before.
    pub segments: Vec<Vec<Step>>,
    /// Number of tensors; the input is tensor 0.
    pub tensors: usize,
    /// Layout of the output, which is pooled or dense, or a map.
    pub layout: Layout,
    /// Names and gains of tensors, by number.
    pub names: Vec<String>,
    pub gains: Vec<Vec<f64>>,
    pub layouts: Vec<Layout>,
}

struct Lowering<'a> {
    network: &'a Network,
    weights: &'a Weights,
    numbers: BTreeMap<&'a str, usize>,
    names: Vec<String>,
    gains: Vec<Vec<f64>>,
    layouts: Vec<Layout>,
    /// Levels that each tensor lies below the input.
    depths: Vec<usize>,
    refreshes: &'a Refreshes,
    fold: bool,
}

/// Steps for images in ciphertexts of `grid`. `merges[k]` says whether runs are merged where the spacing doubles for
/// time `k`; with `fold`, channels take the places where none are. Tensors of `refreshes` are refreshed.
///
/// # Errors
/// [`ModelError::Layer`] for a network that is not valid, and for what cannot be evaluated on folded maps: an activation
/// with a linear channel or a factor, a sum of two tensors of one depth, pooling that no dense layer follows.
pub(crate) fn lower(
    network: &Network,
    weights: &Weights,
    grid: Grid,
    merges: &[bool],
    (fold, refreshes): (bool, &Refreshes),
) -> Result<Lowered, ModelError> {
    network.shapes()?;
    let layout = Layout::new(grid, network.input[1])?;
    let mut state = Lowering {
        network,
        weights,
        numbers: BTreeMap::from([(INPUT, 0)]),
        names: vec![INPUT.to_owned()],
        gains: vec![vec![1.0; network.input[0]]],
        layouts: vec![layout],
        depths: vec![0],
        refreshes,
        fold,
    };
    let mut segments: Vec<Vec<Step>> = Vec::new();
    for one in &network.layers {
        let source = state.numbers[one.inputs[0].as_str()];
        // A layer belongs to the segment of what it reads: strides that double the spacing end a segment.
        let segment = state.layouts[source].spacing.ilog2() as usize;
        let merged = merges.get(segment).copied().unwrap_or(false);
        let step = state.step(one, merged)?;
        place(&mut segments, segment, step);
        if refreshes.factor(&one.name).is_some() {
            let (segment, step) = state.refresh(one);
            place(&mut segments, segment, Some(step));
        }
    }
    let output = state.numbers[network.output()];
    Ok(Lowered {
        segments,
        tensors: state.names.len(),
        layout: state.layouts[output],
        names: state.names,
        gains: state.gains,
        layouts: state.layouts,
    })
}

/// Appends to a segment.
fn place(segments: &mut Vec<Vec<Step>>, segment: usize, step: Option<Step>) {
    if segments.len() <= segment {
        segments.resize_with(segment + 1, Vec::new);
    }
    segments[segment].extend(step);
}

/// Factor of `x + b / 2a` whose square is that of the activation's, times `size`.
fn root(a: f64, size: f64) -> f64 {
    (a.abs() * size).sqrt()
}

impl<'a> Lowering<'a> {
    /// The refresh of a tensor that has just been made, and its segment: where runs are merged, after that.
    fn refresh(&mut self, one: &'a Layer) -> (usize, Step) {
        let number = self.numbers[one.name.as_str()];
        let (gain, layout) = (self.gains[number].clone(), self.layouts[number]);
        // What is compared by its depth is of one block, and nothing of a block is refreshed.
        self.depths.push(self.depths[number]);
        let output = self.register(&one.name, gain, layout);
        let step = Step {
            name: format!("{}.refresh", one.name),
            inputs: vec![number],
            output,
            kind: Kind::Refresh,
        };
        self.names[output].clone_from(&step.name);
        (layout.spacing.ilog2() as usize, step)
    }

    /// What a tensor is stored times beside its signs: it is refreshed, or a sum that it goes into is.
    fn size(&self, one: &Layer) -> f64 {
        let own = self.refreshes.factor(&one.name);
        let sum = || {
            let reader = self.only_reader(one);
            reader.filter(|reader| reader.op == Op::Add && one.op != Op::Add)
        };
        own.or_else(|| self.refreshes.factor(&sum()?.name))
            .unwrap_or(1.0)
    }

    /// The step of a layer, if it needs one of its own; registers its tensor.
    fn step(&mut self, one: &'a Layer, merged: bool) -> Result<Option<Step>, ModelError> {
        let mut inputs: Vec<usize> = one
            .inputs
            .iter()
            .map(|name| self.numbers[name.as_str()])
            .collect();
        let first = inputs[0];
        let layout = self.layouts[first];
        let folded = layout.fold > 1;
        let (kind, gain, after) = match &one.op {
            Op::Conv {
                inputs: channels,
                kernel,
                stride,
                ..
            } => {
                let (gain, shift) = self.wanted(one);
                let (mut weights, mut bias) = (
                    self.get(one, "weight").to_vec(),
                    self.get(one, "bias").to_vec(),
                );
                let count = kernel * kernel;
                for (i, w) in weights.iter_mut().enumerate() {
                    *w *= gain[i / count / channels] / self.gains[first][i / count % channels];
                }
                for ((b, g), s) in bias.iter_mut().zip(&gain).zip(&shift) {
                    *b = g * (*b + s);
                }
                let spaced = *stride == 2 && layout.phases == 1;
                if folded || self.fold && spaced && !merged {
                    let taps = FoldedTaps::new(layout, [*channels, bias.len()], *kernel, *stride)?;
                    let after = taps.output;
                    let kind = Kind::FoldedConv {
                        taps,
                        weights,
                        bias,
                    };
                    (kind, gain, after)
                } else {
                    let taps = Taps::new(layout, *kernel, *stride, merged)?;
                    let after = taps.output;
                    let kind = Kind::Conv {
                        taps,
                        weights,
                        bias,
                    };
                    (kind, gain, after)
                }
            }
            Op::Activation { .. } => {
                let (squares, gain) = self.activation(one)?;
                let plain = |square: &Square| matches!(square, Square::Square { factor: 1.0, .. });
                let kind = match folded {
                    false => Kind::Activation(squares),
                    true if squares.iter().all(plain) => Kind::FoldedActivation { layout, squares },
                    true => return Err(unfolded(one, "squares without factors", "others")),
                };
                (kind, gain, layout)
            }
            Op::Add if folded => {
                // Signs may differ within a ciphertext. The operand that comes from higher levels can be multiplied at no
                // cost; the other one's gains become those of the sum.
                let [a, b] = [0, 1].map(|i| self.depths[inputs[i]]);
                let plain = usize::from(b > a);
                let own = &self.gains[inputs[plain]];
                let wanted = match self.only_reader(one) {
                    Some(reader) if matches!(reader.op, Op::Activation { .. }) => {
                        self.wanted(one).0
                    }
                    _ => own.clone(),
                };
                if a == b || *own != wanted {
                    return Err(unfolded(one, "operands of different depths", "others"));
                }
                let other = &self.gains[inputs[1 - plain]];
                let factors = own.iter().zip(other).map(|(own, other)| own / other);
                let kind = Kind::FoldedAdd {
                    layout,
                    plain,
                    factors: factors.collect(),
                };
                (kind, wanted, layout)
            }
            Op::Add => {
                let (gain, _) = self.wanted(one);
                let factors = [0, 1].map(|i| {
                    let own = &self.gains[inputs[i]];
                    gain.iter()
                        .zip(own)
                        .map(|(wanted, own)| wanted / own)
                        .collect()
                });
                (Kind::Add(factors), gain, layout)
            }
            Op::Pool => {
                if folded && !self.fused(one) {
                    return Err(unfolded(one, "a dense layer after it", "none"));
                }
                let pixels = (layout.size() * layout.size()) as f64;
                let gain = self.gains[first].iter().map(|g| g * pixels).collect();
                (Kind::Pool(layout), gain, layout)
            }
            Op::Dense {
                inputs: features, ..
            } => {
                let (source, pool) = self.dense_source(one, first);
                inputs = vec![source];
                let gain = &self.gains[first];
                let row = |row: &[f64]| row.iter().zip(gain).map(|(w, g)| w / g).collect();
                let rows: Vec<Vec<f64>> = self
                    .get(one, "weight")
                    .chunks_exact(*features)
                    .map(row)
                    .collect();
                let (bias, ones) = (self.get(one, "bias").to_vec(), vec![1.0; rows.len()]);
                let kind = match pool {
                    Some(layout) if layout.fold > 1 => Kind::FoldedDense { layout, rows, bias },
                    pool => Kind::Dense { rows, bias, pool },
                };
                // Every output has a vector of its own.
                (kind, ones, Layout { fold: 1, ..layout })
            }
        };
        let spent = match &kind {
            Kind::Conv { .. } | Kind::FoldedConv { .. } => 1,
            Kind::Activation(_) | Kind::FoldedActivation { .. } => 1,
            Kind::Dense { .. } | Kind::FoldedDense { .. } => 1,
            Kind::Add(_) | Kind::FoldedAdd { .. } | Kind::Pool(_) | Kind::Refresh => 0,
        };
        let depth = inputs.iter().map(|&input| self.depths[input]).max();
        self.depths.push(depth.unwrap_or(0) + spent);
        let output = self.register(&one.name, gain, after);
        if one.op == Op::Pool && self.fused(one) {
            return Ok(None);
        }
        Ok(Some(Step {
            name: one.name.clone(),
            inputs,
            output,
            kind,
        }))
    }

    fn register(&mut self, name: &'a str, gain: Vec<f64>, layout: Layout) -> usize {
        let number = self.names.len();
        self.numbers.insert(name, number);
        self.names.push(name.to_owned());
        self.gains.push(gain);
        self.layouts.push(layout);
        number
    }

    fn get(&self, one: &Layer, key: &str) -> &'a [f64] {
        self.weights.get(&one.name, key)
    }

    /// The only layer that reads the output of `one`.
    fn only_reader(&self, one: &'a Layer) -> Option<&'a Layer> {
        let mut readers = self.network.readers(&one.name);
        readers.next().filter(|_| readers.next().is_none())
    }

    /// Gain and shift of the output of a convolution or a sum that suit its reader.
    fn wanted(&self, one: &'a Layer) -> (Vec<f64>, Vec<f64>) {
        let channels = match &one.op {
            Op::Conv { outputs, .. } => *outputs,
            _ => self.gains[self.numbers[one.inputs[0].as_str()]].len(),
        };
        let (plain, zeros) = (vec![self.size(one); channels], vec![0.0; channels]);
        match self.only_reader(one) {
            Some(reader) if matches!(reader.op, Op::Activation { .. }) => {
                let (a, b) = (self.get(reader, "a"), self.get(reader, "b"));
                let size = self.size(reader);
                let gain = a
                    .iter()
                    .map(|&a| if a == 0.0 { 1.0 } else { root(a, size) });
                let shift = a
                    .iter()
                    .zip(b)
                    .map(|(&a, &b)| if a == 0.0 { 0.0 } else { b / (2.0 * a) });
                // A sum adds its shift in the activation.
                let shift = if one.op == Op::Add {
                    zeros
                } else {
                    shift.collect()
                };
                (gain.collect(), shift)
            }
            // The operand of a sum that is stored as its reader wants the sum.
            Some(reader) if reader.op == Op::Add && one.op != Op::Add => {
                let sum = self.only_reader(reader);
                match sum.filter(|next| matches!(next.op, Op::Activation { .. })) {
                    Some(next) => {
                        let size = self.size(next);
                        let gain = |&a: &f64| if a == 0.0 { 1.0 } else { root(a, size) };
                        (self.get(next, "a").iter().map(gain).collect(), zeros)
                    }
                    None => (plain, zeros),
                }
            }
            _ => (plain, zeros),
        }
    }

    fn activation(&self, one: &'a Layer) -> Result<(Vec<Square>, Vec<f64>), ModelError> {
        let source = one.inputs[0].as_str();
        let gains = &self.gains[self.numbers[source]];
        let producer = self
            .network
            .layers
            .iter()
            .find(|layer| layer.name == source);
        // Whether the layer before has added the shift.
        let shifted = producer.is_some_and(|layer| {
            matches!(layer.op, Op::Conv { .. }) && self.only_reader(layer) == Some(one)
        });
        let (a, b, c) = (self.get(one, "a"), self.get(one, "b"), self.get(one, "c"));
        let size = self.size(one);
        let mut squares = Vec::with_capacity(a.len());
        let mut out = Vec::with_capacity(a.len());
        for (channel, gain) in gains.iter().enumerate() {
            let (a, b, c) = (a[channel], b[channel], c[channel]);
            if a == 0.0 {
                squares.push(Square::Linear {
                    factor: size * b / gain,
                    constant: size * c,
                });
                out.push(size);
                continue;
            }
            let (root, completed) = (root(a, size), b * b / (4.0 * a.abs()));
            if completed > LARGEST_CONSTANT {
                let needed = format!("b^2 / 4|a| of at most {LARGEST_CONSTANT}");
                return Err(layer(
                    &one.name,
                    "activation",
                    needed,
                    format!("{completed} in channel {channel}"),
                ));
            }
            let factor = if root == *gain { 1.0 } else { root / gain };
            let shift = if shifted { 0.0 } else { root * b / (2.0 * a) };
            squares.push(Square::Square {
                factor,
                shift,
                constant: size * (c * a.signum() - completed),
            });
            out.push(size * a.signum());
        }
        Ok((squares, out))
    }

    /// Whether a pooling is left to the dense layer that alone reads it: fewer vectors are left to rotate then.
    fn fused(&self, pool: &'a Layer) -> bool {
        pool.name != self.network.output()
            && self
                .only_reader(pool)
                .is_some_and(|reader| matches!(reader.op, Op::Dense { .. }))
    }

    /// What a dense layer reads: features, or the maps that it is left to pool.
    fn dense_source(&self, one: &Layer, first: usize) -> (usize, Option<Layout>) {
        let pool = self
            .network
            .layers
            .iter()
            .find(|layer| layer.name == one.inputs[0]);
        match pool.filter(|layer| layer.op == Op::Pool && self.fused(layer)) {
            Some(layer) => {
                let source = self.numbers[layer.inputs[0].as_str()];
                (source, Some(self.layouts[source]))
            }
            None => (first, None),
        }
    }
}

fn unfolded(one: &Layer, needed: &str, available: &str) -> ModelError {
    layer(&one.name, "folded maps", needed, available)
}
