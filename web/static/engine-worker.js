// The engine: projects, socket and calculation, away from the page's thread.

import * as projects from "./engine/projects.js";
import * as store from "./engine/store.js";
import { baseModels, readLocked, readPictures } from "./engine/base-models.js";
import { compile, instantiate } from "./engine/wasm.js";
import { explain } from "./engine/errors.js";
import { poolSize } from "./engine/pool.js";
import { predict } from "./engine/predictor.js";
import { STOPPED as READING_STOPPED } from "./engine/reading.js";
import { chosenTable } from "./engine/records.js";
import { Review } from "./engine/review.js";
import { withSecret } from "./engine/secret.js";
import { Service } from "./engine/service.js";
import { readTexts } from "./engine/texts.js";
import { wipe } from "./engine/wipe.js";
import { estimates, STOPPED } from "./engine/work.js";
import { discard, exportProject, importProject, withKey, Workspace } from "./engine/workspace.js";

let engine = null;
let compiled = null;
let service = null;
/** The open project. */
let space = null;
/** How its results are looked at. */
let review = null;
let run = null;
let newPatients = "";

const tell = (event, value) => postMessage({ event, value });

let ledgerTimer = null;
function ledgerChanged() {
  ledgerTimer ??= setTimeout(ledgerTold, 400);
}

/** Tells and keeps what has left. A project that is closed keeps it before another opens. */
async function ledgerTold() {
  clearTimeout(ledgerTimer);
  ledgerTimer = null;
  const entries = service.ledger();
  tell("ledger", entries);
  if (!space) return;
  const sent = entries.filter((entry) => entry.form !== "plain").reduce((sum, entry) => sum + entry.bytes, 0);
  const { id } = space;
  await space.keepLedger(entries).catch(() => {});
  await noted({ sent }, id);
}

/** Notes changes of a project, by default of the open one, and tells the list. */
async function noted(changes, id = space?.id) {
  if (await projects.change(id, changes)) tell("projects", projects.all());
}

/** Tells how far a reading of texts or pictures is, twice a second; nothing once other work follows. */
let told = 0;
function reading(progress) {
  const now = performance.now();
  if (progress && now - told < 500 && progress.done < progress.total) return;
  told = now;
  tell("reading", progress);
}

/** Ends the reading under way. */
let stopReading = new AbortController();

/** Runs a reading that can be stopped; answers nothing when it was. */
async function stoppable(read) {
  stopReading = new AbortController();
  try {
    return await read({ onProgress: reading, signal: stopReading.signal });
  } catch (error) {
    if (error?.code === READING_STOPPED.code) return null;
    throw error;
  }
}

/** Ends a run before something changes that it stands on. */
async function endRun(how) {
  run?.stop(how);
  await run?.ended;
}

/** A plan with the seconds that the page shows for it. */
function timed(plan) {
  const parts = estimates(plan, poolSize());
  const { prepare, keys, encrypt, upload, features, train, predict: scoring, open } = parts;
  return { ...plan, parts: { lock: keys + encrypt, upload, features, train }, seconds: prepare + Math.max(keys + encrypt, upload) + features + train + scoring + open };
}

/** Leaves the open project. What the service computes for it goes on there. */
async function leave() {
  await endRun({ leave: true });
  if (service.link) await ledgerTold();
  space?.free();
  space = null;
}

/** Opens a project, or none; answers the page's state for it. `before` has left already for a project that is new. */
async function enter(next, before) {
  space = next;
  newPatients = "";
  await projects.setCurrent(next?.id ?? null);
  if (!next) {
    service.use(crypto.getRandomValues(new Uint8Array(32)));
    return { projects: projects.all(), vault: null, ledger: [] };
  }
  const ledger = before ?? (await next.ledger());
  await withSecret(next.key, (secret) => service.use(secret.subarray(32), ledger));
  const state = await next.restore();
  if (state.report) state.review = await review.open();
  if (state.plan) state.plan = timed(state.plan);
  const { kept } = next.study;
  if (state.plan && kept.running) state.run = startRun();
  else if (state.plan && kept.paused) state.run = kept.paused;
  return { ...state, projects: projects.all(), vault: next.about, ledger: service.ledger() };
}

/** Begins a project with a key. What left before it was known belongs to it. */
async function begin(key, about) {
  const before = space ? [] : service.ledger();
  const next = await Workspace.create(engine, key, about);
  await leave();
  return enter(next, before);
}

/** Notes that the project's pictures changed. */
const pictured = () => noted({ stage: "records", accuracy: null, ...space.images.summary });

async function change(changes) {
  await noted(changes);
  return space.about;
}

async function finishRun(current, { id, study, key }) {
  try {
    await study.finish(await current.finish(), key);
    await noted({ stage: "trained", ...study.summary }, id);
    const shown = study.shown;
    if (shown.report) shown.review = await review.open();
    tell("report", { ...shown, run: current.progress.view });
  } catch (error) {
    if (!current.left) {
      const { view } = current.progress;
      await study.keep({ running: false, paused: view });
      await noted({ stage: "paused" }, id);
      tell("run", view);
    }
    if (explain(error).code !== STOPPED.code) tell("error", explain(error));
  } finally {
    if (run === current) run = null;
  }
}

function startRun() {
  if (run) return run.progress.view;
  const { id, key, study } = space;
  // That it is over is told once it is kept: a reload must find what the page has said.
  run = study.run({ compiled, service, key, threads: poolSize() }, (state) => state.status === "working" && tell("run", state));
  study.keep({ running: true, paused: null });
  noted({ stage: "running" });
  run.ended = finishRun(run, { id, study, key });
  return run.progress.view;
}

const methods = {
  async boot() {
    const [storage] = await Promise.all([store.open(), compile().then((made) => (compiled = made))]);
    engine = await instantiate(compiled);
    service = new Service(engine, (status) => tell("connection", status));
    service.onChange(ledgerChanged);
    review = new Review(engine, () => space.project);
    const last = await projects.load();
    let state;
    try {
      state = await enter(last ? await Workspace.reopen(engine, last) : null);
    } catch (error) {
      // The list of projects is where this is mended.
      state = await enter(null);
      tell("error", explain(error));
    }
    return { ...state, engine: { variant: compiled.name, cores: navigator.hardwareConcurrency || 1, pool: poolSize(), storage } };
  },

  /** A project with a new key; without a passphrase its loss is accepted. */
  async makeKey({ name, passphrase }) {
    const key = engine.Key.generate(name);
    const backup = passphrase === null ? null : key.backup(passphrase);
    const state = await begin(key, { name: projects.freeName(name), ...(backup ? { backup: "saved", safe: false } : { backup: "accepted", safe: true }) });
    return { backup, state };
  },

  /** A project with the key of a backup, or a whole project out of its file. */
  async restore({ file, passphrase }) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (engine.ProjectFile.isProject(bytes)) {
      const next = await importProject(engine, bytes, passphrase);
      await leave();
      return enter(next);
    }
    if (file.size > 100_000) throw { code: "CC-2010", blame: "Client", message: "The file is neither a key backup nor a project of Confide.", remedy: "Choose the file that was saved when the key was made or the project exported." };
    const key = engine.Key.restore(new TextDecoder().decode(bytes), passphrase);
    return begin(key, { name: projects.freeName(key.name()), backup: "restored", safe: true });
  },

  async backupKey({ passphrase }) {
    space.key.rename(space.about.name);
    const backup = space.key.backup(passphrase);
    return { backup, vault: await change({ backup: "saved", safe: false }) };
  },

  /** The drill: the file opens with the passphrase and holds this key. */
  async checkBackup({ file, passphrase }) {
    space.key.checkBackup(await file.slice(0, 100_000).text(), passphrase);
    return change({ backup: "checked", safe: true });
  },

  confirmBackup: ({ stored }) => change({ safe: stored }),

  acceptLoss: ({ accepted }) => change({ backup: accepted ? "accepted" : "none", safe: accepted }),

  async openProject({ id }) {
    if (space?.id === id) return {};
    const next = await Workspace.reopen(engine, id);
    await leave();
    return enter(next);
  },

  /** No project is open: the next key begins one. */
  async closeProject() {
    await leave();
    return enter(null);
  },

  async renameProject({ id, name }) {
    if (name !== projects.find(id)?.name) await noted({ name: projects.freeName(name) }, id);
    return { projects: projects.all(), vault: space?.about ?? null };
  },

  async exportProject({ id, passphrase }) {
    if (space?.id === id) await ledgerTold();
    return exportProject(engine, id, passphrase);
  },

  /** Deletes a project here, and with `remote` first what the service holds of it. A second time finds nothing. */
  async deleteProject({ id, remote }) {
    if (!projects.find(id)) return { projects: projects.all(), deleted: null };
    const open = space?.id === id;
    if (open) {
      await endRun();
      await leave();
    }
    try {
      const wiped = () => withKey(engine, id, (key) => withSecret(key, (secret) => wipe(engine, secret.slice(32))));
      const deleted = await discard(id, async () => (remote && !projects.sharing(id) ? wiped() : null));
      return { ...(open ? await enter(null) : { projects: projects.all() }), deleted };
    } catch (error) {
      // It stays as it was.
      if (open) await enter(await Workspace.reopen(engine, id));
      throw error;
    }
  },

  /** Opens the table among chosen files, the one that text files make, or the sample; answers the state, and which column is `written`. */
  async openTable({ chosen }) {
    await endRun();
    const { name, bytes, fromFiles } = chosen ? await chosenTable(engine, chosen) : { name: "", bytes: engine.sampleRecords() };
    const state = await space.project.open(name, bytes);
    await noted({ stage: "records", source: state.table.name, rows: state.table.rows, accuracy: null });
    return { state, written: fromFiles ? engine.TextFiles.textColumn() : null };
  },

  /** Makes the project one of pictures for a model of the service's; answers the models. */
  async beginImages() {
    const images = await space.images.begin(service);
    await pictured();
    return { images };
  },

  async chooseModel({ name }) {
    await endRun();
    const images = await space.images.choose(service, name, reading);
    await pictured();
    return { images };
  },

  /** Reads picture files: `path` and `file` of each. */
  async readPictures({ files }) {
    await endRun();
    const images = await space.images.read(files, reading);
    await pictured();
    return { images };
  },

  /** The project is one of records again. */
  async leaveImages() {
    await endRun();
    await space.images.forget();
    await noted({ stage: "key", kind: null, source: "", rows: 0, accuracy: null });
  },

  /** Answers whether it came to its end. */
  async readTexts({ column }) {
    await endRun();
    const texts = space.project.texts(column);
    const vectors = await stoppable((under) => readTexts({ compiled, digest: engine.textModelDigest(), texts, ...under }));
    if (vectors) await space.project.takeVectors(column, vectors);
    return vectors !== null;
  },

  listBaseModels: () => baseModels({ engine, service }),

  /**
   * Reads the pictures of a list with a base model, or only brings them to its size where it is to read them `locked`, at the service;
   * answers nothing when it was stopped. `files` have a `path` and a `file` each; without a `list` their folders are their labels.
   */
  async openPictures({ list, files, name, locked }) {
    const paths = files.map((one) => one.path);
    const bytes = list ? new Uint8Array(await list.arrayBuffer()) : engine.listOfFolders(paths);
    const { project } = space;
    const matched = project.matchPictures(bytes, files);
    const read = await stoppable((under) => (locked ? readLocked : readPictures)({ engine, compiled, service, name, files: matched, ...under }));
    if (!read) return null;
    await endRun();
    const state = await project.openPictures(list?.name ?? paths[0].split("/")[0], bytes, read);
    await noted({ stage: "records", source: state.table.name, rows: state.table.rows, accuracy: null });
    return state;
  },

  stopReading: async () => stopReading.abort(READING_STOPPED),

  async choose({ choices }) {
    await endRun();
    const answer = await space.project.choose(choices);
    await noted({ stage: "records", accuracy: null });
    return answer;
  },

  async askPlan() {
    await endRun();
    const plan = await space.study.plan(service, space.key);
    await noted({ stage: "plan" });
    return timed(plan);
  },

  startRun: async () => startRun(),

  /** Stops here and at the service, to go on later. */
  pauseRun: () => endRun(),

  /** Ends a run for good. What was sent is not sent again. */
  async cancelRun() {
    await endRun();
    await space.study.keep({ running: false, paused: null });
    await noted({ stage: "plan" });
  },

  /** Answers nothing when it was stopped. */
  async predict({ values, written, chosen, pictures }) {
    const { key, project } = space;
    const { evaluation, threshold } = review;
    const asked = { values, written, chosen, pictures };
    const answer = await stoppable((under) => predict({ engine, compiled, service, key, model: project.result.model, evaluation, threshold, ...asked, ...under }));
    newPatients = answer?.csv ?? newPatients;
    return answer?.view ?? null;
  },

  review: ({ changes }) => review.change(changes),

  async exportFile({ kind, card }) {
    if (kind === "new-patients") return newPatients;
    if (space.images.chosen) return kind === "report" ? space.images.result.json : space.images.result.csv;
    return kind === "report" ? review.json(card) : review.csv();
  },

  /** Deletes what the service holds of the open project. */
  async wipeService() {
    await endRun();
    const deleted = await service.deleteAll();
    await space.study.keep({ running: false, paused: null, digests: [], network: [], features: {} });
    return deleted;
  },

  async reconnect() {
    service.connect();
  },
};

onmessage = async ({ data: { id, method, args } }) => {
  try {
    postMessage({ id, value: await methods[method](args) });
  } catch (error) {
    postMessage({ id, error: explain(error) });
  }
};

// What nobody waits for is told as well.
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  tell("error", explain(event.reason));
});
