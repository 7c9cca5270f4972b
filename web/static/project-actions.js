// What the views ask for about keys and projects: each action calls the engine and puts the answer into the state.

import * as engine from "./engine.js";
import { announce } from "./dom.js";
import { blank, get, update } from "./state.js";
import { busy, go } from "./actions.js";
import { text } from "./text.js";

/** Shows another project, or none. */
const show = (state, step) => update({ ...blank, ...state, step });

/** Where the work on a project goes on. */
export function stepOf(state) {
  if (!state.vault) return state.projects?.length > 0 ? "projects" : "connect";
  if (!state.vault.safe) return "key";
  if (state.report || state.classified) return "results";
  if (state.run) return "train";
  return state.plan ? "plan" : "records";
}

/** Makes a key and begins a project with it; answers the backup file's bytes. Without a passphrase its loss is accepted. */
export async function makeKey(name, passphrase) {
  let backup = null;
  await busy(text.key.making, async () => {
    const made = await engine.call("makeKey", { name, passphrase });
    backup = made.backup;
    show(made.state, backup ? "key" : "records");
    // Asked for once there is something to lose.
    navigator.storage?.persist?.().catch(() => {});
  });
  return backup;
}

/** Opens a key's backup or a whole project. */
export const restore = (file, passphrase) =>
  busy(text.key.restoring, async () => {
    const state = await engine.call("restore", { file, passphrase });
    show(state, state.table || state.images ? stepOf(state) : "key");
  });

/** Another backup of the key that is here. */
export async function backupKey(passphrase) {
  let backup = null;
  await busy(text.key.making, async () => {
    const made = await engine.call("backupKey", { passphrase });
    backup = made.backup;
    update({ vault: made.vault });
  });
  return backup;
}

/** The drill: tries the backup that was saved. */
export async function checkBackup(file, passphrase) {
  const went = await busy(text.key.drilling, async () => update({ vault: await engine.call("checkBackup", { file, passphrase }) }));
  if (went) announce(text.key.drillPassed);
}

/** The person confirmed that the backup is stored. */
export const confirmBackup = (stored) => busy(null, async () => update({ vault: await engine.call("confirmBackup", { stored }) }));

/** The person accepts that there is no backup, or takes that back. */
export const acceptLoss = (accepted) => busy(null, async () => update({ vault: await engine.call("acceptLoss", { accepted }) }));

/** Opens a project where its work goes on. */
export const openProject = (id) =>
  busy(text.projects.opening, async () => {
    const state = await engine.call("openProject", { id });
    if (state.vault) show(state, stepOf(state));
    else go(stepOf(get()));
  });

/** Closes the open project, so that the next key begins another. */
export const newProject = () => busy(null, async () => show(await engine.call("closeProject"), "key"));

/** Gives a project another name. */
export const renameProject = (id, name) => busy(null, async () => update(await engine.call("renameProject", { id, name })));

/** A whole project as the bytes of a file. */
export async function exportProject(id, passphrase) {
  let bytes = null;
  await busy(text.projects.exporting, async () => {
    bytes = await engine.call("exportProject", { id, passphrase });
  });
  return bytes;
}

/** Deletes a project here and, with `remote`, what the service holds of it. */
export const deleteProject = (id, remote) =>
  busy(text.projects.deleting, async () => {
    const { deleted, ...state } = await engine.call("deleteProject", { id, remote });
    const told = deleted ? text.projects.deleted(deleted.objects, deleted.bytes) : text.projects.deletedHere;
    if (state.vault === null) show({ ...state, told }, "projects");
    else update({ ...state, told });
    announce(told);
  });
