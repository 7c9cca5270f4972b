// The language model: fetched once from the page's own server, kept, and run in workers on the texts of a file.

import { poolSize } from "./pool.js";

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

/** The kept model of that digest, or nothing where the browser keeps none. */
const kept = async (name) => {
  try {
    return await (await caches.open(CACHE)).match(name);
  } catch {
    return undefined;
  }
};

async function keep(name, bytes) {
  try {
    // One model at a time: an older one is of no use.
    await caches.delete(CACHE);
    await (await caches.open(CACHE)).put(name, new Response(bytes));
  } catch {
    // It is fetched again next time.
  }
}

/** Bytes of the model. The digest is checked by whoever reads them. */
async function fetchModel(digest, onProgress) {
  const name = `${ADDRESS}?${digest}`;
  const found = await kept(name);
  if (found) return found.arrayBuffer();
  const response = await fetch(ADDRESS, { cache: "no-store" });
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
  await keep(name, bytes);
  return bytes;
}

/** Vectors of the texts, one after the other in one array; as many workers as cores read them. */
export async function readTexts({ compiled, digest, texts, onProgress }) {
  if (texts.length === 0) return new Float32Array(0);
  const bytes = await fetchModel(digest, onProgress);
  const workers = [];
  let begun = 0;
  let vectors = null;
  let next = 0;
  let done = 0;
  const progress = () => {
    const seconds = (performance.now() - begun) / 1000;
    onProgress({ phase: "texts", done, total: texts.length, seconds: done > 0 ? (seconds / done) * (texts.length - done) : null });
  };
  try {
    await new Promise((resolve, reject) => {
      const give = (worker) => {
        if (next < texts.length) worker.postMessage({ place: next, text: texts[next++] });
        else if (done === texts.length) resolve();
      };
      const receive = (worker, { error, place, vector }) => {
        if (error) return reject(error);
        begun ||= performance.now();
        if (vector) {
          vectors ??= new Float32Array(texts.length * vector.length);
          vectors.set(vector, place * vector.length);
          done += 1;
          progress();
        }
        return give(worker);
      };
      for (let index = 0; index < Math.min(poolSize(), texts.length); index += 1) {
        const worker = new Worker("/text-worker.js", { type: "module", name: `text-${index + 1}` });
        workers.push(worker);
        worker.onmessage = ({ data }) => receive(worker, data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject({ code: "CF-0008", message: "", detail: event.message ?? "" });
        };
        worker.postMessage({ compiled, bytes });
      }
    });
  } catch (error) {
    // A model that was kept and is another one is fetched again.
    if (error?.code === MISSING.code) await caches.delete(CACHE).catch(() => {});
    throw error;
  } finally {
    for (const worker of workers) worker.terminate();
  }
  return vectors;
}
