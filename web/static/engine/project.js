// The records of one study, from the file to the trained model, kept so that a reload goes on.

import * as store from "./store.js";

const RECORDS = "records";
const PROJECT = "project";
const RESULT = "result";
const VECTORS = "vectors";
// The worker found no plan within its limits for what was asked.
const NO_PLAN = "CF-3010";

/** Holds the wasm objects of the study and what is kept of it. */
export class Project {
  #engine;
  #workbench = null;
  #training = null;
  #kept = {};
  #writing = Promise.resolve();
  table = null;
  result = null;

  constructor(engine) {
    this.#engine = engine;
  }

  /** Takes up what was kept; answers the page's state for it. */
  async restore() {
    const kept = await store.recallValue(PROJECT);
    const bytes = await store.recall(RECORDS);
    if (!kept || !bytes) return {};
    this.#kept = kept;
    this.#workbench = new this.#engine.Workbench(bytes);
    this.table = this.#workbench.table(kept.name);
    const vectors = await store.recall(VECTORS);
    if (vectors && kept.read !== undefined) this.#workbench.setVectors(kept.read, new Float32Array(vectors.buffer));
    const dataset = this.#workbench.choose(kept.choices);
    this.result = await store.recallValue(RESULT);
    const state = { table: this.table, choices: kept.choices, dataset, plan: kept.planView ?? null };
    return this.result ? { ...state, report: this.result.report, predictor: this.result.predictor } : state;
  }

  /** Reads a file or the sample; answers table, proposed choices and what they lead to. */
  async open(name, bytes) {
    const workbench = new this.#engine.Workbench(bytes);
    this.#drop();
    this.#workbench?.free();
    this.#workbench = workbench;
    this.table = workbench.table(name);
    const choices = workbench.choices();
    const dataset = workbench.choose(choices);
    this.#kept = { name, choices };
    await store.forget(RESULT, VECTORS);
    await store.keep(RECORDS, bytes);
    await this.keep({});
    return { table: this.table, choices, dataset };
  }

  /** Applies choices. */
  async choose(choices) {
    this.#drop();
    const dataset = this.#workbench.choose(choices);
    this.#kept = { name: this.#kept.name, read: this.#kept.read, choices };
    await store.forget(RESULT);
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
    await store.keep(VECTORS, new Uint8Array(vectors.buffer));
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

  /** What was kept of an earlier attempt. */
  get kept() {
    return this.#kept;
  }

  /** Keeps changes; writes follow each other. */
  keep(changes) {
    Object.assign(this.#kept, changes);
    this.#writing = this.#writing.then(() => store.keepValue(PROJECT, this.#kept)).catch(() => {});
    return this.#writing;
  }

  /** Keeps a finished training: report, files, and what predictions need. */
  async finish(report, key) {
    const training = this.training();
    const model = training.model(key);
    const { preprocessing, text } = JSON.parse(model);
    // Numbers that the language model made of a text are not asked for.
    const columns = preprocessing.features.map((name) => this.table.columns.find((column) => column.name === name));
    const features = columns.filter(Boolean).map(({ name, median, min, max }) => ({ name, median, min, max }));
    const json = JSON.stringify({ ...JSON.parse(training.reportJson()), seconds: Object.fromEntries(report.seconds), bytes_up: report.bytes_up, bytes_down: report.bytes_down, worker_peak_rss_bytes: report.worker_peak }, null, 2);
    this.result = { report, predictor: { id: report.id, features, text: text?.column ?? null }, model, json, csv: training.predictionsCsv() };
    await store.keepValue(RESULT, this.result);
    await this.keep({ running: false });
  }

  #drop() {
    this.#training?.free();
    this.#training = null;
    this.result = null;
  }
}
