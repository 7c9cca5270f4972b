// The same measurement in Node: `node --experimental-wasm-relaxed-simd node.mjs FOLDER ROUNDS PRIMES PEER`.

import { readFile } from "node:fs/promises";
import { measure } from "./measure.js";
import { ours } from "./ours.js";
import { seal } from "./seal.js";

const [folder, rounds, primes, peerName] = process.argv.slice(2);
const { default: initialize } = await import(`${folder}/node-seal/index_throws.js`);
const variants = {};
for (const name of ["relaxed", "plain"]) {
  const wasm = await readFile(`${folder}/pkg/${name}/confide_bench_wasm_bg.wasm`);
  if (WebAssembly.validate(wasm)) variants[name] = await ours(`${folder}/pkg/${name}`, wasm);
}
const { n, log_q, log_p } = variants.plain.parameters;
const peer = await seal(initialize, n, log_q + log_p, Number(primes));
for (const line of measure({ variants, peer, peerName, rounds: Number(rounds), runtime: `Node ${process.versions.node}` })) console.log(JSON.stringify(line));
