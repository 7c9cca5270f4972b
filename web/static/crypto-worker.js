// Makes keys and locks records. The seed arrives in the first message and is wiped here once the factory holds it.

import { instantiate } from "./engine/wasm.js";
import { explain } from "./engine/errors.js";

let factory = null;
let queue = Promise.resolve();

const MAKERS = {
  training: (engine, seed, plan) => new engine.Factory(seed, plan),
  inference: (engine, seed, plan) => engine.Factory.ofInference(seed, plan),
  features: (engine, seed, plan, training) => engine.Factory.ofFeatures(seed, plan, training),
};

async function begin({ compiled, seed, plan, kind, training }) {
  const engine = await instantiate(compiled);
  try {
    factory = MAKERS[kind](engine, seed, plan, training);
  } finally {
    seed.fill(0);
  }
}

async function handle(data) {
  try {
    if (data.compiled) return await begin(data);
    const made = factory.make(data.task.job, data.task.slots ?? undefined);
    const value = { digest: made.digest, kind: made.kind, bytes: made.takeBytes() };
    made.free();
    return postMessage({ value }, [value.bytes.buffer]);
  } catch (error) {
    return postMessage({ error: explain(error) });
  }
}

onmessage = ({ data }) => {
  queue = queue.then(() => handle(data));
};
