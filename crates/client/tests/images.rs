//! Heads on encrypted images: how many of them train.

use confide_client::workflow::WorkerFacts;
use confide_client::workflow::classify::NamedImage;
use confide_client::workflow::images::{ImageOptions, ImageSetup};
use confide_train::TrainingPlan;
use std::path::Path;

const FACTS: WorkerFacts = WorkerFacts {
    threads: 2,
    memory_bytes: 16 << 30,
    max_client_bytes: 8 << 30,
};

/// A file of the network for 32 x 32 images.
fn file(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/resnet20-cifar10-5"
    );
    std::fs::read(Path::new(folder).join(name)).expect("a file")
}

/// Images of 32 x 32 in five classes by turns.
fn setup(count: usize) -> ImageSetup {
    setup_of(count, |_| vec![0; 3 * 32 * 32])
}

fn setup_of(count: usize, pixels: impl Fn(usize) -> Vec<u8>) -> ImageSetup {
    let card = file("card.json");
    let image = |i| NamedImage {
        name: format!("{i}.png"),
        pixels: pixels(i),
        class: None,
    };
    let labels: Vec<String> = (0..count).map(|i| format!("class {}", i % 5)).collect();
    let images = (0..count).map(image).collect();
    ImageSetup::new(&card, images, &labels, ImageOptions::default()).expect("valid images")
}

/// Ciphertexts of features hold 512 images each: of 1,025 images 1,024 fill two.
#[test]
fn as_many_images_train_as_fill_ciphertexts_equally() {
    for (count, train) in [(1280, 1024), (640, 510), (645, 514)] {
        let setup = setup(count);
        assert_eq!(setup.counts(), [train, count - train]);
        let plan = TrainingPlan::of_request(&setup.request(&FACTS), &Default::default());
        let plan = confide_protocol::to_bytes(&plan.expect("a plan")).expect("encodes");
        setup.accept(&plan, &FACTS).expect("equally full");
    }
}

/// A smooth image is like a photograph; coloured noise is like none, and squares of squares of it have no bound.
#[test]
fn images_that_the_model_was_not_made_for_are_told_of() {
    let smooth = |_| -> Vec<u8> { (0..3 * 1024).map(|i| (96 + i % 32) as u8).collect() };
    let noise = || -> Vec<u8> {
        let pixel = |i: usize| {
            let (channel, y, x) = (i / 1024, i / 32 % 32, i % 32);
            ((channel * 7919 + y * 104_729 + x * 1_299_709 + x * y * 31) % 251) as u8
        };
        (0..3 * 1024).map(pixel).collect()
    };
    let weights = file("weights.safetensors");
    let usual = setup_of(40, smooth);
    assert_eq!(usual.trial(&weights).expect("the card's weights"), None);
    let odd = setup_of(40, |i| if i % 10 == 0 { noise() } else { smooth(i) });
    let note = odd.trial(&weights).expect("the card's weights");
    let note = note.expect("noise");
    assert!(note.starts_with("4 of 8 images"), "{note}");
    let damaged = odd.trial(&weights[1..]).expect_err("other weights");
    assert_eq!(damaged.code, "CC-5040");
}
