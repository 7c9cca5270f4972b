// The records of one study, from the file to the trained model, kept so that a reload goes on.

import { readClear, weightsOf } from "./base-models.js";
import { ImageRun } from "./image-run.js";
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
      if (vectors && kept.pictures) this.#workbenchTakes(this.#workbench, kept.pictures, vectors);
    } catch {
      // Vectors of another version: the choice of the column asks for them again.
    }
    this.table = this.#tableOf(this.#workbench, kept);
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

  /**
   * Takes a list of pictures with what a base model made of them, or with their pixels and the `card` of the network that is to read
   * them locked; answers as `open`.
   */
  async openPictures(name, list, { source, vectors, refused, card, offered }) {
    const workbench = this.#engine.Workbench.ofPictures(list);
    const bytes = new Uint8Array(vectors.buffer);
    const pictures = { source, refused, ...(card ? { card: Array.from(card), offered } : {}) };
    try {
      this.#workbenchTakes(workbench, pictures, bytes);
    } catch (error) {
      workbench.free();
      throw error;
    }
    const state = await this.#take(workbench, name, list, { pictures });
    await this.#store.keep(VECTORS, bytes);
    return state;
  }

  /** Puts what was read of pictures into a workbench. */
  #workbenchTakes(workbench, { source, refused, card }, bytes) {
    if (card) workbench.setImages(source, Uint8Array.from(card), bytes, refused);
    else workbench.setPictures(source, new Float32Array(bytes.buffer), refused);
  }

  /** The table for the page; of locked pictures with the bytes of the network's weights, where they are offered. */
  #tableOf(workbench, { name, pictures }) {
    return { ...workbench.table(name), offered: pictures?.offered ?? null };
  }

  /** Begins with new records; `kept` is what is remembered beside them. */
  async #take(workbench, name, bytes, kept) {
    this.#drop();
    this.#workbench?.free();
    this.#workbench = workbench;
    this.table = this.#tableOf(workbench, { name, ...kept });
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
    if (this.#workbench.locked) return this.#planImages(service);
    const facts = service.facts;
    const setup = new this.#engine.Setup(this.#workbench);
    try {
      for (let less = 0; ; less += 1) {
        try {
          const plan = await service.plan(setup.request(facts));
          this.#training = setup.accept(plan, facts);
          return await this.#planned({ plan: Array.from(plan), facts, less });
        } catch (error) {
          if (error?.code !== NO_PLAN || !setup.askForLess(facts)) throw error;
        }
      }
    } finally {
      setup.free();
    }
  }

  /** Plans for locked pictures: of the training, then of what the network does for it. */
  async #planImages(service) {
    const { facts } = service;
    const plans = [];
    await this.keep({ remark: null });
    this.#training = await this.#accepted(facts, async (planning, wanted) => {
      if (plans.length === 0) await this.#try(service, planning);
      const request = planning.request(facts);
      plans.push(await (wanted === "training" ? service.plan(request) : service.inference(request)));
      return plans.at(-1);
    });
    return this.#planned({ plans: plans.map((plan) => Array.from(plan)), facts, network: [], features: {} });
  }

  /** Tries the network on some of the pictures here, if its weights are offered, and keeps what is to be known of it. */
  async #try(service, planning) {
    const { source, card, offered } = this.#kept.pictures;
    if (!offered) return;
    const remark = planning.trial(await weightsOf(service, source.name, Uint8Array.from(card)));
    if (!remark) return;
    planning.remark(remark);
    await this.keep({ remark });
  }

  /** The training on locked pictures under plans that `next` gives one after the other. */
  async #accepted(facts, next) {
    const planning = new this.#engine.ImagePlanning(this.#workbench);
    if (this.#kept.remark) planning.remark(this.#kept.remark);
    try {
      for (let wanted = planning.wants(); wanted; wanted = planning.wants()) planning.accept(await next(planning, wanted), facts);
      return planning.finish();
    } finally {
      planning.free();
    }
  }

  /** Keeps what was planned; answers what the page shows of it. */
  async #planned(kept) {
    const planView = { id: Date.now(), ...this.#training.planView() };
    await this.keep({ ...kept, planView, digests: [], running: false });
    return planView;
  }

  /** The training of the accepted plan, made anew after a reload. */
  async training() {
    if (this.#training) return this.#training;
    const { plan, plans, facts, less } = this.#kept;
    if (this.#workbench.locked) {
      const left = plans.map((one) => Uint8Array.from(one));
      this.#training = await this.#accepted(facts, () => left.shift());
      return this.#training;
    }
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
    const { planView, network, digests, features } = this.#kept;
    const all = { ...context, study: this, planView, keep: (changes) => this.keep(changes) };
    if (!this.#workbench.locked) return new Run({ ...all, kept: digests }, emit);
    return new ImageRun({ ...all, kept: { network, digests, features }, compare: this.#comparison(context) }, emit);
  }

  /** Reads the locked pictures in the clear, where that is wanted. */
  #comparison({ compiled, service }) {
    const workbench = this.#workbench;
    if (!workbench.compares) return null;
    const { source, card } = this.#kept.pictures;
    return (signal) => {
      const pixels = workbench.usedPixels();
      return readClear({ compiled, service, name: source.name, card: Uint8Array.from(card), pixels, count: workbench.usedCount(), signal });
    };
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
    const training = await this.training();
    const model = training.model(key);
    const locked = this.#workbench.locked;
    const { preprocessing, text, pictures } = locked ? { preprocessing: { features: [] }, pictures: this.#kept.pictures.source } : JSON.parse(model);
    // Numbers that a model made of a text or a picture are not asked for.
    const columns = preprocessing.features.map((name) => this.table.columns.find((column) => column.name === name));
    const features = columns.filter(Boolean).map(({ name, median, min, max }) => ({ name, median, min, max }));
    const json = JSON.stringify({ ...JSON.parse(training.reportJson()), seconds: Object.fromEntries(report.seconds), bytes_up: report.bytes_up, bytes_down: report.bytes_down, worker_peak_rss_bytes: report.worker_peak }, null, 2);
    this.result = { report, predictor: { id: report.id, features, text: text?.column ?? null, pictures: pictures?.name ?? null, locked }, model, json, held: training.heldOut() };
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
