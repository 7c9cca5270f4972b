// The engine: key, records, socket and calculation, away from the page's thread.

import * as store from "./engine/store.js";
import { compile, instantiate } from "./engine/wasm.js";
import { explain } from "./engine/errors.js";
import { poolSize } from "./engine/pool.js";
import { predict } from "./engine/predictor.js";
import { Project } from "./engine/project.js";
import { estimates, Run, STOPPED } from "./engine/run.js";
import { withSecret } from "./engine/secret.js";
import { Service } from "./engine/service.js";
import { readTexts } from "./engine/texts.js";

const KEY = "key";
const KEY_INFO = "key-info";
const LEDGER = "ledger";

let engine = null;
let compiled = null;
let service = null;
let project = null;
let key = null;
let vault = null;
let run = null;
let newPatients = "";

const tell = (event, value) => postMessage({ event, value });

let ledgerTimer = null;
function ledgerChanged() {
  ledgerTimer ??= setTimeout(() => {
    ledgerTimer = null;
    const entries = service.ledger();
    tell("ledger", entries);
    store.keepValue(LEDGER, entries).catch(() => {});
  }, 400);
}

/** Tells how far the reading of texts is, twice a second. */
let told = 0;
function reading(progress) {
  const now = performance.now();
  if (now - told < 500 && progress.done < progress.total) return;
  told = now;
  tell("reading", progress);
}

/** Speaks to the service under the key's token, or under one made up for this visit. */
function identify(options) {
  if (!key) return service.use(crypto.getRandomValues(new Uint8Array(32)), options);
  return withSecret(key, (secret) => service.use(secret.subarray(32), options));
}

/** Ends a run before something changes that it stands on. */
async function endRun() {
  run?.stop();
  await run?.ended;
}

async function takeKey(made, info) {
  key?.free();
  key = made;
  vault = { name: made.name(), fingerprint: made.fingerprint(), created: Date.now(), ...info };
  await withSecret(made, (secret) => store.keep(KEY, secret));
  await store.keepValue(KEY_INFO, vault);
  identify();
}

async function restoreKept() {
  const info = await store.recallValue(KEY_INFO);
  const secret = await store.recall(KEY);
  if (!info || !secret) return;
  key = engine.Key.fromSecret(secret, info.name);
  secret.fill(0);
  vault = info;
}

/** Seconds that the page shows for a plan. */
const expected = (plan) => {
  const { prepare, keys, encrypt, upload, train, predict: scoring, open } = estimates(plan, poolSize());
  return prepare + Math.max(keys + encrypt, upload) + train + scoring + open;
};

async function finishRun(current) {
  try {
    const report = await current.finish();
    await project.finish(report, key);
    tell("report", { report, predictor: project.result.predictor, run: current.progress.view });
  } catch (error) {
    await project.keep({ running: false });
    if (explain(error).code !== STOPPED.code) tell("error", explain(error));
  } finally {
    if (run === current) run = null;
  }
}

function startRun() {
  if (run) return run.progress.view;
  const training = project.training();
  run = new Run(
    { compiled, service, key, training, planView: project.kept.planView, threads: poolSize(), kept: project.kept.digests, keep: (changes) => project.keep(changes) },
    (state) => tell("run", state),
  );
  project.keep({ running: true });
  run.ended = finishRun(run);
  return run.progress.view;
}

const methods = {
  async boot() {
    const [storage] = await Promise.all([store.open(), compile().then((made) => (compiled = made))]);
    engine = await instantiate(compiled);
    service = new Service(engine, (status) => tell("connection", status));
    service.remember((await store.recallValue(LEDGER)) ?? []);
    service.onChange(ledgerChanged);
    project = new Project(engine);
    await restoreKept();
    identify();
    const state = key ? await project.restore() : {};
    if (state.plan) state.plan.seconds ??= expected(state.plan);
    tell("ledger", service.ledger());
    const answer = { engine: { variant: compiled.name, cores: navigator.hardwareConcurrency || 1, pool: poolSize(), storage }, vault, ...state };
    if (state.plan && project.kept.running) answer.run = startRun();
    return answer;
  },

  async makeKey({ name, passphrase }) {
    const made = engine.Key.generate(name);
    const backup = made.backup(passphrase);
    await takeKey(made, { backup: "saved", safe: false });
    return { backup, vault };
  },

  async restoreKey({ file, passphrase }) {
    if (file.size > 100_000) throw { code: "CC-2010", blame: "Client", message: "The file is not a Confide key backup.", remedy: "Choose the file that was saved when the key was made." };
    const made = engine.Key.restore(await file.text(), passphrase);
    await takeKey(made, { backup: "restored", safe: true });
    return { vault };
  },

  async backupKey({ passphrase }) {
    const backup = key.backup(passphrase);
    vault = { ...vault, backup: "saved" };
    await store.keepValue(KEY_INFO, vault);
    return { backup, vault };
  },

  async confirmBackup({ stored }) {
    vault = { ...vault, safe: stored };
    await store.keepValue(KEY_INFO, vault);
    return vault;
  },

  async forget() {
    await endRun();
    await store.forget();
    key?.free();
    key = null;
    vault = null;
    project = new Project(engine);
    identify({ fresh: true });
    ledgerChanged();
  },

  async openTable({ file }) {
    await endRun();
    const bytes = file ? new Uint8Array(await file.arrayBuffer()) : engine.sampleRecords();
    return project.open(file ? file.name : "", bytes);
  },

  async readTexts({ column }) {
    await endRun();
    const texts = project.texts(column);
    const vectors = await readTexts({ compiled, digest: engine.textModelDigest(), texts, onProgress: reading });
    await project.takeVectors(column, vectors);
  },

  async choose({ choices }) {
    await endRun();
    return project.choose(choices);
  },

  async askPlan() {
    await endRun();
    const plan = await project.plan(service);
    return { ...plan, seconds: expected(plan) };
  },

  startRun: async () => startRun(),

  async stopRun() {
    run?.stop();
  },

  async predict({ values, written, file }) {
    const answer = await predict({ engine, compiled, service, key, model: project.result.model, values, written, file, onProgress: reading });
    newPatients = answer.csv;
    return { ...answer.view, positive: project.result.report.positive };
  },

  async exportFile({ kind }) {
    return { predictions: project.result?.csv, report: project.result?.json, "new-patients": newPatients }[kind] ?? "";
  },

  wipeService: () => service.deleteAll(),

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
