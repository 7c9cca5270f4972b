// Sixth step: how good the model is, and what locking cost.

import { button, details, download, field, fill, h, notice } from "../dom.js";
import { exportFile, go, review as look } from "../actions.js";
import { bytes, count, duration, fraction, percent } from "../format.js";
import { get } from "../state.js";
import { calibration } from "./calibration.js";
import { cardItems } from "./card.js";
import { curve } from "./curve.js";
import { discrimination } from "./discrimination.js";
import { actions, ends, head, section } from "./page.js";
import { tile } from "./plan.js";
import { subgroups } from "./subgroups.js";
import { at, threshold } from "./threshold.js";
import { text } from "../text.js";

const words = text.results;
const SMALL = 50;
const MEASURES = ["accuracy", "auc", "sensitivity", "specificity", "brier"];
const asPercent = (name) => ["accuracy", "sensitivity", "specificity"].includes(name);
const show = (name, value) => (asPercent(name) ? percent(value) : fraction(value));

function interval(name, measure) {
  if (measure.low === null || measure.low === undefined) return null;
  return h("span", { class: "interval" }, ends(measure, (value) => show(name, value)));
}

function difference(name, locked, unlocked) {
  if (!locked || !unlocked) return "–";
  const change = locked.value - unlocked.value;
  if (asPercent(name)) return words.points(Math.round(1000 * change) / 10);
  const size = Math.abs(change).toFixed(3);
  return `${Number(size) === 0 ? "" : change > 0 ? "+" : "−"}${size}`;
}

/** A measure with its interval, where it has one. */
function measured(measures, name) {
  const measure = measures[name];
  return typeof measure === "number" ? { value: measure, low: null, high: null } : measure;
}

/** Locked and unlocked training side by side; locked training alone where nothing was computed on readable records. */
export function comparison(report) {
  const compared = report.clear !== null;
  const [locked, unlocked] = [report.encrypted, report.clear ?? {}].map((measures) => Object.fromEntries(MEASURES.map((name) => [name, measured(measures, name)])));
  const explain = (name) => (typeof words.explain[name] === "function" ? words.explain[name](report.positive) : words.explain[name]);
  return h(
    "table",
    { class: "measures", id: "measures" },
    h("caption", { class: "visually-hidden" }, words.compare),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, words.measure), h("th", { scope: "col" }, h("span", { class: "series-name series-locked" }, words.encrypted)), compared ? [h("th", { scope: "col" }, h("span", { class: "series-name series-clear" }, words.clear)), h("th", { scope: "col" }, words.difference)] : null)),
    h(
      "tbody",
      null,
      MEASURES.filter((name) => locked[name] && (unlocked[name] || !compared)).map((name) =>
        h(
          "tr",
          { id: `measure-${name}` },
          h("th", { scope: "row" }, words.measures[name], h("span", { class: "hint" }, explain(name))),
          h("td", { "data-label": words.encrypted }, h("span", { class: "value" }, show(name, locked[name].value)), interval(name, locked[name])),
          compared
            ? [
                h("td", { "data-label": words.clear }, h("span", { class: "value" }, show(name, unlocked[name].value)), interval(name, unlocked[name])),
                h("td", { "data-label": words.difference }, h("span", { class: "value" }, difference(name, locked[name], unlocked[name]))),
              ]
            : null,
        ),
      ),
    ),
  );
}

function matrix(caption, classes, counts) {
  const kind = (actual, predicted) => (actual === predicted ? "right" : counts[actual][predicted] > 0 ? "wrong" : "zero");
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": words.confusion },
    h(
      "table",
      { class: `confusion${classes.length > 4 ? " dense" : ""}`, id: "confusion" },
      h("caption", null, caption),
      h("thead", null, h("tr", null, h("td"), h("th", { scope: "colgroup", colspan: classes.length }, words.predicted)), h("tr", null, h("th", { scope: "col" }, words.actual), classes.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", null, classes.map((name, actual) => h("tr", null, h("th", { scope: "row" }, name), classes.map((_, predicted) => h("td", { class: kind(actual, predicted) }, count(counts[actual][predicted])))))),
    ),
  );
}

/** Where the model is right and wrong: of two groups at the threshold, of more by the most likely group. */
export function confusion({ classes, encrypted }, { class: index, decision }) {
  if (classes.length !== 2) return matrix(words.confusionCaption, classes, encrypted.confusion);
  const { true_positives: tp, false_positives: fp, false_negatives: fn, true_negatives: tn } = decision;
  const counts = index === 0 ? [[tp, fn], [fp, tn]] : [[tn, fp], [fn, tp]];
  return matrix(words.threshold.confusionCaption(at(decision.threshold)), classes, counts);
}

const gap = (value) => (value < 0.0001 ? words.tiny : percent(value, 2));

function agreement({ difference: most }) {
  return h("p", { id: "agreement" }, words.agreementText(gap(most)));
}

/** The measures, beside those of unlocked training where there is one. */
function compared(report) {
  if (report.clear) return section(words.compare, h("p", null, words.compareLead), comparison(report), agreement(report));
  return section(words.alone, h("p", { id: "not-compared" }, report.not_compared ? words.notCompared(report.not_compared) : words.aloneLead), comparison(report));
}

function costs(report) {
  return details(
    words.times,
    h(
      "dl",
      { class: "facts" },
      report.seconds.map(([name, seconds]) => [h("dt", null, text.train.phases[name] ?? text.baseModel.train.phases[name] ?? name), h("dd", null, duration(seconds))]),
      h("dt", null, words.up),
      h("dd", null, bytes(report.bytes_up)),
      h("dt", null, words.down),
      h("dd", null, bytes(report.bytes_down)),
      report.worker_peak ? [h("dt", null, words.peak), h("dd", null, bytes(report.worker_peak))] : null,
    ),
  );
}

/** What the service did, as it counted it itself. */
function ledger({ ledger }) {
  if (!ledger) return null;
  const seconds = ledger.phases.filter(([, taken]) => taken >= 0.05);
  return details(
    words.ledger,
    h("p", null, words.ledgerLead),
    h(
      "dl",
      { class: "facts", id: "run-ledger" },
      ledger.counts.map(([name, number]) => [h("dt", null, name), h("dd", null, name.includes("bytes") ? bytes(number) : count(number))]),
      seconds.map(([name, taken]) => [h("dt", null, `${words.seconds}: ${name}`), h("dd", null, taken.toFixed(1))]),
    ),
  );
}

/** Which group is looked at, where there are more than two. */
function picker({ classes }, review) {
  if (classes.length === 2) return null;
  const select = h("select", { onchange: () => look({ class: Number(select.value) }) }, classes.map((name, index) => h("option", { value: index, selected: index === review.class }, name)));
  return h("section", { class: "card" }, field(words.lookAt, select, { id: "look-at", hint: words.lookAtHint }));
}

const noted = (measure, show) => (measure.low === measure.high ? words.noInterval : words.interval(show(measure.low), show(measure.high)));

/** The large figures at the top. */
export function headline({ encrypted, clear }) {
  return h(
    "dl",
    { class: "tiles" },
    encrypted.accuracy ? tile(percent(encrypted.accuracy.value), words.headline.accuracy, noted(encrypted.accuracy, percent)) : null,
    encrypted.auc ? tile(fraction(encrypted.auc.value), words.headline.auc, noted(encrypted.auc, fraction)) : null,
    clear ? tile(difference("accuracy", encrypted.accuracy, clear.accuracy), words.headline.cost) : null,
  );
}

export const shape = ({ report, review }) => `${report?.id}/${review?.class}/${review?.view.class}`;

export function build({ report, review, table, predictor }) {
  const { tests } = report;
  const save = (kind, name, type, card) => async () => download(name, await exportFile(kind, card?.()), type);
  const name = report.classes[review.class];
  const known = review.view.assessment !== null && review.view.assessment !== undefined;
  const curves = known ? discrimination(review) : null;
  const decided = known ? threshold(report, review) : null;
  const parts = known ? subgroups(review, table, name) : null;
  const right = h("div", { class: "clip" }, confusion(report, review));
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead(tests)),
    tests < SMALL ? notice("warning", h("p", null, words.small(tests))) : null,
    headline(report),
    picker(report, review),
    known ? null : notice("warning", h("p", { id: "no-curves" }, words.noCurves(name))),
    curves?.element,
    decided?.element,
    section(words.confusion, right),
    known ? calibration(review.view) : null,
    parts?.element,
    compared(report),
    report.curve?.length > 0 ? section(text.curve.title, curve(report.curve, report.curve.at(-1).epoch)) : null,
    report.notes.length > 0 ? section(words.notes, h("ul", { class: "plain-list" }, report.notes.map((line) => h("li", null, line)))) : null,
    costs(report),
    ledger(report),
    actions(
      predictor ? button(words.newPatients, () => go("predict"), { kind: "primary", id: "to-predict", iconName: "arrow" }) : null,
      button(words.toReport, () => go("report"), { id: "to-report", iconName: "file" }),
      button(words.downloadCsv, save("predictions", "confide-predictions.csv", "text/csv"), { id: "results-csv", iconName: "down" }),
      button(words.downloadJson, save("report", "confide-report.json", "application/json", () => cardItems(get())), { id: "results-json", iconName: "down" }),
      button(words.again, () => go("records"), { kind: "quiet", id: "train-again" }),
    ),
  );
  let shown = review;
  // A slider that moves builds nothing anew: each part shows the next answer.
  const refresh = ({ review: next }) => {
    if (!next || next === shown) return;
    if (next.decision !== shown.decision) {
      curves?.update(next.decision);
      decided?.update(next.decision);
      fill(right, confusion(report, next));
    }
    parts?.update(next);
    shown = next;
  };
  return { element, refresh };
}
