//! The language model in a browser.
#![cfg(target_arch = "wasm32")]

mod same_bits;

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn a_browser_gives_the_bits_of_a_terminal() {
    assert_eq!(same_bits::digest(), same_bits::DIGEST);
}
