// Loads the calculation engine in the variant that this browser can run.

// A function with one f64x2.relaxed_madd: valid only where relaxed SIMD is built in.
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 135, 2, 11,
]);

/** `relaxed` where the fast kernels can run, else `plain`. */
export const variant = () => (WebAssembly.validate(RELAXED_PROBE) ? "relaxed" : "plain");

/** Compiles the engine once; the module can be posted to other workers. */
export async function compile(name = variant()) {
  const module = await WebAssembly.compileStreaming(fetch(`/pkg/${name}/confide_web_bg.wasm`));
  return { name, module };
}

/** Starts an instance of a compiled engine in this worker and answers its functions. */
export async function instantiate({ name, module }) {
  const bindings = await import(`/pkg/${name}/confide_web.js`);
  await bindings.default({ module_or_path: module });
  return bindings;
}
