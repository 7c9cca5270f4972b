// How far a run is: phases with counts, an overall fraction, and the time left.

/** The phases in order, and how they are counted. */
export const PHASES = ["prepare", "keys", "encrypt", "upload", "features", "train", "predict", "open"];

/** Keeps the state that the page draws; `emit` is called at most every 100 ms and at every change of phase. */
export class Progress {
  #state;
  #estimates;
  #starts = {};
  #emit;
  #timer = null;
  #begun = performance.now();

  /** `estimates` are seconds by phase. */
  constructor(id, estimates, emit) {
    this.#estimates = estimates;
    this.#emit = emit;
    this.#state = { id, status: "working", fraction: 0, remaining: null, elapsed: 0, phases: {}, curve: [] };
  }

  /** A copy for the page. */
  get view() {
    this.#reckon();
    return structuredClone(this.#state);
  }

  /** Seconds of each phase so far. */
  get seconds() {
    return PHASES.filter((name) => this.#state.phases[name]?.seconds !== undefined).map((name) => [name, this.#state.phases[name].seconds]);
  }

  /** A phase begins or goes on. */
  set(name, { done = 0, total = 0, unit = "count", queued = null, remaining = null } = {}) {
    this.#starts[name] ??= performance.now();
    const begins = this.#state.phases[name]?.status !== "working";
    this.#state.phases[name] = { status: "working", done, total, unit, queued, remaining };
    this.#publish(begins);
  }

  /** The curve has another point. */
  curve(points) {
    this.#state.curve = points;
    this.#publish(true);
  }

  /** A phase is over. */
  finish(name) {
    const seconds = (performance.now() - (this.#starts[name] ?? performance.now())) / 1000;
    const last = this.#state.phases[name] ?? {};
    this.#state.phases[name] = { ...last, status: "done", seconds, done: last.total ?? 0 };
    this.#publish(true);
  }

  /** The run is over: `done`, `stopped` or `failed`. */
  end(status) {
    this.#state.status = status;
    for (const phase of Object.values(this.#state.phases)) if (phase.status === "working") phase.status = "paused";
    this.#publish(true);
  }

  /** Seconds that a phase still needs: by its own word, by its pace, or by the estimate. */
  #rest(name) {
    const phase = this.#state.phases[name];
    const estimate = this.#estimates[name] ?? 0.5;
    if (phase?.status === "done") return 0;
    if (phase?.status !== "working") return estimate;
    if (phase.remaining !== null) return phase.remaining;
    const spent = (performance.now() - this.#starts[name]) / 1000;
    const part = phase.total > 0 ? phase.done / phase.total : 0;
    return part > 0.05 && spent > 1 ? (spent * (1 - part)) / part : Math.max(estimate - spent, estimate * 0.1);
  }

  #reckon() {
    const rest = (names) => names.map((name) => this.#rest(name));
    // Keys, locking and sending go on side by side: the longest of them counts.
    const side = Math.max(...rest(["keys", "encrypt", "upload"]));
    const left = rest(["prepare", "features", "train", "predict", "open"]).reduce((sum, one) => sum + one, side);
    const state = this.#state;
    state.elapsed = (performance.now() - this.#begun) / 1000;
    state.remaining = state.status === "working" ? left : null;
    // The bar never goes back.
    state.fraction = state.status === "done" ? 1 : Math.max(state.fraction, Math.min(0.99, state.elapsed / (state.elapsed + left)));
  }

  #publish(now) {
    if (now) {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#emit(this.view);
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = null;
        this.#emit(this.view);
      }, 100);
    }
  }
}
