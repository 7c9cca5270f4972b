// Requests to the worker as promises, over a session that survives cuts.

import { Socket } from "./socket.js";

/** The compute service: one session, its socket, and who waits for what. */
export class Service {
  #engine;
  #socket;
  #waiting = new Map();
  #jobs = new Map();
  #changed = new Set();
  #ledgerBefore = [];
  #onStatus;
  #lastFailure = null;
  link = null;
  facts = null;
  worker = null;

  /** `engine` are the wasm functions; `onStatus` hears of the connection. */
  constructor(engine, onStatus) {
    this.#engine = engine;
    this.#onStatus = onStatus;
    this.#socket = new Socket(
      (event) => this.#happened(event),
      (status) => {
        this.facts = null;
        onStatus(status);
      },
    );
  }

  /** Speaks to the worker as the owner of `token` from now on; `before` is what left for that owner in earlier sessions. */
  use(token, before = []) {
    this.link?.free();
    this.link = new this.#engine.Link(token);
    this.#ledgerBefore = before;
    for (const { reject } of [...this.#waiting.values(), ...this.#jobs.values()]) reject({ code: "CF-0005", message: "", detail: "the key was changed" });
    this.#waiting.clear();
    this.#jobs.clear();
    this.#socket.use(this.link);
  }

  /** Connects now instead of at the next attempt. */
  connect() {
    this.#socket.connect();
  }

  /** Everything that has left, earlier sessions of this project included. */
  ledger() {
    return this.link ? [...this.#ledgerBefore, ...this.link.ledger()] : [...this.#ledgerBefore];
  }

  /** Asks for a plan; answers its bytes. */
  plan(request) {
    return this.#request(() => this.link.requestPlan(request), "plan").then((event) => Uint8Array.from(event.plan));
  }

  /** Asks for a plan of an inference; answers its bytes. */
  inference(request) {
    return this.#request(() => this.link.requestInference(request)).then((event) => Uint8Array.from(event.plan));
  }

  /** The networks of the worker, with the digests of their files. */
  models() {
    return this.#request(() => this.link.listModels()).then((event) => event.models);
  }

  /** The bytes of a public file of the worker's, such as a network's card. */
  async file({ digest, bytes }, limit) {
    if (bytes > limit) throw { code: "CF-0014", blame: "Worker", message: "A file of the provider’s model is too large for this browser.", remedy: "Choose another model." };
    await this.download(digest, limit);
    return this.link.takeFile(digest);
  }

  /** Deletes objects of this key. */
  delete(digests) {
    return this.#request(() => this.link.delete(digests));
  }

  /** Which of the digests the worker lacks. */
  have(digests) {
    return this.#request(() => this.link.have(digests)).then((event) => new Set(event.missing));
  }

  /** Ends the connection for good. */
  close() {
    this.#socket.close();
    this.link?.free();
    this.link = null;
  }

  /** Deletes everything of this key. */
  deleteAll() {
    return this.#request(() => this.link.deleteAll());
  }

  /** Uploads an object; done when it is on the worker's disk. */
  upload(job, { digest, bytes }) {
    return this.#await(`up/${digest}`, () => this.link.upload(job, digest, bytes));
  }

  /** Fetches an object into the session, where it waits to be opened. */
  download(digest, limit) {
    return this.#await(`down/${digest}`, () => this.link.download(digest, limit));
  }

  /** Follows a job to its end; `onState` hears of its progress. Answers its outputs. */
  job(name, onState) {
    return new Promise((resolve, reject) => {
      this.#jobs.set(name, { resolve, reject, onState });
      this.pump();
    });
  }

  /** Ends a job. */
  cancel(name) {
    this.link.cancel(name);
    this.pump();
  }

  /** Drops uploads and everything that waits. */
  abandon(reason) {
    this.link?.dropUploads();
    for (const waiting of [...this.#waiting.values(), ...this.#jobs.values()]) waiting.reject(reason);
    this.#waiting.clear();
    this.#jobs.clear();
  }

  /** Calls `listener` after anything happened. */
  onChange(listener) {
    this.#changed.add(listener);
    return () => this.#changed.delete(listener);
  }

  pump() {
    this.#socket.pump();
  }

  #request(send) {
    const number = send();
    return this.#await(`request/${number}`, () => {});
  }

  #await(key, begin) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(key, { resolve, reject });
      begin();
      this.pump();
    });
  }

  #settle(key, event, error) {
    const waiting = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (error) waiting?.reject(error);
    else waiting?.resolve(event);
    return Boolean(waiting);
  }

  #happened(event) {
    switch (event.type) {
      case "connected":
        this.facts = event.facts;
        this.worker = event.worker;
        this.#onStatus({ status: "online", worker: event.worker, threads: event.facts.threads });
        break;
      case "plan":
      case "models":
      case "have":
      case "deleted":
        this.#settle(`request/${event.request}`, event);
        break;
      case "uploaded":
        this.#settle(`up/${event.digest}`, event);
        break;
      case "downloaded":
        this.#settle(`down/${event.digest}`, event);
        break;
      case "job":
        this.#jobState(event);
        break;
      case "failed":
        this.#failure(event);
        break;
      case "broken":
        // Told once: the same fault would come back with every attempt.
        if (this.#lastFailure !== event.error?.code) this.abandon(event.error);
        this.#lastFailure = event.error?.code ?? null;
        break;
      default:
        break;
    }
    for (const listener of this.#changed) listener();
  }

  #jobState({ job, state }) {
    const waiting = this.#jobs.get(job);
    if (!waiting) return;
    if (state.status === "done" || state.status === "failed" || state.status === "cancelled") this.#jobs.delete(job);
    if (state.status === "done") waiting.resolve(state);
    else if (state.status === "failed") waiting.reject(state.error);
    else if (state.status === "cancelled") waiting.reject({ code: "CF-0006", message: "", detail: "cancelled" });
    else waiting.onState(state);
  }

  #failure({ request, digest, job, error }) {
    if (request !== null && request !== undefined) this.#settle(`request/${request}`, null, error);
    if (digest) {
      this.#settle(`up/${digest}`, null, error);
      this.#settle(`down/${digest}`, null, error);
    }
    if (job) {
      this.#jobs.get(job)?.reject(error);
      this.#jobs.delete(job);
    }
  }
}
