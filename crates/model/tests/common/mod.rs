//! Networks, images and comparisons of the tests.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::sync::Arc;

use confide_model::reference::{self, Map};
use confide_model::{Layout, Network, Program, Tensor, Weights, samples};

/// Random images `[image][channel][pixel]`.
pub fn images(network: &Network, count: usize) -> Vec<Vec<Vec<f64>>> {
    let [channels, height, width] = network.input;
    let mut state = 77;
    let mut plane = || {
        (0..height * width)
            .map(|_| samples::uniform(&mut state))
            .collect()
    };
    (0..count)
        .map(|_| (0..channels).map(|_| plane()).collect())
        .collect()
}

/// The reference's tensors of each image.
pub fn expected(
    network: &Network,
    weights: &Weights,
    images: &[Vec<Vec<f64>>],
) -> Vec<BTreeMap<String, Map>> {
    images
        .iter()
        .map(|image| reference::run(network, weights, image).expect("valid"))
        .collect()
}

/// The largest absolute values of each layer's output.
pub fn bounds(expected: &[BTreeMap<String, Map>]) -> BTreeMap<String, f64> {
    let mut bounds = BTreeMap::new();
    for (name, map) in expected.iter().flatten() {
        let largest = map.values.iter().flatten().map(|value| value.abs());
        let largest = largest.fold(0.0, f64::max);
        let bound: &mut f64 = bounds.entry(name.clone()).or_default();
        *bound = bound.max(largest);
    }
    bounds
}

/// The layer whose output a step makes or refreshes.
pub fn layer_of(step: &str) -> &str {
    step.strip_suffix(".refresh").unwrap_or(step)
}

/// The vectors of run `run`: real slots by channel and phase.
pub fn packed(program: &Program, images: &[Vec<Vec<f64>>], run: usize) -> Vec<Vec<Vec<f64>>> {
    let (layout, batch) = (program.input(), program.input().grid.batch());
    let own = &images[run * batch..images.len().min((run + 1) * batch)];
    (0..images[0].len())
        .map(|channel| {
            let planes: Vec<&[f64]> = own.iter().map(|image| &image[channel][..]).collect();
            layout.pack(&planes).expect("fits")
        })
        .collect()
}

/// Largest difference between a tensor of slots and the maps `name` of some images, and the largest of their values.
pub fn difference(
    layout: &Layout,
    gains: &[f64],
    values: &[Vec<Vec<f64>>],
    expected: &[BTreeMap<String, Map>],
    name: &str,
) -> (f64, f64) {
    let (mut worst, mut largest) = (0.0_f64, 0.0_f64);
    for (image, maps) in expected.iter().enumerate() {
        let map = &maps[name];
        assert_eq!(
            map.shape[0].div_ceil(layout.classes()),
            values.len(),
            "{name}"
        );
        for channel in 0..map.shape[0] {
            let phases = &values[channel / layout.classes()];
            let offset = layout.channel_offset(channel);
            for y in 0..map.shape[1] {
                for x in 0..map.shape[2] {
                    let (phase, slot) = layout.slot(image, y, x);
                    let found = phases[phase][slot + offset] / gains[channel];
                    let value = map.values[channel][y * map.shape[2] + x];
                    worst = worst.max((found - value).abs());
                    largest = largest.max(value.abs());
                }
            }
        }
    }
    (worst, largest)
}

/// All in `Arc`s.
pub fn shared<C>(channels: Vec<Vec<C>>) -> Tensor<C> {
    channels
        .into_iter()
        .map(|phases| phases.into_iter().map(Arc::new).collect())
        .collect()
}
