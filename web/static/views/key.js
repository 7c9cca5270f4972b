// Second step: restore what there is, or make a key. Its backup is a choice that nobody can pass by.

import { details, download, field, formChip, h, icon } from "../dom.js";
import { makeKey, restore } from "../project-actions.js";
import { badFile, badPair, form, owner, password, taken } from "./forms.js";
import { head, workingView } from "./page.js";
import { ready } from "./backup.js";
import { text } from "../text.js";

const words = text.key;

/** Restores from a backup or a project file. `id` keeps the fields of two such forms apart. */
export function restoreForm(title, lead, id = "restore") {
  const file = h("input", { type: "file", accept: ".confide,application/octet-stream" });
  const passphrase = password("current-password");
  return form(
    { class: "card", "aria-labelledby": `${id}-title` },
    () => badFile(file, passphrase),
    () => restore(file.files[0], taken(passphrase)),
    h("h2", { id: `${id}-title` }, title),
    h("p", null, lead),
    owner(words.nameDefault),
    field(words.restoreFile, file, { id: `${id}-file` }),
    field(words.restorePassphrase, passphrase, { id: `${id}-passphrase` }),
    h("button", { type: "submit", class: "button", id }, icon("file"), h("span", null, words.restoreButton)),
  );
}

function makeForms() {
  const name = h("input", { type: "text", value: words.nameDefault, maxlength: 60, autocomplete: "username", required: true });
  const first = password("new-password");
  const second = password("new-password");
  const accept = h("input", { type: "checkbox", id: "accept-loss" });
  const label = () => name.value.trim();
  const badName = () => (label() ? null : [name, words.noName]);
  const withBackup = form(
    { class: "stack", "aria-labelledby": "make-title" },
    () => badName() ?? badPair(first, second),
    async () => {
      taken(second);
      const called = label();
      const backup = await makeKey(called, taken(first));
      if (backup) download(words.fileName(called), backup, "application/octet-stream");
    },
    h("h2", { id: "make-title" }, words.makeTitle),
    h("p", null, words.makeLead),
    field(words.name, name, { id: "key-name", hint: words.nameHint }),
    field(words.passphrase, first, { id: "passphrase", hint: words.passphraseHint }),
    field(words.repeat, second, { id: "passphrase-repeat" }),
    h("button", { type: "submit", class: "button primary", id: "make-key" }, icon("key"), h("span", null, words.makeButton)),
  );
  const without = form(
    { class: "stack", "aria-label": words.without },
    () => badName() ?? (accept.checked ? null : [accept, words.notAccepted]),
    () => makeKey(label(), null),
    h("p", null, words.withoutLead),
    h("label", { class: "tick", for: "accept-loss" }, accept, h("span", null, words.accept)),
    h("button", { type: "submit", class: "button danger", id: "make-key-only" }, h("span", null, words.withoutButton)),
  );
  return h("section", { class: "card" }, withBackup, details(words.without, without));
}

export const shape = ({ vault, busy }) => `${vault?.id}/${vault?.backup}/${Boolean(busy)}`;

export function build(state) {
  if (state.busy) return { element: workingView(words, state.busy) };
  if (state.vault) return ready(state);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h("div", { class: "pair" }, restoreForm(words.restoreTitle, words.restoreLead), makeForms()),
    details(text.details, h("p", null, words.technical)),
    h("p", { class: "forms-line" }, formChip("locked", text.forms.locked), text.formsMeaning.locked),
  );
  return { element };
}
