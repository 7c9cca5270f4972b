// The memory that a large set of keys takes in a browser: each is made, handed to the page and dropped there.

const KEYS = 40;

onmessage = async ({ data: { wasm, runtime } }) => {
  try {
    const bindings = await import(`/pkg/${wasm}/confide_bench_wasm.js`);
    const { memory } = await bindings.default({ module_or_path: fetch(`/pkg/${wasm}/confide_bench_wasm_bg.wasm`) });
    const keys = new bindings.KeySet();
    const line = { op: "key_set_memory", n: keys.n(), threads: 1, runtime, wasm, keys: KEYS, set_bytes: 0, js_heap_bytes: null };
    const start = performance.now();
    for (let steps = 1; steps <= KEYS; steps += 1) {
      const key = keys.make(steps);
      line.set_bytes += key.length;
      postMessage({ key }, [key.buffer]);
      // Only Chromium tells, and only in coarse steps.
      if (performance.memory) line.js_heap_bytes = Math.max(line.js_heap_bytes, performance.memory.usedJSHeapSize);
    }
    // Linear memory never shrinks: what it has now is its peak.
    postMessage({ lines: [{ ...line, ours_ms: (performance.now() - start) / KEYS, wasm_bytes: memory.buffer.byteLength }] });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
};
