// The projects of this browser: what the list shows of each. All else of a project lies in its own part of the store.

import * as store from "./store.js";
import { alone } from "./tabs.js";

const LIST = "projects";
const CURRENT = "current-project";

let list = [];
let current = null;

const read = async () => {
  list = (await store.recallValue(LIST)) ?? [];
};

/** Changes the list as it is kept: another tab may have changed it. `edit` answers whether there is something to keep. */
const edited = (edit) =>
  alone(async () => {
    await read();
    const changed = edit();
    if (changed) await store.keepValue(LIST, list);
    return changed;
  });

/** Reads the list; answers the project that was open last, if it is still there. */
export async function load() {
  await read();
  const last = await store.recallValue(CURRENT);
  return find(last) ? last : null;
}

/** Copies of all entries, the last opened first. */
export const all = () => list.map((entry) => ({ ...entry, current: entry.id === current })).sort((a, b) => b.opened - a.opened);

/** A copy of one entry. */
export const find = (id) => {
  const entry = list.find((one) => one.id === id);
  return entry ? { ...entry } : null;
};

/** Another project with the same key, if there is one. */
export const sharing = (id) => {
  const mark = find(id)?.fingerprint;
  return list.find((one) => one.id !== id && one.fingerprint === mark) ?? null;
};

/** A name that no project has yet. */
export function freeName(wanted) {
  const taken = new Set(list.map((one) => one.name));
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted} (${number})`;
  return name;
}

/** Adds a project with a new id; answers its entry. */
export async function add(entry) {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  await edited(() => list.push({ stage: "key", sent: 0, created: Date.now(), opened: Date.now(), ...entry, id }));
  return find(id);
}

/** Notes changes of a project; answers whether there were any. */
export const change = (id, changes) =>
  edited(() => {
    const entry = list.find((one) => one.id === id);
    if (!entry || Object.entries(changes).every(([name, value]) => entry[name] === value)) return false;
    Object.assign(entry, changes);
    return true;
  });

/** Takes a project off the list. */
export const remove = (id) =>
  edited(() => {
    list = list.filter((one) => one.id !== id);
    return true;
  });

/** Notes which project is open; none with null. */
export async function setCurrent(id) {
  current = id;
  await store.keepValue(CURRENT, id);
  if (id !== null) await change(id, { opened: Date.now() });
}
