// Reads texts with the language model, or pictures with a base model, away from every other thread. What is read and what is
// made of it stay in this browser.

import { instantiate } from "./engine/wasm.js";
import { explain } from "./engine/errors.js";

let reader = null;
let queue = Promise.resolve();

/** Files are opened here, one at a time. An ArrayBuffer would pass as no bytes at all. */
const content = async (item) => (item instanceof Blob ? new Uint8Array(await item.arrayBuffer()) : item);

/** An item that cannot be read is an answer; without a reader there is none. */
async function handle({ compiled, kind, parts, place, item }) {
  try {
    if (compiled) {
      const engine = await instantiate(compiled);
      reader = new engine[kind](...parts.map((part) => new Uint8Array(part)));
      return postMessage({ ready: true });
    }
    const vector = reader.read(await content(item));
    return postMessage({ place, vector }, [vector.buffer]);
  } catch (error) {
    return postMessage({ place, error: explain(error) });
  }
}

onmessage = ({ data }) => {
  queue = queue.then(() => handle(data));
};
