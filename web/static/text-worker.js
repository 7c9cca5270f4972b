// Reads written records with the language model, away from every other thread. Texts and vectors stay in this browser.

import { instantiate } from "./engine/wasm.js";
import { explain } from "./engine/errors.js";

let reader = null;
let queue = Promise.resolve();

async function handle({ compiled, bytes, place, text }) {
  try {
    if (compiled) {
      const engine = await instantiate(compiled);
      // An ArrayBuffer would pass as no bytes at all.
      reader = new engine.TextReader(new Uint8Array(bytes));
      return postMessage({ ready: true });
    }
    const vector = reader.embed(text);
    return postMessage({ place, vector }, [vector.buffer]);
  } catch (error) {
    return postMessage({ error: explain(error) });
  }
}

onmessage = ({ data }) => {
  queue = queue.then(() => handle(data));
};
