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

/**
 * The models that can read pictures: what their cards say, and the bytes of their weights. `bytes` is null where the service keeps the
 * weights to itself, so that pictures can only be read there, locked; `heads` says whether that is possible.
 */
export async function baseModels({ engine, service }) {
  const found = [];
  for (const { card, weights } of await service.models()) {
    try {
      const about = engine.aboutBaseModel(await service.file(card, MOST_CARD));
      if (weights || about.heads) found.push({ ...about, bytes: weights?.bytes ?? null });
    } catch (error) {
      // A network without features is of no use here.
      if (error?.code !== UNUSABLE) throw error;
    }
  }
  return found;
}

/** What the worker says of a model. */
async function entryOf(service, name) {
  const entry = (await service.models()).find((one) => one.name === name);
  if (!entry) throw WITHHELD;
  return entry;
}

/** Card and weights of a model. Weights are kept; whoever reads them checks that they belong to the card. */
async function fetchModel(service, name) {
  const entry = await entryOf(service, name);
  if (!entry.weights) throw WITHHELD;
  const card = await service.file(entry.card, MOST_CARD);
  const address = `/base-model?${entry.weights.digest}`;
  const found = await kept(CACHE, address);
  if (found) return { card, weights: new Uint8Array(await found.arrayBuffer()), address };
  const weights = await service.file(entry.weights, MOST_WEIGHTS);
  await keep(CACHE, address, weights);
  return { card, weights };
}

/** Reads all with a model's weights. Those that were kept and are damaged are fetched again. */
async function readWith(reading) {
  try {
    return await readAll(reading);
  } catch (error) {
    if (error?.code === UNUSABLE) await forget(CACHE);
    throw error;
  }
}

/** Reads those of `files` that are there; the others, `{ error }`, are refused. */
async function readThose(files, read) {
  const places = files.flatMap((file, place) => (file.error ? [] : [place]));
  const missing = files.flatMap((file, place) => (file.error ? [{ place, ...file.error }] : []));
  const found = await read(places.map((place) => files[place]));
  const length = found.vectors.length / (places.length || 1);
  const vectors = new found.vectors.constructor(files.length * length);
  places.forEach((place, index) => vectors.set(found.vectors.subarray(index * length, (index + 1) * length), place * length));
  const refused = [...missing, ...found.refused.map((one) => ({ ...one, place: places[one.place] }))];
  return { vectors, refused: refused.sort((a, b) => a.place - b.place) };
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
  const reading = { compiled, kind: "PictureReader", parts: [card, weights], phase: "pictures", onProgress, signal };
  const read = await readThose(files, (items) => readWith({ ...reading, items }));
  return { source: { name: about.name, card: about.card }, ...read };
}

/** Pictures at the size of a network: bytes one after the other, and what was refused. Nothing else is computed of them. */
export const readImages = ({ compiled, card, files, onProgress, signal }) =>
  readThose(files, (items) => readAll({ compiled, kind: "ImageReader", parts: [card], items, phase: "images", onProgress, signal }));

/** The same for a network of the worker's, with its card and whether its weights are offered. */
export async function readLocked({ engine, service, name, ...reading }) {
  reading.onProgress({ phase: "base", done: 0, total: 1 });
  const entry = await entryOf(service, name);
  const card = await service.file(entry.card, MOST_CARD);
  const about = engine.aboutBaseModel(card);
  const read = await readImages({ card, ...reading });
  return { source: { name: about.name, card: about.card }, card, offered: entry.weights?.bytes ?? null, ...read };
}

/** The weights of a model whose card is still `card`. */
export async function weightsOf(service, name, card) {
  const { card: now, weights } = await fetchModel(service, name);
  if (now.length !== card.length || now.some((byte, index) => byte !== card[index])) throw WITHHELD;
  return weights;
}

/** What a network makes of `pixels` in the clear, to compare with: its pooled channels picture by picture, and how many there are. */
export async function readClear({ compiled, service, name, card, pixels, count, signal }) {
  const weights = await weightsOf(service, name, card);
  const size = pixels.length / (count || 1);
  const items = Array.from({ length: count }, (_, index) => pixels.slice(index * size, (index + 1) * size));
  const { vectors, refused } = await readWith({ compiled, kind: "PixelReader", parts: [card, weights], items, phase: "pictures", onProgress: () => {}, signal });
  if (refused.length > 0) throw refused[0];
  return { vectors, channels: vectors.length / (count || 1) };
}
