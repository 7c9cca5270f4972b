// Whether risks come true: the calibration plot with its figures.

import { details, h } from "../dom.js";
import { fraction, percent } from "../format.js";
import { calibrationPlot } from "../plot.js";
import { section } from "./page.js";
import { text } from "../text.js";

const words = text.results.calibration;
const between = text.results.intervalShort;

const plain = (value) => fraction(value, 2);
const figure = (measure, show) => `${show(measure.value)} (${between(show(measure.low), show(measure.high))})`;

function facts({ brier, calibration }) {
  const { slope, intercept, mean, observed, brier_reference: reference } = calibration;
  const rows = [
    ["brier", words.brier, figure(brier, fraction), words.brierHint(fraction(reference))],
    ["slope", words.slope, slope ? figure(slope, plain) : "–", slope ? words.slopeHint : words.noSlope],
    ["intercept", words.intercept, intercept ? figure(intercept, plain) : "–", words.interceptHint],
    ["mean", words.mean, words.meanValue(percent(mean), percent(observed.value)), null],
  ];
  return h(
    "dl",
    { class: "figures", id: "calibration-figures" },
    rows.map(([id, name, value, hint]) => h("div", { id: `calibration-${id}` }, h("dt", null, name), h("dd", { class: "figure-value" }, value), hint ? h("dd", { class: "hint" }, hint) : null)),
  );
}

function table(bins) {
  const cells = ({ lowest, highest, mean, observed }) => [
    between(percent(lowest), percent(highest)),
    percent(mean),
    `${percent(observed.value)} (${text.results.threshold.of(observed.count, observed.total)})`,
    between(percent(observed.low), percent(observed.high)),
  ];
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": words.caption },
    h(
      "table",
      { id: "calibration-table" },
      h("caption", null, words.caption),
      h("thead", null, h("tr", null, words.columns.map((name) => h("th", { scope: "col", class: "number" }, name)))),
      h("tbody", null, bins.map((bin) => h("tr", null, cells(bin).map((cell, index) => h(index === 0 ? "th" : "td", { class: "number", scope: index === 0 ? "row" : null }, cell))))),
    ),
  );
}

/** Plot, figures and the numbers of a class. */
export function calibration({ assessment }) {
  const { bins } = assessment.calibration;
  const plot = calibrationPlot({
    title: words.plot,
    description: words.description(bins.map(({ mean, observed }) => [percent(mean), percent(observed.value), observed.total])),
    xLabel: words.x,
    yLabel: words.y,
    ideal: words.ideal,
    bins: bins.map(({ mean, observed: { value, low, high } }) => ({ mean, value, low, high })),
  });
  return section(words.title, h("p", null, words.lead), h("div", { class: "pair" }, h("figure", { id: "calibration" }, plot), facts(assessment)), details([words.caption], table(bins)));
}
