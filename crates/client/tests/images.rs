//! Heads on encrypted images: how many of them train.

use confide_client::workflow::WorkerFacts;
use confide_client::workflow::classify::NamedImage;
use confide_client::workflow::images::{ImageOptions, ImageSetup};
use confide_train::TrainingPlan;

const FACTS: WorkerFacts = WorkerFacts {
    threads: 2,
    memory_bytes: 16 << 30,
    max_client_bytes: 8 << 30,
};

/// Images of 32 x 32 in five classes by turns.
fn setup(count: usize) -> ImageSetup {
    let card = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../models/resnet20-cifar10-5/card.json"
    );
    let card = std::fs::read(card).expect("a card");
    let image = |i| NamedImage {
        name: format!("{i}.png"),
        pixels: vec![0; 3 * 32 * 32],
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
