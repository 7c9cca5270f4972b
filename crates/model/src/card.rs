//! Model folders: a card, weights and known answers, each checked against the card.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::ModelError;
use crate::network::{INPUT, Layer, Network, Op, Shape};
use crate::weights::Weights;

/// The format that this reader knows.
pub const FORMAT: &str = "confide-network/1";
/// Name of the card in its folder.
pub const CARD: &str = "card.json";
/// Largest files that are read.
const MAX_CARD: u64 = 4 << 20;
const MAX_WEIGHTS: u64 = 1 << 30;

/// The parts of a card that an evaluation needs; others are for people.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    /// SHA-256 of the card's text: names the model, weights and known answers included.
    #[serde(skip)]
    pub id: [u8; 32],
    format: String,
    /// Name of the model.
    pub name: String,
    /// One sentence.
    pub about: String,
    /// SPDX expression.
    pub licence: String,
    /// Names of the outputs.
    pub classes: Vec<String>,
    /// How an image becomes an input.
    pub input: InputCard,
    /// Accuracy in the clear, where it was measured.
    pub accuracy: Option<Accuracy>,
    /// Promised bounds.
    pub ranges: Ranges,
    /// Multiplicative levels.
    pub levels: usize,
    /// What a head is trained on, where the model offers that.
    pub features: Option<FeatureCard>,
    /// The network.
    pub architecture: Network,
    weights: FileCard,
    golden: FileCard,
}

/// How an image becomes an input: `x = (pixel / 255 - mean) / std` by channel, then, if there is a floor,
/// `x / max(rms(x), rms_floor)` with the root mean square over the whole image.
#[derive(Debug, Clone, Deserialize)]
pub struct InputCard {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// By channel.
    pub mean: Vec<f64>,
    /// By channel.
    pub std: Vec<f64>,
    /// Least root mean square that an image is divided by; absent where images are not divided by theirs.
    pub rms_floor: Option<f64>,
}

/// Accuracy in the clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Share of the test images whose class is found.
    pub test: f64,
    /// Test images.
    pub test_images: usize,
}

/// Largest absolute values of each layer's output.
#[derive(Debug, Clone, Deserialize)]
pub struct Ranges {
    /// Promised, by layer and for the input.
    pub bound: BTreeMap<String, f64>,
    /// The layer that came closest to its bound on the test images; absent where nobody looked.
    pub test_closest_to_bound: Option<ClosestRange>,
}

/// How far a layer's values were from their bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClosestRange {
    /// The layer.
    pub layer: String,
    /// Its largest absolute value as a share of the bound.
    pub ratio: f64,
}

/// Features for heads of other tasks: `rows (pooled - mean)`, with constants of the model's own training images.
#[derive(Debug, Clone, Deserialize)]
pub struct FeatureCard {
    /// The pooling layer that they come from.
    pub layer: String,
    /// Mean of each channel.
    pub mean: Vec<f64>,
    /// Weights `[feature][channel]`: softly whitened principal components.
    pub rows: Vec<Vec<f64>>,
    /// Promised largest absolute value of a feature.
    pub bound: f64,
}

#[derive(Debug, Clone, Deserialize)]
struct FileCard {
    file: String,
    sha256: String,
    bytes: Option<u64>,
}

/// Known answers.
#[derive(Debug, Clone, Deserialize)]
pub struct Golden {
    /// One for each image.
    pub cases: Vec<Case>,
}

/// The answers for one image, computed in 64-bit floating point.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// Number of a pattern, see [`pattern`]; absent for images of a test set.
    pub pattern: Option<usize>,
    /// The normalised image in the order channel, row, column.
    pub input: Option<Vec<f64>>,
    /// Pooled features.
    pub features: Vec<f64>,
    /// Outputs.
    pub logits: Vec<f64>,
}

/// A checked model.
#[derive(Debug, Clone)]
pub struct Model {
    /// The card.
    pub card: Card,
    /// The weights, of the shapes that the architecture needs.
    pub weights: Weights,
    /// Known answers.
    pub golden: Golden,
}

impl Model {
    /// Reads and checks a folder: format, graph, shapes, levels, bounds, sizes and digests of the other files.
    ///
    /// # Errors
    /// [`ModelError`] that names the file, layer or tensor, what it needs and what was found.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let card = Card::parse(&read(&folder.join(CARD), MAX_CARD)?)?;
        let weights = card.read_weights(&card.weights.load(folder, MAX_WEIGHTS)?)?;
        let golden = card.read_golden(&card.golden.load(folder, MAX_CARD)?)?;
        Ok(Self {
            card,
            weights,
            golden,
        })
    }
}

impl Card {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// [`ModelError::Card`] or [`ModelError::Layer`].
    pub fn parse(text: &[u8]) -> Result<Self, ModelError> {
        let mut card: Self =
            serde_json::from_slice(text).map_err(|error| ModelError::Card(error.to_string()))?;
        card.id = Sha256::digest(text).into();
        card.check()?;
        Ok(card)
    }

    /// The card's [`id`](Card::id) in hexadecimal digits.
    pub fn id_hex(&self) -> String {
        hex(&self.id)
    }

    /// Names of the files of weights and of known answers, beside the card.
    pub fn files(&self) -> [&str; 2] {
        [&self.weights.file, &self.golden.file]
    }

    /// The pooling layer whose values are features for heads of other tasks: the one that the card names, else the last.
    pub fn feature_layer(&self) -> Option<&str> {
        let layers = self.architecture.layers.iter();
        let mut pools = layers.filter(|layer| layer.op == Op::Pool);
        let last = pools.next_back().map(|layer| layer.name.as_str());
        self.features.as_ref().map(|f| f.layer.as_str()).or(last)
    }

    /// SHA-256 of the weights in hexadecimal digits.
    pub fn weights_sha256(&self) -> &str {
        &self.weights.sha256
    }

    /// The weights from the bytes of their file, which must be those that the card promises.
    ///
    /// # Errors
    /// [`ModelError::Checksum`], and those of [`Weights::read`].
    pub fn read_weights(&self, bytes: &[u8]) -> Result<Weights, ModelError> {
        self.weights.check(bytes)?;
        Weights::read(&self.architecture, bytes)
    }

    /// The known answers from the bytes of their file, which must be those that the card promises.
    ///
    /// # Errors
    /// [`ModelError::Checksum`] or [`ModelError::Card`].
    pub fn read_golden(&self, bytes: &[u8]) -> Result<Golden, ModelError> {
        self.golden.check(bytes)?;
        serde_json::from_slice(bytes)
            .map_err(|error| ModelError::Card(format!("{}: {error}", self.golden.file)))
    }
}

impl Card {
    fn check(&self) -> Result<(), ModelError> {
        let wrong = |text: String| Err(ModelError::Card(text));
        if self.format != FORMAT {
            return wrong(format!("format {:?}, needs {FORMAT:?}", self.format));
        }
        let shapes = self.architecture.shapes()?;
        if self.input.shape != self.architecture.input {
            return wrong(format!(
                "input shape {:?}, the architecture's is {:?}",
                self.input.shape, self.architecture.input
            ));
        }
        let channels = self.input.shape[0];
        for (name, values) in [("mean", &self.input.mean), ("std", &self.input.std)] {
            let usable = values.iter().all(|v| v.is_finite())
                && (name == "mean" || values.iter().all(|&v| v > 0.0));
            if values.len() != channels || !usable {
                return wrong(format!(
                    "{name} needs {channels} finite numbers (std above 0), has {values:?}"
                ));
            }
        }
        if self
            .input
            .rms_floor
            .is_some_and(|floor| !(floor.is_finite() && floor > 0.0))
        {
            return wrong(format!(
                "rms_floor needs a positive number, has {:?}",
                self.input.rms_floor
            ));
        }
        let outputs = shapes[self.architecture.output()][0];
        if self.classes.len() != outputs {
            return wrong(format!(
                "{} classes, the network has {outputs} outputs",
                self.classes.len()
            ));
        }
        if self.levels != self.architecture.levels() {
            return wrong(format!(
                "{} levels, the network has {}",
                self.levels,
                self.architecture.levels()
            ));
        }
        for name in shapes.keys() {
            match self.ranges.bound.get(*name) {
                Some(bound) if bound.is_finite() && *bound > 0.0 => {}
                found => {
                    return wrong(format!(
                        "bound of {name} needs a positive number, has {found:?}"
                    ));
                }
            }
        }
        if self.ranges.bound.len() != shapes.len() {
            return wrong("bounds of layers that do not exist".into());
        }
        self.features.as_ref().map_or(Ok(()), |features| {
            features.check(&self.architecture, shapes.get(features.layer.as_str()))
        })
    }

    /// The promised bound of the input.
    pub fn input_bound(&self) -> f64 {
        self.ranges.bound.get(INPUT).copied().unwrap_or(1.0)
    }

    /// An image as the network wants it: `[channel][y * width + x]`, from bytes in the order channel, row, column.
    ///
    /// # Errors
    /// [`ModelError::Layout`] for another number of bytes.
    pub fn normalise(&self, pixels: &[u8]) -> Result<Vec<Vec<f64>>, ModelError> {
        let [channels, height, width] = self.input.shape;
        if pixels.len() != channels * height * width {
            let needed = channels * height * width;
            return Err(crate::error::layout(
                "bytes of an image",
                needed,
                pixels.len(),
            ));
        }
        let normal = |(channel, plane): (usize, &[u8])| {
            let (mean, std) = (self.input.mean[channel], self.input.std[channel]);
            plane
                .iter()
                .map(|&p| (f64::from(p) / 255.0 - mean) / std)
                .collect()
        };
        let mut planes: Vec<Vec<f64>> = pixels
            .chunks_exact(height * width)
            .enumerate()
            .map(normal)
            .collect();
        if let Some(floor) = self.input.rms_floor {
            let squares: f64 = planes.iter().flatten().map(|x| x * x).sum();
            let divisor = (squares / pixels.len() as f64).sqrt().max(floor);
            for x in planes.iter_mut().flatten() {
                *x /= divisor;
            }
        }
        Ok(planes)
    }
}

impl FeatureCard {
    /// Against the network and the shape of its tensor of that name.
    fn check(&self, network: &Network, shape: Option<&Shape>) -> Result<(), ModelError> {
        let wrong = |text: String| Err(ModelError::Card(format!("features: {text}")));
        let layers = &network.layers;
        let pools = |layer: &Layer| layer.name == self.layer && layer.op == Op::Pool;
        let (Some(&[channels, ..]), true) = (shape, layers.iter().any(pools)) else {
            return wrong(format!("{:?} is no pooling layer", self.layer));
        };
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        if self.mean.len() != channels || !finite(&self.mean) {
            let found = self.mean.len();
            return wrong(format!("mean needs {channels} finite numbers, has {found}"));
        }
        let usable = |row: &Vec<f64>| row.len() == channels && finite(row);
        if !(1..=channels).contains(&self.rows.len()) || !self.rows.iter().all(usable) {
            let found = self.rows.len();
            return wrong(format!(
                "rows need 1 to {channels} rows of {channels} finite numbers, has {found} rows"
            ));
        }
        if !(self.bound.is_finite() && self.bound > 0.0) {
            return wrong(format!("bound needs a positive number, has {}", self.bound));
        }
        Ok(())
    }
}

impl FileCard {
    fn load(&self, folder: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
        // A card may come from outside: its files lie beside it.
        if self.file.is_empty()
            || self.file.contains(['/', '\\', ':'])
            || self.file.starts_with('.')
        {
            return Err(ModelError::Card(format!(
                "{:?} is not the name of a file beside the card",
                self.file
            )));
        }
        read(&folder.join(&self.file), limit)
    }

    fn check(&self, bytes: &[u8]) -> Result<(), ModelError> {
        let checksum =
            |what, needed: &dyn ToString, available: &dyn ToString| ModelError::Checksum {
                file: self.file.clone(),
                what,
                needed: needed.to_string(),
                available: available.to_string(),
            };
        if let Some(size) = self.bytes
            && size != bytes.len() as u64
        {
            return Err(checksum("bytes", &size, &bytes.len()));
        }
        let digest = hex(&Sha256::digest(bytes));
        if digest != self.sha256.to_lowercase() {
            return Err(checksum("sha256", &self.sha256, &digest));
        }
        Ok(())
    }
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let file_error = |error| ModelError::File {
        path: path.display().to_string(),
        error,
    };
    let size = std::fs::metadata(path).map_err(file_error)?.len();
    if size > limit {
        let error = std::io::Error::other(format!("{size} bytes, at most {limit} are read"));
        return Err(file_error(error));
    }
    std::fs::read(path).map_err(file_error)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Image number `index` of those that need no data: pixel (c, y, x) is
/// `(40 index + 5 c + 3 y + 4 x + floor(x y / 4)) mod 256`.
pub fn pattern(index: usize, [channels, height, width]: [usize; 3]) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(channels * height * width);
    for c in 0..channels {
        for y in 0..height {
            for x in 0..width {
                // Modulo 256: always a byte.
                pixels.push(((40 * index + 5 * c + 3 * y + 4 * x + x * y / 4) % 256) as u8);
            }
        }
    }
    pixels
}
