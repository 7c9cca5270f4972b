// The figures for parts of the records, by a column that the user picks.

import { fill, h, notice } from "../dom.js";
import { review as look } from "../actions.js";
import { count, fraction, percent, short } from "../format.js";
import { at } from "./threshold.js";
import { ends, section } from "./page.js";
import { text } from "../text.js";

const words = text.results.subgroups;
const MOST_TEXTS = 12;

/** Columns that make few parts: texts of few values, and numbers. */
const usable = (column) => column.kind === "number" || (column.kind === "text" && column.distinct <= MOST_TEXTS);

/** A part in words. */
export function partName(part) {
  if (part.kind === "missing") return words.missing;
  return part.kind === "value" ? part.value : words.band(part.low === null ? null : short(part.low), part.high === null ? null : short(part.high));
}

/** The table of parts, and what is to be said of small ones. */
export function subgroupTable(review, table, name) {
  const title = table.columns.find((column) => column.index === review.column)?.name ?? "";
  const share = (proportion) => (proportion ? [h("span", { class: "nowrap" }, percent(proportion.value)), h("span", { class: "interval" }, text.results.intervalShort(percent(proportion.low, 0), percent(proportion.high, 0)))] : "–");
  const row = ({ part, records, events, mean, auc, decision, small }) =>
    h(
      "tr",
      { class: small ? "small-part" : null },
      h("th", { scope: "row" }, partName(part), small ? h("span", { class: "few" }, words.smallNote) : null),
      h("td", { class: "number", "data-label": words.columns[1] }, count(records), h("span", { class: "interval" }, words.ofName(events, name))),
      h("td", { class: "number", "data-label": words.columns[2] }, auc ? [fraction(auc.value), h("span", { class: "interval" }, ends(auc, (value) => fraction(value, 2)))] : "–"),
      h("td", { class: "number", "data-label": words.columns[3] }, share(decision.sensitivity)),
      h("td", { class: "number", "data-label": words.columns[4] }, share(decision.specificity)),
      h("td", { class: "number", "data-label": words.columns[5] }, percent(mean)),
      h("td", { class: "number", "data-label": words.columns[6] }, percent(events / records)),
    );
  const caption = words.caption(title, at(review.threshold));
  const { parts } = review.parts;
  return [
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h("table", { class: "parts", id: "subgroups" }, h("caption", null, caption), h("thead", null, h("tr", null, words.columns.map((column, index) => h("th", { scope: "col", class: index ? "number" : null }, column)))), h("tbody", null, parts.map(row))),
    ),
    parts.some((part) => part.small) ? notice("warning", h("p", null, words.small)) : h("p", { class: "hint" }, words.noSmall),
  ];
}

/** The cut points that were typed; null where they are no numbers. */
function cutsOf(typed) {
  const cells = typed.split(";").map((cell) => cell.trim().replace(",", ".")).filter(Boolean);
  const cuts = cells.map(Number);
  return cuts.every(Number.isFinite) ? cuts : null;
}

/** Choice of the column, and the table; `update` shows another review. */
export function subgroups(review, table, name) {
  const columns = table.columns.filter(usable);
  const place = h("div", { class: "view", id: "subgroup-place" });
  const wrong = h("div");
  const cuts = h("input", { type: "text", inputmode: "decimal", autocomplete: "off", id: "subgroup-cuts", "aria-describedby": "subgroup-cuts-hint" });
  const apply = () => {
    const typed = cutsOf(cuts.value);
    fill(wrong, typed ? null : notice("error", h("p", null, words.cutsWrong)));
    if (typed) look({ cuts: typed.length > 0 ? typed : null });
  };
  const bands = h(
    "form",
    { class: "cuts", novalidate: true, onsubmit: (event) => (event.preventDefault(), apply()) },
    h("div", { class: "field" }, h("label", { for: "subgroup-cuts" }, words.cuts), cuts, h("p", { class: "hint", id: "subgroup-cuts-hint" }, words.cutsHint)),
    h("button", { type: "submit", class: "button", id: "subgroup-apply" }, words.apply),
  );
  const select = h(
    "select",
    { id: "subgroup-column", onchange: () => look({ column: select.value === "" ? null : Number(select.value), cuts: null }) },
    h("option", { value: "" }, words.none),
    columns.map((column) => h("option", { value: column.index, selected: column.index === review.column }, column.name)),
  );
  const update = (next) => {
    const column = columns.find((one) => one.index === next.column);
    bands.hidden = column?.kind !== "number";
    if (document.activeElement !== cuts) cuts.value = (next.parts?.cuts ?? []).map((cut) => Number(cut.toPrecision(12))).join("; ");
    fill(place, next.parts && column ? subgroupTable(next, table, name) : null);
  };
  update(review);
  const element = section(words.title, h("p", null, words.lead), h("div", { class: "part-by" }, h("div", { class: "field" }, h("label", { for: "subgroup-column" }, words.column), select), bands), wrong, place);
  return { element, update };
}
