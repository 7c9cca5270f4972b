// The model card: what the page knows, by item of TRIPOD+AI.

import { percent } from "../format.js";
import { at } from "./threshold.js";
import { partName } from "./subgroups.js";
import { text } from "../text.js";

const { card } = text;
const { facts } = card;
const LISTED = 60;
const FEW = 10;
const PRECISE = 100;

const columnName = (table, index) => table.columns.find((column) => column.index === index)?.name;
const gap = (value) => (value < 0.0001 ? text.results.tiny : percent(value, 2));

function predictors({ table, choices }) {
  const chosen = table.columns.filter((column) => choices.features.includes(column.index));
  const lines = chosen.slice(0, LISTED).map(({ name, min, median, max }) => facts.predictor(name, min, median, max));
  const more = chosen.length > LISTED ? [facts.predictorsMore(chosen.length - LISTED)] : [];
  if (table.pictures) return { count: 1, lines: [(table.locked ? facts.lockedPictures : facts.pictures)(columnName(table, choices.pictures), table.pictures)] };
  const read = choices.text === null || choices.text === undefined ? [] : [facts.text(columnName(table, choices.text))];
  return { count: chosen.length, lines: chosen.length === 0 ? read : [facts.predictors(chosen.length), ...lines, ...more, ...read] };
}

function sampleSize({ report }) {
  const { components, hidden, outputs } = report.model;
  const each = hidden > 0 ? (components + 1) * hidden + hidden + 1 : components + 1;
  const rarest = Math.min(...report.class_rows.map((row) => row.train));
  return [facts.size(report.trained, each * outputs, outputs), facts.perWeight(rarest, (rarest / each).toFixed(1))];
}

function analysis({ choices, table, report, review }) {
  const { model } = report;
  const { assessment } = review.view;
  return [
    facts.split(choices.test_fraction, choices.seed),
    choices.group === null || choices.group === undefined ? null : facts.grouped(columnName(table, choices.group)),
    model.hidden > 0 ? facts.hidden(model.hidden) : facts.linear(model.outputs, model.softmax),
    facts.steps(model.plan, model.passes),
    facts.measured,
    assessment ? facts.bootstrap(assessment.bootstrap_replicates, assessment.bootstrap_seed, assessment.bootstrap_by_group) : null,
  ];
}

/** The figures of the group that is looked at, with intervals. */
function performance({ report, review }) {
  const { assessment } = review.view;
  const name = report.classes[review.class];
  const overall = report.encrypted.accuracy ? [facts.accuracy(report.encrypted.accuracy)] : [];
  if (!assessment) return [...overall, facts.noFigures(name)];
  const { slope, intercept, brier_reference: reference } = assessment.calibration;
  const shares = Object.entries(text.results.threshold.figures).map(([key, [title]]) => {
    const share = review.decision[key];
    return share ? `${title} ${percent(share.value)} (${percent(share.low)} – ${percent(share.high)})` : null;
  });
  return [
    ...overall,
    report.classes.length > 2 ? facts.against(name) : null,
    facts.auc(assessment.auc),
    facts.precision(assessment.average_precision),
    facts.brier(assessment.brier, reference),
    slope ? facts.slope(slope) : facts.noSlope,
    intercept ? facts.intercept(intercept) : null,
    facts.at(at(review.threshold), shares.filter(Boolean)),
    report.clear?.accuracy ? facts.clear(report.clear.accuracy.value) : null,
  ];
}

/** When the model is not to be used, as far as the page can tell. */
export function notFor({ report, review, predictor }) {
  const { not } = card;
  const { assessment } = review.view;
  const ranges = predictor.features.slice(0, 4).map(({ name, min, max }) => text.results.intervalShort(`${name} ${Number(min.toPrecision(4))}`, Number(max.toPrecision(4))));
  const small = report.class_rows.filter((row) => row.test < FEW).map((row) => `“${row.class}”`);
  const outside = (interval, value) => interval && (interval.low > value || interval.high < value);
  const few = !assessment || Math.min(assessment.events, assessment.records - assessment.events) < PRECISE;
  return [
    not.missing,
    ranges.length > 0 ? not.range(ranges.join("; ") + (predictor.features.length > 4 ? "; …" : "")) : null,
    not.setting,
    not.alone,
    not.individual,
    small.length > 0 ? not.small(small.join(", ")) : null,
    outside(assessment?.calibration.slope, 1) ? not.slope : null,
    outside(assessment?.calibration.intercept, 0) ? not.intercept : null,
    few ? not.few : null,
  ].filter(Boolean);
}

/** How the records were protected. */
export const protection = ({ report }) => [card.protection.keys, card.protection.security(report.model.plan), card.protection.learns, report.clear ? card.protection.trust : card.protection.trustAlone];

const missingLines = ({ choices, dataset }) => [choices.missing === "drop" ? facts.missing.drop(dataset.dropped) : choices.missing === "fill" ? facts.missing.fill(dataset.filled) : facts.missing.report];

/** All items with what the page knows of each: `{ number, title, lines, ask }`. */
function items(state) {
  const { table, choices, dataset, report, review } = state;
  const label = columnName(table, choices.label);
  const known = predictors(state);
  const name = report.classes[review.class];
  const two = report.classes.length === 2;
  const share = ({ train }) => percent(train / report.trained, 0);
  const lines = {
    1: [facts.title(label, known.count + (choices.text === null || choices.text === undefined ? 0 : 1))],
    4: [facts.objective],
    5: [facts.file(table.name || text.records.sampleName, table.rows, table.columns.length)],
    6: [facts.dropped(dataset.dropped)],
    7: [table.locked ? facts.preparedLocked(report.model.features) : facts.prepared(report.model.features, report.model.components)],
    8: [facts.outcome(label, report.classes), two ? facts.positive(name) : null],
    9: known.lines,
    10: sampleSize(state),
    11: missingLines(state),
    12: analysis(state),
    13: [facts.imbalance(report.class_rows.map((row) => [row.class, row.train, share(row)]))],
    14: [review.parts ? facts.fairness(columnName(table, review.column)) : facts.fairnessNone],
    15: two ? [facts.output(name), facts.threshold(name, at(review.threshold))] : [facts.outputMany],
    16: [facts.same],
    18: [facts.code(report.model.release)],
    20: [facts.flow(table.rows, table.rows - dataset.dropped, report.trained, dataset.aside, report.tests)],
    21: report.class_rows.map((row) => facts.numbers(row.class, row.train, row.test)),
    22: [facts.plan(report.model.plan, report.model.components), facts.weights],
    23: performance(state),
    24: [facts.updating],
    26: [facts.internal, report.tests < PRECISE ? facts.fewTests(report.tests) : null, facts.optimism, report.difference === null ? null : facts.approximate(gap(report.difference)), ...report.notes],
    27: [facts.inputs, facts.interaction],
  };
  const one = ([number, title]) => ({ number: Number(number), title, lines: (lines[number] ?? []).filter(Boolean), ask: card.asks[number] ?? null });
  return Object.entries(card.titles).map(one);
}

/** The card with the words of the user, for the page and for a file. */
export function cardItems(state) {
  const { answers } = state.review;
  const own = items(state).map((item) => ({ ...item, answer: answers[item.number] ?? "" }));
  return {
    items: own,
    not_for_use_when: [...notFor(state), ...(answers.not ? [answers.not] : [])],
    protection: protection(state),
    subgroups: state.review.parts?.parts.map((part) => ({ name: partName(part.part), records: part.records, small: part.small })) ?? null,
  };
}
