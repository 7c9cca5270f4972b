//! Images whose outputs the data party knows: they show that the promised model ran, and that nothing overflowed.

use confide_model::{Card, Golden, ModelError, Weights, pattern, reference};

/// Share of the output's promised range that a canary's outputs may be off.
const TOLERANCE: f64 = 1.0 / 256.0;

/// An image with known outputs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Canary {
    /// One of the data party's own images, or pixels of one that is planted among them.
    pub(super) image: Source,
    /// Outputs by class.
    pub(super) expected: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Own(usize),
    Planted(Vec<u8>),
}

impl Canary {
    /// An image of the data party, with the outputs that the weights give.
    pub(super) fn of_image(
        card: &Card,
        weights: &Weights,
        image: usize,
        pixels: &[u8],
    ) -> Result<Self, ModelError> {
        let network = &card.architecture;
        let maps = reference::run(network, weights, &card.normalise(pixels)?)?;
        let output = maps.get(network.output());
        let expected = output.map(|map| map.values.iter().flatten().copied().collect());
        Ok(Self {
            image: Source::Own(image),
            expected: expected.unwrap_or_default(),
        })
    }

    /// The known answers whose images need no data.
    pub(super) fn known(card: &Card, golden: &Golden) -> Vec<Self> {
        let outputs = card.classes.len();
        let cases = golden.cases.iter().filter_map(|case| {
            let pixels = pattern(case.pattern?, card.input.shape);
            (case.logits.len() == outputs).then(|| Self {
                image: Source::Planted(pixels),
                expected: case.logits.clone(),
            })
        });
        cases.collect()
    }

    /// Largest difference of an output to the known one, as a share of what is allowed.
    pub(super) fn error(&self, card: &Card, found: &[f64]) -> f64 {
        let allowed = TOLERANCE * output_bound(card);
        if found.len() != self.expected.len() {
            return f64::INFINITY;
        }
        let apart = self.expected.iter().zip(found);
        let apart = apart.map(|(expected, found)| (expected - found).abs());
        // A NaN is no small difference.
        apart.fold(0.0, |worst: f64, apart| {
            if apart.is_nan() {
                f64::INFINITY
            } else {
                worst.max(apart / allowed)
            }
        })
    }
}

/// The promised range of the outputs.
pub(super) fn output_bound(card: &Card) -> f64 {
    let name = card.architecture.output();
    card.ranges.bound.get(name).copied().unwrap_or(1.0)
}

/// Random places that follow from the key's seed and the images: the same images have theirs where they had them, so
/// that an interrupted upload resumes, and nobody without the key can tell where.
#[derive(Clone, Debug)]
pub(super) struct Places(blake3::OutputReader);

impl Places {
    pub(super) fn new<'a>(seed: &[u8; 32], images: impl Iterator<Item = &'a [u8]>) -> Self {
        let key = blake3::derive_key("confide 2026 places of canaries", seed);
        let mut hasher = blake3::Hasher::new_keyed(&key);
        for image in images {
            hasher.update(&(image.len() as u64).to_le_bytes());
            hasher.update(image);
        }
        Self(hasher.finalize_xof())
    }

    /// A number below `end`, which is at least 1.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let mut bytes = [0; 16];
        self.0.fill(&mut bytes);
        (u128::from_le_bytes(bytes) % end.max(1) as u128) as usize
    }

    /// `count` different numbers below `end`, or all.
    pub(super) fn choose(&mut self, end: usize, count: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..end).collect();
        for place in 0..count.min(end) {
            let other = place + self.below(end - place);
            all.swap(place, other);
        }
        all.truncate(count);
        all
    }
}
