//! From a text to the numbers of its word pieces, as BERT's uncased tokeniser does it.
//!
//! The steps and their order are those of the library `tokenizers` with this model's `tokenizer.json`: clean, part
//! Chinese characters, decompose and drop accents, lower case, part at spaces and punctuation, longest piece first
//! (Wu et al. 2016). ADR 11 says why the library itself is not used.

use crate::error::TextError;
use crate::file::VOCABULARY;
use std::collections::HashMap;
use unicode_categories::UnicodeCategories;
use unicode_normalization::UnicodeNormalization;

/// Words of more characters are unknown.
const MAX_WORD: usize = 100;
/// Starts a piece that goes on with a word.
const CONTINUED: &str = "##";
/// Where a text names these, the tokeniser takes them for what they stand for.
const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// The word list.
pub struct WordPiece {
    pieces: HashMap<String, u32>,
    unknown: u32,
    /// In front of a window.
    pub start: u32,
    /// Behind a window.
    pub end: u32,
}

impl WordPiece {
    /// From the words, a line each; a word's number is that of its line, from 0.
    ///
    /// # Errors
    /// [`TextError::Tensor`] where one of the words with a meaning of their own is missing.
    pub fn new(vocabulary: &str) -> Result<Self, TextError> {
        let pieces = vocabulary.lines().zip(0..);
        let pieces: HashMap<String, u32> = pieces
            .map(|(piece, number)| (piece.to_owned(), number))
            .collect();
        let special = |name: &str| {
            let number = pieces.get(name).copied();
            number.ok_or_else(|| TextError::tensor(VOCABULARY, name, "a list without it"))
        };
        Ok(Self {
            unknown: special("[UNK]")?,
            start: special("[CLS]")?,
            end: special("[SEP]")?,
            pieces,
        })
    }

    /// The pieces of a text, without those around a window.
    pub fn pieces(&self, text: &str) -> Vec<u32> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some((at, name)) = next_special(rest) {
            self.plain(&rest[..at], &mut out);
            out.extend(self.pieces.get(name));
            rest = &rest[at + name.len()..];
        }
        self.plain(rest, &mut out);
        out
    }

    /// The pieces of a text in which no name has a meaning of its own.
    fn plain(&self, text: &str, out: &mut Vec<u32>) {
        let clean = normalise(text);
        for word in clean.split(char::is_whitespace) {
            let mut start = 0;
            for (at, c) in word.char_indices() {
                if is_punctuation(c) {
                    self.word(&word[start..at], out);
                    start = at + c.len_utf8();
                    self.word(&word[at..start], out);
                }
            }
            self.word(&word[start..], out);
        }
    }

    /// The longest pieces that make the word, or unknown.
    fn word(&self, word: &str, out: &mut Vec<u32>) {
        if word.is_empty() {
            return;
        }
        let before = out.len();
        let mut start = 0;
        let mut candidate = String::new();
        while start < word.len() && word.chars().count() <= MAX_WORD {
            candidate.clear();
            candidate.push_str(if start > 0 { CONTINUED } else { "" });
            let prefix = candidate.len();
            candidate.push_str(&word[start..]);
            let found = loop {
                if candidate.len() == prefix {
                    break None;
                }
                if let Some(&number) = self.pieces.get(&candidate) {
                    break Some(number);
                }
                candidate.pop();
            };
            let Some(number) = found else { break };
            out.push(number);
            start += candidate.len() - prefix;
        }
        if start < word.len() {
            out.truncate(before);
            out.push(self.unknown);
        }
    }
}

/// The first name with a meaning of its own, and where it is.
fn next_special(text: &str) -> Option<(usize, &'static str)> {
    let places = text.match_indices('[').map(|(at, _)| at);
    places
        .filter_map(|at| {
            let name = SPECIAL.iter().find(|name| text[at..].starts_with(**name));
            name.map(|name| (at, *name))
        })
        .next()
}

fn normalise(text: &str) -> String {
    let mut parted = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\0' || c == '\u{fffd}' || is_control(c) {
            continue;
        }
        if is_chinese(c) {
            parted.extend([' ', c, ' ']);
        } else {
            parted.push(if c.is_whitespace() { ' ' } else { c });
        }
    }
    let bare = parted.nfd().filter(|c| !c.is_mark_nonspacing());
    bare.flat_map(char::to_lowercase).collect()
}

fn is_control(c: char) -> bool {
    !matches!(c, '\t' | '\n' | '\r') && c.is_other()
}

fn is_punctuation(c: char) -> bool {
    c.is_ascii_punctuation() || c.is_punctuation()
}

/// The ideographs that stand for words: those of the reference.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x4E00..=0x9FFF
            | 0x3400..=0x4DBF
            | 0x20000..=0x2A6DF
            | 0x2A700..=0x2B73F
            | 0x2B740..=0x2B81F
            | 0x2B920..=0x2CEAF
            | 0xF900..=0xFAFF
            | 0x2F800..=0x2FA1F
    )
}
