// The language model: fetched once from the page's own server, kept, and run in workers on the texts of a file.

import { forget, keep, kept, readAll } from "./reading.js";

const ADDRESS = "/text-model.safetensors";
const CACHE = "confide-text-model";
/** Bytes of the model, where the server does not say. */
const EXPECTED = 23_300_000;

const MISSING = {
  code: "CC-1016",
  blame: "Worker",
  message: "This page has no language model for written records.",
  remedy: "Whoever serves the page runs `cargo xtask text-model` and builds the page again.",
};

/** Bytes of the model. The digest is checked by whoever reads them. */
async function fetchModel(digest, onProgress, signal) {
  const name = `${ADDRESS}?${digest}`;
  const found = await kept(CACHE, name);
  if (found) return found.arrayBuffer();
  const response = await fetch(ADDRESS, { cache: "no-store", signal });
  if (!response.ok) throw MISSING;
  const total = Number(response.headers.get("content-length")) || EXPECTED;
  const parts = [];
  let done = 0;
  for (const stream = response.body.getReader(); ; ) {
    const { value, done: end } = await stream.read();
    if (end) break;
    parts.push(value);
    done += value.length;
    onProgress({ phase: "model", done, total });
  }
  const bytes = await new Blob(parts).arrayBuffer();
  await keep(CACHE, name, bytes);
  return bytes;
}

/** Vectors of the texts, one after the other in one array. */
export async function readTexts({ compiled, digest, texts, onProgress, signal }) {
  if (texts.length === 0) return new Float32Array(0);
  const bytes = await fetchModel(digest, onProgress, signal);
  try {
    const { vectors, refused } = await readAll({ compiled, kind: "TextReader", parts: [bytes], items: texts, phase: "texts", onProgress, signal });
    // No text is refused; a reader that fails at one is at fault.
    if (refused.length > 0) throw refused[0];
    return vectors;
  } catch (error) {
    // A model that was kept and is another one is fetched again.
    if (error?.code === MISSING.code) await forget(CACHE);
    throw error;
  }
}
