//! Milliseconds an image of a network in the clear, on one thread: the fast evaluation beside the direct one.
//!
//! `cargo run --release -p confide-model --example forward_speed -- models/resnet20-cifar10`

use std::path::PathBuf;
use std::time::Instant;

use confide_model::{Forward, Model, ModelError, pattern, reference};

const IMAGES: usize = 100;
const DIRECT: usize = 3;

fn main() -> Result<(), ModelError> {
    for folder in std::env::args_os().skip(1).map(PathBuf::from) {
        let model = Model::read(&folder)?;
        let (card, weights) = (&model.card, &model.weights);
        let network = &card.architecture;
        let layer = card.feature_layer().unwrap_or_else(|| network.output());
        let forward = Forward::new(network, weights, layer)?;
        let image = card.normalise(&pattern(1, card.input.shape))?;
        let milliseconds = |times: usize, run: &dyn Fn() -> Result<(), ModelError>| {
            run()?;
            let begun = Instant::now();
            (0..times).try_for_each(|_| run())?;
            Ok::<_, ModelError>(begun.elapsed().as_secs_f64() * 1000.0 / times as f64)
        };
        let fast = milliseconds(IMAGES, &|| forward.run(&image).map(drop))?;
        let direct = milliseconds(DIRECT, &|| {
            reference::run(network, weights, &image).map(drop)
        })?;
        println!(
            "{{\"model\":\"{}\",\"ms\":{fast:.2},\"direct_ms\":{direct:.2}}}",
            card.name
        );
    }
    Ok(())
}
