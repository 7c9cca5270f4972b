//! Times the embedding of a window of 128 tokens: `speed MODEL [ROUNDS]`. One JSON object a line.

use confide_text::TextModel;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("give the file of the model")?;
    let rounds = arguments.next().map_or(Ok(20), |rounds| rounds.parse())?;
    let bytes = std::fs::read(path)?;
    let start = Instant::now();
    let model = TextModel::read(&bytes)?;
    let load = start.elapsed().as_secs_f64() * 1e3;
    let text = "pain ".repeat(126);
    let tokens: usize = model.windows(&text).iter().map(Vec::len).sum();
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(model.embed(&text));
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "{{\"tokens\":{tokens},\"load_ms\":{load:.1},\"median_ms\":{:.1},\"least_ms\":{:.1}}}",
        times[times.len() / 2],
        times[0]
    );
    Ok(())
}
