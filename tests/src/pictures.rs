//! Images, a network, their files, and the objects of a job on them.

use std::path::{Path, PathBuf};

use confide_ckks::Complex64;
use confide_client::ClientError;
use confide_client::session::{Event, Object};
use confide_client::workflow::classify::{
    ClassifyOptions, ClassifyRun, ClassifySetup, NamedImage, ScoreOpener,
};
use confide_client::workflow::{Digests, Item, ObjectFactory, ObjectJob, WorkerFacts};
use confide_model::{InferencePlan, Model, pattern, reference};
use confide_protocol::{JobReport, JobSpec, WireError};

use crate::party::Party;

/// Seed of the key.
const SEED: [u8; 32] = [5; 32];

/// The worker as it is started by the tests.
pub const FACTS: WorkerFacts = WorkerFacts {
    threads: 2,
    memory_bytes: 2 << 30,
    max_client_bytes: 1 << 30,
};

/// Flags of a worker that is [`FACTS`] and has the project's networks.
pub fn flags() -> Vec<String> {
    let models = models().display().to_string();
    let flags = ["--threads", "2", "--max-memory", "2GiB"];
    let limits = ["--max-client-bytes", "1GiB", "--models", &models];
    flags.into_iter().chain(limits).map(str::to_owned).collect()
}

/// The project's networks.
pub fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// Networks that are for tests alone.
pub fn networks() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates/model/tests")
}

/// The network of the tests: random weights, three classes, images of 8 x 8 pixels.
///
/// # Panics
/// When it cannot be read.
pub fn tiny() -> Model {
    Model::read(&models().join("tiny")).expect("a valid model")
}

/// Card, weights and known answers of a model.
const FILES: [&str; 3] = ["card.json", "weights.safetensors", "golden.json"];

/// Card, weights and known answers as bytes.
///
/// # Panics
/// When they cannot be read.
pub fn tiny_files() -> [Vec<u8>; 3] {
    FILES.map(|name| std::fs::read(models().join("tiny").join(name)).expect("a file"))
}

/// `count` images that differ.
pub fn images(model: &Model, count: usize) -> Vec<NamedImage> {
    let image = |i: usize| NamedImage {
        name: format!("image {i}"),
        // Odd ones upside down, so that not all come from one family.
        pixels: {
            let mut pixels = pattern(i + 2, model.card.input.shape);
            if i % 2 == 1 {
                pixels.reverse();
            }
            pixels
        },
        class: Some(i % 3),
    };
    (0..count).map(image).collect()
}

/// Classes of the head, of which the network has not heard.
const KINDS: [&str; 3] = ["left", "middle", "right"];

/// Features of images: channels with mean 0 and deviation 1.
pub struct Standardised {
    /// By channel.
    pub mean: Vec<f64>,
    /// By channel.
    pub deviation: Vec<f64>,
    /// By image.
    pub features: Vec<Vec<f64>>,
}

impl Standardised {
    /// Those of the model's pooled features.
    ///
    /// # Panics
    /// When an image does not fit.
    pub fn new(model: &Model, images: &[NamedImage]) -> Self {
        let pooled = |image: &NamedImage| -> Vec<f64> {
            let planes = model.card.normalise(&image.pixels).expect("an image");
            let network = &model.card.architecture;
            let maps = reference::run(network, &model.weights, &planes).expect("runs");
            maps["pool"].values.iter().flatten().copied().collect()
        };
        let pooled: Vec<Vec<f64>> = images.iter().map(pooled).collect();
        let count = pooled.len() as f64;
        let channels = 0..pooled[0].len();
        let average = |of: &dyn Fn(&Vec<f64>) -> f64| pooled.iter().map(of).sum::<f64>() / count;
        let mean: Vec<f64> = channels.clone().map(|c| average(&|row| row[c])).collect();
        let variance = channels.map(|c| average(&|row| (row[c] - mean[c]).powi(2)));
        let deviation: Vec<f64> = variance.map(f64::sqrt).collect();
        let standardise = |row: &Vec<f64>| {
            let pairs = row.iter().zip(mean.iter().zip(&deviation));
            pairs
                .map(|(x, (mean, deviation))| (x - mean) / deviation)
                .collect()
        };
        let features = pooled.iter().map(standardise).collect();
        Self {
            mean,
            deviation,
            features,
        }
    }
}

/// Writes the network of the tests with features that are standardised channels of these images into a folder of models, as
/// `tiny-features`, and reads it.
///
/// # Panics
/// When it cannot be written.
pub fn with_features(folder: &Path, images: &[NamedImage]) -> Model {
    with_features_of(&models().join("tiny"), folder, images)
}

/// The same for the network in a folder, under its name and `-features`.
///
/// # Panics
/// When it cannot be read or written.
pub fn with_features_of(source: &Path, folder: &Path, images: &[NamedImage]) -> Model {
    let model = Model::read(source).expect("a valid model");
    let Standardised {
        mean, deviation, ..
    } = Standardised::new(&model, images);
    let weight = |f: usize, c: usize| if f == c { deviation[c].recip() } else { 0.0 };
    let channels = 0..mean.len();
    let row = |f: usize| channels.clone().map(|c| weight(f, c)).collect();
    let rows: Vec<Vec<f64>> = channels.clone().map(row).collect();
    let name = format!("{}-features", model.card.name);
    let folder = folder.join(&name);
    std::fs::create_dir_all(&folder).expect("a folder");
    for file in FILES {
        std::fs::copy(source.join(file), folder.join(file)).expect("a file");
    }
    let card = std::fs::read(source.join(FILES[0])).expect("a card");
    let mut card: serde_json::Value = serde_json::from_slice(&card).expect("a card");
    card["name"] = name.into();
    card["features"] = serde_json::json!({
        "layer": "pool", "mean": mean, "rows": rows, "bound": 10.0,
    });
    std::fs::write(folder.join("card.json"), card.to_string()).expect("a card");
    Model::read(&folder).expect("a valid model")
}

/// Images of the network of the tests, and kinds that one can tell from their features: which of the first three is the largest.
///
/// # Panics
/// When the network cannot be read.
pub fn labelled(count: usize) -> (Vec<NamedImage>, Vec<String>) {
    labelled_by(&tiny(), count)
}

/// The same by the features of another model.
///
/// # Panics
/// When its images are of another size.
pub fn labelled_by(model: &Model, count: usize) -> (Vec<NamedImage>, Vec<String>) {
    let mut images = images(&tiny(), count);
    images.iter_mut().for_each(|image| image.class = None);
    let features = Standardised::new(model, &images).features;
    let kind = |row: &Vec<f64>| {
        let largest = (0..KINDS.len()).max_by(|&i, &j| row[i].total_cmp(&row[j]));
        KINDS[largest.unwrap_or(0)].to_owned()
    };
    (images, features.iter().map(kind).collect())
}

/// A PNG file of an image of the network of the tests: its two channels are red and green.
///
/// # Panics
/// When it cannot be written.
pub fn png(model: &Model, image: &NamedImage) -> Vec<u8> {
    let [_, height, width] = model.card.input.shape;
    let pixels = height * width;
    let samples: Vec<u8> = (0..pixels)
        .flat_map(|i| [image.pixels[i], image.pixels[pixels + i], 0])
        .collect();
    let size = [height, width].map(|side| u32::try_from(side).expect("a small image"));
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size[1], size[0]);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&samples).expect("pixels");
    writer.finish().expect("a file");
    file
}

/// Writes images as PNG files into a folder for each kind, and a list of them with their kinds; answers the list's lines. Every
/// kind has a folder, so that a file name alone says nothing.
///
/// # Panics
/// When a file cannot be written.
pub fn write(folder: &Path, images: &[NamedImage], kinds: &[String]) -> Vec<String> {
    let model = tiny();
    let line = |(image, kind): (&NamedImage, &String)| {
        std::fs::create_dir_all(folder.join(kind)).expect("a folder");
        let name = format!("{kind}/{}.png", image.name.replace(' ', "-"));
        std::fs::write(folder.join(&name), png(&model, image)).expect("a picture");
        format!("{name},{kind}")
    };
    images.iter().zip(kinds).map(line).collect()
}

/// A setup without canaries.
///
/// # Panics
/// When it is refused.
pub fn setup(count: usize) -> ClassifySetup {
    let [card, _, _] = tiny_files();
    setup_of(&card, images(&tiny(), count))
}

/// The same for images of another network.
///
/// # Panics
/// When it is refused.
pub fn setup_of(card: &[u8], images: Vec<NamedImage>) -> ClassifySetup {
    ClassifySetup::new(card, images, ClassifyOptions::default(), &SEED).expect("valid images")
}

/// Outputs in the clear.
///
/// # Panics
/// When the image does not fit.
pub fn clear(model: &Model, pixels: &[u8]) -> Vec<f64> {
    let network = &model.card.architecture;
    let input = model.card.normalise(pixels).expect("an image");
    let maps = reference::run(network, &model.weights, &input).expect("runs");
    let output = &maps[network.output()];
    output.values.iter().flatten().copied().collect()
}

/// The worker's answer to a request for a plan.
///
/// # Errors
/// What the worker said.
pub async fn ask(party: &mut Party, request: Vec<u8>) -> Result<Vec<u8>, WireError> {
    let number = party.session.request_inference(request);
    party
        .until(|event| match event {
            Event::Plan { request, plan } if *request == number => Some(Ok(plan.clone())),
            Event::Failed {
                request: Some(request),
                error,
                ..
            } if *request == number => Some(Err(error.clone())),
            _ => None,
        })
        .await
}

/// The objects of the first job of a run, and the job.
///
/// # Panics
/// When one cannot be made.
pub fn encrypt(run: &ClassifyRun) -> (Vec<Object>, JobSpec) {
    let factory = factory(run.plan());
    let mut items = run.key_items().expect("keys");
    items.extend(run.image_items(0).expect("images"));
    let (objects, digests) = make(&factory, items, |job| run.slots(job));
    let job = run.job(0, &digests).expect("a job");
    (objects, job)
}

/// Makes objects of the slots of their jobs.
///
/// # Panics
/// When one cannot be made, or has another length than was announced.
pub fn make(
    factory: &ObjectFactory,
    items: Vec<Item>,
    slots: impl Fn(&ObjectJob) -> Result<Option<Vec<Complex64>>, ClientError>,
) -> (Vec<Object>, Digests) {
    let (mut objects, mut digests) = (Vec::new(), Digests::new());
    for item in items {
        let slots = slots(&item.job).expect("slots");
        let object = factory
            .make(&item.job, slots.as_deref())
            .expect("an object");
        assert_eq!(object.bytes.len() as u64, item.bytes, "{}", item.name);
        digests.insert(item.job, object.digest);
        objects.push(object);
    }
    (objects, digests)
}

/// Makes objects of a plan.
///
/// # Panics
/// When the plan is refused.
pub fn factory(plan: &InferencePlan) -> ObjectFactory {
    ObjectFactory::of_inference(&SEED, plan).expect("a secure plan")
}

/// The slots of a job's results.
///
/// # Panics
/// When one cannot be opened.
pub async fn open(party: &mut Party, run: &ClassifyRun, report: &JobReport) -> Vec<Vec<f64>> {
    let opener = ScoreOpener::new(&SEED, run.plan()).expect("a secure plan");
    let mut slots = Vec::new();
    for (_, digest, _) in &report.outputs {
        slots.push(opener.open(&party.download(*digest).await).expect("scores"));
    }
    slots
}
