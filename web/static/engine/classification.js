// Pictures for a network of the worker's: which network, which pictures, what came of them; kept so that a reload goes on.

import { ClassifyRun } from "./classify-run.js";
import { withSeed } from "./secret.js";

const ABOUT = "images";
const NAMES = "image-names";
const PIXELS = "image-pixels";
const SCORES = "image-scores";
const CLASSES = "image-classes";
/** Everything that is kept of pictures, by name. */
export const IMAGE_PARTS = [ABOUT, NAMES, PIXELS, SCORES, CLASSES];

/** Largest files of a network that are fetched, in bytes. */
const LARGEST = { card: 4 << 20, weights: 256 << 20 };
/** A file of more bytes is no picture that is read; its beginning says so. */
const LARGEST_PICTURE = 64 << 20;
/** Pictures whose scores are known here, unless there are more jobs. */
const CANARIES = 4;
/** Pictures that are drawn beside their names. */
const DRAWN = 200;
/** There are fewer known pictures than jobs. */
const FEW_CANARIES = "CC-5042";

const CHANGED = {
  code: "CF-0015",
  blame: "Worker",
  message: "The compute service no longer has the model that these pictures were prepared for.",
  remedy: "Choose one of the models that it has now.",
};

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Holds the wasm objects of the pictures and what is kept of them. */
export class Classification {
  #engine;
  #store;
  #kept = null;
  #models = [];
  #card = null;
  #set = null;
  #files = [];
  #run = null;
  #scores = {};
  #writing = Promise.resolve();
  result = null;

  /** `store` is the part of what this browser keeps that is this project's own. */
  constructor(engine, store) {
    this.#engine = engine;
    this.#store = store;
  }

  /** Whether the project is one of pictures. */
  get chosen() {
    return this.#kept !== null;
  }

  /** What was kept of an earlier attempt. */
  get kept() {
    return this.#kept ?? {};
  }

  /** What the list of projects says of it. */
  get summary() {
    return { kind: "images", source: this.#kept.model?.name ?? "", rows: this.#set?.view().count ?? 0 };
  }

  /** Takes up what was kept; answers the page's state for it, or nothing where the project is none of pictures. */
  async restore() {
    this.#kept = await this.#store.recallValue(ABOUT);
    if (!this.#kept) return null;
    this.#models = this.#kept.models ?? [];
    const { model } = this.#kept;
    if (model) {
      this.#card = Uint8Array.from(this.#kept.card);
      const [names, pixels] = [await this.#store.recall(NAMES), await this.#store.recall(PIXELS)];
      if (names && pixels) this.#set = this.#engine.ImageSet.restore(this.#card, decoder.decode(names), pixels);
    }
    this.#scores = (await this.#store.recallValue(SCORES)) ?? {};
    this.result = await this.#store.recallValue(CLASSES);
    return { images: this.view, plan: this.#kept.planView ?? null, ...this.shown };
  }

  /** What the page shows of models and pictures. */
  get view() {
    const pictures = this.#set ? { ...this.#set.view(), previews: this.#set.previews(DRAWN) } : null;
    return { models: this.#models, model: this.#kept.model?.name ?? null, pictures };
  }

  /** What the page shows of the result. */
  get shown() {
    return { classified: this.result ? { ...this.result.view, previews: this.#set?.previews(DRAWN) ?? null, card: this.#kept.model } : null };
  }

  /** Asks the service for its models; makes the project one of pictures. */
  async begin(service) {
    const models = [];
    for (const entry of await service.models()) {
      const card = await service.file(entry.card, LARGEST.card);
      models.push({ ...this.#engine.cardView(card), offers: entry.weights !== null, digest: entry.card.digest });
    }
    this.#models = models;
    this.#kept ??= {};
    await this.keep({ models });
    return this.view;
  }

  /** Takes a model. Pictures that were read for another one are read again, as long as the browser still has the files. */
  async choose(service, name, onProgress) {
    const entry = await this.#entry(service, name);
    const card = await service.file(entry.card, LARGEST.card);
    await this.#changed();
    this.#card = card;
    this.#drop("set");
    const model = this.#engine.cardView(card);
    await this.#store.forget(NAMES, PIXELS);
    await this.keep({ model, card: Array.from(card), digest: entry.card.digest });
    if (this.#files.length > 0) await this.read(this.#files, onProgress);
    return this.view;
  }

  /** Reads picture files; each is at the model's size from then on. */
  async read(files, onProgress) {
    const set = new this.#engine.ImageSet(this.#card);
    try {
      // Files that systems leave in folders are nobody's choice.
      const given = files.filter(({ path }) => !path.split("/").at(-1).startsWith("."));
      for (const [done, { path, file }] of given.entries()) {
        onProgress({ phase: "pictures", done, total: given.length });
        const bytes = await file.slice(0, LARGEST_PICTURE + 1).arrayBuffer().catch(() => null);
        if (bytes) set.add(path, new Uint8Array(bytes));
        else set.refuse(path, "The browser cannot read the file.", "Choose it again; of a folder, choose the files in it.");
      }
    } catch (error) {
      set.free();
      throw error;
    }
    await this.#changed();
    this.#drop("set");
    this.#set = set;
    this.#files = files;
    await this.#store.keep(NAMES, encoder.encode(set.kept()));
    await this.#store.keep(PIXELS, set.pixels());
    return this.view;
  }

  /** Asks the service for a plan, and checks it. */
  async plan(service, key) {
    await this.#changed();
    const { facts } = service;
    let remark = null;
    for (let canaries = CANARIES; ; canaries *= 4) {
      try {
        const planned = await this.#planned(service, key, canaries, canaries === CANARIES);
        const { request, accept } = planned;
        remark ??= planned.remark;
        const plan = await service.inference(request(facts));
        this.#run = accept(plan, facts);
        const planView = { id: Date.now(), ...this.#run.planView() };
        if (remark) planView.notes.push(remark);
        await this.keep({ plan: Array.from(plan), facts, canaries, planView, digests: [], running: false });
        return planView;
      } catch (error) {
        if (error?.code !== FEW_CANARIES || canaries > 1000) throw error;
      }
    }
  }

  /** The run of the accepted plan, made anew after a reload, with what had come back. */
  async classifying(service, key) {
    if (!this.#run) {
      const { plan, facts, canaries } = this.#kept;
      const { accept } = await this.#planned(service, key, canaries);
      this.#run = accept(Uint8Array.from(plan), facts);
    }
    for (const [job, scores] of Object.entries(this.#scores)) this.#run.setScores(Number(job), scores);
    return this.#run;
  }

  /** Jobs whose scores are here. */
  get ended() {
    return new Set(Object.keys(this.#scores).map(Number));
  }

  /** Keeps the scores of a job. */
  async endJob(job, scores) {
    this.#scores[job] = scores;
    await this.#store.keepValue(SCORES, this.#scores);
  }

  /** Forgets the scores of all jobs. */
  async dropScores() {
    this.#scores = {};
    await this.#store.forget(SCORES);
  }

  /** The run from keys to classes, to be followed. */
  run(context, emit) {
    return new ClassifyRun({ ...context, study: this, planView: this.#kept.planView, kept: this.#kept.digests, keep: (changes) => this.keep(changes) }, emit);
  }

  /** Keeps what came of the run. */
  async finish(view) {
    const { name, about, licence, accuracy, closest } = this.#kept.model;
    const { classes, rows, guard, ...measured } = view;
    const json = JSON.stringify({ model: { name, about, licence, classes, accuracy, closest_to_range: closest }, images: rows, guard, ...measured, plan: this.#kept.planView.text }, null, 2);
    this.result = { view, json, csv: this.#run.csv() };
    await this.#store.keepValue(CLASSES, this.result);
    await this.keep({ running: false });
  }

  /** Keeps changes; writes follow each other. */
  keep(changes) {
    Object.assign(this.#kept, changes);
    this.#writing = this.#writing.then(() => this.#store.keepValue(ABOUT, this.#kept)).catch(() => {});
    return this.#writing;
  }

  /** Forgets models and pictures: the project is one of records again. */
  async forget() {
    this.free();
    this.#kept = null;
    this.#files = [];
    this.#scores = {};
    this.result = null;
    await this.#writing;
    await this.#store.forget(...IMAGE_PARTS);
  }

  /** A run that was under way elsewhere waits until it is told to go on. */
  async settle() {
    const kept = await this.#store.recallValue(ABOUT);
    if (kept?.running) await this.#store.keepValue(ABOUT, { ...kept, running: false, paused: kept.paused ?? null });
  }

  /** Frees what the engine holds. Nothing that is kept changes. */
  free() {
    this.#drop("run");
    this.#drop("set");
  }

  async #entry(service, name) {
    const entry = (await service.models()).find((one) => one.name === name);
    if (!entry) throw CHANGED;
    return entry;
  }

  /**
   * What a request is worded with and a plan accepted by, with `canaries` pictures whose scores are known; `first` tries the network
   * on some pictures, and tells what is to be known of them.
   */
  async #planned(service, key, canaries, first = false) {
    const entry = await this.#entry(service, this.#kept.model.name);
    if (entry.card.digest !== this.#kept.digest) throw CHANGED;
    const classifier = withSeed(key, (seed) => new this.#engine.Classifier(this.#set, seed));
    let remark = null;
    if (entry.weights) {
      const weights = await service.file(entry.weights, LARGEST.weights);
      if (first) remark = classifier.trial(weights);
      classifier.checkByWeights(weights, canaries);
    } else classifier.checkByAnswers(await service.file(entry.golden, LARGEST.card), canaries);
    return { remark, request: (facts) => classifier.request(facts), accept: (plan, facts) => classifier.accept(plan, facts) };
  }

  /** What follows from models and pictures is void. */
  async #changed() {
    this.#drop("run");
    this.result = null;
    await this.dropScores();
    const { plan, planView, facts, canaries, digests, paused, ...kept } = this.#kept;
    this.#kept = { ...kept, running: false };
    await this.#store.forget(CLASSES);
    await this.keep({});
  }

  #drop(what) {
    if (what === "run") {
      this.#run?.free();
      this.#run = null;
    } else {
      this.#set?.free();
      this.#set = null;
    }
  }
}
