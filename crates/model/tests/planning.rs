//! The planner weighs all levels at once against few levels with bootstraps.

use std::path::PathBuf;

use confide_model::inference::plan;
use confide_model::samples::{Placement, resnet};
use confide_model::{Card, InferenceRequest};

/// The card of ResNet-20 with `blocks` blocks a stage instead of 3.
fn card(blocks: usize) -> Card {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/resnet20-cifar10");
    let text = std::fs::read_to_string(folder.join("card.json")).expect("a card");
    let mut card: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let network = resnet([3, 32, 32], &[16, 32, 64], blocks, 10, Placement::Branch);
    for layer in &network.layers {
        card["ranges"]["bound"][&layer.name] = 16.0.into();
    }
    card["levels"] = network.levels().into();
    card["architecture"] = serde_json::to_value(&network).expect("JSON");
    Card::parse(card.to_string().as_bytes()).expect("a card")
}

fn request(card: &Card, images: usize, gigabytes: u64) -> InferenceRequest {
    InferenceRequest {
        max_memory_bytes: gigabytes * 1_000_000_000,
        ..InferenceRequest::new(card, images)
    }
}

#[test]
fn a_network_beyond_every_ring_is_bootstrapped() {
    let card = card(9);
    assert_eq!(card.levels, 111);
    let request = request(&card, 512, 16);
    let found = plan(&card, &request, &Default::default()).expect("a plan");
    assert!(found.choice.entry.is_some() && found.choice.log_n == 16);
    assert!(found.costs.memory_bytes <= request.max_memory_bytes);
    assert!(found.bytes.keys < 1_500_000_000, "{}", found.bytes.keys);
    found.check(&card, &request).expect("its own plan");
    let text = found.to_string();
    assert!(text.contains("then bootstraps where blocks"), "{text}");
    println!("{text}");
}

#[test]
fn bootstraps_are_chosen_where_the_levels_of_a_whole_network_do_not_fit_the_memory() {
    let card = card(3);
    let [ample, scarce] = [16, 10].map(|gigabytes| {
        let request = request(&card, 512, gigabytes);
        let found = plan(&card, &request, &Default::default()).expect("a plan");
        println!("{found}");
        assert!(found.costs.memory_bytes <= request.max_memory_bytes);
        found
    });
    assert!(ample.choice.entry.is_none() && scarce.choice.entry.is_some());
    assert!(ample.costs.worker_seconds() < scarce.costs.worker_seconds());
}
