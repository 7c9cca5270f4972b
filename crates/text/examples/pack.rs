//! Makes the file of a language model: `pack FOLDER OUT` with `model.safetensors` and `vocab.txt` in the folder.

use confide_text::quantise;
use std::path::PathBuf;

/// Attention heads of all-MiniLM-L6-v2 (`num_attention_heads` of its config.json).
const HEADS: u8 = 12;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(folder), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err(
            "give a folder with model.safetensors and vocab.txt, and a file to write".into(),
        );
    };
    let weights = std::fs::read(folder.join("model.safetensors"))?;
    let words = std::fs::read_to_string(folder.join("vocab.txt"))?;
    let packed = quantise(&weights, &words, HEADS)?;
    // Through another name, so that a file that is there is whole.
    let part = out.with_extension("part");
    std::fs::write(&part, &packed)?;
    std::fs::rename(&part, &out)?;
    println!("{}", blake3::hash(&packed).to_hex());
    Ok(())
}
