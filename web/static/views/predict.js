// Last step: risk for new patients, one by one or from a file.

import { button, download, field, fill, h, icon, notice } from "../dom.js";
import { exportFile, predict } from "../actions.js";
import { count, duration, percent, short } from "../format.js";
import { filePicker } from "./records.js";
import { actions, head, section, working } from "./page.js";
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

/** With two groups the positive one says it all. */
const listedClasses = (classes, positive) => (classes.length === 2 && positive ? [classes.indexOf(positive)] : classes.map((_, index) => index));

function risks(row, classes, positive) {
  const listed = listedClasses(classes, positive);
  return listed.map((index) =>
    h("div", { class: "risk" }, h("span", { class: "risk-name" }, words.risk(classes[index])), h("strong", { class: "risk-value" }, percent(row.probabilities[index])), h("meter", { min: 0, max: 1, value: row.probabilities[index], "aria-label": words.risk(classes[index]) })),
  );
}

function resultOne({ rows, classes, positive, seconds }) {
  return h(
    "section",
    { class: "card prediction", id: "prediction", tabindex: "-1" },
    h("h2", null, words.resultOne),
    risks(rows[0], classes, positive),
    h("p", { class: "group" }, words.group(rows[0].label)),
    h("p", { class: "hint" }, words.seconds(seconds), ". ", words.advice),
  );
}

function resultMany({ rows, classes, positive, seconds }) {
  const listed = listedClasses(classes, positive);
  return h(
    "section",
    { class: "card prediction", id: "prediction", tabindex: "-1" },
    h("h2", null, words.resultMany),
    h(
      "div",
      { class: "scroll tall", tabindex: "0", role: "region", "aria-label": words.tableCaption(rows.length) },
      h(
        "table",
        null,
        h("caption", null, words.tableCaption(rows.length)),
        h("thead", null, h("tr", null, h("th", { scope: "col", class: "number" }, words.row), h("th", { scope: "col" }, words.predicted), listed.map((index) => h("th", { scope: "col", class: "number" }, words.risk(classes[index]))))),
        h(
          "tbody",
          null,
          rows.slice(0, LISTED).map((row) =>
            h("tr", null, h("th", { scope: "row", class: "number" }, count(row.row)), row.refused ? h("td", { colspan: 1 + listed.length, class: "gap" }, `${words.refused}: ${row.refused}`) : [h("td", null, row.label), listed.map((index) => h("td", { class: "number" }, percent(row.probabilities[index])))]),
          ),
        ),
      ),
    ),
    rows.length > LISTED ? h("p", { class: "hint" }, text.records.problemsMore(rows.length - LISTED)) : null,
    h("p", { class: "hint" }, words.seconds(seconds), ". ", words.advice),
    actions(button(words.download, async () => download("confide-new-patients.csv", await exportFile("new-patients"), "text/csv"), { id: "new-csv", iconName: "down" })),
  );
}

export const shape = ({ predictor, predictions, busy }) => `${predictor?.id}/${predictions?.id}/${busy}`;

export function build({ predictor, predictions, busy }) {
  if (typed?.length !== predictor.features.length) typed = null;
  const result = predictions ? (predictions.kind === "one" ? resultOne(predictions) : resultMany(predictions)) : null;
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    busy ? h("section", { class: "card" }, working(busy)) : result,
    oneForm(predictor),
    section(words.many, h("p", null, words.manyLead), filePicker("new-csv-file", words.choose, (file) => predict({ file }))),
  );
  if (busy) for (const control of element.querySelectorAll("button, input, textarea")) control.disabled = true;
  const fresh = predictions !== null && predictions.id !== announced;
  announced = predictions?.id ?? null;
  return { element, focus: fresh && !busy ? "#prediction" : null };
}
