// The page's side of the engine: a worker that holds key, records, socket and calculation,
// so that this thread only draws. Calls are answered by promises; everything else arrives as events.

let worker = null;
let next = 1;
const pending = new Map();
const listeners = new Map();

/** An error that the engine explained: `code`, `blame`, `message`, `remedy`, `detail`. */
export class EngineError extends Error {
  constructor(fields) {
    super(fields.message);
    Object.assign(this, fields);
  }
}

function receive({ data }) {
  if (data.event) {
    for (const listener of listeners.get(data.event) ?? []) listener(data.value);
    return;
  }
  const waiting = pending.get(data.id);
  if (!waiting) return;
  pending.delete(data.id);
  if (data.error) waiting.reject(new EngineError(data.error));
  else waiting.resolve(data.value);
}

/** Starts the worker; a failure to load rejects every call. */
export function start() {
  worker = new Worker("/engine-worker.js", { type: "module", name: "engine" });
  worker.addEventListener("message", receive);
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    for (const waiting of pending.values()) waiting.reject(new EngineError({ code: "CF-0001", message: "", detail: event.message ?? "" }));
    pending.clear();
  });
}

/** Runs `method` in the engine. Buffers in `transfer` move instead of being copied. */
export function call(method, args = {}, transfer = []) {
  return new Promise((resolve, reject) => {
    const id = next++;
    pending.set(id, { resolve, reject });
    worker.postMessage({ id, method, args }, transfer);
  });
}

/** Listens to `connection`, `progress`, `ledger` or `run` events. */
export function on(event, listener) {
  if (!listeners.has(event)) listeners.set(event, []);
  listeners.get(event).push(listener);
}
