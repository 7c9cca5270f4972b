//! Pieces and vectors are those of the reference (tools/text/golden.py).

mod same_bits;

use confide_text::{TextModel, quantise};
use same_bits::tiny;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Answer {
    text: String,
    pieces: Vec<u32>,
    vector: Option<Vec<f32>>,
}

fn answers(json: &str) -> Vec<Answer> {
    serde_json::from_str(json).unwrap()
}

/// The file of all-MiniLM-L6-v2; without it the test says so, unless CONFIDE_TEXT_MODEL names one.
fn minilm() -> Option<TextModel> {
    let named = std::env::var_os("CONFIDE_TEXT_MODEL").map(PathBuf::from);
    let usual =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/minilm-l6-v2/text.safetensors");
    let path = named.clone().unwrap_or(usual);
    if named.is_none() && !path.is_file() {
        eprintln!(
            "skipped: no {}; `cargo xtask text-model` makes it",
            path.display()
        );
        return None;
    }
    let bytes = std::fs::read(&path).unwrap();
    Some(TextModel::minilm(&bytes).unwrap())
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

/// Pieces of all windows, without those at their ends.
fn pieces(model: &TextModel, text: &str) -> Vec<u32> {
    let windows = model.windows(text);
    windows
        .iter()
        .flat_map(|window| window[1..window.len() - 1].to_vec())
        .collect()
}

fn check_pieces(model: &TextModel, answers: &[Answer]) {
    for Answer {
        text,
        pieces: exact,
        ..
    } in answers
    {
        assert_eq!(pieces(model, text), exact[1..exact.len() - 1], "{text:?}");
    }
}

#[test]
fn pieces_and_vectors_of_a_tiny_model_are_those_of_torch() {
    let (model, answers) = (tiny(), answers(include_str!("tiny/golden.json")));
    check_pieces(&model, &answers);
    let mut compared = 0;
    for Answer { text, vector, .. } in &answers {
        let Some(exact) = vector else { continue };
        compared += 1;
        // Its weights lose nothing in 8 bits, so only the rounding of activations is seen.
        for (a, b) in model.embed(text).iter().zip(exact) {
            assert!((a - b).abs() < 5e-4, "{text:?}: {a} for {b}");
        }
    }
    assert!(compared > 8);
}

#[test]
fn vectors_are_the_same_bits_on_every_machine() {
    assert_eq!(same_bits::digest(), same_bits::DIGEST);
}

#[test]
fn pieces_and_vectors_of_minilm_are_those_of_torch() {
    let Some(model) = minilm() else { return };
    let answers = answers(include_str!("minilm.json"));
    check_pieces(&model, &answers);
    for Answer { text, vector, .. } in &answers {
        let Some(exact) = vector else { continue };
        let cosine = cosine(&model.embed(text), exact);
        eprintln!("{cosine:.6} {text:?}");
        assert!(cosine >= 0.99, "{cosine} {text:?}");
    }
}

#[test]
fn long_texts_are_cut_into_equal_windows_and_every_window_counts() {
    let model = tiny();
    assert_eq!(model.dimensions(), 16);
    let text = "the woman is in pain ".repeat(40);
    let windows = model.windows(&text);
    let whole: usize = windows.iter().map(|window| window.len() - 2).sum();
    assert_eq!(whole, pieces(&model, &text).len());
    let lengths: Vec<usize> = windows.iter().map(Vec::len).collect();
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(
        windows.len() > 3 && *most <= 64 && most - least <= 1,
        "{lengths:?}"
    );
    let other = format!("{text} tumour");
    assert_ne!(model.embed(&text), model.embed(&other));
    let length: f32 = model.embed(&text).iter().map(|v| v * v).sum();
    assert!((length - 1.0).abs() < 1e-5);
}

#[test]
fn files_that_are_no_model_are_refused_by_name() {
    let weights = include_bytes!("tiny/model.safetensors");
    let words = include_str!("tiny/vocab.txt");
    let packed = quantise(weights, words, 2).unwrap();
    assert_eq!(packed, quantise(weights, words, 2).unwrap());
    let error = |bytes: &[u8]| TextModel::read(bytes).err().unwrap().to_string();
    assert!(error(weights).contains("confide-text-1"));
    assert!(error(&packed[..packed.len() - 9]).contains("safetensors"));
    assert!(error(b"").contains("safetensors"));
    let of = |words: &str, heads| error(&quantise(weights, words, heads).unwrap());
    assert!(of(words, 0).contains("heads"));
    assert!(of(words, 3).contains("heads"));
    assert!(of("[CLS]\n", 2).contains("vocabulary"));
    assert!(of(&words.replace("[SEP]", "[sep]"), 2).contains("[SEP]"));
    assert!(
        TextModel::minilm(&packed)
            .err()
            .unwrap()
            .to_string()
            .contains("BLAKE3")
    );
}
