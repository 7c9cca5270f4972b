// What the page knows. One object, changed only by `update`, watched by the views.

import { blocked } from "./preflight.js";

/** The steps in order. `projects` and `ledger` stand apart: they can be opened at any time. */
export const STEPS = ["connect", "key", "records", "plan", "train", "results", "predict"];

/** The steps of a project: pictures for a model of the service's end with results. */
export const stepsOf = ({ images }) => (images ? STEPS.filter((step) => step !== "predict") : STEPS);

/** What belongs to the open project. */
export const blank = { vault: null, table: null, choices: null, dataset: null, plan: null, run: null, report: null, review: null, predictor: null, predictions: null, images: null, classified: null, ledger: [] };

const state = {
  ...blank,
  step: "connect",
  /** Counts up whenever a view must be built anew although the step stays. */
  revision: 0,
  preflight: [], // { id, state, … }: what this browser has and lacks
  engine: null, // { variant, cores, pool, storage }
  connection: { status: "connecting" },
  projects: [], // { id, name, created, opened, stage, … }
  vault: null, // the entry of the open project: { id, name, created, backup, safe }
  table: null, // what the CSV holds
  choices: null, // label, positive, features, missing, test_fraction, seed
  dataset: null, // counts and problems for these choices
  plan: null,
  run: null, // { status, started, phases: { name: { done, total, … } }, error }
  report: null,
  review: null, // { class, threshold, column, cuts, answers, view, decision, parts }
  predictor: null, // fields for a new patient
  predictions: null,
  images: null, // { models, model, pictures }: a project of pictures
  classified: null, // what came of them: { rows, classes, guard, … }
  ledger: [],
  told: null, // a sentence on what was done
  busy: null, // a sentence while something short is under way
  stoppable: false, // whether that can be stopped
  baseModels: null, // for pictures: nothing, "asked", or [{ name, card, about, licence, classes, shape, bytes }]
  error: null, // { code, blame, message, remedy, detail }
};

const watchers = new Set();
let scheduled = false;

/** The current state; to be read, not written. */
export const get = () => state;

/** Merges changes and tells the watchers once before the next frame. */
export function update(changes) {
  Object.assign(state, changes);
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(() => {
    scheduled = false;
    for (const watcher of watchers) watcher(state);
  });
}

/** Calls `watcher` after every change. */
export function watch(watcher) {
  watchers.add(watcher);
}

/** Whether a step can be opened now. */
export function reachable(step) {
  switch (step) {
    case "connect":
    case "ledger":
      return true;
    case "projects":
    case "key":
      return state.engine !== null && !blocked(state.preflight);
    case "records":
      return Boolean(state.vault?.safe);
    case "plan":
      return Boolean(state.vault?.safe && state.plan);
    case "train":
      return Boolean(state.vault?.safe && state.run);
    case "results":
      return Boolean(state.vault?.safe && (state.images ? state.classified : state.report && state.review));
    case "report":
      return Boolean(state.vault?.safe && state.report && state.review);
    case "predict":
      return Boolean(state.vault?.safe && state.report && state.predictor);
    default:
      return false;
  }
}

/** Whether a step's work is finished. */
export function finished(step) {
  switch (step) {
    case "connect":
      return state.connection.status === "online";
    case "key":
      return Boolean(state.vault?.safe);
    case "records":
      return state.plan !== null;
    case "plan":
      return state.run !== null;
    case "train":
    case "results":
      return (state.images ? state.classified : state.report) !== null;
    case "predict":
      return state.predictions !== null;
    default:
      return false;
  }
}
