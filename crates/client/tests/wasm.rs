//! Keys in a browser: the module's memory, which never shrinks, does not grow with their number.
#![cfg(target_arch = "wasm32")]

mod key_set;

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn forty_keys_need_no_more_than_two() {
    let literal = key_set::small();
    let factory = key_set::factory(&literal);
    key_set::make(&factory, &literal, 1..3);
    let pages = core::arch::wasm32::memory_size(0);
    let bytes = key_set::make(&factory, &literal, 3..41);
    assert!(bytes > 110_000_000);
    assert_eq!(core::arch::wasm32::memory_size(0), pages);
}
