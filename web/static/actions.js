// What the views ask for: each action calls the engine, puts the answer into the state, and reports failures once.

import * as engine from "./engine.js";
import { get, update } from "./state.js";
import { announce } from "./dom.js";
import { text } from "./text.js";

/** Opens a step. */
export function go(step) {
  update({ step, error: null });
}

/** Shows an error with what can be done about it. */
export function report(error) {
  const known = error?.code ? error : { code: "CF-0000", detail: String(error?.stack ?? error) };
  const [message, remedy] = text.errors.byCode[known.code] ?? [];
  const general = known.code === "CF-0001" ? text.errors.engine : text.errors.unknown;
  const fallback = message ? { message, remedy } : general;
  update({
    busy: null,
    error: {
      at: Date.now(),
      code: known.code,
      blame: known.blame,
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
    update({ busy: null });
    return true;
  } catch (error) {
    report(error);
    return false;
  }
}

/** What is dropped when something earlier changes. */
const forgetFrom = {
  records: { table: null, choices: null, dataset: null, plan: null, run: null, report: null, predictor: null, predictions: null },
  plan: { plan: null, run: null, report: null, predictor: null, predictions: null },
};

/** Makes a key; answers the backup file's bytes. */
export async function makeKey(name, passphrase) {
  let backup = null;
  await busy(text.key.making, async () => {
    const made = await engine.call("makeKey", { name, passphrase });
    backup = made.backup;
    update({ vault: made.vault });
  });
  return backup;
}

/** Opens a backup file. */
export const restoreKey = (file, passphrase) =>
  busy(text.key.restoring, async () => update({ vault: (await engine.call("restoreKey", { file, passphrase })).vault }));

/** Another backup of the key that is here. */
export async function backupKey(passphrase) {
  let backup = null;
  await busy(text.key.making, async () => {
    const made = await engine.call("backupKey", { passphrase });
    backup = made.backup;
    update({ vault: made.vault });
  });
  return backup;
}

/** The person confirmed that the backup is stored. */
export async function confirmBackup(stored) {
  const vault = await engine.call("confirmBackup", { stored });
  update({ vault });
}

/** Removes key and data from this browser. */
export const forgetKey = () =>
  busy(text.key.forgetButton, async () => {
    await engine.call("forget");
    update({ ...forgetFrom.records, vault: null, ledger: [], step: "key" });
  });

/** Reads a file (or the bundled sample when `file` is null). */
export const openTable = (file) =>
  busy(text.records.reading, async () => {
    update(forgetFrom.records);
    update(await engine.call("openTable", { file }));
    announce(text.records.summary(get().table.rows, get().table.columns.length));
  });

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

/** How far the language model is, while something is under way. */
export function reading(progress) {
  if (get().busy) update({ busy: text.records.read[progress.phase](progress) });
}

/** Has the language model read a column of written records, or takes that choice back. */
export async function chooseText(column) {
  const features = get().choices.features.filter((one) => one !== column);
  if (column !== null && !(await busy(text.records.read.begin, () => engine.call("readTexts", { column })))) return;
  await choose({ text: column, features });
}

/** Prepares the records and asks the service for a plan. */
export async function askPlan() {
  const went = await busy(text.records.planning, async () => update({ plan: await engine.call("askPlan") }));
  if (went) go("plan");
}

/** Locks, sends and trains. */
export async function startRun() {
  await busy(null, async () => {
    update({ report: null, predictions: null, run: await engine.call("startRun"), step: "train" });
  });
}

/** Stops the run at the next safe point. */
export const stopRun = () => engine.call("stopRun").catch(report);

/** Goes on with a stopped or failed run. */
export async function resumeRun() {
  update({ error: null });
  try {
    update({ run: await engine.call("startRun") });
  } catch (error) {
    report(error);
  }
}

/** Scores new patients: `values` of one, or a `file` with several. */
export const predict = (request) =>
  busy(text.predict.working, async () => update({ predictions: await engine.call("predict", request) }));

/** The report or the predictions as a file's content. */
export const exportFile = (kind) => engine.call("exportFile", { kind });

/** Deletes everything that the service keeps for this key. */
export async function wipeService() {
  let answer = null;
  await busy(text.ledger.wipe, async () => {
    answer = await engine.call("wipeService");
  });
  return answer;
}

/** Tries to connect at once. */
export const reconnect = () => engine.call("reconnect").catch(report);
