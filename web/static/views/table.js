// The first records of a file as a table that scrolls in its own frame.

import { h } from "../dom.js";
import { count } from "../format.js";
import { text } from "../text.js";

const words = text.records;
const WIDEST = 120;

/** The preview; the outcome column and columns left out are marked. */
export function recordTable(table, choices) {
  const columns = table.columns.slice(0, WIDEST);
  const chosen = new Set(choices?.features ?? []);
  const mark = (column) => (column.index === choices?.label ? "is-label" : chosen.has(column.index) || column.index === choices?.text || column.index === choices?.pictures ? null : "is-out");
  const cell = (value, column) => {
    const gap = value === "" || value === null;
    const names = [column.kind === "number" ? "number" : null, mark(column), gap ? "gap" : null].filter(Boolean).join(" ");
    return h("td", { class: names || null }, gap ? words.missingCell : value);
  };
  return h(
    "div",
    { class: "scroll short", tabindex: "0", role: "region", "aria-label": words.tableCaption(table.preview.length, table.rows) },
    h(
      "table",
      { class: "records" },
      h("caption", null, words.tableCaption(table.preview.length, table.rows)),
      h("thead", null, h("tr", null, h("th", { scope: "col", class: "number" }, words.rowHead), columns.map((column) => h("th", { scope: "col", class: [column.kind === "number" ? "number" : "", mark(column) ?? ""].join(" ").trim() || null }, column.name)))),
      h("tbody", null, table.preview.map((row, index) => h("tr", null, h("th", { scope: "row", class: "number" }, count(table.row_numbers[index])), columns.map((column) => cell(row[column.index], column))))),
    ),
  );
}
