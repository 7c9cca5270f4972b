//! Vectors that a browser and a terminal must give alike, to the last bit: a head that is trained in one serves in the other.

use confide_text::{TextModel, quantise};

/// BLAKE3 of the little-endian f32 of all vectors of [`digest`].
pub const DIGEST: &str = "2f9e22680ec8236c293f8aade3cf5aaad6d968f3c6658ab14012b08b6a004f9f";

/// The model of `tests/tiny`.
pub fn tiny() -> TextModel {
    let weights = include_bytes!("../tiny/model.safetensors");
    let packed = quantise(weights, include_str!("../tiny/vocab.txt"), 2).expect("a model");
    TextModel::read(&packed).expect("its own file")
}

/// BLAKE3 of what the model makes of a short, a long, an unknown and an empty text.
pub fn digest() -> String {
    let model = tiny();
    let long = "the woman is in pain ".repeat(40);
    let mut hasher = blake3::Hasher::new();
    for text in [
        "the woman is in pain",
        &long,
        "tumour \u{2265} 3 \u{b5}m",
        "",
    ] {
        for value in model.embed(text) {
            hasher.update(&value.to_le_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
