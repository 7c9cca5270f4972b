// Second step: restore a key from its backup, or make one and save its backup.

import { button, details, download, field, fill, formChip, h, icon, notice } from "../dom.js";
import { backupKey, confirmBackup, forgetKey, go, makeKey, restoreKey } from "../actions.js";
import { day } from "../format.js";
import { actions, head, working } from "./page.js";
import { text } from "../text.js";

const words = text.key;
const SHORTEST = 12;

const saveBackup = (name, backup) => backup && download(words.fileName(name), backup, "application/octet-stream");
// Password managers keep the passphrase under the key's name.
const owner = (name) => h("input", { type: "text", autocomplete: "username", value: name, hidden: true, tabindex: "-1", "aria-hidden": "true" });
const password = (autocomplete) => h("input", { type: "password", autocomplete, spellcheck: "false", required: true });

/** Shows a complaint about one control, tied to it for screen readers. */
function complain(place, control, message) {
  fill(place, message ? notice("error", message) : null);
  for (const input of place.parentElement.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  if (!message) return;
  control.setAttribute("aria-invalid", "true");
  control.focus();
}

function restoreForm() {
  const file = h("input", { type: "file", accept: ".confide,application/octet-stream" });
  const passphrase = password("current-password");
  const place = h("div");
  const submit = (event) => {
    event.preventDefault();
    if (!file.files[0]) return complain(place, file, words.noFile);
    if (!passphrase.value) return complain(place, passphrase, words.noPassphrase);
    complain(place, null, null);
    const given = passphrase.value;
    passphrase.value = "";
    return restoreKey(file.files[0], given);
  };
  return h(
    "form",
    { class: "card", onsubmit: submit, novalidate: true, "aria-labelledby": "restore-title" },
    h("h2", { id: "restore-title" }, words.restoreTitle),
    h("p", null, words.restoreLead),
    owner(words.nameDefault),
    field(words.restoreFile, file, { id: "restore-file" }),
    field(words.restorePassphrase, passphrase, { id: "restore-passphrase" }),
    place,
    h("button", { type: "submit", class: "button", id: "restore" }, icon("file"), h("span", null, words.restoreButton)),
  );
}

function makeForm() {
  const name = h("input", { type: "text", value: words.nameDefault, maxlength: 60, autocomplete: "username", required: true });
  const first = password("new-password");
  const second = password("new-password");
  const place = h("div");
  const submit = async (event) => {
    event.preventDefault();
    if (!name.value.trim()) return complain(place, name, words.noName);
    if (first.value.length < SHORTEST) return complain(place, first, words.tooShort);
    if (first.value !== second.value) return complain(place, second, words.differs);
    complain(place, null, null);
    const given = first.value;
    first.value = second.value = "";
    const label = name.value.trim();
    return saveBackup(label, await makeKey(label, given));
  };
  return h(
    "form",
    { class: "card", onsubmit: submit, novalidate: true, "aria-labelledby": "make-title" },
    h("h2", { id: "make-title" }, words.makeTitle),
    h("p", null, words.makeLead),
    field(words.name, name, { id: "key-name", hint: words.nameHint }),
    field(words.passphrase, first, { id: "passphrase", hint: words.passphraseHint }),
    field(words.repeat, second, { id: "passphrase-repeat" }),
    place,
    h("button", { type: "submit", class: "button primary", id: "make-key" }, icon("key"), h("span", null, words.makeButton)),
  );
}

function ready({ vault }) {
  const stored = h("input", { type: "checkbox", id: "backup-stored", checked: Boolean(vault.safe), onchange: (event) => confirmBackup(event.target.checked) });
  const next = button(text.next, () => go("records"), { kind: "primary", id: "key-next", disabled: !vault.safe, iconName: "arrow" });
  const again = password("new-password");
  const againPlace = h("div");
  const backup = h(
    "form",
    {
      novalidate: true,
      onsubmit: async (event) => {
        event.preventDefault();
        if (again.value.length < SHORTEST) return complain(againPlace, again, words.tooShort);
        complain(againPlace, null, null);
        const given = again.value;
        again.value = "";
        return saveBackup(vault.name, await backupKey(given));
      },
    },
    owner(vault.name),
    field(words.passphrase, again, { id: "backup-passphrase", hint: words.passphraseHint }),
    againPlace,
    h("button", { type: "submit", class: "button", id: "backup-again" }, icon("down"), h("span", null, words.backupAgainButton)),
  );
  const saved = { restored: words.backupRestored, saved: words.backupSaved }[vault.backup] ?? words.backupMissing;
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h(
      "section",
      { class: "card" },
      h("h2", { class: "with-icon" }, icon("key"), words.readyTitle(vault.name)),
      h("p", null, words.created(day(vault.created)), " ", saved),
      vault.backup === "restored" ? null : h("div", null, notice("warning", words.loss), h("label", { class: "tick", for: "backup-stored" }, stored, h("span", null, words.backupCheck))),
    ),
    actions(next),
    details(words.backupAgain, backup),
    details(words.forget, h("p", null, words.forgetWarning), button(words.forgetButton, forgetKey, { kind: "danger", id: "forget-key" })),
    details(text.details, h("p", null, words.technical)),
  );
  return {
    element,
    refresh: ({ vault: now }) => {
      next.disabled = !now?.safe;
    },
  };
}

export const shape = ({ vault, busy }) => `${vault?.created}/${vault?.backup}/${Boolean(busy)}`;

export function build(state) {
  if (state.busy) return { element: h("div", { class: "view" }, head(words.title, words.lead), h("section", { class: "card" }, working(state.busy))) };
  if (state.vault) return ready(state);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h("div", { class: "pair" }, restoreForm(), makeForm()),
    details(text.details, h("p", null, words.technical)),
    h("p", { class: "forms-line" }, formChip("locked", text.forms.locked), text.formsMeaning.locked),
  );
  return { element };
}
