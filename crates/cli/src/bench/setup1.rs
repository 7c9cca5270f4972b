//! `confide bench setup1`: a head on encrypted features, from what a network's pooling leaves to predictions, at full security.
//!
//! The network itself is not run here (`confide bench model` does that): pooled features come from a table and are encrypted as the
//! pooling would leave them, under the parameters that the network would have, with other numbers in the slots between.

mod images;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use confide_ckks::bootstrap::BootstrapParameters;
use confide_ckks::{
    Ciphertext, Encoder, Encryptor, EvaluationKeys, KeyGenerator, KeyKind, Parameters, SecretKey,
    SeededSwitchingKey,
};
use confide_client::ClientError;
use confide_model::features::{self, FeatureRows, FeatureSums};
use confide_model::{
    CkksLayers, CountEvaluator, FeatureCard, Layout, Model, ModelError, Plan, Program, samples,
};
use confide_tensor::{CostModel, Evaluator, KeySwitchShape};
use confide_train::bootstrapped::{Crossing, Preset, head, predict_block};
use confide_train::minibatch::{
    Batch, MinibatchPlan, MinibatchSchedule, Recipe, TileLayout, TilePacker, Trainer,
    TrainingState, minibatch_reference,
};
use confide_train::plan::TableShape;
use confide_train::{Activation, TrainError, train_converged};

use images::{Images, accuracy, agreement, images, logits};

use super::train::rig::{LOG_N, Rig, SEED, preset};
use crate::failure::Failure;
use crate::output;

/// Options of `bench setup1`.
#[derive(clap::Args, Debug)]
pub struct Setup1Args {
    /// Folder of a model whose card has features
    model: PathBuf,
    /// Pooled features of training images, with their class in the column `label`
    #[arg(long, value_name = "CSV")]
    table: PathBuf,
    /// The same of test images
    #[arg(long, value_name = "CSV")]
    test: PathBuf,
    /// Training images, drawn from the table
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u32).range(2..=8192))]
    images: u32,
    /// Test images, drawn from theirs
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=8192))]
    predict: u32,
    /// Images in a ciphertext of the network
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// How often every image is used
    #[arg(long, default_value_t = 16)]
    epochs: usize,
    /// Plain numbers only
    #[arg(long)]
    clear: bool,
    /// Threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Why a run ended.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error("{0}")]
    Model(#[from] ModelError),
    #[error("{0}")]
    Train(#[from] TrainError),
    #[error("{0}")]
    Evaluation(#[from] confide_tensor::TensorError),
    #[error("{0}")]
    Ckks(#[from] confide_ckks::CkksError),
    #[error("{0}")]
    Table(String),
}

/// Runs the measurement.
pub fn run(args: &Setup1Args) -> Result<(), Failure> {
    let pool = super::pool(args.threads)?;
    pool.install(|| measure(args)).map_err(|error| {
        let message = format!("Cannot train on encrypted features: {error}.");
        ClientError::new(
            "CC-6034",
            message,
            "Check the model, the tables and the sizes.",
        )
        .into()
    })
}

/// The network's side: parameters, and how its pooling leaves features.
struct End {
    params: Parameters,
    layout: Layout,
    gains: Vec<f64>,
    card: FeatureCard,
    /// What the network itself takes for as many images as its layout holds.
    network: Plan,
}

impl End {
    /// The parameters that the network up to its pooling takes, and as many levels below as gathering and crossing do.
    fn new(
        model: &Model,
        batch: usize,
        set: &BootstrapParameters,
    ) -> Result<(Self, Crossing), Stopped> {
        let missing = || ModelError::Card(format!("{} has no features", model.card.name));
        let card = model.card.features.clone().ok_or_else(missing)?;
        let (network, weights) = model.card.architecture.until(&card.layer, &model.weights)?;
        let params = features::parameters(LOG_N, network.levels() + 1, &CostModel::default())?;
        let mut literal = params.literal().clone();
        literal.log_q.splice(1..1, params.reserved().lower.clone());
        let crossing = Crossing::new(&params, set)?;
        let program = Program::new(&network, &weights, params.slots(), batch, batch, false)?;
        let (layout, gains) = program.tensor(&card.layer).ok_or_else(missing)?;
        let gains = gains.to_vec();
        // As many images as fit between the pixels of the last maps.
        let program = Program::new(
            &network,
            &weights,
            params.slots(),
            batch,
            layout.images(),
            false,
        )?;
        let end = Self {
            layout,
            gains,
            card,
            params,
            network: Plan::new(&program, literal, 2 << 30)?,
        };
        Ok((end, crossing))
    }

    /// Features of images in the clear, with the bias.
    fn clear(&self, images: &Images) -> Vec<Vec<f64>> {
        let one = |pooled: &Vec<f64>| {
            let centred = pooled.iter().zip(&self.card.mean).map(|(x, mean)| x - mean);
            let centred: Vec<f64> = centred.collect();
            let feature = |row: &Vec<f64>| row.iter().zip(&centred).map(|(w, x)| w * x).sum();
            self.card.rows.iter().map(feature).chain([1.0]).collect()
        };
        images.pooled.iter().map(one).collect()
    }
}

/// The data party's side of the network's parameters.
struct Sender {
    encoder: Encoder,
    encryptor: Encryptor,
    secret: SecretKey,
    generator: KeyGenerator,
}

impl Sender {
    fn new(end: &End, set: &BootstrapParameters) -> Result<Self, Stopped> {
        let generator = KeyGenerator::under_secret_of(&end.params, set.params(), &SEED)?;
        Ok(Self {
            encoder: Encoder::new(&end.params),
            encryptor: Encryptor::new(&end.params, &SEED),
            secret: generator.secret_key(),
            generator,
        })
    }

    /// What pooling leaves of images, at `level`: their channels, and other numbers of that size between.
    fn pooled(
        &self,
        end: &End,
        images: &[Vec<f64>],
        (level, label): (usize, &str),
    ) -> Result<Vec<Vec<Arc<Ciphertext>>>, Stopped> {
        let mut state = 3;
        let mut channels = Vec::with_capacity(end.gains.len());
        for (channel, (gain, mean)) in end.gains.iter().zip(&end.card.mean).enumerate() {
            let other = |_| gain * mean * (1.0 + samples::uniform(&mut state));
            let mut slots: Vec<f64> = (0..end.params.slots()).map(other).collect();
            for (image, pooled) in images.iter().enumerate() {
                slots[end.layout.slot(image, 0, 0).1] = gain * pooled[channel];
            }
            let scale = end.params.scale_at(level);
            let plain = self.encoder.encode_real(&slots, level, scale)?;
            let label = format!("{label} {channel}");
            let ct = self
                .encryptor
                .encrypt_seeded(&self.secret, &plain, label.as_bytes())?;
            channels.push(vec![Arc::new(ct.expand(&end.params)?)]);
        }
        Ok(channels)
    }
}

/// The rotations that gathering takes, by running it on counters.
fn keys_of(
    end: &End,
    rows: &FeatureRows,
    sums: &FeatureSums,
    level: usize,
) -> Result<BTreeMap<KeyKind, usize>, Stopped> {
    let literal = end.params.literal();
    let shape = KeySwitchShape {
        log_n: LOG_N,
        alpha: literal.dnum_alpha,
        special: literal.log_p.len(),
    };
    let ev = CountEvaluator::new(shape, level, 1 << 30);
    let pooled = end
        .gains
        .iter()
        .map(|_| vec![Arc::new(ev.fresh())])
        .collect();
    rows.pack(&ev, pooled, sums)?;
    let galois = ev.counts().galois.into_iter();
    Ok(galois
        .map(|(element, level)| (KeyKind::Galois(element), level))
        .collect())
}

/// Prints times as they come.
struct Report<'a> {
    args: &'a Setup1Args,
    since: Instant,
}

impl Report<'_> {
    fn line(&self, text: &str, json: &serde_json::Value) {
        if self.args.json {
            output::line(json);
        } else {
            output::line(text);
        }
    }

    fn phase(&mut self, name: &str) {
        let seconds = self.since.elapsed().as_secs_f64();
        let json = serde_json::json!({"op": name, "seconds": seconds, "images": self.args.images, "threads": self.args.threads});
        self.line(&format!("{name:<18} {seconds:>9.2} s"), &json);
        self.since = Instant::now();
    }
}

fn measure(args: &Setup1Args) -> Result<(), Stopped> {
    let model = Model::read(&args.model)?;
    let set = preset_set()?;
    let (end, crossing) = End::new(&model, args.batch, &set)?;
    let channels = end.gains.len();
    let (train, names) = images(&args.table, args.images as usize, channels)?;
    let (test, test_names) = images(&args.test, args.predict as usize, channels)?;
    if names != test_names {
        return Err(Stopped::Table("the tables have other classes".into()));
    }
    let features = end.card.rows.len() + 1;
    let layout = tile_layout([train.labels.len(), features, names.len()])?;
    let schedule = MinibatchSchedule::new(&layout, &Recipe::for_features(args.epochs))?;
    let (rows, tests) = (end.clear(&train), end.clear(&test));
    let reference = |activation| {
        minibatch_reference(
            &layout,
            &schedule,
            &rows,
            &train.labels,
            activation,
            &mut |_, _| (),
        )
    };
    let clear = reference(Activation::Polynomial)?;
    let table = TableShape {
        rows: rows.len(),
        features,
        classes: names.len(),
        predict_rows: 1,
    };
    let converged = train_converged(
        &table,
        schedule.loss.kind(),
        schedule.l2,
        &rows,
        &train.labels,
        600,
    )?;
    let percent = |weights: &[Vec<f64>]| 100.0 * accuracy(&logits(weights, &tests), &test.labels);
    let mut line = serde_json::json!({
        "op": "setup1", "model": model.card.name, "classes": names, "images": rows.len(), "predicted": tests.len(),
        "features": features, "steps": schedule.steps.len(), "levels": end.params.max_level(), "log_qp": end.params.log_qp(),
        "handover_level": crossing.level(), "network": {
            "images": end.layout.images(), "key_bytes": end.network.key_bytes().1, "special": end.network.shape.special,
            "planned_seconds": end.network.seconds(&CostModel::default(), args.threads),
        }, "threads": args.threads,
        "accuracy_clear": percent(&clear.weights), "accuracy_exact_sigmoid": percent(&reference(Activation::Sigmoid)?.weights),
        "accuracy_converged": percent(&converged.weights),
        "largest_share_of_range": clear.share_of_range(&schedule),
    });
    let report = Report {
        args,
        since: Instant::now(),
    };
    if !args.clear {
        let run = Run {
            end: &end,
            crossing: &crossing,
            layout: &layout,
            schedule: &schedule,
        };
        let found = run.encrypted(set, [&train, &test], report)?;
        let apart = |a: &[Vec<f64>], b: &[Vec<f64>]| {
            let pairs = a.iter().flatten().zip(b.iter().flatten());
            pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()))
        };
        line["accuracy_encrypted"] = (100.0 * accuracy(&found.scores, &test.labels)).into();
        line["label_agreement"] = agreement(&found.scores, &logits(&clear.weights, &tests)).into();
        line["max_weight_difference"] = apart(&found.weights, &clear.weights).into();
        line["key_bytes"] = found.key_bytes.into();
        line["peak_rss_bytes"] = super::bootstrap::peak_rss_bytes().into();
    }
    if args.json {
        output::line(&line);
    } else {
        output::line(format_args!("{line:#}"));
    }
    Ok(())
}

fn preset_set() -> Result<BootstrapParameters, TrainError> {
    Preset::N16.parameters(Preset::N16.baby())
}

/// All images a minibatch, in rows that hold all features.
fn tile_layout([rows, features, classes]: [usize; 3]) -> Result<TileLayout, TrainError> {
    let mut columns = features.div_ceil(2).next_power_of_two();
    loop {
        let layout = TileLayout::new(LOG_N, [rows, features, classes], rows, columns)?;
        if layout.tiles() == 1 {
            return Ok(layout);
        }
        columns *= 2;
    }
}

/// What an encrypted run gave.
struct Found {
    weights: Vec<Vec<f64>>,
    scores: Vec<Vec<f64>>,
    key_bytes: u64,
}

struct Run<'a> {
    end: &'a End,
    crossing: &'a Crossing,
    layout: &'a TileLayout,
    schedule: &'a MinibatchSchedule,
}

impl Run<'_> {
    fn encrypted(
        &self,
        set: BootstrapParameters,
        [train, test]: [&Images; 2],
        mut report: Report<'_>,
    ) -> Result<Found, Stopped> {
        let (end, crossing, layout) = (self.end, self.crossing, self.layout);
        let sender = Sender::new(end, &set)?;
        let (_, levels) = preset(layout)?;
        let plan = MinibatchPlan::derive(layout, self.schedule, levels)?;
        let rig = Rig::with_periods(set, &plan, &[LOG_N - 1])?;
        let scale = self.schedule.data_scale * crossing.factor();
        let sums = FeatureSums::new(&end.card, &end.gains, scale)?;
        let level = crossing.level() + 1;
        let (mut keys, mut key_bytes) = (EvaluationKeys::new(), rig.key_bytes as u64);
        let whole = self.rows(end.layout.images().min(layout.block_rows()))?;
        for (kind, level) in keys_of(end, &whole, &sums, level)? {
            key_bytes += SeededSwitchingKey::encoded_len_of(&end.params, kind, level)? as u64;
            keys.insert(
                sender
                    .generator
                    .switching_key(kind, level)?
                    .expand(&end.params)?,
            );
        }
        report.phase("keys");

        let packer = TilePacker::new(layout, self.schedule);
        let layers = CkksLayers::new(&end.params, &sender.encoder, &keys)
            .with_mask_bits(features::MASK_BITS);
        let gather = |images: &Images, report: &mut Report<'_>, label: &str| {
            let mut tiles = Vec::new();
            for (block, own) in images.pooled.chunks(layout.block_rows()).enumerate() {
                let pooled = sender.pooled(end, own, (level, &format!("{label} {block}")))?;
                report.phase("encrypt");
                tiles.extend(self.rows(own.len())?.pack(&layers, pooled, &sums)?);
                report.phase("gather");
            }
            Ok::<_, Stopped>(tiles)
        };
        let gathered = gather(train, &mut report, "train")?;
        let ev = rig.evaluator();
        let mut tiles = Vec::with_capacity(gathered.len());
        for tile in &gathered {
            let crossed = crossing.cross(tile)?;
            report.phase("cross");
            tiles.push(vec![ev.refresh(&crossed, LOG_N - 1)?]);
            report.phase("refresh features");
        }
        let mut labels = Vec::with_capacity(tiles.len());
        for (block, own) in train.labels.chunks(layout.block_rows()).enumerate() {
            for rows in self.rows(own.len())?.images_of_rows() {
                let of_rows: Vec<_> = rows.iter().map(|image| image.map(|i| own[i])).collect();
                let slots = packer.label_block(&of_rows)?;
                labels.push(rig.encrypt(&slots, &format!("labels {block}"))?);
            }
        }
        report.phase("encrypt labels");
        let batch = Arc::new(Batch { tiles, labels });
        let trainer = Trainer::new(&ev, layout, self.schedule);
        let end_state = trainer.run(
            TrainingState::start(),
            &mut |_| Ok(batch.clone()),
            &mut |_, _| Ok(()),
        )?;
        let head = head(&ev, &trainer, &end_state)?;
        report.phase("train");

        let records = gather(test, &mut report, "test")?;
        let mut scores = vec![Vec::new(); test.labels.len()];
        for (block, tile) in records.iter().enumerate() {
            let crossed = ev.at_level(&crossing.cross(tile)?, layout.prediction_depth())?;
            let logits = predict_block(&ev, layout, self.schedule, head.clone(), vec![crossed])?;
            let first = block * layout.block_rows();
            let count = (test.labels.len() - first).min(layout.block_rows());
            let of_rows = packer.scores(&[rig.open(&logits)?], layout.block_rows())?;
            for (image, own) in scores[first..first + count].iter_mut().enumerate() {
                *own = of_rows[self.rows(count)?.row(image).row].clone();
            }
        }
        report.phase("predict");
        Ok(Found {
            weights: packer.weights(&rig.open(&head)?)?,
            scores,
            key_bytes,
        })
    }

    /// Rows of one tile.
    fn rows(&self, images: usize) -> Result<FeatureRows, ModelError> {
        FeatureRows::new(self.end.layout, images, self.layout.columns)
    }
}
