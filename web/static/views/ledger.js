// Everything that left this browser for the open project, in all its sessions, in order and added up.

import { button, details, download, fill, formChip, h, notice } from "../dom.js";
import { wipeService } from "../actions.js";
import { bytes, count, day, moment } from "../format.js";
import { actions, head, section } from "./page.js";
import { text } from "../text.js";

const words = text.ledger;

const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
const named = (name) => words.names.find(([pattern]) => pattern.test(name))?.[1] ?? name;
const size = (entries) => entries.reduce((sum, entry) => sum + entry.bytes, 0);
const csv = (entries) =>
  ["time,what,form,bytes,readable", ...entries.map((entry) => [new Date(entry.time).toISOString(), quoted(entry.name), entry.form, entry.bytes, quoted(entry.about)].join(","))].join("\n") + "\n";
const columns = (...names) => h("thead", null, h("tr", null, names.map(([name, kind]) => h("th", { scope: "col", class: kind }, name))));

function totals(entries) {
  return h(
    "ul",
    { class: "forms" },
    Object.keys(text.forms).map((form) => {
      const those = entries.filter((entry) => entry.form === form);
      return h("li", null, formChip(form, text.forms[form]), h("strong", { class: "form-total" }, bytes(size(those))), h("span", null, text.formsMeaning[form]));
    }),
  );
}

/** The entries added up by what they are, the largest first. */
function kinds(entries) {
  const sums = new Map();
  for (const entry of entries) {
    const kind = `${entry.form}/${named(entry.name)}`;
    sums.set(kind, [...(sums.get(kind) ?? []), entry]);
  }
  const rows = [...sums.values()].sort((a, b) => size(b) - size(a));
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": words.kindsCaption },
    h(
      "table",
      { class: "ledger", id: "ledger-kinds" },
      h("caption", { class: "visually-hidden" }, words.kindsCaption),
      columns([words.what], [words.form], [words.number, "number"], [words.size, "number"]),
      h("tbody", null, rows.map((those) => h("tr", null, h("th", { scope: "row" }, named(those[0].name)), h("td", null, formChip(those[0].form, text.forms[those[0].form])), h("td", { class: "number" }, count(those.length)), h("td", { class: "number nowrap" }, bytes(size(those)))))),
    ),
  );
}

function messages(entries) {
  const row = (entry) =>
    h("tr", null, h("td", { class: "nowrap" }, moment(entry.time)), h("th", { scope: "row" }, named(entry.name), entry.about ? h("span", { class: "hint" }, entry.about) : null), h("td", null, formChip(entry.form, text.forms[entry.form])), h("td", { class: "number nowrap" }, bytes(entry.bytes)));
  return h(
    "div",
    { class: "scroll tall", tabindex: "0", role: "region", "aria-label": words.caption },
    h("table", { class: "ledger", id: "ledger" }, h("caption", { class: "visually-hidden" }, words.caption), columns([words.time], [words.what], [words.form], [words.size, "number"]), h("tbody", null, entries.map(row))),
  );
}

export const shape = ({ ledger, busy, vault, told }) => `${vault?.id}/${ledger.length === 0}/${busy}/${told}`;

export function build(state) {
  const { vault, told } = state;
  const wipe = button(words.wipe, wipeService, { kind: "danger", id: "wipe" });
  const empty = state.ledger.length === 0;
  const sums = h("div", { class: "view" });
  const list = h("div", null);
  let ledger = null;
  // While messages leave, the list grows under the eyes: it stays where it was scrolled to.
  const refresh = (now) => {
    if (now.ledger === ledger) return;
    ledger = now.ledger;
    const sessions = ledger.filter((entry) => entry.name.startsWith("greeting")).length;
    fill(sums, section(words.totals, empty ? null : h("p", { class: "hint" }, words.since(day(ledger[0].time), sessions)), totals(ledger)), empty ? null : section(words.kinds, kinds(ledger)));
    if (empty) return;
    const scrolled = list.firstElementChild?.scrollTop ?? 0;
    fill(list, messages(ledger)).firstElementChild.scrollTop = scrolled;
  };
  refresh(state);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    sums,
    empty ? h("p", null, words.empty) : section(words.caption, list),
    told ? h("div", { role: "status", id: "told" }, notice("good", h("p", null, told))) : null,
    actions(button(words.download, () => download("confide-ledger.csv", csv(ledger), "text/csv"), { id: "ledger-csv", iconName: "down", disabled: empty })),
    vault ? details(words.wipe, h("p", null, words.wipeLead), wipe) : null,
  );
  return { element, refresh };
}
