// Pictures through a network of the worker's: keys, locked pictures, jobs one after another, scores that are opened here.

import { withSeed } from "./secret.js";
import { estimates, Work } from "./work.js";

/** Keys, locking, sending, the network, opening. */
export class ClassifyRun extends Work {
  #expected;
  #limit = 0;

  /**
   * `context`: compiled engine, service, key, the study (`Classification`), plan view, pool size, kept digests, and `keep`
   * to be called with what a resumption needs. `emit` gets the state for the page.
   */
  constructor(context, emit) {
    const expected = { ...estimates(context.planView, context.threads), predict: 0 };
    super(context, expected, emit);
    this.#expected = expected;
  }

  /** Runs to the end; answers what the page shows. */
  async all() {
    const { service, key, study } = this.context;
    this.progress.set("prepare");
    const run = await study.classifying(service, key);
    this.guard();
    this.openPool(run.plan(), "inference");
    this.#limit = withSeed(key, (seed) => run.prepareOpening(seed));
    this.progress.finish("prepare");
    const todo = Array.from({ length: run.jobs }, (_, job) => job).filter((job) => !study.ended.has(job));
    let peak = 0;
    let seconds = 0;
    for (const [place, job] of todo.entries()) {
      await this.#send(run, todo, place);
      if (place === todo.length - 1) this.closePool();
      const rest = (this.#expected.train * (todo.length - 1 - place)) / run.jobs;
      const done = await this.follow(() => run.startJob(service.link, job), this.watch("train", [place, todo.length], rest));
      await this.#open(run, job, done.outputs);
      peak = Math.max(peak, done.peak_bytes);
      seconds += done.seconds;
    }
    this.progress.finish("train");
    this.progress.set("open");
    const view = await this.#judged(run);
    this.guard();
    this.progress.finish("open");
    return {
      ...view,
      id: Date.now(),
      seconds: this.progress.seconds,
      bytes_up: service.link.bytesUp,
      bytes_down: service.link.bytesDown,
      worker_seconds: seconds,
      worker_peak: peak,
    };
  }

  /** What came of all jobs. Scores that cannot be trusted are not kept: going on asks for them again. */
  async #judged(run) {
    try {
      return run.view();
    } catch (error) {
      await this.context.study.dropScores();
      throw error;
    }
  }

  /** Makes and sends what a job lacks: the first one all keys as well. */
  async #send(run, todo, place) {
    const { kept, keep } = this.context;
    const images = run.images(todo[place]);
    const keys = run.keys();
    const items = place === 0 ? [...keys, ...images] : images;
    const size = (list) => list.reduce((sum, item) => sum + item.bytes, 0);
    const before = place === 0 ? 0 : size(keys) + place * size(images);
    const total = size(keys) + todo.length * size(images);
    const ours = new Set(items.map((item) => JSON.stringify(item.job)));
    // The pace says nothing about what waits for a job of the service's.
    const left = (name, done, all) => (todo.length > 1 ? this.#expected[name] * (1 - done / all) : null);
    await this.send(run, items, {
      kept: (kept ?? []).filter(({ job }) => ours.has(JSON.stringify(job))),
      keep: () => keep({ digests: run.digests() }),
      onProgress: ({ keys: made, locked, sent }) => {
        if (place === 0) this.reach("keys", made[0], made[1], "count");
        const [done, all] = [place * images.length + locked[0], todo.length * images.length];
        this.reach("encrypt", done, all, "count", left("encrypt", done, all));
        this.reach("upload", before + sent, total, "bytes", left("upload", before + sent, total));
      },
    });
  }

  /** Fetches and opens the scores of a job, keeps them, and has the service delete what is not needed any more. */
  async #open(run, job, outputs) {
    const { service, study } = this.context;
    const names = outputs.map(([digest]) => digest);
    for (const name of names) {
      await service.download(name, this.#limit);
      run.openOutput(service.link, name);
    }
    await study.endJob(job, run.endJob(job));
    this.guard();
    const sent = new Set(run.images(job).map((item) => JSON.stringify(item.job)));
    const images = run.digests().filter((one) => sent.has(JSON.stringify(one.job)));
    await service.delete(images.map((one) => one.digest));
    await service.delete(names);
  }
}
