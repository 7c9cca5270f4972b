// The records of one study, from the file to the trained model, kept so that a reload goes on.

import { Run } from "./run.js";

const RECORDS = "records";
const PROJECT = "project";
const RESULT = "result";
const VECTORS = "vectors";
const REVIEW = "review";
/** Everything that is kept of a study, by name. */
export const PARTS = [RECORDS, PROJECT, RESULT, VECTORS, REVIEW];
// The worker found no plan within its limits for what was asked.
const NO_PLAN = "CF-3010";

/** Holds the wasm objects of the study and what is kept of it. */
export class Project {
  #engine;
  #store;
  #workbench = null;
  #training = null;
  #kept = {};
  #writing = Promise.resolve();
  table = null;
  result = null;

  /** `store` is the part of what this browser keeps that is this study's own. */
  constructor(engine, store) {
    this.#engine = engine;
    this.#store = store;
  }

  /** Takes up what was kept; answers the page's state for it. */
  async restore() {
    const kept = await this.#store.recallValue(PROJECT);
    const bytes = await this.#store.recall(RECORDS);
    if (!kept || !bytes) return {};
    this.#kept = kept;
    this.#workbench = kept.pictures ? this.#engine.Workbench.ofPictures(bytes) : new this.#engine.Workbench(bytes);
    const vectors = await this.#store.recall(VECTORS);
    try {
      if (vectors && kept.read !== undefined) this.#workbench.setVectors(kept.read, new Float32Array(vectors.buffer));
      if (vectors && kept.pictures) this.#workbench.setPictures(kept.pictures.source, new Float32Array(vectors.buffer), kept.pictures.refused);
    } catch {
      // Vectors of another version: the choice of the column asks for them again.
    }
    this.table = this.#workbench.table(kept.name);
    const dataset = this.#workbench.choose(kept.choices);
    const result = await this.#store.recallValue(RESULT);
    // A result of an earlier version lacks what its figures are made of.
    this.result = result?.held ? result : null;
    const state = { table: this.table, choices: kept.choices, dataset, plan: kept.planView ?? null };
    return this.result ? { ...state, report: this.result.report, predictor: this.result.predictor } : state;
  }

  /** Reads a file or the sample; answers table, proposed choices and what they lead to. */
  async open(name, bytes) {
    return this.#take(new this.#engine.Workbench(bytes), name, bytes, {});
  }

  /** For each picture of a list its file among `files`, or `{ error }`. */
  matchPictures(list, files) {
    const workbench = this.#engine.Workbench.ofPictures(list);
    try {
      const found = workbench.matchPictures(files.map((one) => one.path));
      return found.map(({ file, error }) => (error ? { error } : files[file].file));
    } finally {
      workbench.free();
    }
  }

  /** Takes a list of pictures with what a base model made of them; answers as `open`. */
  async openPictures(name, list, { source, vectors, refused }) {
    const workbench = this.#engine.Workbench.ofPictures(list);
    try {
      workbench.setPictures(source, vectors, refused);
    } catch (error) {
      workbench.free();
      throw error;
    }
    const state = await this.#take(workbench, name, list, { pictures: { source, refused } });
    await this.#store.keep(VECTORS, new Uint8Array(vectors.buffer));
    return state;
  }

  /** Begins with new records; `kept` is what is remembered beside them. */
  async #take(workbench, name, bytes, kept) {
    this.#drop();
    this.#workbench?.free();
    this.#workbench = workbench;
    this.table = workbench.table(name);
    const choices = workbench.choices();
    const dataset = workbench.choose(choices);
    this.#kept = { name, choices, ...kept };
    await this.#store.forget(RESULT, VECTORS, REVIEW);
    await this.#store.keep(RECORDS, bytes);
    await this.keep({});
    return { table: this.table, choices, dataset };
  }

  /** Applies choices. */
  async choose(choices) {
    this.#drop();
    const dataset = this.#workbench.choose(choices);
    const { name, read, pictures } = this.#kept;
    this.#kept = { name, read, pictures, choices };
    await this.#store.forget(RESULT);
    await this.keep({});
    return { dataset };
  }

  /** The distinct texts of a column. */
  texts(column) {
    return this.#workbench.texts(column);
  }

  /** Takes the vectors of a column's texts. */
  async takeVectors(column, vectors) {
    this.#workbench.setVectors(column, vectors);
    await this.#store.keep(VECTORS, new Uint8Array(vectors.buffer));
    await this.keep({ read: column });
  }

  /** Prepares the records and asks the service for a plan, for less as long as it refuses. */
  async plan(service) {
    this.#drop();
    const facts = service.facts;
    const setup = new this.#engine.Setup(this.#workbench);
    try {
      for (let less = 0; ; less += 1) {
        try {
          const plan = await service.plan(setup.request(facts));
          this.#training = setup.accept(plan, facts);
          const planView = { id: Date.now(), ...this.#training.planView() };
          await this.keep({ plan: Array.from(plan), facts, less, planView, digests: [], running: false });
          return planView;
        } catch (error) {
          if (error?.code !== NO_PLAN || !setup.askForLess(facts)) throw error;
        }
      }
    } finally {
      setup.free();
    }
  }

  /** The training of the accepted plan, made anew after a reload. */
  training() {
    if (this.#training) return this.#training;
    const { plan, facts, less } = this.#kept;
    const setup = new this.#engine.Setup(this.#workbench);
    try {
      for (let index = 0; index < less; index += 1) setup.askForLess(facts);
      this.#training = setup.accept(Uint8Array.from(plan), facts);
    } finally {
      setup.free();
    }
    return this.#training;
  }

  /** The run from keys to report, to be followed. */
  run(context, emit) {
    return new Run({ ...context, training: this.training(), planView: this.#kept.planView, kept: this.#kept.digests, keep: (changes) => this.keep(changes) }, emit);
  }

  /** What the list of projects says of it. */
  get summary() {
    return { accuracy: this.result?.report.encrypted.accuracy?.value ?? null };
  }

  /** What the page shows of the result. */
  get shown() {
    return { report: this.result.report, predictor: this.result.predictor };
  }

  /** The records, for results by parts of them. */
  get workbench() {
    return this.#workbench;
  }

  /** What was kept of an earlier attempt. */
  get kept() {
    return this.#kept;
  }

  /** Keeps changes; writes follow each other. */
  keep(changes) {
    Object.assign(this.#kept, changes);
    this.#writing = this.#writing.then(() => this.#store.keepValue(PROJECT, this.#kept)).catch(() => {});
    return this.#writing;
  }

  /** How the result was looked at last. */
  recallReview() {
    return this.#store.recallValue(REVIEW);
  }

  keepReview(review) {
    return this.#store.keepValue(REVIEW, review);
  }

  /** Keeps a finished training: report, files, and what predictions need. */
  async finish(report, key) {
    const training = this.training();
    const model = training.model(key);
    const { preprocessing, text, pictures } = JSON.parse(model);
    // Numbers that a model made of a text or a picture are not asked for.
    const columns = preprocessing.features.map((name) => this.table.columns.find((column) => column.name === name));
    const features = columns.filter(Boolean).map(({ name, median, min, max }) => ({ name, median, min, max }));
    const json = JSON.stringify({ ...JSON.parse(training.reportJson()), seconds: Object.fromEntries(report.seconds), bytes_up: report.bytes_up, bytes_down: report.bytes_down, worker_peak_rss_bytes: report.worker_peak }, null, 2);
    this.result = { report, predictor: { id: report.id, features, text: text?.column ?? null, pictures: pictures?.name ?? null }, model, json, held: training.heldOut() };
    await this.#store.keepValue(RESULT, this.result);
    await this.keep({ running: false });
  }

  /** A run that was under way elsewhere waits until it is told to go on. */
  async settle() {
    const kept = await this.#store.recallValue(PROJECT);
    if (kept?.running) await this.#store.keepValue(PROJECT, { ...kept, running: false, paused: kept.paused ?? null });
  }

  /** Frees what the engine holds. Nothing that is kept changes. */
  free() {
    this.#drop();
    this.#workbench?.free();
    this.#workbench = null;
  }

  #drop() {
    this.#training?.free();
    this.#training = null;
    this.result = null;
  }
}
