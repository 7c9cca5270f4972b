// Sixth step: how good the model is, and what locking cost.

import { button, details, download, h, notice } from "../dom.js";
import { exportFile, go } from "../actions.js";
import { bytes, count, duration, fraction, percent } from "../format.js";
import { rocPlot, splitHistogram } from "../plot.js";
import { curve } from "./curve.js";
import { actions, head, section } from "./page.js";
import { tile } from "./plan.js";
import { text } from "../text.js";

const words = text.results;
const SMALL = 50;
const MEASURES = ["accuracy", "auc", "sensitivity", "specificity", "brier"];
const asPercent = (name) => ["accuracy", "sensitivity", "specificity"].includes(name);
const show = (name, value) => (asPercent(name) ? percent(value) : fraction(value));

function interval(name, measure) {
  if (measure.low === null || measure.low === undefined) return null;
  return h("span", { class: "interval" }, words.intervalShort(show(name, measure.low), show(name, measure.high)));
}

function difference(name, locked, unlocked) {
  if (!locked || !unlocked) return "–";
  const change = locked.value - unlocked.value;
  if (asPercent(name)) return words.points(Math.round(1000 * change) / 10);
  const size = Math.abs(change).toFixed(3);
  return `${Number(size) === 0 ? "" : change > 0 ? "+" : "−"}${size}`;
}

function comparison(report) {
  const explain = (name) => (typeof words.explain[name] === "function" ? words.explain[name](report.positive) : words.explain[name]);
  return h(
    "table",
    { class: "measures", id: "measures" },
    h("caption", { class: "visually-hidden" }, words.compare),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, words.measure), h("th", { scope: "col" }, h("span", { class: "series-name series-locked" }, words.encrypted)), h("th", { scope: "col" }, h("span", { class: "series-name series-clear" }, words.clear)), h("th", { scope: "col" }, words.difference))),
    h(
      "tbody",
      null,
      MEASURES.filter((name) => report.encrypted[name] && report.clear[name]).map((name) =>
        h(
          "tr",
          { id: `measure-${name}` },
          h("th", { scope: "row" }, words.measures[name], h("span", { class: "hint" }, explain(name))),
          h("td", { "data-label": words.encrypted }, h("span", { class: "value" }, show(name, report.encrypted[name].value)), interval(name, report.encrypted[name])),
          h("td", { "data-label": words.clear }, h("span", { class: "value" }, show(name, report.clear[name].value)), interval(name, report.clear[name])),
          h("td", { "data-label": words.difference }, h("span", { class: "value" }, difference(name, report.encrypted[name], report.clear[name]))),
        ),
      ),
    ),
  );
}

function confusion(report) {
  const { classes } = report;
  const matrix = report.encrypted.confusion;
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": words.confusion },
    h(
      "table",
      { class: "confusion", id: "confusion" },
      h("caption", null, words.confusionCaption),
      h("thead", null, h("tr", null, h("td"), h("th", { scope: "colgroup", colspan: classes.length }, words.predicted)), h("tr", null, h("th", { scope: "col" }, words.actual), classes.map((name) => h("th", { scope: "col" }, name)))),
      h(
        "tbody",
        null,
        classes.map((name, actual) =>
          h("tr", null, h("th", { scope: "row" }, name), classes.map((_, predicted) => h("td", { class: actual === predicted ? "right" : matrix[actual][predicted] > 0 ? "wrong" : "zero" }, count(matrix[actual][predicted])))),
        ),
      ),
    ),
  );
}

function plots(report) {
  const { encrypted, clear, scores, positive, classes } = report;
  if (!encrypted.roc?.length || classes.length !== 2 || !encrypted.auc || !clear.auc) return null;
  const area = (measures) => `${fraction(measures.auc.value)} (${fraction(measures.auc.low)}–${fraction(measures.auc.high)})`;
  const roc = rocPlot({
    title: words.roc,
    description: words.rocDescription(area(encrypted), area(clear)),
    xLabel: words.rocX,
    yLabel: words.rocY,
    chance: words.rocChance,
    curves: [
      { name: `${words.encrypted} ${area(encrypted)}`, points: encrypted.roc, series: "locked" },
      { name: `${words.clear} ${area(clear)}`, points: clear.roc, series: "clear" },
    ],
  });
  const at = classes.indexOf(positive);
  const groups = [at, 1 - at].map((index) => ({ name: words.actually(classes[index]), values: scores.encrypted.filter((_, row) => scores.truth[row] === index) }));
  const parts = groups.map((group) => words.distributionPart(group.name, group.values.length, group.values.filter((value) => value >= 0.5).length));
  const histogram = splitHistogram({
    title: words.distribution,
    description: words.distributionDescription(parts),
    xLabel: words.distributionX(positive),
    yLabel: words.distributionY,
    threshold: words.threshold,
    groups,
  });
  return h("div", { class: "pair" }, section(words.roc, h("figure", null, roc)), section(words.distribution, h("figure", null, histogram)));
}

const gap = (value) => (value < 0.0001 ? words.tiny : percent(value, 2));

function agreement({ scores }) {
  if (!scores?.program?.length) return null;
  const most = scores.encrypted.reduce((max, value, row) => Math.max(max, Math.abs(value - scores.program[row])), 0);
  return h("p", { id: "agreement" }, words.agreementText(gap(most)));
}

function costs(report) {
  return details(
    words.times,
    h(
      "dl",
      { class: "facts" },
      report.seconds.map(([name, seconds]) => [h("dt", null, text.train.phases[name] ?? name), h("dd", null, duration(seconds))]),
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

export const shape = ({ report }) => `${report?.id}`;

export function build({ report, predictor }) {
  const { encrypted, clear, tests } = report;
  const save = (kind, name, type) => async () => download(name, await exportFile(kind), type);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead(tests)),
    tests < SMALL ? notice("warning", h("p", null, words.small(tests))) : null,
    h(
      "dl",
      { class: "tiles" },
      encrypted.accuracy ? tile(percent(encrypted.accuracy.value), words.headline.accuracy, words.interval(percent(encrypted.accuracy.low), percent(encrypted.accuracy.high))) : null,
      encrypted.auc ? tile(fraction(encrypted.auc.value), words.headline.auc, words.interval(fraction(encrypted.auc.low), fraction(encrypted.auc.high))) : null,
      tile(difference("accuracy", encrypted.accuracy, clear.accuracy), words.headline.cost),
    ),
    section(words.compare, h("p", null, words.compareLead), comparison(report), agreement(report)),
    plots(report),
    section(words.confusion, confusion(report)),
    report.curve?.length > 0 ? section(text.curve.title, curve(report.curve, report.curve.at(-1).epoch)) : null,
    report.notes.length > 0 ? section(words.notes, h("ul", { class: "plain-list" }, report.notes.map((line) => h("li", null, line)))) : null,
    costs(report),
    ledger(report),
    actions(
      predictor ? button(words.newPatients, () => go("predict"), { kind: "primary", id: "to-predict", iconName: "arrow" }) : null,
      button(words.downloadCsv, save("predictions", "confide-predictions.csv", "text/csv"), { id: "results-csv", iconName: "down" }),
      button(words.downloadJson, save("report", "confide-report.json", "application/json"), { id: "results-json", iconName: "down" }),
      button(words.again, () => go("records"), { kind: "quiet", id: "train-again" }),
    ),
  );
  return { element };
}
