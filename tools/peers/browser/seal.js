// Microsoft SEAL through node-seal, as the same operations.

/** log2 of the scale of messages. */
const LOG_SCALE = 40;

/** Bit lengths of `count` primes that make `bits` together. */
function primes(bits, count) {
  const each = Math.floor(bits / count);
  return Array.from({ length: count }, (_, index) => each + (index < bits - each * count ? 1 : 0));
}

/**
 * `start` is node-seal's factory; `bits` and `count` describe all primes, the last of which is SEAL's only special one.
 * Objects are freed at once: SEAL's memory lies in wasm, where no collector sees it.
 */
export async function seal(start, n, bits, count) {
  const lib = await start();
  const chain = primes(bits, count).reverse();
  const literal = new lib.EncryptionParameters(lib.SchemeType.ckks);
  literal.setPolyModulusDegree(n);
  literal.setCoeffModulus(lib.CoeffModulus.Create(n, Int32Array.from(chain)));
  const context = new lib.SEALContext(literal, true, lib.SecLevelType.tc128);
  if (!context.parametersSet()) throw new Error(`SEAL refuses ${count} primes of ${bits} bits at N = ${n}`);
  const generator = new lib.KeyGenerator(context);
  const secret = generator.secretKey();
  const encryptor = new lib.Encryptor(context, generator.createPublicKey(), secret);
  const decryptor = new lib.Decryptor(context, secret);
  const encoder = new lib.CKKSEncoder(context);
  const scale = 2 ** LOG_SCALE;
  const values = Float64Array.from({ length: n / 2 }, (_, slot) => Math.sin(slot));
  const plain = new lib.Plaintext();
  const ciphertext = new lib.Ciphertext();
  const target = { plain: new lib.Plaintext(), ciphertext: new lib.Ciphertext() };
  encoder.encode(values, scale, plain);
  encryptor.encrypt(plain, ciphertext);
  const decryptDecode = () => {
    decryptor.decrypt(ciphertext, target.plain);
    return encoder.decodeFloat64(target.plain);
  };
  const error = decryptDecode().reduce((worst, value, slot) => Math.max(worst, Math.abs(value - values[slot])), 0);
  if (!(error < 1e-4)) throw new Error(`SEAL: a ciphertext opened with an error of ${error}`);
  const size = (made) => {
    const { length } = made.saveToArray(lib.ComprModeType.zstd);
    made.delete();
    return length;
  };
  const turn = Int32Array.of(1);
  return {
    parameters: { log_q: bits - chain.at(-1), log_p: chain.at(-1), primes: count },
    operations: {
      encode: () => encoder.encode(values, scale, target.plain),
      encrypt: () => encryptor.encrypt(plain, target.ciphertext),
      encrypt_seeded: () => encryptor.encryptSymmetricSerializable(plain).delete(),
      decrypt_decode: decryptDecode,
      relin_keygen: () => generator.createRelinKeysSerializable().delete(),
      galois_keygen: () => generator.createGaloisKeysSerializableWithSteps(turn).delete(),
    },
    bytes: {
      relin_key_bytes: size(generator.createRelinKeysSerializable()),
      galois_key_bytes: size(generator.createGaloisKeysSerializableWithSteps(turn)),
    },
  };
}
