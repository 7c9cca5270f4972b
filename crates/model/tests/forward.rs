//! The fast evaluation equals the direct one, on networks of any shape and on those of the project.

mod common;
mod known;

use std::path::{Path, PathBuf};

use common::images;
use confide_model::samples::{Placement, resnet, weights};
use confide_model::{Forward, Layer, Model, Network, Weights, pattern, reference};
use proptest::prelude::*;

/// Largest difference of a layer to the direct evaluation, and its largest value.
fn difference(net: &Network, weights: &Weights, image: &[Vec<f64>], layer: &str) -> [f64; 2] {
    let fast = Forward::new(net, weights, layer).expect("a layer");
    let fast = fast.run(image).expect("runs");
    let maps = reference::run(net, weights, image).expect("valid");
    let exact: Vec<f64> = maps[layer].values.iter().flatten().copied().collect();
    assert_eq!(fast.len(), exact.len(), "{layer}");
    let pairs = fast.iter().zip(&exact);
    let apart = pairs.map(|(x, y)| (f64::from(*x) - y).abs());
    let largest = exact.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    [apart.fold(0.0, f64::max), largest]
}

fn model(name: &str) -> Model {
    let models: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    Model::read(&models.join(name)).expect("a valid model")
}

#[test]
fn features_of_the_project_s_networks_are_those_of_the_direct_evaluation() {
    for name in [
        "tiny",
        "resnet8-mednist",
        "resnet8-mednist-3",
        "resnet20-cifar10",
        "resnet20-cifar10-5",
    ] {
        let model = model(name);
        let layer = model.card.feature_layer().expect("a pooling layer");
        let network = &model.card.architecture;
        for index in [0, 3] {
            let image = pattern(index, model.card.input.shape);
            let image = model.card.normalise(&image).expect("an image");
            let [apart, largest] = difference(network, &model.weights, &image, layer);
            println!("{name}: {apart:.1e} of {largest:.2}");
            assert!(
                largest > 0.01 && apart < 1e-4,
                "{name}: {apart} of {largest}"
            );
        }
    }
}

#[test]
fn known_answers_are_found() {
    for name in ["tiny", "resnet8-mednist-3"] {
        let model = model(name);
        known::check(&model.card, &model.weights, &model.golden);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn every_layer_is_that_of_the_direct_evaluation(
        channels in 1_usize..4, side in 1_usize..14, first in 1_usize..12, second in 1_usize..20, sum: bool,
    ) {
        let placement = if sum { Placement::Sum } else { Placement::Branch };
        let network = resnet([channels, side, side], &[first, second], 1, 3, placement);
        let weights = weights(&network, 5).expect("valid");
        let image = &images(&network, 1)[0];
        for layer in &network.layers {
            let [apart, largest] = difference(&network, &weights, image, &layer.name);
            prop_assert!(apart <= 1e-5 * largest.max(1.0), "{}: {apart} of {largest}", layer.name);
        }
    }
}

#[test]
fn the_layer_that_is_closest_to_its_range_is_found() {
    let model = model("resnet20-cifar10");
    let (card, network) = (&model.card, &model.card.architecture);
    let forward = Forward::new(network, &model.weights, network.output()).expect("valid");
    let image = pattern(1, card.input.shape);
    let image = card.normalise(&image).expect("an image");
    let maps = reference::run(network, &model.weights, &image).expect("valid");
    let largest = |layer: &Layer| {
        let values = maps[&layer.name].values.iter().flatten();
        values.fold(0.0, |most: f64, x| most.max(x.abs()))
    };
    let ratio = |layer: &&Layer| largest(layer) / card.ranges.bound[&layer.name];
    let closest = |a: &&Layer, b: &&Layer| ratio(a).total_cmp(&ratio(b));
    let layer = network.layers.iter().max_by(closest).expect("layers");
    let found = forward.closest(&image, &card.ranges).expect("runs");
    assert_eq!(found.layer, layer.name);
    assert!(
        (found.ratio / ratio(&layer) - 1.0).abs() < 1e-3,
        "{found:?}"
    );
    // A promise of half of what each layer in turn makes is broken by that layer.
    for layer in &network.layers {
        let mut ranges = card.ranges.clone();
        *ranges.bound.get_mut(&layer.name).expect("a bound") = largest(layer) / 2.0;
        let found = forward.closest(&image, &ranges).expect("runs");
        assert_eq!(found.layer, layer.name);
        assert!((found.ratio - 2.0).abs() < 2e-3, "{found:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let model = model("tiny");
    let network = &model.card.architecture;
    assert!(Forward::new(network, &model.weights, "none").is_err());
    let forward = Forward::new(network, &model.weights, "pool").expect("valid");
    let image = pattern(0, model.card.input.shape);
    let mut image = model.card.normalise(&image).expect("an image");
    assert!(forward.run(&image).is_ok());
    image[0].pop();
    assert!(forward.run(&image).is_err());
    assert!(forward.run(&[]).is_err());
}
