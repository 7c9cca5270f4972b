//! The program on ciphertexts against the program on plain numbers and the direct evaluation, step by step. The rings
//! are far too small to be secure: that is what makes the tests fast.

mod common;

use common::{bounds, difference, expected, images, layer_of, packed, shared};
use confide_ckks::bootstrap::{BootstrapParameters, Bootstrapper};
use confide_ckks::{
    Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters, ParametersLiteral,
};
use confide_model::refresh::{self, BootstrapNeeds, Refreshes};
use confide_model::samples::{Placement, resnet, weights};
use confide_model::{CkksLayers, Model, Network, Op, Plan, Program, Tensor, Weights, pattern};
use std::path::Path;

fn insecure(log_n: u32, levels: usize) -> ParametersLiteral {
    let mut log_q = vec![46];
    log_q.resize(levels + 1, 36);
    ParametersLiteral {
        log_n,
        log_q,
        log_p: vec![46; 3],
        log_scale: 36,
        dnum_alpha: 3,
    }
}

/// As [`check_on`] with made-up weights and images.
fn check(network: &Network, log_n: u32, batch: usize, count: usize, fold: bool) -> f64 {
    let weights = weights(network, 3).expect("valid");
    let images = images(network, count);
    check_on(network, &weights, &images, (log_n, batch, fold), None).0
}

/// Runs `network` encrypted; the bits of precision of the output beside its largest value, and the outputs by class.
fn check_on(
    network: &Network,
    weights: &Weights,
    images: &[Vec<Vec<f64>>],
    (log_n, batch, fold): (u32, usize, bool),
    set: Option<(&BootstrapParameters, usize)>,
) -> (f64, Vec<Vec<f64>>) {
    let count = images.len();
    let expected = expected(network, weights, images);
    let literal = insecure(log_n, network.levels());
    let (params, refreshes) = match set {
        None => {
            let params = Parameters::new_insecure_for_tests(literal.clone()).expect("valid");
            (params, Refreshes::none())
        }
        Some((set, entry)) => {
            let levels = BootstrapNeeds::of(set).expect("valid").levels;
            let refreshes = Refreshes::place(network, &bounds(&expected), levels, (entry, 0));
            (set.params().clone(), refreshes.expect("places"))
        }
    };
    let packing = (params.slots(), batch, count);
    let program = Program::with_refreshes(network, weights, packing, fold, &refreshes);
    let program = program.expect("fits");
    let plan = match set {
        None => Plan::new(&program, literal, 1 << 20),
        Some(set) => Plan::with_bootstraps(&program, set, 1 << 20),
    };
    let plan = plan.expect("enough levels");
    let seed = [5; 32];
    let generator = KeyGenerator::new(&params, &seed);
    let mut keys = EvaluationKeys::new();
    for (kind, level) in plan.keys() {
        let key = generator.switching_key(kind, level).expect("a key");
        keys.insert(key.expand(&params).expect("a key"));
    }
    let (encoder, secret) = (Encoder::new(&params), generator.secret_key());
    let (encryptor, decryptor) = (Encryptor::new(&params, &seed), Decryptor::new(&params));
    let bootstrapper = set.map(|(set, _)| Bootstrapper::new(set, &encoder, params.log_slots()));
    let bootstrapper = bootstrapper.map(|made| made.expect("matrices"));
    let mut ev = CkksLayers::new(&params, &encoder, &keys).with_working_bytes(1 << 20);
    if let Some(bootstrapper) = &bootstrapper {
        ev = ev.with_refresh(bootstrapper);
    }
    let mut label = 0_u64;
    let mut input = |run: usize| {
        let mut encrypt = |values: &Vec<f64>| {
            let level = plan.literal.log_q.len() - 1;
            let plain = encoder
                .encode_real(values, level, params.scale_at(level))
                .expect("fits");
            label += 1;
            let seeded = encryptor
                .encrypt_seeded(&secret, &plain, &label.to_le_bytes())
                .expect("encrypts");
            seeded.expand(&params).expect("expands")
        };
        let channels = packed(&program, images, run);
        Ok(shared(
            channels
                .iter()
                .map(|phases| phases.iter().map(&mut encrypt).collect())
                .collect(),
        ))
    };
    let decrypt = |tensor: &Tensor<_>| -> Vec<Vec<Vec<f64>>> {
        let open = |ct: &std::sync::Arc<_>| {
            encoder
                .decode_real(&decryptor.decrypt(&secret, ct).expect("decrypts"))
                .expect("decodes")
        };
        tensor
            .iter()
            .map(|phases| phases.iter().map(open).collect())
            .collect()
    };
    let out = program
        .run(&ev, &mut input, &mut |name, _, tensor| {
            let (layout, gains) = program.tensor(name).expect("made");
            let shifted = network.layers.iter().any(|layer| {
                layer.inputs.contains(&name.to_owned()) && matches!(layer.op, Op::Activation { .. })
            });
            if shifted || count > batch {
                return Ok(());
            }
            let expected: Vec<_> = expected.clone();
            let (worst, largest) = if name == "dense" {
                return Ok(());
            } else {
                difference(&layout, gains, &decrypt(tensor), &expected, layer_of(name))
            };
            let bits = (largest / worst).log2();
            println!(
                "{name}: level {}, error {bits:.1} bits below {largest:.2}",
                tensor[0][0].level()
            );
            assert!(bits > 12.0, "{name}: {worst} of {largest}");
            Ok(())
        })
        .expect("runs");
    let (mut worst, mut largest) = (0.0_f64, 0.0_f64);
    let mut outputs = Vec::new();
    for (class, phases) in decrypt(&out).iter().enumerate() {
        let gain = program.output_gains()[class];
        let found: Vec<f64> = (0..count)
            .map(|image| phases[0][program.output_slot(image)] / gain)
            .collect();
        for (maps, found) in expected.iter().zip(&found) {
            let value = maps[network.output()].values[class][0];
            worst = worst.max((found - value).abs());
            largest = largest.max(value.abs());
        }
        outputs.push(found);
    }
    println!("output: error {worst:.2e} of {largest:.2}");
    ((largest / worst).log2(), outputs)
}

/// Known answers come from another implementation: torch, in 64-bit floating point.
#[test]
fn a_stored_model_gives_its_known_answers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny");
    let model = Model::read(&folder).expect("valid");
    let shape = model.card.input.shape;
    let mut images = Vec::new();
    for case in &model.golden.cases {
        let pixels = pattern(case.pattern.expect("a pattern"), shape);
        images.push(model.card.normalise(&pixels).expect("an image"));
        if let (Some(input), Some(image)) = (&case.input, images.last()) {
            let apart = input.iter().zip(image.iter().flatten());
            assert!(apart.into_iter().all(|(x, y)| (x - y).abs() < 2e-6));
        }
    }
    let (bits, outputs) = check_on(
        &model.card.architecture,
        &model.weights,
        &images,
        (9, 16, false),
        None,
    );
    assert!(bits > 12.0);
    for (image, case) in model.golden.cases.iter().enumerate() {
        for (class, logit) in case.logits.iter().enumerate() {
            let found = outputs[class][image];
            assert!(
                (found - logit).abs() < 1e-3,
                "image {image}: {found}, torch says {logit}"
            );
        }
    }
}

#[test]
fn layers_keep_their_precision_with_phases() {
    let network = resnet([2, 8, 8], &[3, 4], 1, 3, Placement::Branch);
    assert!(check(&network, 9, 16, 16, false) > 12.0);
}

#[test]
fn layers_keep_their_precision_with_places_between_pixels() {
    let network = resnet([2, 8, 8], &[3, 4], 1, 3, Placement::Branch);
    assert!(check(&network, 8, 2, 2, false) > 12.0);
}

/// 19 levels on a ring with 13 between bootstraps.
#[test]
fn deep_networks_are_refreshed_on_the_way() {
    let network = resnet([2, 8, 8], &[3, 4], 2, 3, Placement::Branch);
    let weights = weights(&network, 3).expect("valid");
    let set = refresh::parameters(refresh::INSECURE_LOG_N).expect("valid");
    let (fewest, most) = (set.output_level(), set.params().max_level());
    for (count, fold, entry) in [
        (8, false, fewest),
        (32, false, fewest),
        (8, true, fewest),
        (8, true, 19),
        // No refresh at all, but by primes and scales that are for bootstraps.
        (8, false, most),
    ] {
        let images = images(&network, count);
        let sizes = (refresh::INSECURE_LOG_N, 8, fold);
        let (bits, _) = check_on(&network, &weights, &images, sizes, Some((&set, entry)));
        assert!(bits > 10.0, "{bits}");
    }
}

#[test]
fn runs_are_merged() {
    let network = resnet([2, 8, 8], &[3, 4], 1, 3, Placement::Sum);
    assert!(check(&network, 8, 2, 7, false) > 12.0);
}

#[test]
fn channels_take_the_places_between_pixels() {
    for placement in [Placement::Branch, Placement::Sum] {
        let network = resnet([2, 8, 8], &[3, 6], 1, 3, placement);
        assert!(check(&network, 8, 2, 2, true) > 12.0);
    }
}
