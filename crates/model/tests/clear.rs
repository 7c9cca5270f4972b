//! The program on plain numbers equals the direct evaluation: every layout, stride, border, merge and placement.

mod common;

use common::{bounds, difference, expected, images, layer_of, packed, shared};
use confide_model::refresh::Refreshes;
use confide_model::samples::{Placement, resnet, weights};
use confide_model::{Layer, Network, Op, Program};
use confide_tensor::{ClearEvaluator, RefreshLevels};
use num_complex::Complex64;
use proptest::prelude::*;

/// Runs `network` on `count` images, `batch` a ciphertext, and compares every step.
fn check(network: &Network, log_n: u32, batch: usize, count: usize) {
    check_folded(network, log_n, batch, count, false);
}

fn check_folded(network: &Network, log_n: u32, batch: usize, count: usize, fold: bool) {
    check_refreshed(network, (log_n, batch, count), fold, None);
}

/// With bootstraps between those levels, if there are some; how many steps they are.
fn check_refreshed(
    network: &Network,
    (log_n, batch, count): (u32, usize, usize),
    fold: bool,
    refresh: Option<RefreshLevels>,
) -> usize {
    let weights = weights(network, 3).expect("valid");
    let slots = 1 << (log_n - 1);
    let images = images(network, count);
    let expected = expected(network, &weights, &images);
    let levels = refresh.map_or(network.levels(), |levels| levels.output);
    let mut ev = ClearEvaluator::new(log_n, levels);
    let refreshes = match refresh {
        None => Refreshes::none(),
        Some(levels) => {
            ev = ev.with_refresh(levels, 0.0);
            Refreshes::place(network, &bounds(&expected), levels, (levels.output, 0))
                .expect("places")
        }
    };
    let packing = (slots, batch, count);
    let program = Program::with_refreshes(network, &weights, packing, fold, &refreshes);
    let program = program.expect("fits");
    let mut refreshed = 0;
    let mut input = |run: usize| {
        let channels = packed(&program, &images, run);
        let vector = |values: &Vec<f64>| {
            let values: Vec<Complex64> = values.iter().map(|&x| x.into()).collect();
            ev.encrypt(&values, levels).expect("fits")
        };
        Ok(shared(
            channels
                .iter()
                .map(|phases| phases.iter().map(vector).collect())
                .collect(),
        ))
    };
    let mut seen = 0;
    let out = program
        .run(&ev, &mut input, &mut |name, run, tensor| {
            let (layout, gains) = program.tensor(name).expect("made");
            let activation = network.layers.iter().any(|layer| {
                layer.inputs.contains(&name.to_owned()) && matches!(layer.op, Op::Activation { .. })
            });
            seen += 1;
            // Shifted for the activation, or images of one run only: the last tensor is compared below.
            if activation || count > batch || name == "dense" {
                return Ok(());
            }
            let values: Vec<Vec<Vec<f64>>> = tensor
                .iter()
                .map(|phases| {
                    phases
                        .iter()
                        .map(|ct| ct.values().iter().map(|v| v.re).collect())
                        .collect()
                })
                .collect();
            let (worst, largest) = difference(&layout, gains, &values, &expected, layer_of(name));
            if layer_of(name) != name {
                refreshed += 1;
                // Places without a pixel hold what they like: each slot is refreshed by itself.
                let factor = gains
                    .iter()
                    .fold(0.0_f64, |most, gain| most.max(gain.abs()));
                assert!(largest * factor < 1.0 + 1e-9, "{name}: {largest}");
            }
            assert!(
                worst < 1e-9 * largest.max(1.0),
                "{name} of run {run}: {worst} of {largest}"
            );
            Ok(())
        })
        .expect("runs");
    assert!(seen > 0);
    let name = network.output();
    for (image, maps) in expected.iter().enumerate() {
        for (channel, phases) in out.iter().enumerate() {
            let (phase, slot) = program.tensor(name).expect("made").0.slot(image, 0, 0);
            let found = phases[phase].values()[slot].re / program.output_gains()[channel];
            let value = maps[name].values[channel][0];
            assert!(
                (found - value).abs() < 1e-9 * value.abs().max(1.0),
                "image {image}: {found}, {value}"
            );
        }
    }
    refreshed
}

#[test]
fn networks_on_every_grid() {
    for placement in [Placement::Branch, Placement::Sum] {
        let network = resnet([2, 8, 8], &[3, 4, 5], 1, 3, placement);
        for (log_n, batch, count) in [
            (7, 64, 64), // one cell an image, 8 x 8 phases
            (7, 16, 11), // 2 x 2 cells
            (7, 4, 4),   // 4 x 4 cells, 2 x 2 phases
            (7, 4, 13),  // four runs, merged at the second stride
            (7, 1, 1),   // 8 x 8 cells, spacing 4 in the end
            (7, 1, 16),  // 16 runs, merged at both strides
            (7, 1, 6),   // some of the places stay empty
        ] {
            check(&network, log_n, batch, count);
        }
    }
}

#[test]
fn channels_take_the_places_between_pixels() {
    for placement in [Placement::Branch, Placement::Sum] {
        // More channels than classes, fewer, and no multiple of them.
        let network = resnet([2, 8, 8], &[3, 6, 17], 1, 3, placement);
        for (log_n, batch, count) in [
            (7, 1, 1),  // 8 x 8 cells, 4 channels a ciphertext, then 16
            (9, 4, 3),  // several images
            (9, 16, 9), // 4 x 4 cells, 2 x 2 phases first
            (7, 1, 4),  // four runs are merged, then channels
            (7, 1, 16), // nothing is left for channels
        ] {
            check_folded(&network, log_n, batch, count, true);
        }
        let network = resnet([2, 16, 16], &[2, 5], 2, 3, placement);
        check_folded(&network, 9, 1, 1, true);
    }
}

#[test]
fn deep_networks_are_refreshed_on_the_way() {
    // Two blocks at most from one bootstrap to the next.
    let levels = RefreshLevels {
        input: 2,
        output: 10,
    };
    for placement in [Placement::Branch, Placement::Sum] {
        let network = resnet([2, 8, 8], &[3, 6, 17], 2, 3, placement);
        for (sizes, fold) in [
            ((7, 64, 64), false), // phases
            ((7, 4, 4), false),
            ((7, 1, 1), true), // channels between pixels
            ((9, 4, 3), true),
        ] {
            let refreshed = check_refreshed(&network, sizes, fold, Some(levels));
            assert!(refreshed >= 3, "{refreshed}");
        }
        // Runs that are merged: their tensors are compared at the end only.
        check_refreshed(&network, (7, 1, 16), false, Some(levels));
    }
}

#[test]
fn what_cannot_be_folded_is_refused() {
    // Pooled features are the output: nothing sums over the cells of channels.
    let mut network = resnet([2, 8, 8], &[3, 6], 1, 3, Placement::Branch);
    network.layers.pop();
    let weights = weights(&network, 3).expect("valid");
    assert!(Program::new(&network, &weights, 64, 1, 1, false).is_ok());
    let error = Program::new(&network, &weights, 64, 1, 1, true).expect_err("no dense layer");
    assert!(error.to_string().contains("folded"), "{error}");
}

#[test]
fn more_images_than_places_are_refused() {
    let network = resnet([1, 8, 8], &[2, 2], 1, 2, Placement::Branch);
    let weights = weights(&network, 1).expect("valid");
    assert!(Program::new(&network, &weights, 64, 1, 4, false).is_ok());
    for (slots, batch, count) in [
        (64, 1, 5),
        (64, 64, 65),
        (64, 1, 0),
        (64, 3, 3),
        (256, 1, 1),
    ] {
        let error =
            Program::new(&network, &weights, slots, batch, count, false).expect_err("does not fit");
        assert!(!error.to_string().is_empty());
    }
}

fn single(kernel: usize, stride: usize, size: usize) -> Network {
    let op = Op::Conv {
        inputs: 2,
        outputs: 3,
        kernel,
        stride,
        pad: kernel / 2,
    };
    Network {
        input: [2, size, size],
        layers: vec![
            Layer {
                name: "conv".into(),
                inputs: vec!["input".into()],
                op,
            },
            Layer {
                name: "pool".into(),
                inputs: vec!["conv".into()],
                op: Op::Pool,
            },
        ],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn single_convolutions(
        kernel in prop_oneof![Just(1usize), Just(3)], stride in 1usize..=2, log_side in 0u32..=3, log_phases in 0u32..=2,
        log_batch in 0u32..=2, runs in 1usize..=4,
    ) {
        let size = 1usize << (log_side + log_phases);
        let network = single(kernel, stride, size.max(2));
        let side = if size < 2 { 1 } else { log_side };
        let batch = 1usize << log_batch;
        let log_slots = 2 * side + log_batch;
        // Rings of the clear evaluator start at degree 4.
        if log_slots >= 1 {
            let merges = stride == 2 && log_phases == 0 && size >= 2;
            check(&network, log_slots + 1, batch, if merges { runs * batch } else { batch });
        }
    }
}
