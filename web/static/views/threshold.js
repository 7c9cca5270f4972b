// From which risk on a record is called positive, and what that does, while the slider moves.

import { button, fill, h } from "../dom.js";
import { review as look } from "../actions.js";
import { count, percent } from "../format.js";
import { placeThreshold, splitHistogram } from "../plot.js";
import { section } from "./page.js";
import { text } from "../text.js";

const words = text.results.threshold;
const STEP = 0.5;

/** A threshold as people write it: no digits that are not needed. */
export const at = (threshold) => `${Number((100 * threshold).toFixed(3))} %`;

/** Sensitivity, specificity and predictive values with intervals and counts. */
export function decisionTable(decision, name) {
  const row = ([key, [title, explain]]) => {
    const share = decision[key];
    return h(
      "tr",
      { id: `decision-${key}` },
      h("th", { scope: "row" }, title, h("span", { class: "hint" }, explain(name))),
      h("td", { class: "number value" }, share ? percent(share.value) : "–"),
      h("td", { class: "number" }, share ? h("span", { class: "nowrap" }, text.results.intervalShort(percent(share.low), percent(share.high))) : words.none, share ? h("span", { class: "interval" }, words.of(share.count, share.total)) : null),
    );
  };
  return h(
    "table",
    { class: "decision" },
    h("caption", null, words.caption(at(decision.threshold))),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, text.results.measure), h("th", { scope: "col", class: "number" }, words.value), h("th", { scope: "col", class: "number" }, words.interval))),
    h("tbody", null, Object.entries(words.figures).map(row)),
  );
}

/** The counts in two sentences: of these records, and of a thousand. */
export function decisionCounts(decision, name) {
  const { true_positives: tp, false_positives: fp, false_negatives: fn, true_negatives: tn } = decision;
  const thousand = (n) => Math.round((1000 * n) / (tp + fp + fn + tn));
  return [h("p", null, words.counts(decision, name)), h("p", { class: "hint" }, words.perThousand(thousand(tp + fp), thousand(fp), thousand(fn)))];
}

/** The predicted risks of the group and of all others, with the line of the threshold. */
export function histogram({ view, decision }, name, other) {
  const groups = [true, false].map((is) => ({ name: is ? words.actually(name) : other, values: view.scores.filter((_, record) => view.truth[record] === is) }));
  const describe = (threshold) => {
    const part = ({ name: group, values }) => words.histogramPart(group, values.length, values.filter((value) => value >= threshold).length, at(threshold));
    return words.histogramDescription(groups.map(part));
  };
  const plot = splitHistogram({ title: words.histogram, description: "", xLabel: words.histogramX(name), yLabel: words.histogramY, groups });
  const update = (next) => {
    placeThreshold(plot, next.threshold, at(next.threshold));
    plot.querySelector("desc").textContent = describe(next.threshold);
  };
  update(decision);
  return { plot, update };
}

/** Name of the group that is looked at, and how the records of all others are called. */
export function names({ classes }, { class: index }) {
  const two = classes.length === 2;
  return { name: classes[index], other: two ? words.actually(classes[1 - index]) : words.others, two };
}

/** Slider, figures and histogram; `update` shows another decision. */
export function threshold(report, review) {
  const { name, other, two } = names(report, review);
  const move = (value) => {
    const next = Math.min(1, Math.max(0, value / 100));
    if (Number.isFinite(next)) look({ threshold: next });
  };
  const slider = h("input", { type: "range", id: "threshold", min: 0, max: 100, step: STEP, oninput: () => move(Number(slider.value)) });
  const exact = h("input", { type: "number", id: "threshold-exact", min: 0, max: 100, step: "any", inputmode: "decimal", onchange: () => exact.value !== "" && move(Number(exact.value)) });
  const figures = h("div", { id: "decision" });
  const counts = h("div", { class: "counts", id: "decision-counts", "aria-live": "polite" });
  const drawn = histogram(review, name, other);
  const update = (decision) => {
    const value = Number((100 * decision.threshold).toFixed(3));
    if (document.activeElement !== slider) slider.value = value;
    if (document.activeElement !== exact) exact.value = value;
    slider.setAttribute("aria-valuetext", at(decision.threshold));
    fill(figures, decisionTable(decision, name));
    fill(counts, decisionCounts(decision, name));
    drawn.update(decision);
  };
  update(review.decision);
  const element = section(
    words.title,
    h("p", null, (two ? words.lead : words.leadMany)(name)),
    h(
      "div",
      { class: "slider" },
      h("div", { class: "field" }, h("label", { for: "threshold" }, words.label), slider),
      h("div", { class: "field" }, h("label", { for: "threshold-exact" }, words.exact), exact),
      button(words.reset, () => look({ threshold: 0.5 }), { kind: "quiet", id: "threshold-reset" }),
    ),
    counts,
    h("div", { class: "pair" }, figures, h("figure", { id: "histogram" }, drawn.plot)),
    h("p", { class: "hint" }, words.optimism),
  );
  return { element, update };
}
