// The projects of this browser: open, rename, export, delete; begin another, or bring one in.

import { button, details, download, field, fill, h, icon, notice } from "../dom.js";
import { deleteProject, exportProject, newProject, openProject, renameProject } from "../project-actions.js";
import { bytes, day, percent } from "../format.js";
import { badPair, form, owner, password, taken } from "./forms.js";
import { restoreForm } from "./key.js";
import { actions, head, workingView } from "./page.js";
import { text } from "../text.js";

const words = text.projects;

function renaming({ id, name }) {
  const field_ = h("input", { type: "text", value: name, maxlength: 60, autocomplete: "off", required: true });
  return form(
    { class: "stack", "aria-label": words.rename(name) },
    () => (field_.value.trim() ? null : [field_, words.noName]),
    () => renameProject(id, field_.value.trim()),
    field(words.newName, field_, { id: `name-${id}` }),
    h("button", { type: "submit", class: "button", id: `rename-${id}` }, h("span", null, words.renameButton)),
  );
}

function exporting({ id, name }) {
  const first = password("new-password");
  const second = password("new-password");
  return form(
    { class: "stack", "aria-label": words.export(name) },
    () => badPair(first, second),
    async () => {
      taken(second);
      const made = await exportProject(id, taken(first));
      if (made) download(words.fileName(name), made, "application/octet-stream");
    },
    h("p", null, words.exportLead),
    owner(name),
    h("div", { class: "pair" }, field(words.passphrase, first, { id: `export-passphrase-${id}`, hint: text.key.passphraseHint }), field(text.key.repeat, second, { id: `export-repeat-${id}` })),
    h("button", { type: "submit", class: "button", id: `export-${id}` }, icon("down"), h("span", null, words.exportButton)),
  );
}

function deleting({ id, name, sent, fingerprint }, all) {
  const shared = all.find((one) => one.id !== id && one.fingerprint === fingerprint);
  const remote = h("input", { type: "checkbox", id: `remote-${id}`, checked: true });
  return h(
    "div",
    { class: "stack" },
    h("p", null, words.deleteLead),
    shared ? h("p", null, words.deleteShared(shared.name)) : h("label", { class: "tick", for: `remote-${id}` }, remote, h("span", null, words.deleteRemote(sent))),
    h("div", { class: "row" }, button(words.deleteButton(name), () => deleteProject(id, !shared && remote.checked), { kind: "danger", id: `delete-${id}` })),
  );
}

/** What a project is about: records, or pictures for a model. */
function content({ kind, source, rows }) {
  if (kind === "images") return source ? words.pictures(source, rows) : words.picturesNone;
  return rows ? words.records(source, rows) : words.noRecords;
}

function facts(project) {
  const { kind, stage, accuracy, sent, backup, fingerprint } = project;
  const fact = (label, value) => [h("dt", null, label), h("dd", null, value)];
  const stages = kind === "images" ? { ...words.stages, ...words.imageStages } : words.stages;
  return [
    fact(words.facts.stage, stages[stage] ?? stage),
    fact(words.facts.records, content(project)),
    accuracy ? fact(words.facts.accuracy, percent(accuracy)) : null,
    fact(words.facts.sent, bytes(sent)),
    fact(words.facts.backup, words.backup[backup] ?? backup),
    fact(words.facts.key, h("code", null, fingerprint)),
  ];
}

function card(project, all, list) {
  const { id, name, current, created } = project;
  return h(
    "li",
    { class: `card project ${current ? "current" : ""}`.trim(), "data-name": name },
    h(
      "div",
      { class: "row spread" },
      h("div", null, h("h2", { class: "with-icon" }, name, current ? h("span", { class: "chip chip-open" }, words.isOpen) : null), h("p", { class: "hint" }, words.created(day(created)))),
      button(current ? words.goOn : words.open, () => openProject(id), { kind: current ? "primary" : "", id: `open-${id}`, label: `${current ? words.goOn : words.open}: ${name}` }),
    ),
    list,
    h("div", { class: "tools" }, details(words.rename(name), renaming(project)), details(words.export(name), exporting(project)), details(words.delete(name), deleting(project, all))),
  );
}

export const shape = ({ projects, busy, told }) => `${projects.map(({ id, name, current }) => [id, name, current].join()).join(";")}/${busy}/${told}`;

export function build(state) {
  const { projects, busy, told } = state;
  if (busy) return { element: workingView(words, busy) };
  const lists = new Map(projects.map(({ id }) => [id, h("dl", { class: "facts" })]));
  // What is under way changes facts: forms keep what was typed meanwhile.
  const refresh = (now) => {
    for (const project of now.projects) {
      const shown = JSON.stringify(project);
      const list = lists.get(project.id);
      if (list && list.dataset.shown !== shown) fill(list, facts(project));
      if (list) list.dataset.shown = shown;
    }
  };
  refresh(state);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    told ? h("div", { role: "status", id: "told" }, notice("good", h("p", null, told))) : null,
    projects.length === 0 ? h("p", null, words.empty) : h("ul", { class: "projects", id: "projects" }, projects.map((one) => card(one, projects, lists.get(one.id)))),
    actions(button(words.create, newProject, { kind: projects.length === 0 ? "primary" : "", id: "new-project", iconName: "key" })),
    restoreForm(words.import, words.importLead, "import"),
  );
  return { element, refresh };
}
