//! How long the page's readers take for one text and one picture, warm: figures for the documentation.

use confide_tests::pictures;
use serde_json::{Value, json};

use crate::figures::{long_tasks, observe};
use crate::page::Page;

/// Items that are timed.
const ROUNDS: usize = 21;

/// A reader of its own, as `engine/reading.js` starts them; answers the median of its milliseconds.
const TIME: &str = "
    const [kind, parts, item, rounds, done] = arguments;
    const load = async (part) => typeof part === 'string' ? new Uint8Array(await (await fetch(part)).arrayBuffer()) : Uint8Array.from(part);
    const read = async () => {
      const { compile } = await import('/engine/wasm.js');
      const worker = new Worker('/reader-worker.js', { type: 'module' });
      const ask = (message) => new Promise((resolve, reject) => {
        worker.onmessage = ({ data }) => (data.error ? reject(data.error) : resolve(data));
        worker.postMessage(message);
      });
      await ask({ compiled: await compile(), kind, parts: await Promise.all(parts.map(load)) });
      const given = typeof item === 'string' ? item : new Blob([Uint8Array.from(item)]);
      const times = [];
      for (let place = 0; place <= rounds; place += 1) {
        const begun = performance.now();
        await ask({ place, item: given });
        times.push(performance.now() - begun);
      }
      worker.terminate();
      return times.slice(1).sort((a, b) => a - b)[rounds >> 1];
    };
    read().then(done, (error) => done(String(error.detail ?? error)));
";

async fn milliseconds(page: &Page, kind: &str, parts: Value, item: Value) -> f64 {
    let arguments = vec![json!(kind), parts, item, json!(ROUNDS)];
    let answer = page.browser.client.execute_async(TIME, arguments).await;
    let answer = answer.expect("the script runs");
    let median = answer.as_f64();
    median.unwrap_or_else(|| panic!("{answer}"))
}

/// A grey picture of 64 x 64 pixels.
fn scan() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 64, 64);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().expect("a header");
    let samples = confide_model::pattern(1, [1, 64, 64]);
    writer.write_image_data(&samples).expect("pixels");
    writer.finish().expect("an end");
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; needs the language model and a machine that does nothing else"]
async fn browser_reads_a_text_and_a_picture() {
    let page = Page::prepare("readers").await;
    observe(&page).await;
    page.visit().await;
    page.wait("#begin").await;
    // 126 words of one piece each, between the two marks of a text.
    let text = ["pain"; 126].join(" ");
    let parts = json!(["/text-model.safetensors"]);
    let text = milliseconds(&page, "TextReader", parts, json!(text)).await;
    println!("a text of 128 tokens: {text:.1} ms");
    let folder = pictures::models().join("resnet8-mednist-3");
    let parts: Vec<Vec<u8>> = ["card.json", "weights.safetensors"]
        .map(|name| std::fs::read(folder.join(name)).expect("a file"))
        .to_vec();
    let picture = milliseconds(&page, "PictureReader", json!(parts), json!(scan())).await;
    println!("a picture by resnet8-mednist-3: {picture:.1} ms");
    println!("tasks above 50 ms: {:?}", long_tasks(&page).await);
    page.close().await;
}
