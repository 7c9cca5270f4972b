// Last step of a project of pictures: what the model said of each, and whether it can be trusted.

import { button, details, download, h, notice } from "../dom.js";
import { exportFile, go } from "../actions.js";
import { bytes, count, duration, fraction, percent } from "../format.js";
import { facts, thumbnail } from "./picture.js";
import { actions, head, section } from "./page.js";
import { tile } from "./plan.js";
import { text } from "../text.js";

const words = text.classify.results;
const LISTED = 200;

function verdict({ guard }) {
  const good = guard.canaries > 0 && guard.out_of_range === 0;
  return section(
    words.verdict,
    notice(
      good ? "good" : "warning",
      h("p", { id: "canaries", "data-canaries": guard.canaries }, guard.canaries > 0 ? words.canaries(guard.canaries, guard.worst) : words.noCanaries),
      h("p", { id: "ranges", "data-out": guard.out_of_range }, guard.out_of_range > 0 ? words.outOfRange(guard.out_of_range) : words.inRange),
    ),
  );
}

function tiles({ rows, seconds, worker_seconds: worker, bytes_up: sent, worker_peak: peak }) {
  const known = rows.filter((row) => row.truth !== null);
  const right = known.filter((row) => row.predicted === row.truth).length;
  return h(
    "dl",
    { class: "tiles" },
    tile(count(rows.length), words.tiles.pictures),
    known.length > 0 ? tile(percent(right / known.length), words.tiles.right, words.known(right, known.length)) : null,
    tile(duration(seconds.reduce((sum, [, one]) => sum + one, 0)), words.tiles.time),
    tile(duration(worker), words.tiles.worker),
    tile(bytes(sent), words.tiles.sent),
    tile(bytes(peak), words.tiles.memory),
  );
}

function counts({ rows, classes }) {
  const line = (name, index) => h("tr", null, h("th", { scope: "row" }, name), h("td", { class: "number" }, count(rows.filter((row) => row.predicted === index).length)));
  return h(
    "div",
    { class: "scroll short", tabindex: "0", role: "region", "aria-label": words.counts },
    h("table", { id: "class-counts" }, h("caption", { class: "visually-hidden" }, words.counts), h("thead", null, h("tr", null, h("th", { scope: "col" }, words.group), h("th", { scope: "col", class: "number" }, words.number))), h("tbody", null, classes.map(line))),
  );
}

function table({ rows, classes, previews, card }) {
  const shown = rows.slice(0, LISTED);
  const withTruth = rows.some((row) => row.truth !== null);
  const name = (index) => (index === null ? words.noLabel : classes[index]);
  const row = ({ image, predicted, scores, truth }, index) =>
    h(
      "tr",
      { class: predicted === null ? "refused" : null },
      h("th", { scope: "row" }, h("span", { class: "pictured" }, thumbnail({ previews, ...card }, index), h("span", null, image))),
      h("td", { class: predicted === null ? "gap" : null }, name(predicted)),
      withTruth ? h("td", null, truth === null ? "" : classes[truth]) : null,
      scores.map((score, at) => h("td", { class: at === predicted ? "number best" : "number" }, fraction(score))),
    );
  return h(
    "div",
    { class: "scroll tall", tabindex: "0", role: "region", "aria-label": words.table },
    h(
      "table",
      { id: "classes" },
      h("caption", null, words.caption(shown.length, rows.length)),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, words.picture), h("th", { scope: "col" }, words.label), withTruth ? h("th", { scope: "col" }, words.truth) : null, classes.map((one) => h("th", { scope: "col", class: "number" }, words.score(one))))),
      h("tbody", null, shown.map(row)),
    ),
  );
}

function times({ seconds }) {
  const phases = text.classify.train.phases;
  return details(words.times, h("dl", { class: "facts", id: "phase-seconds" }, seconds.filter(([phase]) => phases[phase]).map(([phase, one]) => [h("dt", null, phases[phase]), h("dd", { "data-phase": phase, "data-seconds": one }, duration(one))])));
}

export const shape = ({ classified }) => `${classified?.id}`;

export function build({ classified }) {
  const { rows, card } = classified;
  const save = (kind, name, type) => async () => download(name, await exportFile(kind), type);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead(rows.length, card.name)),
    verdict(classified),
    tiles(classified),
    section(words.table, table(classified), rows.length > LISTED ? h("p", { class: "hint" }, words.more(rows.length - LISTED)) : null, h("p", { class: "hint" }, words.scoresNote, " ", words.advice)),
    section(words.counts, counts(classified)),
    section(text.classify.models, h("p", null, card.about), facts(card)),
    h("section", { class: "card plain-card" }, times(classified)),
    actions(
      button(words.csv, save("classes", "confide-answers.csv", "text/csv"), { kind: "primary", id: "classes-csv", iconName: "down" }),
      button(words.json, save("report", "confide-answers.json", "application/json"), { id: "classes-json", iconName: "down" }),
      button(words.again, () => go("records"), { kind: "quiet", id: "classify-again" }),
    ),
  );
  return { element };
}
