// A pool of workers that make keys and lock records, each with an engine instance of its own.

/** How many workers: one a core, at most four, at least one. */
export const poolSize = () => Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));

/** Runs tasks on the workers, one at a time each, in the order given. */
export class Pool {
  #idle = [];
  #workers = [];
  #waiting = [];
  #failed = null;

  /**
   * Starts the workers with a compiled engine; `seed` and `plan` (of a `training`, an `inference`, or of `features` for a `training`)
   * are what objects are made from.
   */
  constructor(compiled, seed, plan, kind = "training", training = null) {
    for (let index = 0; index < poolSize(); index += 1) {
      const worker = new Worker("/crypto-worker.js", { type: "module", name: `crypto-${index + 1}` });
      const slot = { worker, task: null };
      worker.onmessage = ({ data }) => this.#settle(slot, data);
      worker.onerror = (event) => {
        event.preventDefault();
        this.#settle(slot, { error: { code: "CF-0002", message: "", detail: event.message ?? "" } });
      };
      // Each worker gets a copy of its own, which moves there and is wiped when its factory is made.
      const own = seed.slice();
      worker.postMessage({ compiled, seed: own, plan, kind, training }, [own.buffer]);
      this.#workers.push(slot);
      this.#idle.push(slot);
    }
  }

  /** Number of tasks that wait for a worker or run. */
  get load() {
    return this.#waiting.length + this.#workers.length - this.#idle.length;
  }

  /** Runs one task; buffers in `transfer` move. */
  run(message, transfer = []) {
    if (this.#failed) return Promise.reject(this.#failed);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, transfer, resolve, reject });
      this.#next();
    });
  }

  #next() {
    while (this.#idle.length > 0 && this.#waiting.length > 0) {
      const slot = this.#idle.shift();
      slot.task = this.#waiting.shift();
      slot.worker.postMessage({ task: slot.task.message }, slot.task.transfer);
    }
  }

  #settle(slot, data) {
    const task = slot.task;
    slot.task = null;
    if (!task) {
      // The worker failed before its first task: no further task can succeed on it.
      if (data.error) this.#abandon(data.error);
      return;
    }
    this.#idle.push(slot);
    if (data.error) task.reject(data.error);
    else task.resolve(data.value);
    this.#next();
  }

  #abandon(error) {
    this.#failed = error;
    for (const task of this.#waiting.splice(0)) task.reject(error);
  }

  /** Ends the workers; whatever still waits is refused. */
  close() {
    for (const { worker, task } of this.#workers) {
      worker.terminate();
      task?.reject({ code: "CF-0003", message: "", detail: "pool closed" });
    }
    this.#abandon({ code: "CF-0003", message: "", detail: "pool closed" });
  }
}
