// The measurement in a browser: everything runs here, off the page's thread, as the product does.

import initialize from "/node-seal/index_throws.js";
import { measure } from "./measure.js";
import { ours } from "./ours.js";
import { seal } from "./seal.js";

// The same probe as the page's loader: one f64x2.relaxed_madd.
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 135, 2, 11,
]);

onmessage = async ({ data: { rounds, primes, peerName, runtime } }) => {
  try {
    const variants = {};
    for (const name of WebAssembly.validate(RELAXED_PROBE) ? ["relaxed", "plain"] : ["plain"]) {
      variants[name] = await ours(`/pkg/${name}`, fetch(`/pkg/${name}/confide_bench_wasm_bg.wasm`));
    }
    const { n, log_q, log_p } = variants.plain.parameters;
    const peer = await seal(initialize, n, log_q + log_p, primes);
    postMessage({ lines: measure({ variants, peer, peerName, rounds, runtime }) });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
};
