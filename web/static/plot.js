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

const TENTHS = [0, 0.2, 0.4, 0.6, 0.8, 1];
const unit = { xTicks: TENTHS, yTicks: TENTHS, xFormat: (tick) => tick.toFixed(1), yFormat: (tick) => tick.toFixed(1) };
const line = (points) => points.map(([px, py], index) => `${index ? "L" : "M"}${point(x(px), y(py))}`).join("");

/** The area between two rows of values at equal steps from 0 to 1. */
function bandPath({ low, high }) {
  const at = (values, index) => [index / (values.length - 1), values[index]];
  const there = high.map((_, index) => at(high, index));
  const back = low.map((_, index) => at(low, index)).reverse();
  return `${line([...there, ...back])}Z`;
}

/**
 * Curves in the unit square. `curves`: `{ points: [[x, y], …], series }`, the first drawn on top; `band` is around that one.
 * `chance`: `{ from, to, name }` is the line to be compared with.
 */
export function unitPlot({ title, description, xLabel, yLabel, chance, band, curves }) {
  const [fx, fy] = chance.from;
  const [tx, ty] = chance.to;
  const middle = [x((fx + tx) / 2 - 0.14), y(fy + (ty - fy) * 0.36)];
  const angle = (-Math.atan2(INNER.height * (ty - fy), INNER.width * (tx - fx)) * 180) / Math.PI;
  return frame(
    title,
    description,
    axes({ ...unit, xLabel, yLabel }),
    band ? s("path", { class: "band", d: bandPath(band) }) : null,
    s("path", { class: "chance", d: line([chance.from, chance.to]) }),
    s("text", { class: "note", x: middle[0], y: middle[1] - 8, "text-anchor": "middle", transform: `rotate(${angle.toFixed(1)} ${middle[0]} ${middle[1]})` }, chance.name),
    [...curves].reverse().map((curve) => s("path", { class: `curve series-${curve.series}`, d: line(curve.points) })),
    s("circle", { class: "marker", r: 7, visibility: "hidden" }),
  );
}

/** Puts the ring of a plot at a place, or takes it away where there is none. */
export function placeMarker(plot, px, py) {
  const marker = plot.querySelector(".marker");
  const known = Number.isFinite(px) && Number.isFinite(py);
  marker.setAttribute("visibility", known ? "visible" : "hidden");
  if (!known) return;
  marker.setAttribute("cx", x(px).toFixed(1));
  marker.setAttribute("cy", y(py).toFixed(1));
}

/** Observed shares with their intervals over mean risks. `bins`: `{ mean, value, low, high }`. */
export function calibrationPlot({ title, description, xLabel, yLabel, ideal, bins }) {
  return frame(
    title,
    description,
    axes({ ...unit, xLabel, yLabel }),
    s("path", { class: "chance", d: line([[0, 0], [1, 1]]) }),
    s("text", { class: "note", x: x(0.64), y: y(0.64) + 18, "text-anchor": "middle", transform: `rotate(${((-Math.atan2(INNER.height, INNER.width) * 180) / Math.PI).toFixed(1)} ${x(0.64)} ${y(0.64)})` }, ideal),
    s("path", { class: "curve series-locked thin", d: line(bins.map((bin) => [bin.mean, bin.value])) }),
    bins.map((bin) => s("path", { class: "whisker", d: `M${point(x(bin.mean) - 4, y(bin.low))}h8M${point(x(bin.mean), y(bin.low))}V${y(bin.high).toFixed(1)}M${point(x(bin.mean) - 4, y(bin.high))}h8` })),
    bins.map((bin) => s("circle", { class: "point", cx: x(bin.mean).toFixed(1), cy: y(bin.value).toFixed(1), r: 4.5 })),
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

/** Moves the threshold of a histogram. */
export function placeThreshold(plot, value, name) {
  const place = plot.querySelector(".threshold");
  place.setAttribute("transform", `translate(${(INNER.width * value).toFixed(1)} 0)`);
  const label = place.querySelector("text");
  label.textContent = name;
  // Near the right edge the words stand to the left of the line.
  label.setAttribute("text-anchor", value > 0.8 ? "end" : "start");
  label.setAttribute("x", BOX.left + (value > 0.8 ? -6 : 6));
}

/** Two histograms of probabilities back to back: the first group upwards, the second downwards. */
export function splitHistogram({ title, description, xLabel, yLabel, groups, bins = 20 }) {
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
    counts.map((column, group) => column.map((value, bin) => bar(value, bin, group === 0))),
    s("g", { class: "threshold" }, s("path", { d: `M${BOX.left} ${BOX.top}v${INNER.height}` }), s("text", { x: BOX.left + 6, y: BOX.top + 50 })),
    // Each name stands where its group should have no bars.
    s("text", { class: "legend group-text-0", x: BOX.left + 12, y: BOX.top + 16 }, groups[0].name),
    s("text", { class: "legend group-text-1", x: BOX.left + INNER.width - 8, y: BOX.top + INNER.height - 12, "text-anchor": "end" }, groups[1].name),
  );
}
