// Plots as inline SVG: drawn from numbers, described in words, coloured by the style sheet.

import { s } from "./dom.js";

const WIDTH = 460;
const HEIGHT = 400;
const BOX = { left: 58, right: 24, top: 16, bottom: 52 };
const INNER = { width: WIDTH - BOX.left - BOX.right, height: HEIGHT - BOX.top - BOX.bottom };

let unique = 0;

function frame(title, description, ...children) {
  const id = `plot-${(unique += 1)}`;
  return s(
    "svg",
    { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-labelledby": `${id}-title ${id}-text` },
    s("title", { id: `${id}-title` }, title),
    s("desc", { id: `${id}-text` }, description),
    ...children,
  );
}

const x = (value, [low, high] = [0, 1]) => BOX.left + (INNER.width * (value - low)) / (high - low);
const y = (value, [low, high] = [0, 1]) => BOX.top + INNER.height * (1 - (value - low) / (high - low));
const point = (px, py) => `${px.toFixed(1)} ${py.toFixed(1)}`;

function axes({ xTicks, yTicks, xLabel, yLabel, xDomain, yDomain, xFormat = String, yFormat = String }) {
  const bottom = BOX.top + INNER.height;
  return [
    yTicks.map((tick) => s("path", { class: "grid", d: `M${BOX.left} ${y(tick, yDomain).toFixed(1)}H${BOX.left + INNER.width}` })),
    xTicks.map((tick) => s("path", { class: "tick-mark", d: `M${x(tick, xDomain).toFixed(1)} ${bottom}v5` })),
    s("path", { class: "axis", d: `M${BOX.left} ${BOX.top}V${bottom}H${BOX.left + INNER.width}` }),
    xTicks.map((tick) => s("text", { class: "tick-label", x: x(tick, xDomain), y: bottom + 20, "text-anchor": "middle" }, xFormat(tick))),
    yTicks.map((tick) => s("text", { class: "tick-label", x: BOX.left - 9, y: y(tick, yDomain) + 4.5, "text-anchor": "end" }, yFormat(tick))),
    s("text", { class: "axis-label", x: BOX.left + INNER.width / 2, y: HEIGHT - 8, "text-anchor": "middle" }, xLabel),
    s("text", { class: "axis-label", x: 0, y: 0, "text-anchor": "middle", transform: `translate(15 ${BOX.top + INNER.height / 2}) rotate(-90)` }, yLabel),
  ];
}

/** ROC curves. `curves`: `{ name, points: [[fpr, tpr], …], series }`, the first drawn on top. */
export function rocPlot({ title, description, xLabel, yLabel, chance, curves }) {
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1];
  const line = (points) => points.map(([fpr, tpr], index) => `${index ? "L" : "M"}${point(x(fpr), y(tpr))}`).join("");
  const legendY = (index) => BOX.top + INNER.height - 30 - 24 * (curves.length - 1 - index);
  return frame(
    title,
    description,
    axes({ xTicks: ticks, yTicks: ticks, xLabel, yLabel, xFormat: (tick) => tick.toFixed(1), yFormat: (tick) => tick.toFixed(1) }),
    s("path", { class: "chance", d: `M${point(x(0), y(0))}L${point(x(1), y(1))}` }),
    s("text", { class: "note", x: x(0.36), y: y(0.36) - 8, "text-anchor": "middle", transform: `rotate(${((-Math.atan2(INNER.height, INNER.width) * 180) / Math.PI).toFixed(1)} ${x(0.36)} ${y(0.36)})` }, chance),
    [...curves].reverse().map((curve) => s("path", { class: `curve series-${curve.series}`, d: line(curve.points) })),
    curves.map((curve, index) => [
      s("path", { class: `curve series-${curve.series}`, d: `M${x(0.46)} ${legendY(index)}h26` }),
      s("text", { class: "legend", x: x(0.46) + 34, y: legendY(index) + 4.5 }, curve.name),
    ]),
  );
}

/** The least of 1, 2, 2.5, 5 and 10 times a power of ten that is not below a positive number. */
export function niceTop(value) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)));
  return [1, 2, 2.5, 5, 10].map((step) => step * unit).find((step) => step >= value * (1 - 1e-9)) ?? 10 * unit;
}

/** One line through points `[x, y]`, each marked. */
export function linePlot({ title, description, xLabel, yLabel, xDomain, yDomain, xTicks, yTicks, yFormat, points }) {
  const places = points.map(([px, py]) => [x(px, xDomain), y(py, yDomain)]);
  return frame(
    title,
    description,
    axes({ xTicks, yTicks, xLabel, yLabel, xDomain, yDomain, yFormat }),
    s("path", { class: "curve series-locked", d: places.map(([px, py], index) => `${index ? "L" : "M"}${point(px, py)}`).join("") }),
    places.map(([px, py]) => s("circle", { class: "point", cx: px.toFixed(1), cy: py.toFixed(1), r: 3.5 })),
  );
}

const niceStep = (value) => [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000].find((step) => value / step <= 4) ?? value / 4;

/** Two histograms of probabilities back to back: the first group upwards, the second downwards. */
export function splitHistogram({ title, description, xLabel, yLabel, threshold, groups, bins = 20 }) {
  const counts = groups.map(({ values }) => {
    const column = new Array(bins).fill(0);
    for (const value of values) column[Math.min(bins - 1, Math.max(0, Math.floor(value * bins)))] += 1;
    return column;
  });
  const highest = Math.max(1, ...counts.flat());
  const step = niceStep(highest);
  const limit = Math.ceil(highest / step) * step;
  const domain = [-limit, limit];
  const ticks = [];
  for (let tick = -limit; tick <= limit; tick += step) ticks.push(tick);
  const width = INNER.width / bins;
  const bar = (value, bin, up) => {
    if (value === 0) return null;
    const height = (INNER.height / 2) * (value / limit);
    const middle = y(0, domain);
    return s("rect", { class: `bar group-${up ? 0 : 1}`, x: (BOX.left + bin * width + 1).toFixed(1), y: (up ? middle - height : middle).toFixed(1), width: (width - 2).toFixed(1), height: Math.max(1.5, height).toFixed(1), rx: 1.5 });
  };
  return frame(
    title,
    description,
    axes({ xTicks: [0, 0.25, 0.5, 0.75, 1], yTicks: ticks, xLabel, yLabel, yDomain: domain, xFormat: (tick) => `${Math.round(100 * tick)} %`, yFormat: (tick) => String(Math.abs(tick)) }),
    s("path", { class: "axis", d: `M${BOX.left} ${y(0, domain)}H${BOX.left + INNER.width}` }),
    s("path", { class: "chance", d: `M${x(0.5)} ${BOX.top}V${BOX.top + INNER.height}` }),
    s("text", { class: "note", x: x(0.5) + 6, y: BOX.top + 12 }, threshold),
    counts.map((column, group) => column.map((value, bin) => bar(value, bin, group === 0))),
    // Each name stands where its group should have no bars.
    s("text", { class: "legend group-text-0", x: BOX.left + 12, y: BOX.top + 16 }, groups[0].name),
    s("text", { class: "legend group-text-1", x: BOX.left + INNER.width - 8, y: BOX.top + INNER.height - 12, "text-anchor": "end" }, groups[1].name),
  );
}
