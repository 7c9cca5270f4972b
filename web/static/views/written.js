// Part of the third step: which column holds written records, and which records belong together.

import { field, h } from "../dom.js";
import { choose, chooseText } from "../actions.js";
import { section } from "./page.js";
import { text } from "../text.js";

const words = text.records;

/** Chooses among columns; `none` says what no choice means. */
function columnChoice(columns, chosen, none, onchoice) {
  return h(
    "select",
    { onchange: (event) => onchoice(event.target.value === "" ? null : Number(event.target.value)) },
    h("option", { value: "" }, none),
    columns.map((column) => h("option", { value: column.index, selected: column.index === chosen }, column.name)),
  );
}

/** The column that the language model reads; nothing where no column holds texts. */
export function written({ table, choices }) {
  const possible = table.columns.filter((column) => column.kind === "text" && column.index !== choices.label);
  if (possible.length === 0) return null;
  const read = possible.find((column) => column.index === choices.text);
  return section(
    words.written,
    h("p", null, words.writtenLead),
    field(words.writtenColumn, columnChoice(possible, choices.text, words.writtenNone, chooseText), { id: "text-column", hint: words.writtenHint }),
    read ? h("p", { id: "text-read" }, words.writtenDone(table.rows - read.missing)) : null,
  );
}

/** The column of what several records share. */
export function groups({ table, choices }) {
  const possible = table.columns.filter((column) => column.index !== choices.label && column.index !== choices.text && column.index !== choices.pictures);
  const choice = columnChoice(possible, choices.group, words.groupNone, (group) => choose({ group, features: choices.features.filter((one) => one !== group) }));
  return field(words.group, choice, { id: "group-column", hint: words.groupHint });
}
