// This engine in one variant of its wasm, as operations to time.

/** Loads the variant from `folder`, a path of modules; `wasm` holds its code. */
export async function ours(folder, wasm) {
  const bindings = await import(`${folder}/confide_bench_wasm.js`);
  await bindings.default({ module_or_path: wasm });
  const bench = new bindings.Bench();
  const error = bench.largestError();
  if (!(error < 1e-6)) throw new Error(`${folder}: a ciphertext opened with an error of ${error}`);
  return {
    parameters: { n: bench.n(), log_q: bench.logQ(), log_p: bench.logP(), backend: bench.backend() },
    operations: {
      encode: () => bench.encode(),
      encrypt: () => bench.encrypt(),
      encrypt_seeded: () => bench.encryptSeeded(),
      decrypt_decode: () => bench.decryptDecode(),
      relin_keygen: () => bench.relinKeygen(),
      galois_keygen: () => bench.galoisKeygen(),
    },
    bytes: { relin_key_bytes: bench.relinKeyBytes(), galois_key_bytes: bench.galoisKeyBytes() },
  };
}
