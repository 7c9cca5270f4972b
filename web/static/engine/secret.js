// Secrets in JavaScript's memory: as few copies as possible, each wiped after use.

/** Hands the key's seed to `use` and wipes it afterwards. */
export function withSeed(key, use) {
  const seed = key.seed();
  try {
    return use(seed);
  } finally {
    seed.fill(0);
  }
}

/** The same for all that is kept of a key: seed and token. */
export async function withSecret(key, use) {
  const secret = key.secret();
  try {
    return await use(secret);
  } finally {
    secret.fill(0);
  }
}
