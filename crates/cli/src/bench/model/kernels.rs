//! `confide bench model --in-process`: a network on encrypted images in this process, both parties at once, made-up
//! weights and parts of networks included.

use super::ModelBenchArgs;
use crate::failure::Failure;
use crate::output;
use confide_ckks::bootstrap::{BootstrapParameters, Bootstrapper};
use confide_ckks::{
    Ciphertext, Decryptor, Encoder, Encryptor, EvaluationKeys, KeyGenerator, Parameters,
};
use confide_client::ClientError;
use confide_model::refresh::{self, BootstrapNeeds, Refreshes};
use confide_model::samples::{self, Placement};
use confide_model::{
    CkksLayers, LayerOp, Model, ModelError, Network, Plan, Program, Tensor, Weights, plan,
    reference,
};
use confide_tensor::{CostModel, Op};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs the measurement.
pub fn run(args: &ModelBenchArgs) -> Result<(), Failure> {
    let pool = crate::bench::pool(args.threads)?;
    pool.install(|| measure(args)).map_err(|error| {
        let message = format!("Cannot evaluate the network: {error}.");
        ClientError::new("CC-6032", message, "Check the model and the batch.").into()
    })
}

/// A network with weights and normalised images.
struct Subject {
    name: String,
    network: Network,
    weights: Weights,
    images: Vec<Vec<Vec<f64>>>,
}

fn subject(args: &ModelBenchArgs, count: usize) -> Result<Subject, ModelError> {
    let equal = |blocks| (vec![(16, blocks), (32, blocks), (64, blocks)], 10);
    let (stages, classes) = match args.model.as_str() {
        "resnet20" => equal(3),
        "resnet32" => equal(5),
        // The one for CIFAR-100 of Njungle, Jahns and Kinsy (arXiv 2604.16834), as in their code.
        "resnet34" => (vec![(16, 3), (32, 4), (64, 6), (128, 3)], 100),
        "resnet44" => equal(7),
        "resnet56" => equal(9),
        folder => return stored(folder, count),
    };
    let network = samples::resnet_of([3, 32, 32], &stages, classes, Placement::Branch);
    let weights = samples::weights(&network, 1)?;
    let mut state = 9;
    let mut plane = || (0..1024).map(|_| samples::uniform(&mut state)).collect();
    let images = (0..count)
        .map(|_| (0..3).map(|_| plane()).collect())
        .collect();
    Ok(Subject {
        name: format!("{} with made-up weights", args.model),
        network,
        weights,
        images,
    })
}

fn stored(folder: &str, count: usize) -> Result<Subject, ModelError> {
    let model = Model::read(&PathBuf::from(folder))?;
    let shape = model.card.input.shape;
    let image = |i| model.card.normalise(&confide_model::pattern(i, shape));
    let images = (0..count).map(image).collect::<Result<_, _>>()?;
    let name = model.card.name.clone();
    Ok(Subject {
        name,
        network: model.card.architecture,
        weights: model.weights,
        images,
    })
}

fn measure(args: &ModelBenchArgs) -> Result<(), ModelError> {
    let slots_of = args.in_ciphertext;
    let count = args.batch;
    let Subject {
        name,
        mut network,
        mut weights,
        images,
    } = subject(args, count)?;
    let cost = CostModel::default();
    let levels = network.levels();
    if let Some(last) = &args.until {
        (network, weights) = network.until(last, &weights)?;
    }
    let packing = (1 << (args.log_n - 1), slots_of, count);
    let working = (args.working_gb * 1e9) as u64;
    let set = args
        .entry
        .map(|entry| refresh::parameters(args.log_n).map(|set| (set, usize::from(entry))));
    let set = set.transpose()?;
    let refreshes = match &set {
        None => Refreshes::none(),
        Some((set, entry)) => {
            let bounds = bounds(&network, &weights, &images)?;
            Refreshes::place(
                &network,
                &bounds,
                BootstrapNeeds::of(set)?.levels,
                (*entry, 0),
            )?
        }
    };
    let program = Program::with_refreshes(&network, &weights, packing, args.fold, &refreshes)?;
    let begun = Instant::now();
    let (plan, params) = match &set {
        None => {
            let literal = plan::literal(args.log_n, levels, &cost)?;
            let plan = Plan::new(&program, literal.clone(), working)?;
            (plan, Parameters::new(literal)?)
        }
        Some((set, entry)) => {
            let plan = Plan::with_bootstraps(&program, (set, *entry), working)?;
            (plan, set.params().clone())
        }
    };
    let found = if args.plan {
        None
    } else {
        let params = (&params, set.as_ref().map(|(set, _)| set));
        Some(evaluate(params, &program, &plan, &images, working)?)
    };
    let counts = |op| plan.counts.count(op);
    let (key_memory, key_upload) = plan.key_bytes();
    let mut line = serde_json::json!({
        "bench": "model", "model": name, "n": params.degree(), "levels": plan.literal.log_q.len() - 1, "log_qp": params.log_qp(),
        "special": plan.shape.special, "alpha": plan.shape.alpha, "batch": slots_of, "images": count,
        "threads": args.threads, "until": args.until,
        "counts": {
            "multiply_adds": counts(LayerOp::MultiplyAdd), "rotations": counts(LayerOp::Rotation),
            "decompositions": counts(LayerOp::Decompose), "single_rotations": counts(LayerOp::Program(Op::KeySwitch)),
            "squares": counts(LayerOp::Program(Op::Relinearise)), "masks": counts(LayerOp::Mask),
            "rescales": counts(LayerOp::Program(Op::Rescale)), "bootstraps": counts(LayerOp::Program(Op::Refresh)),
        },
        "keys": plan.keys().len(), "key_memory_bytes": key_memory, "key_upload_bytes": key_upload,
        "planned_ciphertext_bytes": plan.peak_bytes(), "planned_seconds": plan.seconds(&cost, args.threads),
    });
    if let Some(found) = found {
        let seconds: f64 = found.steps.values().map(Duration::as_secs_f64).sum();
        let agreement = found.agreement(&network, &weights, &program, &images)?;
        line["seconds"] = seconds.into();
        line["seconds_per_image"] = (seconds / count as f64).into();
        line["by_stage"] = grouped(&found.steps, |name| name.split('.').next().unwrap_or(name));
        line["by_kind"] = grouped(&found.steps, |name| kind(name));
        line["client_seconds"] = found.client.as_secs_f64().into();
        line["peak_rss_bytes"] = crate::bench::bootstrap::peak_rss_bytes().into();
        line["labels_agree"] = agreement.labels.into();
        line["largest_error"] = agreement.worst.into();
        line["largest_output"] = agreement.largest.into();
        line["wall_seconds"] = begun.elapsed().as_secs_f64().into();
    }
    if args.json {
        output::line(format_args!("{line}"));
    } else {
        output::line(format_args!("{line:#}"));
    }
    Ok(())
}

/// Half as much again as the largest absolute values of each layer on a few images.
fn bounds(
    network: &Network,
    weights: &Weights,
    images: &[Vec<Vec<f64>>],
) -> Result<BTreeMap<String, f64>, ModelError> {
    let mut bounds = BTreeMap::new();
    for image in images.iter().take(4) {
        for (name, map) in reference::run(network, weights, image)? {
            let values = map.values.iter().flatten();
            let largest = values.fold(0.0_f64, |most, value| most.max(value.abs()));
            let bound: &mut f64 = bounds.entry(name).or_default();
            *bound = bound.max(1.5 * largest);
        }
    }
    Ok(bounds)
}

fn kind(name: &str) -> &str {
    let last = name.rsplit('.').next().unwrap_or(name);
    last.trim_end_matches(|c: char| c.is_ascii_digit())
}

fn grouped<'a>(
    steps: &'a BTreeMap<String, Duration>,
    group: impl Fn(&'a str) -> &'a str,
) -> serde_json::Value {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, time) in steps {
        *sums.entry(group(name)).or_default() += time.as_secs_f64();
    }
    serde_json::json!(sums)
}

/// What an evaluation gave.
struct Found {
    steps: BTreeMap<String, Duration>,
    client: Duration,
    /// By channel and phase.
    output: Vec<Vec<Vec<f64>>>,
}

fn evaluate(
    (params, set): (&Parameters, Option<&BootstrapParameters>),
    program: &Program,
    plan: &Plan,
    images: &[Vec<Vec<f64>>],
    working: u64,
) -> Result<Found, ModelError> {
    let begun = Instant::now();
    let seed = [1; 32];
    let generator = KeyGenerator::new(params, &seed);
    let mut keys = EvaluationKeys::new();
    for (kind, level) in plan.keys() {
        keys.insert(generator.switching_key(kind, level)?.expand(params)?);
    }
    let (encoder, secret) = (Encoder::new(params), generator.secret_key());
    let (encryptor, decryptor) = (Encryptor::new(params, &seed), Decryptor::new(params));
    let bootstrapper = set.map(|set| Bootstrapper::new(set, &encoder, params.log_slots()));
    let bootstrapper = bootstrapper.transpose()?;
    let mut ev = CkksLayers::new(params, &encoder, &keys).with_working_bytes(working);
    if let Some(bootstrapper) = &bootstrapper {
        ev = ev.with_refresh(bootstrapper);
    }
    let (layout, level) = (program.input(), plan.literal.log_q.len() - 1);
    let client = std::cell::Cell::new(begun.elapsed());
    let last = std::cell::Cell::new(Instant::now());
    let mut input = |run: usize| -> Result<Tensor<Ciphertext>, ModelError> {
        let begun = Instant::now();
        let own = images.chunks(layout.grid.batch()).nth(run).unwrap_or(&[]);
        let mut channels = Vec::new();
        for channel in 0..program.input_shape().0 {
            let planes: Vec<&[f64]> = own.iter().map(|image| &image[channel][..]).collect();
            let mut phases = Vec::new();
            for (phase, values) in layout.pack(&planes)?.iter().enumerate() {
                let plain = encoder.encode_real(values, level, params.scale_at(level))?;
                let label = format!("{run}/{channel}/{phase}");
                let seeded = encryptor.encrypt_seeded(&secret, &plain, label.as_bytes())?;
                phases.push(Arc::new(seeded.expand(params)?));
            }
            channels.push(phases);
        }
        client.set(client.get() + begun.elapsed());
        last.set(last.get() + begun.elapsed());
        Ok(channels)
    };
    last.set(Instant::now());
    let mut steps: BTreeMap<String, Duration> = BTreeMap::new();
    let out = program.run(&ev, &mut input, &mut |name, run, _| {
        let time = last.replace(Instant::now()).elapsed();
        eprintln!("{name} of run {run}: {:.2} s", time.as_secs_f64());
        *steps.entry(name.to_owned()).or_default() += time;
        Ok(())
    })?;
    let mut output = Vec::new();
    for phases in &out {
        let open = |ct: &Arc<Ciphertext>| encoder.decode_real(&decryptor.decrypt(&secret, ct)?);
        output.push(phases.iter().map(open).collect::<Result<_, _>>()?);
    }
    Ok(Found {
        steps,
        client: client.get(),
        output,
    })
}

/// How an output compares with that of the direct evaluation.
struct Agreement {
    /// Share of images whose largest output is the same one.
    labels: f64,
    worst: f64,
    largest: f64,
}

/// Images that the direct evaluation is run on: it takes a while.
const COMPARED: usize = 64;

impl Found {
    fn agreement(
        &self,
        network: &Network,
        weights: &Weights,
        program: &Program,
        images: &[Vec<Vec<f64>>],
    ) -> Result<Agreement, ModelError> {
        let name = network.output();
        let Some((layout, _)) = program.tensor(name) else {
            return Err(ModelError::Card(format!("no tensor {name}")));
        };
        let gains = program.output_gains();
        let (mut same, mut compared, mut worst, mut largest) = (0, 0, 0.0_f64, 0.0_f64);
        let apart = images.len().div_ceil(COMPARED);
        for (image, pixels) in images.iter().enumerate().step_by(apart) {
            let maps = reference::run(network, weights, pixels)?;
            let map = &maps[name];
            let [_, height, width] = map.shape;
            let mut outputs = [Vec::new(), Vec::new()];
            for (channel, values) in map.values.iter().enumerate() {
                let phases = &self.output[channel / layout.classes()];
                for (i, &value) in values.iter().enumerate() {
                    let (phase, slot) = layout.slot(image, i / width, i % width);
                    let phase = if height == 1 { 0 } else { phase };
                    let slot = slot + layout.channel_offset(channel);
                    let found = phases[phase][slot] / gains[channel];
                    worst = worst.max((found - value).abs());
                    largest = largest.max(value.abs());
                    outputs[0].push(found);
                    outputs[1].push(value);
                }
            }
            let [found, expected] = outputs.map(|values| best(&values));
            same += usize::from(found == expected);
            compared += 1;
        }
        Ok(Agreement {
            labels: f64::from(same as u32) / f64::from(compared.max(1)),
            worst,
            largest,
        })
    }
}

fn best(values: &[f64]) -> Option<usize> {
    (0..values.len()).max_by(|&i, &j| values[i].total_cmp(&values[j]))
}
