//! The program on ciphertexts against the program on plain numbers and the direct evaluation, step by step. The rings
//! are far too small to be secure: that is what makes the tests fast.

mod common;

use common::{difference, expected, images, packed, shared};
use confide_ckks::{
    Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters, ParametersLiteral,
};
use confide_model::samples::{Placement, resnet, weights};
use confide_model::{CkksLayers, Network, Op, Plan, Program, Tensor};

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

/// Runs `network` encrypted; returns the bits of precision of the output beside its largest value.
fn check(network: &Network, log_n: u32, batch: usize, count: usize) -> f64 {
    let literal = insecure(log_n, network.levels());
    let params = Parameters::new_insecure_for_tests(literal.clone()).expect("valid");
    let weights = weights(network, 3).expect("valid");
    let program = Program::new(network, &weights, params.slots(), batch, count).expect("fits");
    let plan = Plan::new(&program, literal, 1 << 20).expect("enough levels");
    let seed = [5; 32];
    let generator = KeyGenerator::new(&params, &seed);
    let mut keys = EvaluationKeys::new();
    for (kind, level) in plan.keys() {
        let key = generator.switching_key(kind, level).expect("a key");
        keys.insert(key.expand(&params).expect("a key"));
    }
    let (encoder, secret) = (Encoder::new(&params), generator.secret_key());
    let (encryptor, decryptor) = (Encryptor::new(&params, &seed), Decryptor::new(&params));
    let ev = CkksLayers::new(&params, &encoder, &keys).with_working_bytes(1 << 20);
    let images = images(network, count);
    let expected = expected(network, &weights, &images);
    let mut label = 0_u64;
    let mut input = |run: usize| {
        let mut encrypt = |values: &Vec<f64>| {
            let level = params.max_level();
            let plain = encoder
                .encode_real(values, level, params.scale_at(level))
                .expect("fits");
            label += 1;
            let seeded = encryptor
                .encrypt_seeded(&secret, &plain, &label.to_le_bytes())
                .expect("encrypts");
            seeded.expand(&params).expect("expands")
        };
        let channels = packed(&program, &images, run);
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
                difference(&layout, gains, &decrypt(tensor), &expected, name)
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
    for (class, phases) in decrypt(&out).iter().enumerate() {
        for (image, maps) in expected.iter().enumerate() {
            let value = maps[network.output()].values[class][0];
            worst = worst.max(
                (phases[0][program.output_slot(image)] / program.output_gains()[class] - value)
                    .abs(),
            );
            largest = largest.max(value.abs());
        }
    }
    println!("output: error {worst:.2e} of {largest:.2}");
    (largest / worst).log2()
}

#[test]
fn layers_keep_their_precision_with_phases() {
    let network = resnet([2, 8, 8], &[3, 4], 1, 3, Placement::Branch);
    assert!(check(&network, 9, 16, 16) > 12.0);
}

#[test]
fn layers_keep_their_precision_with_places_between_pixels() {
    let network = resnet([2, 8, 8], &[3, 4], 1, 3, Placement::Branch);
    assert!(check(&network, 8, 2, 2) > 12.0);
}

#[test]
fn runs_are_merged() {
    let network = resnet([2, 8, 8], &[3, 4], 1, 3, Placement::Sum);
    assert!(check(&network, 8, 2, 7) > 12.0);
}
