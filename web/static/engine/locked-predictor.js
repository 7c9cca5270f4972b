// Risk for new pictures that the service's network reads locked: bring to size, lock, send, read, score, open.

import { answer, GONE } from "./answer.js";
import { readImages } from "./base-models.js";
import { sendObjects } from "./objects.js";
import { Pool } from "./pool.js";
import { withSeed } from "./secret.js";

const OFFLINE = {
  code: "CF-0016",
  blame: "Network",
  message: "The compute service is not connected.",
  remedy: "Wait until it is, and choose the pictures again.",
};

/** One prediction: what is under way can be stopped. */
class Locked {
  #request;
  #prediction;
  #pool = null;
  #job = null;
  #limit = 0;

  constructor(request, prediction) {
    this.#request = request;
    this.#prediction = prediction;
  }

  stop() {
    const { service, signal } = this.#request;
    this.#pool?.close();
    if (this.#job) service.cancel(this.#job);
    service.abandon(signal.reason);
  }

  /** Asks for the plan and checks it. */
  async plan() {
    const { service, key } = this.#request;
    const { facts } = service;
    if (!facts) throw OFFLINE;
    const plan = await service.inference(this.#prediction.request(facts));
    this.#limit = withSeed(key, (seed) => this.#prediction.accept(plan, facts, seed));
    const head = this.#prediction.head();
    if ((await service.have([head])).has(head)) throw GONE;
  }

  /** Reads and scores all pictures. */
  async all() {
    const { service } = this.#request;
    const prediction = this.#prediction;
    const features = [];
    this.#open(prediction.featurePlan(), "features", prediction.plan());
    for (let job = 0; job < prediction.jobs(); job += 1) {
      const sent = await this.#send(true, [...(job === 0 ? prediction.keys(true) : []), ...prediction.images(job)], { done: job, total: prediction.jobs() });
      const made = await this.#follow(prediction.startFeatures(service.link, job), { done: job, total: prediction.jobs() });
      features.push(made.outputs[0][0]);
      await service.delete(sent);
    }
    this.#close();
    this.#open(prediction.plan(), "training");
    await this.#send(false, prediction.keys(false), { done: 0, total: 1 });
    this.#close();
    this.#request.onProgress(null);
    for (const one of features) {
      const done = await this.#follow(prediction.startScoring(service.link, one), null);
      const scores = done.outputs[0][0];
      await service.download(scores, this.#limit);
      prediction.openScores(service.link, scores);
      await service.delete([one, scores]);
    }
  }

  /** Workers start when there is something to make: keys are at the service as a rule. */
  #open(plan, kind, training) {
    const { compiled, key } = this.#request;
    let made = null;
    this.#pool = {
      run: (...task) => (made ??= withSeed(key, (seed) => new Pool(compiled, seed, plan, kind, training))).run(...task),
      close: () => made?.close(),
    };
  }

  #close() {
    this.#pool?.close();
    this.#pool = null;
  }

  /** Sends what the service lacks; answers the digests of the pictures. `part` is the job, and of how many. */
  async #send(network, items, part) {
    const { service, signal, onProgress } = this.#request;
    const prediction = this.#prediction;
    const images = [];
    const source = {
      slots: (job) => prediction.slots(job),
      setDigest: (job, digest) => {
        prediction.setDigest(network, job, digest);
        if (job.Images) images.push(digest);
      },
    };
    const tell = ({ sent, total }) => onProgress({ phase: "lock", done: part.done * total + sent, total: part.total * total });
    await sendObjects({ service, pool: this.#pool, source, items, kept: prediction.knownKeys(network), stopped: () => signal.aborted, onProgress: tell });
    signal.throwIfAborted();
    return images;
  }

  /** Follows a job to its end. */
  async #follow(name, part) {
    const { service, signal, onProgress } = this.#request;
    this.#job = name;
    const done = await service.job(name, (state) => {
      if (!part || !state.total) return;
      const seconds = state.remaining_ms === null || state.remaining_ms === undefined ? null : state.remaining_ms / 1000;
      onProgress({ phase: "network", done: part.done * state.total + state.done, total: part.total * state.total, seconds });
    });
    this.#job = null;
    signal.throwIfAborted();
    return done;
  }

  close() {
    this.#close();
  }
}

/** Scores pictures; the `evaluation` says what such risks have been worth, and the `threshold` labels. */
export async function predictLocked(request) {
  const { engine, compiled, model, evaluation, threshold, pictures, onProgress, signal } = request;
  const begun = performance.now();
  const names = pictures.map((one) => one.path);
  const files = pictures.map((one) => one.file);
  const { vectors, refused } = await readImages({ compiled, card: engine.networkCard(model), files, onProgress, signal });
  const prediction = new engine.LockedPrediction(model, names, new Uint8Array(vectors.buffer), refused);
  const locked = new Locked(request, prediction);
  const stop = () => locked.stop();
  signal.addEventListener("abort", stop);
  try {
    await locked.plan();
    await locked.all();
    return answer(prediction, { evaluation, threshold, kind: "many", begun });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", stop);
    locked.close();
    prediction.free();
  }
}
