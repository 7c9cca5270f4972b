// One open project: its key, its study, its ledger. And whole projects as files.

import { Classification, IMAGE_PARTS } from "./classification.js";
import * as projects from "./projects.js";
import { PARTS, Project } from "./project.js";
import { withSecret } from "./secret.js";
import { scope } from "./store.js";
import { hold } from "./tabs.js";

const KEY = "key";
const LEDGER = "ledger";
const ABOUT = "about";
/** Everything that is kept of a project beside its key, by name. */
const CONTENT = [...PARTS, ...IMAGE_PARTS, LEDGER];
/** Files up to this size are read: a wasm memory holds the file, its content and the study. */
const LARGEST_FILE = 400e6;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The key that is kept for a project, to be freed by the caller. */
async function keptKey(engine, id) {
  const secret = await scope(id).recall(KEY);
  if (!secret) throw { code: "CF-0011", message: "", detail: "the stored key does not open" };
  try {
    return engine.Key.fromSecret(secret, projects.find(id).name);
  } finally {
    secret.fill(0);
  }
}

/** Hands the kept key of a project to `use`. */
export async function withKey(engine, id, use) {
  const key = await keptKey(engine, id);
  try {
    return await use(key);
  } finally {
    key.free();
  }
}

/** A project that is open. */
export class Workspace {
  #store;
  #release;
  id;
  key;
  /** A study on records. */
  project;
  /** A study on pictures, if one is begun. */
  images;

  /** `release` lets other tabs have the project. */
  constructor(engine, id, key, release) {
    this.#release = release;
    this.id = id;
    this.key = key;
    this.#store = scope(id);
    this.project = new Project(engine, this.#store);
    this.images = new Classification(engine, this.#store);
  }

  /** Begins a project with a key; `about` goes into the list. */
  static async create(engine, key, about) {
    const entry = await projects.add({ ...about, fingerprint: key.fingerprint() });
    key.rename(entry.name);
    await withSecret(key, (secret) => scope(entry.id).keep(KEY, secret));
    return new Workspace(engine, entry.id, key, await hold(entry.id));
  }

  /** Takes up a project that is kept. */
  static async reopen(engine, id) {
    const release = await hold(id);
    try {
      return new Workspace(engine, id, await keptKey(engine, id), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** What the list says of it. */
  get about() {
    return projects.find(this.id);
  }

  /** The study that is under way. */
  get study() {
    return this.images.chosen ? this.images : this.project;
  }

  /** Takes up what was kept; answers the page's state for it. */
  async restore() {
    return (await this.images.restore()) ?? this.project.restore();
  }

  /** What left for this project in earlier sessions. */
  async ledger() {
    return (await this.#store.recallValue(LEDGER)) ?? [];
  }

  /** Keeps the ledger. */
  keepLedger(entries) {
    return this.#store.keepValue(LEDGER, entries);
  }

  /** Frees what the engine holds. */
  free() {
    this.project.free();
    this.images.free();
    this.key.free();
    this.#release();
  }
}

/** A project as a file, guarded by a passphrase. */
export function exportProject(engine, id, passphrase) {
  return withKey(engine, id, async (key) => {
    const file = new engine.ProjectFile();
    try {
      for (const name of CONTENT) {
        const bytes = await scope(id).recall(name);
        if (bytes) file.put(name, bytes);
      }
      file.put(ABOUT, encoder.encode(JSON.stringify(projects.find(id))));
      return file.seal(key, passphrase);
    } finally {
      file.free();
    }
  });
}

/** Takes a project out of a file; it goes on where it was, but nothing starts by itself. */
export async function importProject(engine, bytes, passphrase) {
  if (bytes.length > LARGEST_FILE) throw { code: "CC-2020", blame: "Client", message: "The file is too large for a Confide project.", remedy: "Choose the file that was saved when the project was exported." };
  const file = engine.ProjectFile.open(bytes, passphrase);
  try {
    const about = JSON.parse(decoder.decode(file.take(ABOUT)));
    const key = file.takeKey();
    const { stage, kind, source, rows, sent, accuracy } = about;
    const name = projects.freeName(String(about.name ?? key.name()));
    const space = await Workspace.create(engine, key, { name, stage: stage === "running" ? "paused" : stage, kind, source, rows, sent, accuracy, backup: "restored", safe: true });
    for (const part of CONTENT) {
      const content = file.take(part);
      if (content) await scope(space.id).keep(part, content);
    }
    await space.project.settle();
    await space.images.settle();
    return space;
  } finally {
    file.free();
  }
}

/** Forgets everything of a project in this browser, first what `remote` does elsewhere. No tab may have it open. */
export async function discard(id, remote) {
  const release = await hold(id);
  try {
    const answer = await remote();
    await scope(id).clear();
    await projects.remove(id);
    return answer;
  } finally {
    release();
  }
}
