// One training on locked pictures: the service's network reads them job by job and keeps what it finds, a head is trained on that, and
// the scores of the pictures that test are opened here. What a job has left is kept, so that a reload goes on with the next one.

import { explain } from "./errors.js";
import { summed } from "./run.js";
import { withSeed } from "./secret.js";
import { estimates, STOPPED, Work } from "./work.js";

const nameOf = (job) => JSON.stringify(job);
const sizes = (items) => ({
  keys: items.filter((item) => item.form === "key").length,
  locked: items.filter((item) => item.form === "locked").length,
  bytes: items.reduce((sum, item) => sum + item.bytes, 0),
});
const added = (a, b) => ({ keys: a.keys + b.keys, locked: a.locked + b.locked, bytes: a.bytes + b.bytes });

/** Keys, locking, sending, the network, training, scoring, opening. */
export class ImageRun extends Work {
  #expected;
  #training = null;
  #reading = new AbortController();
  /** What is to be sent in all, and what is behind. */
  #total = sizes([]);
  #behind = sizes([]);
  #reports = [];
  /** Why the comparison could not be made. */
  #incomparable = null;

  /**
   * `context`: compiled engine, service, key, the study (`Project`), plan view, pool size, kept digests of the network's and of the
   * training's objects and of what jobs have left, `keep` to be called with what a resumption needs, and `compare`, which reads the
   * pictures in the clear where that is wanted. `emit` gets the state for the page.
   */
  constructor(context, emit) {
    const expected = estimates(context.planView, context.threads);
    super(context, expected, emit);
    this.#expected = expected;
  }

  stop(how) {
    this.#reading.abort(STOPPED);
    super.stop(how);
  }

  /** Runs to the end; answers the report. */
  async all() {
    const { study, key } = this.context;
    this.progress.set("prepare");
    const training = await study.training();
    this.#training = training;
    this.guard();
    const todo = await this.#todo();
    const limit = withSeed(key, (seed) => training.prepareOpening(seed));
    const keys = todo.length > 0 ? training.networkKeys() : [];
    this.#total = [keys, training.trainingItems(), ...todo.map((job) => training.images(job))].map(sizes).reduce(added);
    this.progress.finish("prepare");
    for (const [place, job] of todo.entries()) await this.#features(keys, todo, place, job);
    if (todo.length === 0) await this.#sendTraining();
    this.progress.finish("features");
    const head = await this.#train();
    const scores = await this.#score(head.outputs[0][0]);
    return this.#open(scores, limit);
  }

  /** The jobs whose features the service does not have. */
  async #todo() {
    const { service, kept } = this.context;
    const training = this.#training;
    // Keys of the network that are not needed now are named for later predictions.
    training.setDigests(true, kept.network ?? []);
    const made = Object.entries(kept.features ?? {});
    const missing = made.length > 0 ? await service.have(made.map(([, digest]) => digest)) : new Set();
    const there = new Set();
    for (const [job, digest] of made) {
      if (missing.has(digest)) continue;
      training.setFeatures(Number(job), digest);
      there.add(Number(job));
    }
    this.guard();
    return Array.from({ length: training.jobs }, (_, job) => job).filter((job) => !there.has(job));
  }

  /** Sends objects of the network, or of the training. */
  async #send(network, items) {
    const { kept, keep } = this.context;
    const training = this.#training;
    const behind = this.#behind;
    const total = this.#total;
    const known = kept[network ? "network" : "digests"] ?? [];
    const ours = new Set(items.map((item) => nameOf(item.job)));
    // The pace says nothing about what waits for a job of the service's.
    const reach = (name, done, all, unit) => this.reach(name, done, all, unit, this.#expected[name] * (1 - done / (all || 1)));
    const source = { slots: (job) => training.slots(job), setDigest: (job, digest) => training.setDigest(network, job, digest) };
    await this.send(source, items, {
      kept: known.filter(({ job }) => ours.has(nameOf(job))),
      keep: () => keep({ [network ? "network" : "digests"]: training.digests(network) }),
      onProgress: ({ keys, locked, sent }) => {
        reach("keys", behind.keys + keys[0], total.keys, "count");
        reach("encrypt", behind.locked + locked[0], total.locked, "count");
        reach("upload", behind.bytes + sent, total.bytes, "bytes");
      },
    });
    this.#behind = added(behind, sizes(items));
  }

  async #sendTraining() {
    const training = this.#training;
    this.openPool(training.plan(), "training");
    await this.#send(false, training.trainingItems());
    this.closePool();
  }

  /** One job of the network's, from its pictures to the features that stay at the service. */
  async #features(keys, todo, place, job) {
    const { service, kept, keep } = this.context;
    const training = this.#training;
    const images = training.images(job);
    if (place === 0) this.openPool(training.featurePlan(), "features", training.plan());
    await this.#send(true, place === 0 ? [...keys, ...images] : images);
    const last = place === todo.length - 1;
    if (last) this.closePool();
    const rest = (this.#expected.features * (todo.length - 1 - place)) / training.jobs;
    const done = this.follow(() => training.startFeatures(service.link, job), this.watch("features", [place, todo.length], rest));
    // A failure is met below; this keeps it from being reported as unhandled before.
    done.catch(() => {});
    // The last job leaves time for what the training needs.
    if (last) await this.#sendTraining();
    const made = await done;
    const [digest] = made.outputs[0];
    training.setFeatures(job, digest);
    kept.features = { ...kept.features, [job]: digest };
    await keep({ features: kept.features });
    this.#reports.push(made);
    const sent = new Set(images.map((item) => nameOf(item.job)));
    await service.delete(training.digests(true).filter((one) => sent.has(nameOf(one.job))).map((one) => one.digest));
    this.guard();
  }

  /** Reads the pictures in the clear and trains on that as well. A comparison that fails does not end the training. */
  async #compare() {
    const { compare } = this.context;
    const training = this.#training;
    if (!compare) return;
    try {
      const { vectors, channels } = await compare(this.#reading.signal);
      this.guard();
      training.trainClear(vectors, channels);
    } catch (error) {
      this.guard();
      this.#incomparable = explain(error).message;
    }
  }

  async #train() {
    const { service } = this.context;
    const training = this.#training;
    this.progress.set("train");
    const done = this.follow(() => training.startTraining(service.link), this.watch("train"));
    // A failure is met below; this keeps it from being reported as unhandled before.
    done.catch(() => {});
    await this.#compare();
    const head = await done;
    this.#reports.push(head);
    this.progress.finish("train");
    return head;
  }

  async #score(head) {
    const { service } = this.context;
    const training = this.#training;
    this.progress.set("predict");
    const jobs = training.startScoring(service.link, head);
    const done = await Promise.all(jobs.map((job, index) => service.job(job, this.watch("predict", [index, jobs.length]))));
    this.guard();
    this.#reports.push(...done);
    this.progress.finish("predict");
    return done.map(({ outputs }) => outputs[0][0]);
  }

  async #open(scores, limit) {
    const { service } = this.context;
    const training = this.#training;
    this.progress.set("open");
    for (const name of scores) {
      await service.download(name, limit);
      training.openScores(service.link, name);
    }
    const report = training.report();
    this.guard();
    this.progress.finish("open");
    const all = (of) => summed(this.#reports.flatMap((one) => one[of] ?? []));
    return {
      ...report,
      not_compared: this.#incomparable,
      id: Date.now(),
      seconds: this.progress.seconds,
      bytes_up: service.link.bytesUp,
      bytes_down: service.link.bytesDown,
      ledger: { counts: all("counts"), phases: all("phases") },
      worker_peak: Math.max(...this.#reports.map((one) => one.peak_bytes)),
    };
  }
}
