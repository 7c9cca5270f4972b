// What the views ask for: each action calls the engine, puts the answer into the state, and reports failures once.

import * as engine from "./engine.js";
import { explain } from "./engine/errors.js";
import { get, update } from "./state.js";
import { announce } from "./dom.js";
import { text } from "./text.js";

/** Opens a step. */
export function go(step) {
  update({ step, error: null, told: null });
}

/** Shows an error with what can be done about it. */
export function report(error) {
  const known = explain(error);
  const [message, remedy] = text.errors.byCode[known.code] ?? [];
  const general = known.code === "CF-0001" ? text.errors.engine : text.errors.unknown;
  const fallback = message ? { message, remedy } : general;
  update({
    busy: null,
    stoppable: false,
    error: {
      at: Date.now(),
      code: known.code,
      blame: known.blame,
      step: get().step,
      message: known.message || fallback.message,
      remedy: known.remedy || fallback.remedy,
      detail: known.detail ?? "",
    },
  });
}

/** Runs something short with a sentence shown meanwhile; answers whether it went well. */
export async function busy(sentence, task) {
  update({ busy: sentence, error: null });
  announce(sentence);
  try {
    await task();
    update({ busy: null, stoppable: false });
    return true;
  } catch (error) {
    report(error);
    return false;
  }
}

/** What is dropped when something earlier changes. */
const forgetPlan = { plan: null, run: null, report: null, review: null, predictor: null, predictions: null, classified: null };
const forgetFrom = {
  records: { table: null, choices: null, dataset: null, ...forgetPlan },
  plan: forgetPlan,
};

/** Opens chosen files, `{ path, file }` each, or the bundled sample where there are none: a table, or text files, which are read at once. */
export async function openTable(chosen = null) {
  let read = null;
  const went = await busy(text.records.reading, async () => {
    update(forgetFrom.records);
    const { state, written } = await engine.call("openTable", { chosen });
    update(state);
    read = written;
    announce(text.records.summary(get().table.rows, get().table.columns.length));
  });
  if (went && read !== null) await chooseText(read);
}

/** Applies changed choices; the engine answers with counts and problems. */
export async function choose(changes) {
  const choices = { ...get().choices, ...changes };
  update({ choices, ...forgetFrom.plan, error: null });
  try {
    const answer = await engine.call("choose", { choices });
    if (get().choices === choices) update(answer);
  } catch (error) {
    report(error);
  }
}

/** Asks the service for its models, and makes the project one of pictures. */
export const beginImages = () => busy(text.classify.asking, async () => update(await engine.call("beginImages")));

/** Takes a model of the service's. */
export const chooseModel = (name) =>
  busy(text.classify.choosing, async () => {
    update(forgetFrom.plan);
    update(await engine.call("chooseModel", { name }));
  });

/** Reads picture files; `path` says in which folder each lies. */
export const readPictures = (files) =>
  busy(text.classify.reading, async () => {
    update(forgetFrom.plan);
    update(await engine.call("readPictures", { files }));
    const { count, refused_total: refused } = get().images.pictures;
    announce(text.classify.summary(count, refused));
  });

/** The project is one of records again. */
export const leaveImages = () =>
  busy(null, async () => {
    await engine.call("leaveImages");
    update({ ...forgetFrom.plan, images: null });
  });

/** How far a model that reads texts or pictures is, while something is under way. It can be stopped until that is over. */
export function reading(progress) {
  if (!get().busy) return;
  update(progress ? { busy: text.records.read[progress.phase](progress), stoppable: true } : { busy: text.predict.working, stoppable: false });
}

/** Ends the reading under way. */
export const stopReading = () => engine.call("stopReading").catch(report);

/** Has the language model read a column of written records, or takes that choice back. */
export async function chooseText(column) {
  const features = get().choices.features.filter((one) => one !== column);
  let read = column === null;
  if (!read) await busy(text.records.read.begin, async () => (read = await engine.call("readTexts", { column })));
  if (read) await choose({ text: column, features });
  else update({ revision: get().revision + 1 });
}

/** Asks which base models there are for pictures. */
export async function listBaseModels() {
  update({ baseModels: "asked" });
  try {
    update({ baseModels: await engine.call("listBaseModels") });
  } catch (error) {
    // Another key asks again; after anything else it would fail again.
    update({ baseModels: explain(error).code === "CF-0005" ? null : [] });
    report(error);
  }
}

/** Has a base model read the pictures of a list, or prepares them to be read locked at the service. */
export const openPictures = (request) =>
  busy(text.records.read.begin, async () => {
    const opened = await engine.call("openPictures", request);
    if (!opened) return;
    update({ ...forgetFrom.records, ...opened });
    announce(text.records.summary(get().table.rows, get().table.columns.length));
  });

/** Prepares the records and asks the service for a plan. */
export async function askPlan() {
  const went = await busy(text.records.planning, async () => update({ plan: await engine.call("askPlan") }));
  if (went) go("plan");
}

/** Locks, sends and trains. */
export async function startRun() {
  await busy(null, async () => {
    update({ report: null, review: null, predictions: null, classified: null, run: await engine.call("startRun"), step: "train" });
  });
}

/** Stops the run at the next safe point, to go on later. */
export const pauseRun = () => engine.call("pauseRun").catch(report);

/** Ends the run for good; the plan can be started again. */
export const cancelRun = () =>
  busy(null, async () => {
    await engine.call("cancelRun");
    update({ run: null, step: "plan" });
  });

/** Goes on with a stopped or failed run. */
export async function resumeRun() {
  update({ error: null });
  try {
    update({ run: await engine.call("startRun") });
  } catch (error) {
    report(error);
  }
}

/** Scores new patients: `values` of one, or `chosen` files with several. */
export const predict = (request) =>
  busy(text.predict.working, async () => {
    const predictions = await engine.call("predict", request);
    if (predictions) update({ predictions });
  });

// The side to look from that was asked for last, while an earlier one is worked out.
let asked = null;
let answering = null;

async function answerAll() {
  while (asked) {
    const changes = asked;
    asked = null;
    try {
      update({ review: { ...get().review, ...(await engine.call("review", { changes })) } });
    } catch (error) {
      report(error);
    }
  }
  answering = null;
}

/** Looks at the results from another side. Asked many times, such as by a slider, only the last time is answered. */
export function review(changes) {
  asked = { ...asked, ...changes };
  answering ??= answerAll();
  return answering;
}

/** The report or the predictions as a file's content. `card` is the model card, for the report. */
export const exportFile = (kind, card) => engine.call("exportFile", { kind, card });

/** Deletes everything that the service keeps for this key. */
export const wipeService = () =>
  busy(text.ledger.wipe, async () => {
    const { objects, bytes } = await engine.call("wipeService");
    const told = text.ledger.wiped(objects, bytes);
    update({ told, ...(get().report ? {} : { run: null }) });
    announce(told);
  });

/** Tries to connect at once. */
export const reconnect = () => engine.call("reconnect").catch(report);
