// Third step: a file, its table, what to predict from what, and what stands in the way.

import { button, details, field, h, icon, notice } from "../dom.js";
import { askPlan, choose, go, openTable, stopReading } from "../actions.js";
import { picturesRead, pickPictures } from "./base-model.js";
import { imagesSource } from "./classify.js";
import { groups, written } from "./written.js";
import { TABLES, filePicker } from "./file-picker.js";
import { percent, short } from "../format.js";
import { recordTable } from "./table.js";
import { actions, head, section, workingNow, workingView } from "./page.js";
import { text } from "../text.js";

const words = text.records;

/** A picker of records: a table, or text files. */
export const recordPicker = (id, onfiles) => filePicker(id, words.choose, onfiles, { accept: `${TABLES},.txt`, folder: { id: `${id}-folder`, label: words.folder }, drop: words.dropFolders });

const sources = (state) => [pickTable(), pickPictures(state), imagesSource(state)];

function pickTable() {
  return h(
    "div",
    { class: "pair" },
    h("section", { class: "card" }, h("h2", null, words.own), recordPicker("csv", openTable)),
    h(
      "section",
      { class: "card" },
      h("h2", null, words.sampleName),
      h("p", null, words.sampleAbout),
      button(words.sample, () => openTable(), { id: "use-sample" }),
    ),
  );
}

function outcome({ table, choices, dataset }) {
  const label = h(
    "select",
    { onchange: (event) => choose({ label: event.target.value === "" ? null : Number(event.target.value), positive: null }) },
    h("option", { value: "" }, words.outcomeNone),
    table.columns
      .filter((column) => column.index !== choices.pictures)
      .map((column) => h("option", { value: column.index, selected: column.index === choices.label }, column.name)),
  );
  const classes = dataset?.classes ?? [];
  const positive =
    classes.length === 2
      ? h(
          "select",
          { onchange: (event) => choose({ positive: event.target.value }) },
          classes.map((one) => h("option", { value: one.name, selected: one.name === dataset.positive }, one.name)),
        )
      : null;
  return section(
    words.outcome,
    h(
      "div",
      { class: "pair" },
      field(words.outcome, label, { id: "label-column", hint: words.outcomeHint }),
      positive ? field(words.positive, positive, { id: "positive-class", hint: words.positiveHint }) : null,
    ),
    classes.length > 0 ? h("p", { class: "classes" }, words.classes(classes)) : null,
  );
}

const hasPictures = (choices) => choices.pictures !== null && choices.pictures !== undefined;

function features({ table, choices }) {
  const possible = table.columns.filter((column) => column.index !== choices.label && column.index !== choices.text && column.index !== choices.group);
  // A table of written records may have nothing else, and a list of pictures has nothing else to learn from.
  if (possible.length === 0 || hasPictures(choices)) return null;
  const chosen = new Set(choices.features);
  const numeric = possible.filter((column) => column.kind === "number").map((column) => column.index);
  const toggle = (index, on) => choose({ features: on ? [...choices.features, index].sort((a, b) => a - b) : choices.features.filter((one) => one !== index) });
  return section(
    words.features,
    h(
      "div",
      { class: "row spread" },
      h("span", { class: "hint" }, words.featuresChosen(choices.features.length, possible.length)),
      h("span", { class: "row" }, button(words.all, () => choose({ features: numeric }), { kind: "quiet", id: "all-features" }), button(words.none, () => choose({ features: [] }), { kind: "quiet", id: "no-features" })),
    ),
    h(
      "ul",
      { class: "feature-list", "aria-label": words.features },
      possible.map((column) => {
        const id = `feature-${column.index}`;
        const about = column.kind === "number" ? words.range(short(column.min), short(column.max)) : words.kind[column.kind];
        return h(
          "li",
          null,
          h(
            "label",
            { for: id, class: "tick" },
            h("input", { type: "checkbox", id, checked: chosen.has(column.index), onchange: (event) => toggle(column.index, event.target.checked) }),
            h("span", null, column.name, h("span", { class: "hint" }, about, column.missing > 0 ? h("strong", null, ` · ${words.missingCount(column.missing)}`) : null)),
          ),
        );
      }),
    ),
  );
}

function missing({ choices, dataset }) {
  if (!dataset?.missing && choices.missing === "report") return null;
  return section(
    words.missingTitle,
    h("p", null, words.missingCount(dataset?.missing ?? 0), ". ", words.missingLead),
    h(
      "fieldset",
      null,
      h("legend", { class: "visually-hidden" }, words.missingTitle),
      Object.entries(words.missingPolicy)
        // Nothing stands for a picture that cannot be used.
        .filter(([policy]) => policy !== "fill" || !hasPictures(choices))
        .map(([policy, label]) =>
        h(
          "label",
          { class: "tick", for: `missing-${policy}` },
          h("input", { type: "radio", name: "missing", id: `missing-${policy}`, checked: choices.missing === policy, onchange: () => choose({ missing: policy }) }),
          h("span", null, label),
        ),
      ),
    ),
  );
}

function split(state) {
  const { choices } = state;
  const share = h("input", { type: "number", min: 5, max: 50, step: 5, value: Math.round(choices.test_fraction * 100), onchange: (event) => choose({ test_fraction: Math.min(50, Math.max(5, Number(event.target.value) || 20)) / 100 }) });
  const seed = h("input", { type: "number", min: 0, max: 4294967295, step: 1, value: choices.seed, onchange: (event) => choose({ seed: Math.max(0, Math.trunc(Number(event.target.value) || 0)) }) });
  return details(
    [words.split, ` (${percent(choices.test_fraction, 0)})`],
    h("div", { class: "pair" }, field(`${words.holdout} (%)`, share, { id: "test-share", hint: words.holdoutHint }), field(words.seed, seed, { id: "split-seed", hint: words.seedHint })),
    groups(state),
  );
}

const MOST_EPOCHS = 1000;
const MOST_HIDDEN = 32;

/** None, or 2 to the most. */
const hiddenUnits = (wanted) => (wanted >= 1 ? Math.min(MOST_HIDDEN, Math.max(2, Math.trunc(wanted))) : null);

/** How long a head on locked pictures is trained, and with what it is compared. */
function lockedTraining({ table, choices, dataset }) {
  const epochs = h("input", { type: "number", min: 1, max: MOST_EPOCHS, step: 1, value: choices.epochs, onchange: (event) => choose({ epochs: Math.min(MOST_EPOCHS, Math.max(1, Math.trunc(Number(event.target.value) || 1))) }) });
  const tick = (name, label) => h("label", { class: "tick", for: name }, h("input", { type: "checkbox", id: name, checked: choices[name], onchange: (event) => choose({ [name]: event.target.checked }) }), h("span", null, label));
  return details(
    [words.training, ` (${words.trainingLong(choices.epochs)})`],
    h("p", null, text.baseModel.trainingLead),
    field(words.epochs, epochs, { id: "epochs" }),
    dataset?.classes.length > 2 && tick("softmax", words.softmax),
    table.offered === null ? h("p", { class: "hint" }, text.baseModel.compareNone) : tick("compare", text.baseModel.compare(table.offered)),
  );
}

function training(state) {
  const { choices, dataset, table } = state;
  if (table.locked) return lockedTraining(state);
  const epochs = h("input", { type: "number", min: 0, max: MOST_EPOCHS, step: 1, value: choices.epochs ?? 0, onchange: (event) => choose({ epochs: Math.min(MOST_EPOCHS, Math.max(0, Math.trunc(Number(event.target.value) || 0))) || null }) });
  const hidden = h("input", { type: "number", min: 0, max: MOST_HIDDEN, step: 1, value: choices.hidden ?? 0, onchange: (event) => choose({ hidden: hiddenUnits(Number(event.target.value)) }) });
  const drawn = h("input", { type: "checkbox", id: "curve-wanted", checked: choices.curve, onchange: () => choose({ curve: drawn.checked }) });
  return details(
    [words.training, ` (${choices.epochs ? words.trainingLong(choices.epochs) : words.trainingQuick})`],
    h("p", null, words.trainingLead),
    field(words.epochs, epochs, { id: "epochs", hint: words.epochsHint }),
    choices.epochs &&
      dataset?.classes.length > 2 &&
      h("label", { class: "tick", for: "softmax" }, h("input", { type: "checkbox", id: "softmax", checked: choices.softmax, onchange: (event) => choose({ softmax: event.target.checked }) }), h("span", null, words.softmax)),
    choices.epochs && !(choices.softmax && dataset?.classes.length > 2) && field(words.hidden, hidden, { id: "hidden", hint: words.hiddenHint }),
    choices.epochs ? h("label", { class: "tick", for: "curve-wanted" }, drawn, h("span", null, words.curve, h("span", { class: "hint" }, words.curveHint))) : null,
  );
}

function problems({ dataset }) {
  if (!dataset) return null;
  if (dataset.problems.length === 0) return section(words.problems, notice("good", h("p", null, words.problemsNone)));
  const hidden = dataset.problems_total - dataset.problems.length;
  return section(
    words.problems,
    h(
      "ul",
      { class: "problems", id: "problems" },
      dataset.problems.map((problem) =>
        h(
          "li",
          { class: `problem problem-${problem.severity}` },
          icon(problem.severity === "error" ? "cross" : "alert"),
          h(
            "div",
            null,
            h("p", { class: "where" }, problem.message),
            problem.remedy ? h("p", { class: "hint" }, problem.remedy) : null,
          ),
        ),
      ),
    ),
    hidden > 0 ? h("p", { class: "hint" }, words.problemsMore(hidden)) : null,
  );
}

function summary({ dataset, table }) {
  if (!dataset?.ready) return null;
  return h(
    "p",
    { class: "ready" },
    table.locked ? text.baseModel.ready(dataset.train_rows, dataset.test_rows) : words.ready(dataset.train_rows, dataset.test_rows, dataset.features),
    dataset.aside > 0 ? ` ${words.setAside(dataset.aside)}` : null,
    dataset.dropped > 0 ? ` ${words.dropped(dataset.dropped)}` : null,
    dataset.filled > 0 ? ` ${words.filled(dataset.filled)}` : null,
  );
}

/** What the service is told for a plan. */
function askHint({ dataset, table }) {
  const { train_rows: train, test_rows: test, aside, features: measured, classes } = dataset;
  return table.locked ? text.baseModel.askHint(train, test, classes.length) : words.askHint(train - aside, measured, classes.length, aside);
}

/** The base models on offer, apart from "asked" and from none at all: a count alone is not. */
const offered = (models) => (Array.isArray(models) ? models.map((one) => one.name).join("/") : `(${models})`);

export const shape = ({ table, choices, dataset, busy, stoppable, connection, baseModels }) =>
  `${stoppable}/${offered(baseModels)}/${table?.name}/${table?.rows}/${table?.locked}/${JSON.stringify(choices)}/${dataset?.ready}/${dataset?.problems_total}/${dataset?.train_rows}/${dataset?.aside}/${dataset?.positive}/${Boolean(busy)}/${connection.status === "online"}`;

export function build(state) {
  const { table, dataset, busy, connection } = state;
  if (busy) return { element: workingView(words, busy, state.stoppable ? stopReading : null), refresh: workingNow };
  if (!table) return { element: h("div", { class: "view" }, head(words.title, words.lead), sources(state)) };
  const online = connection.status === "online";
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h(
      "section",
      { class: "card" },
      h("div", { class: "row spread" }, h("h2", null, table.name || words.sampleName), h("span", { class: "hint" }, words.summary(table.rows, table.columns.length))),
      recordTable(table, state.choices),
      details(words.replace, recordPicker("csv", openTable)),
    ),
    state.run?.status === "working" ? notice("warning", h("p", null, words.running)) : null,
    outcome(state),
    hasPictures(state.choices) ? picturesRead(state) : written(state),
    problems(state),
    missing(state),
    features(state),
    h("section", { class: "card plain-card" }, summary(state), split(state), training(state)),
    dataset?.ready ? notice("info", h("p", { id: "ask-hint" }, askHint(state))) : null,
    online ? null : notice("warning", h("p", null, words.offline)),
    actions(
      state.plan
        ? button(text.next, () => go("plan"), { kind: "primary", id: "records-next", iconName: "arrow" })
        : button(words.ask, askPlan, { kind: "primary", id: "ask-plan", disabled: !dataset?.ready || !online, iconName: "arrow", describedby: dataset?.ready ? "ask-hint" : null }),
    ),
  );
  return { element };
}
