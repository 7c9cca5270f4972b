// ROC and precision-recall curve of one group against the rest, with bands and the place of the threshold.

import { details, h } from "../dom.js";
import { fraction, percent } from "../format.js";
import { placeMarker, unitPlot } from "../plot.js";
import { ends, section } from "./page.js";
import { text } from "../text.js";

const words = text.results;
const own = words.curves;

const figure = (measure) => `${fraction(measure.value)} (${ends(measure, fraction)})`;

/** Steps down as far as a point, as the average precision is summed up. */
const steps = (points) => points.flatMap(([recall, precision], index) => [[points[index - 1]?.[0] ?? 0, precision], [recall, precision]]);

/** Names of both curves with their figures; below the plot, where no curve can lie under them. */
const legend = (locked, other) => h("p", { class: "legend-line" }, h("span", { class: "series-name series-locked" }, `${words.encrypted} ${locked}`), other === null ? null : h("span", { class: "series-name series-clear" }, `${words.clear} ${other}`));

const drawn = (plot, title, figures) => ({ plot, figure: h("figure", null, h("figcaption", null, title), plot, legend(...figures)) });
const pair = (points, other) => [{ points, series: "locked" }, ...(other.length > 0 ? [{ points: other, series: "clear" }] : [])];
/** A figure of unlocked training, where there is one. */
const unlocked = (value) => (value === null || value === undefined ? null : fraction(value));

function rocFigure({ assessment, roc, clear }) {
  const areas = [figure(assessment.auc), unlocked(clear.auc)];
  const plot = unitPlot({
    title: own.roc,
    description: own.rocDescription(...areas),
    xLabel: own.rocX,
    yLabel: own.rocY,
    chance: { from: [0, 0], to: [1, 1], name: own.chance },
    band: roc,
    curves: pair(roc.points, clear.roc),
  });
  return drawn(plot, own.roc, areas);
}

function precisionFigure({ assessment, precision_recall, clear }) {
  const means = [figure(assessment.average_precision), unlocked(clear.average_precision)];
  const share = assessment.calibration.observed.value;
  const plot = unitPlot({
    title: own.precision,
    description: own.precisionDescription(...means),
    xLabel: own.precisionX,
    yLabel: own.precisionY,
    chance: { from: [0, share], to: [1, share], name: own.precisionChance(percent(share, 0)) },
    band: precision_recall,
    curves: pair(steps(precision_recall.points), steps(clear.precision_recall)),
  });
  return drawn(plot, own.precision, means);
}

/** The value of the ROC curve above a place: the upper end where it rises. */
function rocAt(points, place) {
  const beyond = points.findIndex(([px]) => px > place);
  if (beyond < 0) return 1;
  const [[x0, y0], [x1, y1]] = [points[beyond - 1], points[beyond]];
  return y0 + ((y1 - y0) * (place - x0)) / (x1 - x0);
}

/** Both curves in steps of a tenth. */
function table({ roc, precision_recall }) {
  const rows = Array.from({ length: 11 }, (_, tenth) => {
    const [place, index] = [tenth / 10, tenth * 10];
    const precision = precision_recall.points.find(([recall]) => recall >= place - 1e-9) ?? precision_recall.points.at(-1);
    const ends = (band) => words.intervalShort(fraction(band.low[index]), fraction(band.high[index]));
    return [place.toFixed(1), fraction(rocAt(roc.points, place)), ends(roc), fraction(precision[1]), ends(precision_recall)];
  });
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": own.caption },
    h(
      "table",
      { id: "curve-table" },
      h("caption", null, own.caption),
      h("thead", null, h("tr", null, own.columns.map((name) => h("th", { scope: "col", class: "number" }, name)))),
      h("tbody", null, rows.map(([place, ...cells]) => h("tr", null, h("th", { scope: "row", class: "number" }, place), cells.map((cell) => h("td", { class: "number" }, cell))))),
    ),
  );
}

/** The curves; `update` moves the ring to another decision. */
export function discrimination({ view, decision }) {
  const { assessment } = view;
  const [roc, precision] = [rocFigure(view), precisionFigure(view)];
  const update = ({ sensitivity, specificity, positive_predictive_value: ppv }) => {
    placeMarker(roc.plot, specificity ? 1 - specificity.value : NaN, sensitivity?.value);
    placeMarker(precision.plot, sensitivity?.value, ppv?.value);
  };
  update(decision);
  const lead = own.lead({ replicates: assessment.bootstrap_replicates, grouped: assessment.bootstrap_by_group });
  const element = section(
    own.title,
    h("p", null, lead),
    h("div", { class: "pair", id: "curves" }, roc.figure, precision.figure),
    details([own.caption], table(view)),
  );
  return { element, update };
}
