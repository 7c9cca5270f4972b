//! Networks in a browser, where pictures of setup 2 are read.
#![cfg(target_arch = "wasm32")]

mod known;

use confide_model::Card;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn a_browser_finds_the_known_answers() {
    let files: [[&[u8]; 3]; 2] = [
        [
            include_bytes!("../../../models/tiny/card.json"),
            include_bytes!("../../../models/tiny/weights.safetensors"),
            include_bytes!("../../../models/tiny/golden.json"),
        ],
        [
            include_bytes!("../../../models/resnet8-mednist-3/card.json"),
            include_bytes!("../../../models/resnet8-mednist-3/weights.safetensors"),
            include_bytes!("../../../models/resnet8-mednist-3/golden.json"),
        ],
    ];
    for [card, weights, golden] in files {
        let card = Card::parse(card).expect("a card");
        let weights = card.read_weights(weights).expect("its weights");
        let golden = card.read_golden(golden).expect("its known answers");
        known::check(&card, &weights, &golden);
    }
}
