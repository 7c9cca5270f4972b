//! A network as a program on any evaluator of layers.
//!
//! The program is a pipeline. Where a stride doubles the spacing of the pixels, up to four runs of the segment before
//! are merged into the places that it leaves, so that ciphertexts stay full; runs are evaluated one after another, each
//! as deep as it goes, so that few ciphertexts are alive at once. Places for which there are no runs can take channels.

use std::sync::Arc;

use confide_tensor::TensorError;

use crate::error::{ModelError, layout};
use crate::folded;
use crate::layout::{Grid, Layout, hole};
use crate::lower::{Kind, Lowered, Step, lower};
use crate::network::Network;
use crate::ops::LayerEvaluator;
use crate::refresh::Refreshes;
use crate::steps;
use crate::weights::Weights;

/// The vectors of a tensor: by channel, then by phase.
pub type Tensor<C> = Vec<Vec<Arc<C>>>;

/// Tensors with their numbers.
type Numbered<C> = Vec<(usize, Tensor<C>)>;

/// A network made ready for a batch of images.
#[derive(Debug, Clone)]
pub struct Program {
    lowered: Lowered,
    /// Runs of each segment, the first one's first.
    runs: Vec<usize>,
    images: usize,
}

/// Called after each step with its name and number of the run of its segment.
pub type Watch<'a, C> = dyn FnMut(&str, usize, &Tensor<C>) -> Result<(), ModelError> + 'a;

impl Program {
    /// For `images` images, `batch` of them in a ciphertext of `slots` slots. With `fold`, channels take places between
    /// pixels that no images take.
    ///
    /// # Errors
    /// [`ModelError::Layout`] if the batch does not fit the slots or the image the cells, or if more images are asked
    /// for than the places between pixels hold at the end; [`ModelError::Layer`] for a network that cannot be evaluated.
    pub fn new(
        network: &Network,
        weights: &Weights,
        slots: usize,
        batch: usize,
        images: usize,
        fold: bool,
    ) -> Result<Self, ModelError> {
        let packing = (slots, batch, images);
        Self::with_refreshes(network, weights, packing, fold, &Refreshes::none())
    }

    /// As [`Program::new`] for `(slots, batch, images)`, with bootstraps on the way: for evaluators that refresh between
    /// the levels that `refreshes` were placed for.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn with_refreshes(
        network: &Network,
        weights: &Weights,
        (slots, batch, images): (usize, usize, usize),
        fold: bool,
        refreshes: &Refreshes,
    ) -> Result<Self, ModelError> {
        let grid = Grid::new(slots, batch)?;
        if images == 0 {
            return Err(layout("images", "at least 1", images));
        }
        let mut runs = vec![images.div_ceil(batch)];
        while runs.len() < usize::BITS as usize {
            runs.push(runs[runs.len() - 1].div_ceil(4));
        }
        let merges: Vec<bool> = runs.iter().map(|&runs| runs > 1).collect();
        let lowered = lower(network, weights, grid, &merges, (fold, refreshes))?;
        runs.truncate(lowered.segments.len());
        if runs.last().is_some_and(|&runs| runs > 1) {
            let most = batch << (2 * (lowered.segments.len() - 1));
            return Err(layout(
                "images of one program",
                format!("at most {most}"),
                images,
            ));
        }
        Ok(Self {
            lowered,
            runs,
            images,
        })
    }

    /// Images.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Runs of the first segment: how often inputs are asked for.
    pub fn runs(&self) -> usize {
        self.runs[0]
    }

    /// Layout of the inputs of each run.
    pub fn input(&self) -> Layout {
        self.lowered.layouts[0]
    }

    /// Channels of the input, and ciphertexts of each.
    pub fn input_shape(&self) -> (usize, usize) {
        (self.lowered.gains[0].len(), self.input().ciphertexts())
    }

    /// Layout of the tensor of a step and the factors of its channels; `None` if the program makes no such tensor.
    pub fn tensor(&self, name: &str) -> Option<(Layout, &[f64])> {
        let number = self.lowered.names.iter().position(|known| known == name)?;
        Some((self.lowered.layouts[number], &self.lowered.gains[number]))
    }

    /// Factors of the output's channels: its values are what the network says times these.
    pub fn output_gains(&self) -> &[f64] {
        self.lowered.gains.last().map_or(&[], Vec::as_slice)
    }

    /// Slot of a pooled or dense output of an image.
    pub fn output_slot(&self, image: usize) -> usize {
        self.lowered.layout.slot(image, 0, 0).1
    }

    /// Runs the program. `input` gives the vectors of each run in [`Program::input`] layout when they are needed;
    /// the result is one vector for each output, or those of the last tensor.
    ///
    /// # Errors
    /// Those of `input` and `watch`, and [`ModelError::Evaluation`].
    pub fn run<E: LayerEvaluator>(
        &self,
        ev: &E,
        input: &mut dyn FnMut(usize) -> Result<Tensor<E::Ct>, ModelError>,
        watch: &mut Watch<'_, E::Ct>,
    ) -> Result<Tensor<E::Ct>, ModelError> {
        let last = self.lowered.segments.len() - 1;
        let mut made = self.segment(ev, last, 0, input, watch)?;
        let output = made.pop().ok_or_else(|| layout("outputs", 1, 0))?;
        Ok(output.1)
    }

    /// The tensors that leave run `run` of a segment, by number.
    fn segment<E: LayerEvaluator>(
        &self,
        ev: &E,
        segment: usize,
        run: usize,
        input: &mut dyn FnMut(usize) -> Result<Tensor<E::Ct>, ModelError>,
        watch: &mut Watch<'_, E::Ct>,
    ) -> Result<Numbered<E::Ct>, ModelError> {
        let mut values: Vec<Option<Tensor<E::Ct>>> = vec![None; self.lowered.tensors];
        match segment.checked_sub(1) {
            None => values[0] = Some(self.checked_input(input(run)?)?),
            Some(before) => {
                for (number, tensor) in self.merged(ev, before, run, input, watch)? {
                    values[number] = Some(tensor);
                }
            }
        }
        let steps = &self.lowered.segments[segment];
        for (at, step) in steps.iter().enumerate() {
            ev.phase(&step.name);
            // The last reader takes a tensor; its vectors are freed as they are used up.
            let mut operands = Vec::with_capacity(step.inputs.len());
            for (i, &number) in step.inputs.iter().enumerate() {
                let mut later = step.inputs[i + 1..]
                    .iter()
                    .chain(steps[at + 1..].iter().flat_map(|s| &s.inputs));
                let operand = if later.any(|&other| other == number) {
                    values[number].clone()
                } else {
                    values[number].take()
                };
                operands.push(operand.ok_or_else(|| missing(step))?);
            }
            let tensor = run_step(ev, step, run.is_multiple_of(4), operands)?;
            watch(&step.name, run, &tensor)?;
            values[step.output] = Some(tensor);
        }
        // What is left was made here and is read by nothing here.
        let all = values.into_iter().enumerate();
        Ok(all
            .filter_map(|(number, tensor)| Some((number, tensor?)))
            .collect())
    }

    /// The tensors that leave up to four runs of segment `before`, in one another's places.
    fn merged<E: LayerEvaluator>(
        &self,
        ev: &E,
        before: usize,
        run: usize,
        input: &mut dyn FnMut(usize) -> Result<Tensor<E::Ct>, ModelError>,
        watch: &mut Watch<'_, E::Ct>,
    ) -> Result<Numbered<E::Ct>, ModelError> {
        let mut merged = self.segment(ev, before, 4 * run, input, watch)?;
        for place in 1..4 {
            if 4 * run + place >= self.runs[before] {
                break;
            }
            let one = self.segment(ev, before, 4 * run + place, input, watch)?;
            ev.phase("merge");
            for ((number, sum), (_, tensor)) in merged.iter_mut().zip(one) {
                let layout = &self.lowered.layouts[*number];
                let [dy, dx] = hole(place).map(|step| (step * layout.spacing / 2) as i64);
                let k = layout.grid.rotation(-dy, -dx);
                for (sum, vector) in sum.iter_mut().flatten().zip(tensor.into_iter().flatten()) {
                    let moved = ev.rotate(&vector, k)?;
                    drop(vector);
                    *sum = Arc::new(ev.add(sum, &moved)?);
                }
            }
        }
        Ok(merged)
    }

    fn checked_input<C>(&self, tensor: Tensor<C>) -> Result<Tensor<C>, ModelError> {
        let (channels, phases) = (self.lowered.gains[0].len(), self.input().ciphertexts());
        if tensor.len() == channels && tensor.iter().all(|one| one.len() == phases) {
            return Ok(tensor);
        }
        let found = format!("{} of {}", tensor.len(), tensor.first().map_or(0, Vec::len));
        Err(layout(
            "input",
            format!("{channels} channels of {phases} ciphertexts"),
            found,
        ))
    }
}

fn missing(step: &Step) -> ModelError {
    crate::error::layer(&step.name, "input", "a tensor of this segment", "none")
}

fn run_step<E: LayerEvaluator>(
    ev: &E,
    step: &Step,
    first_place: bool,
    mut operands: Vec<Tensor<E::Ct>>,
) -> Result<Tensor<E::Ct>, TensorError> {
    // Steps have one operand, sums two.
    let second = (operands.len() > 1).then(|| operands.pop()).flatten();
    let first = operands.pop().unwrap_or_default();
    match &step.kind {
        Kind::Conv {
            taps,
            weights,
            bias,
        } => {
            // The constant fills all places: of runs that are merged, one adds it.
            let zeros = vec![0.0; bias.len()];
            let bias = if taps.clears && !first_place {
                &zeros
            } else {
                bias
            };
            steps::conv(ev, taps, weights, bias, first)
        }
        Kind::Activation(squares) => steps::activation(ev, squares, first),
        Kind::Add(factors) => steps::add(ev, factors, first, second.unwrap_or_default()),
        Kind::Refresh => steps::refresh(ev, first),
        Kind::Pool(layout) => steps::pool(ev, layout, first),
        Kind::Dense { rows, bias, pool } => steps::dense(ev, rows, bias, pool.as_ref(), first),
        Kind::FoldedConv {
            taps,
            weights,
            bias,
        } => folded::conv(ev, taps, weights, bias, first),
        Kind::FoldedActivation { layout, squares } => {
            folded::activation(ev, layout, squares, first)
        }
        Kind::FoldedAdd {
            layout,
            plain,
            factors,
        } => {
            let second = second.unwrap_or_default();
            let (plain, other) = match plain {
                0 => (first, second),
                _ => (second, first),
            };
            folded::add(ev, layout, factors, plain, other)
        }
        Kind::FoldedDense { layout, rows, bias } => folded::dense(ev, layout, rows, bias, first),
    }
}
