// Loads the calculation engine in the variant that this browser can run.

// A function with one f64x2.relaxed_madd: valid only where relaxed SIMD is built in.
const RELAXED_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 135, 2, 11,
]);

// A function with one i32x4.splat: valid where there is any SIMD, as in all browsers since 2023.
const SIMD_PROBE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 17, 11]);

/** `relaxed` where the fast kernels can run, else `plain`. A browser that can run neither is told so. */
export function variant() {
  if (WebAssembly.validate(RELAXED_PROBE)) return "relaxed";
  if (WebAssembly.validate(SIMD_PROBE)) return "plain";
  throw { code: "CF-0001", message: "", detail: "no SIMD in WebAssembly" };
}

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
