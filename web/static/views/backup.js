// The second step once there is a key: how its backup stands, the drill, and what must be decided before going on.

import { button, details, download, field, h, icon, notice } from "../dom.js";
import { go } from "../actions.js";
import { acceptLoss, backupKey, checkBackup, confirmBackup, deleteProject } from "../project-actions.js";
import { day } from "../format.js";
import { badFile, form, owner, password, SHORTEST, taken } from "./forms.js";
import { actions, head } from "./page.js";
import { text } from "../text.js";

const words = text.key;

function tick(id, checked, onchange, sentence) {
  const box = h("input", { type: "checkbox", id, checked, onchange: () => onchange(box.checked) });
  return h("label", { class: "tick", for: id }, box, h("span", null, sentence));
}

/** Tries the backup that was saved. */
function drill(vault) {
  const file = h("input", { type: "file", accept: ".confide,application/octet-stream" });
  const passphrase = password("current-password");
  return form(
    { class: "stack", id: "drill", "aria-labelledby": "drill-title" },
    () => badFile(file, passphrase),
    () => checkBackup(file.files[0], taken(passphrase)),
    h("h3", { id: "drill-title" }, words.drill),
    h("p", null, words.drillLead),
    owner(vault.name),
    h("div", { class: "pair" }, field(words.drillFile, file, { id: "drill-file" }), field(words.drillPassphrase, passphrase, { id: "drill-passphrase" })),
    h("button", { type: "submit", class: "button", id: "drill-try" }, icon("check"), h("span", null, words.drillButton)),
  );
}

function again(vault) {
  const passphrase = password("new-password");
  return form(
    { class: "stack", "aria-label": words.backupAgain },
    () => (passphrase.value.length < SHORTEST ? [passphrase, words.tooShort] : null),
    async () => {
      const backup = await backupKey(taken(passphrase));
      if (backup) download(words.fileName(vault.name), backup, "application/octet-stream");
    },
    owner(vault.name),
    field(words.passphrase, passphrase, { id: "backup-passphrase", hint: words.passphraseHint }),
    h("button", { type: "submit", class: "button", id: "backup-again" }, icon("down"), h("span", null, words.backupAgainButton)),
  );
}

/** What is still to be decided; nothing once the backup was tried or restored from. */
function choice(vault) {
  if (vault.backup === "saved") {
    return h(
      "section",
      { class: "card", "aria-labelledby": "choose-title" },
      h("h2", { id: "choose-title" }, words.choose),
      drill(vault),
      h("hr", null),
      tick("backup-stored", Boolean(vault.safe), confirmBackup, words.backupCheck),
    );
  }
  if (vault.backup === "accepted" || vault.backup === "none") {
    return h(
      "section",
      { class: "card", "aria-labelledby": "choose-title" },
      h("h2", { id: "choose-title" }, words.choose),
      h("h3", null, words.backupAgainButton),
      again(vault),
      h("hr", null),
      tick("loss-accepted", Boolean(vault.safe), acceptLoss, words.acceptCheck),
    );
  }
  return null;
}

const SYMBOL = { saved: "info", checked: "good", restored: "good", accepted: "warning", none: "warning" };

/** The view of a key that is here. */
export function ready({ vault }) {
  const next = button(text.next, () => go("records"), { kind: "primary", id: "key-next", disabled: !vault.safe, iconName: "arrow" });
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h(
      "section",
      { class: "card" },
      h("h2", { class: "with-icon" }, icon("key"), words.readyTitle(vault.name)),
      h("p", null, words.created(day(vault.created))),
      notice(SYMBOL[vault.backup], h("p", { id: "backup-state", "data-state": vault.backup }, words.backup[vault.backup])),
      h("p", null, words.loss),
    ),
    choice(vault),
    actions(next),
    vault.backup === "accepted" || vault.backup === "none" ? null : details(words.backupAgain, again(vault)),
    details(words.forget, h("p", null, words.forgetWarning), button(words.forgetButton, () => deleteProject(vault.id, false), { kind: "danger", id: "forget-key" })),
    details(text.details, h("p", null, words.technical)),
  );
  return {
    element,
    refresh: ({ vault: now }) => {
      next.disabled = !now?.safe;
    },
  };
}
