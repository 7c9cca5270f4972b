// Last step: risk for new patients, one by one or from a file.

import { button, download, field, fill, h, icon, notice } from "../dom.js";
import { exportFile, predict, stopReading } from "../actions.js";
import { count, duration, percent, short } from "../format.js";
import { picturePicker } from "./base-model.js";
import { TABLES, filePicker } from "./file-picker.js";
import { recordPicker } from "./records.js";
import { actions, head, section, working, workingNow } from "./page.js";
import { at } from "./threshold.js";
import { text } from "../text.js";

const words = text.predict;
const LISTED = 200;

// The prediction that was announced last.
let announced = null;
// What was typed stays while the answer is awaited and the view is built anew.
let typed = null;
let recorded = "";

function input(feature, index, onchange) {
  const id = `value-${index}`;
  const note = h("p", { class: "hint", id: `${id}-hint` }, words.usual(short(feature.min), short(feature.max)));
  const control = h("input", { type: "text", inputmode: "decimal", id, autocomplete: "off", value: typed[index], "aria-describedby": `${id}-hint` });
  const check = () => {
    typed[index] = control.value;
    const value = Number(control.value.replace(",", "."));
    const outside = control.value.trim() !== "" && Number.isFinite(value) && (value < feature.min || value > feature.max);
    note.textContent = words.usual(short(feature.min), short(feature.max)) + (outside ? ` · ${words.unusual}` : "");
    note.classList.toggle("unusual", outside);
    onchange();
  };
  control.addEventListener("input", check);
  return h("div", { class: "field" }, h("label", { for: id }, feature.name), control, note);
}

function oneForm({ features, text: column }) {
  typed ??= features.map((feature) => short(feature.median));
  const record = column ? h("textarea", { rows: 8, onchange: () => (recorded = record.value) }, recorded) : null;
  const place = h("div");
  const submit = (event) => {
    event.preventDefault();
    const values = typed.map((value) => (value.trim() === "" ? Number.NaN : Number(value.replace(",", "."))));
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    fill(place, wrong >= 0 ? notice("error", h("p", null, words.notNumber(features[wrong].name))) : null);
    if (wrong >= 0) return document.getElementById(`value-${wrong}`).focus();
    if (!record) return predict({ values });
    if (record.value.trim() === "") {
      fill(place, notice("error", h("p", null, words.noText)));
      return record.focus();
    }
    return predict({ values: [record.value, ...values], written: { names: [column, ...features.map((feature) => feature.name)] } });
  };
  const reset = () => {
    typed = features.map((feature) => short(feature.median));
    features.forEach((_, index) => {
      const control = document.getElementById(`value-${index}`);
      control.value = typed[index];
      control.dispatchEvent(new Event("input"));
    });
  };
  return h(
    "form",
    { class: "card", onsubmit: submit, novalidate: true, "aria-labelledby": "one-title" },
    h("h2", { id: "one-title" }, words.one),
    features.length > 0 ? h("p", null, words.oneLead) : null,
    record ? field(words.written(column), record, { id: "written-record", hint: words.writtenHint }) : null,
    h("div", { class: "values" }, features.map((feature, index) => input(feature, index, () => fill(place)))),
    place,
    h("div", { class: "row" }, h("button", { type: "submit", class: "button primary", id: "predict-one" }, icon("lock"), h("span", null, words.button)), button(words.reset, reset, { kind: "quiet", id: "reset-values" })),
  );
}

/** A risk with what such risks have been worth among the test records. */
function risk(row, index, name) {
  const probability = row.probabilities[index];
  const similar = row.similar[index];
  return h(
    "div",
    { class: "risk" },
    h("span", { class: "risk-name" }, words.risk(name)),
    h("strong", { class: "risk-value" }, percent(probability)),
    h("meter", { min: 0, max: 1, value: probability, "aria-label": words.risk(name) }),
    h("p", { class: "similar" }, similar ? words.similar(similar, name) : words.noSimilar),
  );
}

function label(row, { classes, looked_at: looked, threshold }) {
  if (classes.length !== 2) return words.group(row.label);
  return (row.label === classes[looked[0]] ? words.called : words.notCalled)(row.label, at(threshold));
}

const asides = ({ notes }) => (notes.length > 0 ? notice("info", notes.map((line) => h("p", null, line))) : null);

function resultOne(predictions) {
  const { rows, classes, looked_at: looked, seconds } = predictions;
  // Of many groups the likely ones come first.
  const likely = [...looked].sort((a, b) => rows[0].probabilities[b] - rows[0].probabilities[a]);
  return h(
    "section",
    { class: "card prediction", id: "prediction", tabindex: "-1" },
    h("h2", null, words.resultOne),
    h("p", { class: "group", id: "label" }, label(rows[0], predictions)),
    likely.map((index) => risk(rows[0], index, classes[index])),
    asides(predictions),
    h("p", { class: "hint" }, words.similarWhat),
    h("p", { class: "hint" }, words.seconds(seconds), ". ", words.advice),
  );
}

function lineOf(row, looked, two, names) {
  const first = names.length > 0 ? h("th", { scope: "row" }, names[row.row - 1]) : h("th", { scope: "row", class: "number" }, count(row.row));
  if (row.reason) return h("tr", { class: "refused" }, first, h("td", { colspan: 1 + looked.length * (two ? 2 : 1), class: "gap" }, `${words.refused}: ${row.reason}`));
  const cells = looked.map((index) => [h("td", { class: "number" }, percent(row.probabilities[index])), two ? h("td", { class: "number nowrap" }, row.similar[index] ? words.observedValue(row.similar[index].observed) : "–") : null]);
  return h("tr", null, first, h("td", null, row.label), cells);
}

function resultMany(predictions) {
  const { rows, classes, looked_at: looked, seconds, scored, threshold, names } = predictions;
  const two = classes.length === 2;
  return h(
    "section",
    { class: "card prediction", id: "prediction", tabindex: "-1" },
    h("h2", null, words.resultMany),
    h("p", { id: "scored" }, words.scored(scored, rows.length - scored)),
    asides(predictions),
    h(
      "div",
      { class: "scroll tall", tabindex: "0", role: "region", "aria-label": words.tableCaption(rows.length) },
      h(
        "table",
        null,
        h("caption", null, words.tableCaption(rows.length)),
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            names.length > 0 ? h("th", { scope: "col" }, words.file) : h("th", { scope: "col", class: "number" }, words.row),
            h("th", { scope: "col" }, two ? words.label(at(threshold)) : words.predicted),
            looked.map((index) => [h("th", { scope: "col", class: "number" }, words.risk(classes[index])), two ? h("th", { scope: "col", class: "number" }, words.observed) : null]),
          ),
        ),
        h("tbody", null, rows.slice(0, LISTED).map((row) => lineOf(row, looked, two, names))),
      ),
    ),
    rows.length > LISTED ? h("p", { class: "hint" }, text.records.problemsMore(rows.length - LISTED)) : null,
    two ? h("p", { class: "hint" }, words.similarWhat) : null,
    h("p", { class: "hint" }, words.seconds(seconds), ". ", words.advice),
    actions(button(words.download, async () => download("confide-new-patients.csv", await exportFile("new-patients"), "text/csv"), { id: "new-csv", iconName: "down" })),
  );
}

/** Where new patients come from: pictures for a head on pictures; else values of one, or a file of several. */
function asks(predictor) {
  if (predictor.pictures) {
    const { predict: title, predictLead, predictLocked } = text.baseModel;
    return section(title, h("p", null, (predictor.locked ? predictLocked : predictLead)(predictor.pictures)), picturePicker("new-picture", (pictures) => pictures.length > 0 && predict({ pictures })));
  }
  const several = (chosen) => predict({ chosen });
  const picker = predictor.text ? recordPicker("new-csv-file", several) : filePicker("new-csv-file", words.choose, several, { accept: TABLES, multiple: false, drop: text.records.drop });
  return [oneForm(predictor), section(words.many, h("p", null, (predictor.text ? words.manyTexts : words.manyLead)(predictor)), picker)];
}

export const shape = ({ predictor, predictions, busy, stoppable }) => `${predictor?.id}/${predictions?.id}/${Boolean(busy)}/${stoppable}`;

export function build({ predictor, predictions, busy, stoppable }) {
  if (typed?.length !== predictor.features.length) typed = null;
  const result = predictions ? (predictions.kind === "one" ? resultOne(predictions) : resultMany(predictions)) : null;
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    busy ? h("section", { class: "card" }, working(busy, stoppable ? stopReading : null)) : result,
    asks(predictor),
  );
  if (busy) for (const control of element.querySelectorAll("button:not(#stop-reading), input, textarea")) control.disabled = true;
  const fresh = predictions !== null && predictions.id !== announced;
  announced = predictions?.id ?? null;
  return { element, focus: fresh && !busy ? "#prediction" : null, refresh: workingNow };
}
