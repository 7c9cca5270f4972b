// One training from the first key to the report. Everything that it needs to go on after a reload is kept on the way.

import { Pool } from "./pool.js";
import { Progress } from "./progress.js";
import { sendObjects } from "./objects.js";
import { withSeed } from "./secret.js";

/** Bytes a second that are assumed until the upload shows its pace. */
const PACE = 20e6;
/** How much slower this engine is than the native one that the plan's estimate speaks of. */
const SLOWER = 2.5;

/** Seconds by phase that a plan leads one to expect in this browser. */
export function estimates(plan, threads) {
  const making = (plan.client_seconds * SLOWER) / threads;
  return { prepare: 0.3, keys: making, encrypt: making * 0.1, upload: plan.bytes_up / PACE, train: plan.worker_seconds, predict: 1, open: 0.5 };
}

/** What a run ends with when the user stopped it. */
export const STOPPED = { code: "CF-0006", message: "", detail: "stopped by the user" };

/** Seconds by phase, phases of one name together. */
function summed(phases) {
  const sums = new Map();
  for (const [name, seconds] of phases) sums.set(name, (sums.get(name) ?? 0) + seconds);
  return [...sums];
}

/** Keys, locking, sending, training, scoring, opening. */
export class Run {
  #context;
  #pool = null;
  #job = null;
  #limit = 0;
  /** Scores on their way to the curve. */
  #points = [];
  #stopped = false;
  /** Whether it was stopped here only, while the service works on. */
  left = false;
  progress;
  /** Resolves when the run has ended, however. */
  ended = Promise.resolve();

  /**
   * `context`: compiled engine, service, key, training, plan view, pool size, kept digests, and `keep` to be called
   * with what a resumption needs. `emit` gets the state for the page.
   */
  constructor(context, emit) {
    this.#context = context;
    this.progress = new Progress(Date.now(), estimates(context.planView, context.threads), emit);
  }

  /** Ends the run at the next safe point. The service stops too, and keeps its checkpoint; `leave` lets it work on. */
  stop({ leave = false } = {}) {
    this.#stopped = true;
    this.left = leave;
    this.#pool?.close();
    if (this.#job && !leave) this.#context.service.cancel(this.#job);
    this.#context.service.abandon(STOPPED);
  }

  /** Runs to the end; answers the report. */
  async finish() {
    try {
      await this.#send();
      const head = await this.#train();
      const batches = await this.#score(head.outputs[0][0]);
      const report = await this.#open(head, batches);
      this.progress.end("done");
      return report;
    } catch (error) {
      this.progress.end(this.#stopped ? "stopped" : "failed");
      throw this.#stopped ? STOPPED : error;
    } finally {
      this.#pool?.close();
    }
  }

  #guard() {
    if (this.#stopped) throw STOPPED;
  }

  async #send() {
    const { compiled, service, key, training, kept, keep } = this.#context;
    this.progress.set("prepare");
    const items = training.items();
    this.#pool = withSeed(key, (seed) => new Pool(compiled, seed, training.plan()));
    this.progress.finish("prepare");
    const over = new Set();
    const follow = (name, done, total, unit) => {
      if (over.has(name)) return;
      this.progress.set(name, { done, total, unit });
      if (done >= total) {
        over.add(name);
        this.progress.finish(name);
      }
    };
    await sendObjects({
      service,
      pool: this.#pool,
      source: training,
      items,
      kept,
      stopped: () => this.#stopped,
      onMade: () => keep({ digests: training.digests() }),
      onProgress: ({ keys, locked, sent, total }) => {
        follow("keys", keys[0], keys[1], "count");
        follow("encrypt", locked[0], locked[1], "count");
        follow("upload", sent, total, "bytes");
      },
    });
    this.#guard();
    this.#pool.close();
    this.#pool = null;
  }

  #watch(phase, part = [0, 1]) {
    return (state) => {
      if (state.status === "queued") return this.progress.set(phase, { queued: state.position });
      const remaining = state.remaining_ms === null || state.remaining_ms === undefined ? null : state.remaining_ms / 1000;
      return this.progress.set(phase, { done: part[0] * state.total + state.done, total: part[1] * state.total, unit: "work", remaining });
    };
  }

  /** Follows a job; one that is still ending from an earlier stop is started again. */
  async #follow(start, onState) {
    for (let attempt = 0; ; attempt += 1) {
      const name = start();
      this.#job = name;
      try {
        const done = await this.#context.service.job(name, (state) => onState(state, name));
        this.#job = null;
        this.#guard();
        return { ...done, name };
      } catch (error) {
        if (this.#stopped || error?.code !== STOPPED.code || attempt === 5) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
        this.#guard();
      }
    }
  }

  /** Fetches and opens the scores that a training has newly made. They are drawn: nothing of them goes back. */
  #draw(name) {
    const { service, training } = this.#context;
    for (const [scores, limit] of training.newScores(service.link, name)) {
      const opened = service.download(scores, limit).then(() => this.progress.curve(training.openPoint(service.link, scores)));
      // Failures are met when the training ends; this keeps them from being reported as unhandled before.
      opened.catch(() => {});
      this.#points.push(opened);
    }
  }

  /** Hears of a training: how far it is, and what it has made. A service that does not follow the plan is left. */
  #watchTraining() {
    const watch = this.#watch("train");
    let told = 0;
    return (state, name) => {
      watch(state);
      if ((state.scores ?? 0) === told) return;
      told = state.scores ?? 0;
      try {
        this.#draw(name);
      } catch (error) {
        this.#context.service.cancel(name);
        this.#context.service.abandon(error);
      }
    };
  }

  async #train() {
    const { service, training, key } = this.#context;
    this.progress.set("train");
    this.#limit = withSeed(key, (seed) => training.prepareOpening(seed));
    const done = this.#follow(() => training.startTraining(service.link), this.#watchTraining());
    // A failure is met below; this keeps it from being reported as unhandled before.
    done.catch(() => {});
    // The comparison in the clear is worked out here while the service works on the locked copy.
    training.trainClear();
    const head = await done;
    this.#draw(head.name);
    training.endScores();
    await Promise.all(this.#points);
    this.#guard();
    this.progress.finish("train");
    return head;
  }

  async #score(head) {
    const { service, training } = this.#context;
    this.progress.set("predict");
    const jobs = training.startScoring(service.link, head);
    const batches = await Promise.all(
      jobs.map(async ([job, rows], index) => ({ rows, ...(await service.job(job, this.#watch("predict", [index, jobs.length]))) })),
    );
    this.#guard();
    this.progress.finish("predict");
    return batches;
  }

  async #open(head, batches) {
    const { service, training } = this.#context;
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
    this.#guard();
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
