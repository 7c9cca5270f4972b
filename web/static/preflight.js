// What this browser has and lacks for the work, before anything is loaded.

import { breathe } from "./dom.js";
import { variant } from "./engine/wasm.js";

/** Bytes that a first training wants to keep and to hold; half of it is the language model and its vectors. */
const STORAGE = 300e6;
/** Memory that the engine and its helpers need at least, in pages of 64 KiB: 512 MB. */
const PAGES = 8192;
const GIB = 2 ** 30;

const part = (id, state, value = null) => ({ id, state, value });

function engine() {
  try {
    return part("engine", variant() === "relaxed" ? "good" : "warn", variant());
  } catch {
    return part("engine", "bad");
  }
}

function memory() {
  try {
    // Reserved and not written: it costs nothing, and is given back.
    void new WebAssembly.Memory({ initial: PAGES });
  } catch {
    return part("memory", "bad");
  }
  const told = navigator.deviceMemory ?? null;
  return part("memory", told !== null && told < 4 ? "warn" : "good", told === null ? null : told * GIB);
}

async function storage() {
  try {
    const { quota, usage } = await navigator.storage.estimate();
    const free = quota - usage;
    return part("storage", free < STORAGE ? "warn" : "good", free);
  } catch {
    return part("storage", "warn");
  }
}

/** The checks in the order shown: `state` is good, warn (it works, with a drawback) or bad (the work cannot be done). */
export async function inspect() {
  const cores = navigator.hardwareConcurrency || 1;
  const runs = engine();
  await breathe();
  const holds = memory();
  await breathe();
  return [
    runs,
    part("workers", typeof Worker === "function" ? "good" : "bad"),
    holds,
    part("cores", cores > 1 ? "good" : "warn", cores),
    await storage(),
    part("secure", globalThis.isSecureContext && globalThis.crypto?.subtle ? "good" : "warn"),
    part("isolation", globalThis.crossOriginIsolated ? "good" : "warn"),
  ];
}

/** Whether the work cannot be done here. */
export const blocked = (checks) => checks.some(({ state }) => state === "bad");
