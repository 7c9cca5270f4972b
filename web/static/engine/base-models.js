// Base models for pictures: offered by the worker, fetched and checked by digest, and run in workers on the pictures of a list.

import { forget, keep, kept, readAll } from "./reading.js";

const CACHE = "confide-base-model";
/** Largest files that are fetched. */
const MOST_CARD = 4 << 20;
const MOST_WEIGHTS = 256 << 20;
const UNUSABLE = "CC-1030";

const WITHHELD = {
  code: "CC-1035",
  blame: "Worker",
  message: "The compute service has no such base model, or keeps its weights to itself.",
  remedy: "Choose another base model, or ask whoever runs the service.",
};

/** A file of the worker's; the session checks its digest. */
async function download(service, { digest, bytes }, most) {
  if (bytes > most) throw WITHHELD;
  await service.download(digest, most);
  return service.link.takeFile(digest);
}

/** The models that pictures can be read with here: what their cards say, and the bytes of their weights. */
export async function baseModels({ engine, service }) {
  const found = [];
  for (const { card, weights } of await service.models()) {
    if (!weights) continue;
    try {
      found.push({ ...engine.aboutBaseModel(await download(service, card, MOST_CARD)), bytes: weights.bytes });
    } catch (error) {
      // A network without features is of no use here.
      if (error?.code !== UNUSABLE) throw error;
    }
  }
  return found;
}

/** Card and weights of a model. Weights are kept; whoever reads them checks that they belong to the card. */
async function fetchModel(service, name) {
  const entry = (await service.models()).find((one) => one.name === name);
  if (!entry?.weights) throw WITHHELD;
  const card = await download(service, entry.card, MOST_CARD);
  const address = `/base-model?${entry.weights.digest}`;
  const found = await kept(CACHE, address);
  if (found) return { card, weights: new Uint8Array(await found.arrayBuffer()), address };
  const weights = await download(service, entry.weights, MOST_WEIGHTS);
  await keep(CACHE, address, weights);
  return { card, weights };
}

/**
 * Features of pictures: of each one a file, or `{ error }` that says why there is none. Answers which model made them, the features
 * one after the other, and what was refused. `check` sees the card before anything is read.
 */
export async function readPictures({ engine, compiled, service, name, files, check = () => {}, onProgress, signal }) {
  onProgress({ phase: "base", done: 0, total: 1 });
  const { card, weights } = await fetchModel(service, name);
  check(card);
  const about = engine.aboutBaseModel(card);
  const places = files.flatMap((file, place) => (file.error ? [] : [place]));
  const missing = files.flatMap((file, place) => (file.error ? [{ place, ...file.error }] : []));
  const items = places.map((place) => files[place]);
  try {
    const read = await readAll({ compiled, kind: "PictureReader", parts: [card, weights], items, phase: "pictures", onProgress, signal });
    const length = read.vectors.length / (items.length || 1);
    const vectors = new Float32Array(files.length * length);
    places.forEach((place, index) => vectors.set(read.vectors.subarray(index * length, (index + 1) * length), place * length));
    const refused = [...missing, ...read.refused.map((one) => ({ ...one, place: places[one.place] }))];
    return { source: { name: about.name, card: about.card }, vectors, refused: refused.sort((a, b) => a.place - b.place) };
  } catch (error) {
    // Weights that were kept and are damaged are fetched again.
    if (error?.code === UNUSABLE) await forget(CACHE);
    throw error;
  }
}
