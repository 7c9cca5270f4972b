// One training from the first key to the report. Everything that it needs to go on after a reload is kept on the way.

import { withSeed } from "./secret.js";
import { estimates, Work } from "./work.js";

/** Seconds or counts by name, those of one name together. */
export function summed(phases) {
  const sums = new Map();
  for (const [name, seconds] of phases) sums.set(name, (sums.get(name) ?? 0) + seconds);
  return [...sums];
}

/** Keys, locking, sending, training, scoring, opening. */
export class Run extends Work {
  #limit = 0;
  #training = null;
  /** Scores on their way to the curve. */
  #points = [];

  /**
   * `context`: compiled engine, service, key, the study (`Project`), plan view, pool size, kept digests, and `keep` to be called
   * with what a resumption needs. `emit` gets the state for the page.
   */
  constructor(context, emit) {
    super(context, estimates(context.planView, context.threads), emit);
  }

  /** Runs to the end; answers the report. */
  async all() {
    this.progress.set("prepare");
    this.#training = await this.context.study.training();
    this.guard();
    await this.#send();
    const head = await this.#train();
    const batches = await this.#score(head.outputs[0][0]);
    return this.#open(head, batches);
  }

  async #send() {
    const { kept, keep } = this.context;
    const training = this.#training;
    const items = training.items();
    this.openPool(training.plan());
    this.progress.finish("prepare");
    await this.send(training, items, {
      kept,
      keep: () => keep({ digests: training.digests() }),
      onProgress: ({ keys, locked, sent, total }) => {
        this.reach("keys", keys[0], keys[1], "count");
        this.reach("encrypt", locked[0], locked[1], "count");
        this.reach("upload", sent, total, "bytes");
      },
    });
    this.closePool();
  }

  /** Fetches and opens the scores that a training has newly made. They are drawn: nothing of them goes back. */
  #draw(name) {
    const { service } = this.context;
    const training = this.#training;
    for (const [scores, limit] of training.newScores(service.link, name)) {
      const opened = service.download(scores, limit).then(() => this.progress.curve(training.openPoint(service.link, scores)));
      // Failures are met when the training ends; this keeps them from being reported as unhandled before.
      opened.catch(() => {});
      this.#points.push(opened);
    }
  }

  /** Hears of a training: how far it is, and what it has made. A service that does not follow the plan is left. */
  #watchTraining() {
    const watch = this.watch("train");
    let told = 0;
    return (state, name) => {
      watch(state);
      if ((state.scores ?? 0) === told) return;
      told = state.scores ?? 0;
      try {
        this.#draw(name);
      } catch (error) {
        this.context.service.cancel(name);
        this.context.service.abandon(error);
      }
    };
  }

  async #train() {
    const { service, key } = this.context;
    const training = this.#training;
    this.progress.set("train");
    this.#limit = withSeed(key, (seed) => training.prepareOpening(seed));
    const done = this.follow(() => training.startTraining(service.link), this.#watchTraining());
    // A failure is met below; this keeps it from being reported as unhandled before.
    done.catch(() => {});
    // The comparison in the clear is worked out here while the service works on the locked copy.
    training.trainClear();
    const head = await done;
    this.#draw(head.name);
    training.endScores();
    await Promise.all(this.#points);
    this.guard();
    this.progress.finish("train");
    return head;
  }

  async #score(head) {
    const { service } = this.context;
    const training = this.#training;
    this.progress.set("predict");
    const jobs = training.startScoring(service.link, head);
    const batches = await Promise.all(
      jobs.map(async ([job, rows], index) => ({ rows, ...(await service.job(job, this.watch("predict", [index, jobs.length]))) })),
    );
    this.guard();
    this.progress.finish("predict");
    return batches;
  }

  async #open(head, batches) {
    const { service } = this.context;
    const training = this.#training;
    this.progress.set("open");
    const limit = this.#limit;
    const name = head.outputs[0][0];
    await service.download(name, limit);
    training.openHead(service.link, name);
    for (const { outputs, rows } of batches) {
      const scores = outputs[0][0];
      await service.download(scores, limit);
      training.openScores(service.link, scores, rows);
    }
    const report = training.report();
    this.guard();
    this.progress.finish("open");
    return {
      ...report,
      id: Date.now(),
      seconds: this.progress.seconds,
      bytes_up: service.link.bytesUp,
      bytes_down: service.link.bytesDown,
      ledger: { counts: head.counts, phases: summed(head.phases) },
      worker_peak: Math.max(head.peak_bytes, ...batches.map((batch) => batch.peak_bytes)),
    };
  }
}
