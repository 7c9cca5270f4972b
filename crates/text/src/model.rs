//! From a text to a vector.

use crate::attention::attend;
use crate::error::TextError;
use crate::file::{self, Layer, Parts};
use crate::linear::Quantised;
use crate::maths::{gelu, square_sum};
use crate::wordpiece::WordPiece;

/// BLAKE3 of the file that `cargo xtask text-model` makes of all-MiniLM-L6-v2.
pub const MINILM_DIGEST: &str = "99065c0065e597b352c24ed65a26aa1995d9a4d2d847539bcf9a62fe1eb68a77";

/// A BERT encoder with its word list (Devlin et al. 2019; Wang et al. 2020 for MiniLM).
pub struct TextModel {
    parts: Parts,
    pieces: WordPiece,
    digest: String,
}

impl TextModel {
    /// Reads a model's file ([`crate::quantise`] makes it) and checks every shape.
    ///
    /// # Errors
    /// [`TextError`].
    pub fn read(bytes: &[u8]) -> Result<Self, TextError> {
        let parts = file::read(bytes)?;
        Ok(Self {
            pieces: WordPiece::new(&parts.vocabulary)?,
            parts,
            digest: blake3::hash(bytes).to_hex().to_string(),
        })
    }

    /// Reads the model that this version works with, all-MiniLM-L6-v2, and no other.
    ///
    /// # Errors
    /// [`TextError::Digest`] for another file.
    pub fn minilm(bytes: &[u8]) -> Result<Self, TextError> {
        let available = blake3::hash(bytes).to_hex().to_string();
        match available == MINILM_DIGEST {
            true => Self::read(bytes),
            false => Err(TextError::Digest {
                needed: MINILM_DIGEST.to_owned(),
                available,
            }),
        }
    }

    /// BLAKE3 of the file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Numbers a text.
    pub fn dimensions(&self) -> usize {
        self.parts.hidden
    }

    /// The windows of a text: the numbers of its word pieces between those of start and end. A text that is too long for
    /// one window is cut into as few as possible, of equal length up to one piece.
    pub fn windows(&self, text: &str) -> Vec<Vec<u32>> {
        let pieces = self.pieces.pieces(text);
        let most = self.parts.positions.len() / self.parts.hidden - 2;
        let count = pieces.len().div_ceil(most).max(1);
        let cut = |window: usize| window * pieces.len() / count;
        (0..count)
            .map(|window| {
                let inside = &pieces[cut(window)..cut(window + 1)];
                let mut whole = Vec::with_capacity(inside.len() + 2);
                whole.push(self.pieces.start);
                whole.extend_from_slice(inside);
                whole.push(self.pieces.end);
                whole
            })
            .collect()
    }

    /// The vector of a text, of length one: the mean of what the last layer says of every token of every window.
    pub fn embed(&self, text: &str) -> Vec<f32> {
        let hidden = self.parts.hidden;
        let mut sums = vec![0.0; hidden];
        for window in self.windows(text) {
            for token in self.encode(&window).chunks_exact(hidden) {
                for (sum, value) in sums.iter_mut().zip(token) {
                    *sum += value;
                }
            }
        }
        let length = square_sum(&sums).sqrt().max(f32::MIN_POSITIVE);
        sums.iter_mut().for_each(|sum| *sum /= length);
        sums
    }

    /// What the last layer says of each token of a window.
    fn encode(&self, window: &[u32]) -> Vec<f32> {
        let Parts { hidden, words, .. } = &self.parts;
        let places = self.parts.positions.chunks_exact(*hidden);
        let mut tokens = Vec::with_capacity(window.len() * hidden);
        for (&number, place) in window.iter().zip(places) {
            let word = &words.weights[number as usize * hidden..][..*hidden];
            let scale = words.scales[number as usize];
            tokens.extend(
                word.iter()
                    .zip(place)
                    .map(|(&w, p)| f32::from(w) * scale + p),
            );
        }
        self.parts.norm.apply(&mut tokens);
        for layer in &self.parts.layers {
            layer.apply(&mut tokens, *hidden, self.parts.heads);
        }
        tokens
    }
}

impl Layer {
    fn apply(&self, tokens: &mut [f32], hidden: usize, heads: usize) {
        let projected = self.projections.apply(&Quantised::new(tokens, hidden));
        let taken = attend(&projected, hidden, heads);
        add(tokens, &self.output.apply(&Quantised::new(&taken, hidden)));
        self.attention_norm.apply(tokens);
        let mut inner = self.inner.apply(&Quantised::new(tokens, hidden));
        for value in &mut inner {
            *value = gelu(*value);
        }
        let units = self.inner.rows();
        add(tokens, &self.outer.apply(&Quantised::new(&inner, units)));
        self.norm.apply(tokens);
    }
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}
