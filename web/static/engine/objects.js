// Makes the objects of a plan in the pool and uploads them, a few at a time, skipping what the worker already has.

import { poolSize } from "./pool.js";

/** Objects in memory beside those in the making. */
const WAITING = 2;

const nameOf = (job) => JSON.stringify(job);

/**
 * Makes and uploads. `source` lists items and gives their slots; `kept` holds digests of an earlier attempt.
 * `onProgress` hears of keys, locked objects and bytes; `onMade` of every new digest; `stopped` ends it early.
 */
export async function sendObjects({ service, pool, source, items, kept, onProgress, onMade, stopped }) {
  const known = new Map((kept ?? []).map(({ job, digest }) => [nameOf(job), digest]));
  const missing = known.size > 0 ? await service.have([...known.values()]) : null;
  const total = items.reduce((sum, item) => sum + item.bytes, 0);
  const counts = { key: [0, 0], locked: [0, 0] };
  let unmade = 0;
  const todo = [];
  for (const item of items) {
    const digest = known.get(nameOf(item.job));
    const there = digest !== undefined && !missing.has(digest);
    counts[item.form][1] += 1;
    if (there) {
      source.setDigest(item.job, digest);
      counts[item.form][0] += 1;
    } else {
      todo.push(item);
      unmade += item.bytes;
    }
  }
  const tell = () => onProgress({ keys: counts.key, locked: counts.locked, sent: Math.max(0, total - unmade - service.link.bytesPending), total });
  tell();
  const uploads = [];
  const stop = service.onChange(tell);
  const room = async () => {
    while (service.link.uploadsPending >= poolSize() + WAITING && !stopped()) await new Promise((resolve) => setTimeout(resolve, 15));
  };
  const lane = async () => {
    for (let item = todo.shift(); item && !stopped(); item = todo.shift()) {
      const slots = source.slots(item.job);
      const made = await pool.run({ job: item.job, slots }, slots ? [slots.buffer] : []);
      source.setDigest(item.job, made.digest);
      onMade?.();
      counts[item.form][0] += 1;
      unmade -= item.bytes;
      await room();
      const upload = service.upload(item.job, made);
      // Failures are seen below; this keeps them from being reported as unhandled before.
      upload.catch(() => {});
      uploads.push(upload);
      tell();
    }
  };
  try {
    await Promise.all(Array.from({ length: poolSize() }, lane));
    await Promise.all(uploads);
    tell();
  } finally {
    stop();
  }
}
