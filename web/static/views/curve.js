// Loss and accuracy while a training goes on: two plots, and the same numbers as a table.

import { details, h } from "../dom.js";
import { count, fraction, percent } from "../format.js";
import { linePlot, niceTop } from "../plot.js";
import { text } from "../text.js";

const words = text.curve;
const epoch = (value) => (Number.isInteger(value) ? count(value) : value.toFixed(1));

function ticks(low, high, step) {
  const all = [];
  for (let tick = low; tick <= high + step / 2; tick += step) all.push(tick);
  return all;
}

function epochTicks(epochs) {
  const step = Math.max(1, niceTop(epochs / 5));
  return ticks(0, Math.max(1, epochs), step).filter((tick) => tick <= epochs);
}

function lossPlot(points, epochs) {
  const top = niceTop(Math.max(...points.map((point) => point.loss)));
  return linePlot({
    title: words.loss,
    description: words.lossDescription(points.map((point) => [epoch(point.epoch), fraction(point.loss)])),
    xLabel: words.epochs,
    yLabel: words.loss,
    xDomain: [0, Math.max(1, epochs)],
    yDomain: [0, top],
    xTicks: epochTicks(epochs),
    yTicks: ticks(0, top, top / 4),
    yFormat: (tick) => String(Number(tick.toPrecision(3))),
    points: points.map((point) => [point.epoch, point.loss]),
  });
}

function accuracyPlot(points, epochs) {
  // Whole tenths below what is drawn, so that the axis does not move with every point.
  const low = Math.max(0, Math.floor(10 * Math.min(...points.map((point) => point.accuracy)) - 0.001) / 10);
  return linePlot({
    title: words.accuracy,
    description: words.accuracyDescription(points.map((point) => [epoch(point.epoch), percent(point.accuracy)])),
    xLabel: words.epochs,
    yLabel: words.accuracy,
    xDomain: [0, Math.max(1, epochs)],
    yDomain: [low, 1],
    xTicks: epochTicks(epochs),
    yTicks: ticks(low, 1, (1 - low) / 5),
    yFormat: (tick) => `${Math.round(100 * tick)} %`,
    points: points.map((point) => [point.epoch, point.accuracy]),
  });
}

function table(points) {
  return h(
    "table",
    { class: "curve-points", id: "curve-points" },
    h("caption", { class: "visually-hidden" }, words.caption),
    h("thead", null, h("tr", null, [words.epoch, words.loss, words.accuracy].map((name) => h("th", { scope: "col", class: "number" }, name)))),
    h("tbody", null, points.map((point) => h("tr", null, h("th", { scope: "row", class: "number" }, epoch(point.epoch)), h("td", { class: "number" }, point.loss.toFixed(4)), h("td", { class: "number" }, percent(point.accuracy))))),
  );
}

/** What is drawn of a curve; a sentence while there is no point. `epochs` is where the axis ends. */
export function curve(points, epochs) {
  if (points.length === 0) return h("p", { class: "hint", id: "curve-waiting" }, words.waiting);
  return h(
    "div",
    { id: "curve", class: "view" },
    h("p", null, words.lead(points[0].records)),
    h("div", { class: "pair" }, h("figure", null, lossPlot(points, epochs)), h("figure", null, accuracyPlot(points, epochs))),
    details(words.numbers, h("div", { class: "scroll short", tabindex: "0", role: "region", "aria-label": words.caption }, table(points))),
  );
}
