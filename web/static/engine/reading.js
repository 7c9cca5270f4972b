// Texts or pictures read by workers, one a core: each becomes a vector, or says why it cannot be used.

import { poolSize } from "./pool.js";

/** What a reading ends with when the user stopped it. */
export const STOPPED = { code: "CF-0020", message: "", detail: "stopped by the user" };
const UNREADABLE = { message: "The file cannot be opened.", remedy: "If it was moved or changed meanwhile, choose it again." };

/** The file that is kept under that name, or nothing where the browser keeps none. */
export const kept = async (cache, name) => {
  try {
    return await (await caches.open(cache)).match(name);
  } catch {
    return undefined;
  }
};

/** Keeps a file for the next time, of the cache's files this one only. */
export async function keep(cache, name, bytes) {
  try {
    await caches.delete(cache);
    await (await caches.open(cache)).put(name, new Response(bytes));
  } catch {
    // It is fetched again next time.
  }
}

/** Forgets what is kept. */
export const forget = (cache) => caches.delete(cache).catch(() => {});

/**
 * Reads `items` with the engine's reader `kind`, made of `parts`. Answers `vectors`, one after the other in an array of the reader's
 * type, and `refused`, each with its `place`; the vector of a refused item holds zeros. `signal` ends it.
 */
export async function readAll({ compiled, kind, parts, items, phase, onProgress, signal }) {
  if (items.length === 0) return { vectors: new Float32Array(0), refused: [] };
  const workers = [];
  const refused = [];
  let begun = 0;
  let vectors = null;
  let next = 0;
  let done = 0;
  const progress = () => {
    const seconds = (performance.now() - begun) / 1000;
    onProgress({ phase, done, total: items.length, seconds: (seconds / done) * (items.length - done) });
  };
  try {
    await new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", () => reject(signal.reason));
      const give = (worker) => {
        if (next < items.length) worker.postMessage({ place: next, item: items[next++] });
        else if (done === items.length) resolve();
      };
      const receive = (worker, { error, place, vector }) => {
        if (error && place === undefined) return reject(error);
        begun ||= performance.now();
        if (error) refused.push({ place, ...error, ...(error.message ? {} : UNREADABLE) });
        if (vector) {
          vectors ??= new vector.constructor(items.length * vector.length);
          vectors.set(vector, place * vector.length);
        }
        if (error || vector) {
          done += 1;
          progress();
        }
        return give(worker);
      };
      for (let index = 0; index < Math.min(poolSize(), items.length); index += 1) {
        const worker = new Worker("/reader-worker.js", { type: "module", name: `reader-${index + 1}` });
        workers.push(worker);
        worker.onmessage = ({ data }) => receive(worker, data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject({ code: "CF-0008", message: "", detail: event.message ?? "" });
        };
        worker.postMessage({ compiled, kind, parts });
      }
    });
  } finally {
    for (const worker of workers) worker.terminate();
  }
  return { vectors: vectors ?? new Float32Array(0), refused: refused.sort((a, b) => a.place - b.place) };
}
