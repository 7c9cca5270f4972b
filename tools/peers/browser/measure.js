// Operations of several engines in turn, and what comes of it as lines of numbers.

/** Milliseconds that one engine may take for one operation in one round; it runs at least twice. */
const BUDGET = 150;

const median = (samples) => samples.toSorted((a, b) => a - b)[Math.floor(samples.length / 2)];

function time(operation, samples) {
  const end = performance.now() + BUDGET;
  for (let runs = 0; runs < 2 || performance.now() < end; runs += 1) {
    const start = performance.now();
    operation();
    samples.push(performance.now() - start);
  }
}

/**
 * Times each operation A B A B through the rounds. `engines` are ours by variant and `peer`; answers a line for each
 * operation and variant, with medians.
 */
export function measure({ variants, peer, peerName, rounds, runtime }) {
  const lines = [];
  for (const op of Object.keys(peer.operations)) {
    const samples = { peer: [] };
    for (const name of Object.keys(variants)) samples[name] = [];
    // The first calls run code that is not yet optimised.
    for (const engine of [...Object.values(variants), peer]) time(engine.operations[op], []);
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, engine] of Object.entries(variants)) time(engine.operations[op], samples[name]);
      time(peer.operations[op], samples.peer);
    }
    for (const [name, { parameters }] of Object.entries(variants)) {
      const [ours_ms, peer_ms] = [median(samples[name]), median(samples.peer)];
      lines.push({ op, ...shape(parameters, peer), runtime, wasm: name, backend: parameters.backend, ours_ms, peer: peerName, peer_ms, ratio: peer_ms / ours_ms });
    }
  }
  const [{ parameters, bytes }] = Object.values(variants);
  for (const op of Object.keys(bytes)) {
    const [ours_bytes, peer_bytes] = [bytes[op], peer.bytes[op]];
    lines.push({ op, ...shape(parameters, peer), runtime, ours_bytes, peer: peerName, peer_bytes, ratio: ours_bytes / peer_bytes });
  }
  return lines;
}

const shape = ({ n, log_q, log_p }, { parameters: peer }) => ({ n, log_q, log_p, threads: 1, peer_log_q: peer.log_q, peer_log_p: peer.log_p, peer_primes: peer.primes });
