// Risk for new patients: lock, score, open.

import { answer, GONE } from "./answer.js";
import { readPictures } from "./base-models.js";
import { predictLocked } from "./locked-predictor.js";
import { Pool } from "./pool.js";
import { chosenTable } from "./records.js";
import { sendObjects } from "./objects.js";
import { readTexts } from "./texts.js";
import { withSeed } from "./secret.js";

/** A table of one row: what was typed for a patient with a written record. A table has two columns at least: one is of no use. */
function oneRow(names, values) {
  let spare = "row";
  while (names.includes(spare)) spare += "'";
  const quoted = (cell) => `"${String(cell).replaceAll('"', '""')}"`;
  return new TextEncoder().encode([[...names, spare], [...values, 1]].map((cells) => `${cells.map(quoted).join(",")}\n`).join(""));
}

/** The records to score, prepared as those of the training were: from `pictures`, from the `chosen` files of patients, or from the
 *  `values` of one, with a `written` record where the model reads one. */
async function prepare({ engine, compiled, service, key, model, values, written, chosen, pictures, onProgress, signal }) {
  if (pictures) {
    const { name } = JSON.parse(model).pictures;
    const names = pictures.map((one) => one.path);
    const files = pictures.map((one) => one.file);
    const check = (card) => engine.checkBaseModel(model, card);
    const { vectors, refused } = await readPictures({ engine, compiled, service, name, files, check, onProgress, signal });
    return withSeed(key, (seed) => engine.Prediction.ofPictures(model, names, vectors, refused, seed));
  }
  const { bytes: csv, fromFiles } = chosen ? await chosenTable(engine, chosen, model) : { bytes: written ? oneRow(written.names, values) : null, fromFiles: false };
  const texts = csv ? engine.textsOfFile(model, csv) : null;
  const vectors = texts ? await readTexts({ compiled, digest: engine.textModelDigest(), texts, onProgress, signal }) : undefined;
  return withSeed(key, (seed) =>
    csv ? engine.Prediction.ofFile(model, csv, fromFiles, vectors, seed) : engine.Prediction.ofOne(model, Float64Array.from(values), seed),
  );
}

/** Scores one patient or several; the `evaluation` says what such risks have been worth, and the `threshold` labels. */
export async function predict(request) {
  const { engine, compiled, service, key, model, evaluation, threshold, values } = request;
  if (engine.readsLockedPictures(model)) return predictLocked(request);
  const begun = performance.now();
  const prediction = await prepare(request);
  request.onProgress(null);
  let pool = null;
  try {
    const keys = prediction.keys();
    const missing = await service.have([...keys.map((one) => one.digest), prediction.head()]);
    if (missing.has(prediction.head())) throw GONE;
    const lost = keys.filter((one) => missing.has(one.digest)).map(({ job }) => ({ job, form: "key", bytes: 0 }));
    pool = withSeed(key, (seed) => new Pool(compiled, seed, prediction.plan()));
    const source = {
      slots: (job) => prediction.slots(job),
      setDigest: (job, digest) => prediction.setDigest(job, digest),
    };
    await sendObjects({ service, pool, source, items: [...lost, ...prediction.items()], stopped: () => false, onProgress: () => {} });
    for (const [job, rows] of prediction.startScoring(service.link)) {
      const done = await service.job(job, () => {});
      const scores = done.outputs[0][0];
      await service.download(scores, prediction.maxBytes());
      prediction.openScores(service.link, scores, rows);
    }
    return answer(prediction, { evaluation, threshold, kind: values ? "one" : "many", begun });
  } finally {
    pool?.close();
    prediction.free();
  }
}
