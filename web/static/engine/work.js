// What long work has in common: a pool, progress, jobs that are followed to their end, and a way to stop.

import { sendObjects } from "./objects.js";
import { Pool } from "./pool.js";
import { Progress } from "./progress.js";
import { withSeed } from "./secret.js";

/** Bytes a second that are assumed until the upload shows its pace. */
const PACE = 20e6;
/** How much slower this engine is than the native one that the plan's estimate speaks of. */
const SLOWER = 2.5;

/** Seconds by phase that a plan leads one to expect in this browser. */
export function estimates(plan, threads) {
  const making = (plan.client_seconds * SLOWER) / threads;
  return { prepare: 0.3, keys: making, encrypt: making * 0.1, upload: plan.bytes_up / PACE, features: plan.network_seconds ?? 0, train: plan.worker_seconds, predict: 1, open: 0.5 };
}

/** What work ends with when the user stopped it. */
export const STOPPED = { code: "CF-0006", message: "", detail: "stopped by the user" };

/** Work that can be stopped and gone on with. A subclass says in `all` what is done. */
export class Work {
  #pool = null;
  #job = null;
  #over = new Set();
  /** Whether it was stopped here only, while the service works on. */
  left = false;
  stopped = false;
  context;
  progress;
  /** Resolves when the work has ended, however. */
  ended = Promise.resolve();

  /**
   * `context`: compiled engine, service, key, and what the subclass needs. `expected` are seconds by phase; `emit` gets the
   * state for the page.
   */
  constructor(context, expected, emit) {
    this.context = context;
    this.progress = new Progress(Date.now(), expected, emit);
  }

  /** Ends the work at the next safe point. The service stops too, and keeps its checkpoint; `leave` lets it work on. */
  stop({ leave = false } = {}) {
    this.stopped = true;
    this.left = leave;
    this.#pool?.close();
    if (this.#job && !leave) this.context.service.cancel(this.#job);
    this.context.service.abandon(STOPPED);
  }

  /** Works to the end; answers what `all` answers. */
  async finish() {
    try {
      const result = await this.all();
      this.progress.end("done");
      return result;
    } catch (error) {
      this.progress.end(this.stopped ? "stopped" : "failed");
      throw this.stopped ? STOPPED : error;
    } finally {
      this.#pool?.close();
    }
  }

  guard() {
    if (this.stopped) throw STOPPED;
  }

  /** Starts the pool for a plan of a `kind`; features are of a `training`. */
  openPool(plan, kind, training) {
    const { compiled, key } = this.context;
    this.#pool = withSeed(key, (seed) => new Pool(compiled, seed, plan, kind, training));
  }

  closePool() {
    this.#pool.close();
    this.#pool = null;
  }

  /** Makes and sends `items` of `source`. `onProgress` hears of keys, locked objects and bytes; `keep` of new digests. */
  async send(source, items, { kept, keep, onProgress }) {
    await sendObjects({ service: this.context.service, pool: this.#pool, source, items, kept, stopped: () => this.stopped, onMade: keep, onProgress });
    this.guard();
  }

  /** A phase goes on, and is over when all is done. */
  reach(name, done, total, unit, remaining = null) {
    if (this.#over.has(name)) return;
    this.progress.set(name, { done, total, unit, remaining });
    if (done < total) return;
    this.#over.add(name);
    this.progress.finish(name);
  }

  /** What hears of a job that is one `part` of a phase, after which `rest` seconds follow. */
  watch(phase, part = [0, 1], rest = 0) {
    return (state) => {
      if (state.status === "queued") return this.progress.set(phase, { queued: state.position });
      const remaining = state.remaining_ms === null || state.remaining_ms === undefined ? null : state.remaining_ms / 1000 + rest;
      return this.progress.set(phase, { done: part[0] * state.total + state.done, total: part[1] * state.total, unit: "work", remaining });
    };
  }

  /** Follows a job; one that is still ending from an earlier stop is started again. */
  async follow(start, onState) {
    for (let attempt = 0; ; attempt += 1) {
      const name = start();
      this.#job = name;
      try {
        const done = await this.context.service.job(name, (state) => onState(state, name));
        this.#job = null;
        this.guard();
        return { ...done, name };
      } catch (error) {
        if (this.stopped || error?.code !== STOPPED.code || attempt === 5) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
        this.guard();
      }
    }
  }
}
