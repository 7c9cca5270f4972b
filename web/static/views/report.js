// Model card and report: everything on pages that can be printed, with room for what only the user knows.

import { button, download, h } from "../dom.js";
import { exportFile, go, review as look } from "../actions.js";
import { day } from "../format.js";
import { get, update } from "../state.js";
import { calibration } from "./calibration.js";
import { cardItems, notFor, protection } from "./card.js";
import { discrimination } from "./discrimination.js";
import { actions, head, section } from "./page.js";
import { comparison, confusion, headline } from "./results.js";
import { subgroupTable } from "./subgroups.js";
import { decisionCounts, decisionTable, histogram, names } from "./threshold.js";
import { text } from "../text.js";

const words = text.card;

/** Room for the user's words: a field on the page, a paragraph in print. */
function answer(key, prompt, written) {
  const print = h("p", { class: `print-only answer${written ? "" : " blank"}` }, written || `${prompt}: ${words.blank}`);
  const keep = () => {
    const value = field.value.trim();
    print.textContent = value || `${prompt}: ${words.blank}`;
    print.classList.toggle("blank", value === "");
    // At once: the next field may be left before the engine has answered.
    const { review } = get();
    update({ review: { ...review, answers: { ...review.answers, [key]: value } } });
    look({ answers: get().review.answers });
  };
  const field = h("textarea", { rows: 2, id: `answer-${key}`, onchange: keep });
  field.value = written;
  return [h("div", { class: "field screen-only" }, h("label", { for: `answer-${key}`, class: "ask" }, prompt), field), print];
}

function item({ number, title, lines, ask, answer: written }) {
  const [first, ...rest] = lines;
  const content = number === 9 && rest.length > 0 ? [h("p", null, first), h("ul", { class: "predictors" }, rest.map((line) => h("li", null, line)))] : lines.map((line) => h("p", null, line));
  return h(
    "div",
    { class: "card-item", id: `item-${number}` },
    h("h3", null, h("span", { class: "item-number" }, h("span", { class: "visually-hidden" }, words.item("")), number), title),
    h("div", { class: "card-content" }, content, ask ? answer(number, ask, written) : null),
  );
}

function figures(state) {
  const { report, review, table } = state;
  const { view, decision } = review;
  const { name, other } = names(report, review);
  if (!view.assessment) return [h("p", null, text.results.noCurves(name))];
  return [
    discrimination(review).element,
    section(text.results.threshold.title, decisionCounts(decision, name), h("div", { class: "pair" }, decisionTable(decision, name), h("figure", null, histogram(review, name, other).plot))),
    section(text.results.confusion, confusion(report, review)),
    calibration(view),
    review.parts ? section(text.results.subgroups.title, subgroupTable(review, table, name)) : null,
  ];
}

export const shape = ({ report, review }) => `${report?.id}/${review?.class}/${review?.view.class}/${review?.threshold}/${review?.column}`;

export function build(state) {
  const { report, review, table, choices } = state;
  const label = table.columns.find((column) => column.index === choices.label)?.name;
  const card = cardItems(state);
  const save = (kind, name, type) => async () => download(name, await exportFile(kind, cardItems(get())), type);
  const element = h(
    "div",
    { class: "view report" },
    h("div", { class: "screen-only" }, head(words.title, words.lead)),
    h(
      "div",
      { class: "screen-only" },
      actions(
        button(words.print, () => window.print(), { kind: "primary", id: "print", iconName: "file" }),
        button(text.results.downloadJson, save("report", "confide-report.json", "application/json"), { id: "report-json", iconName: "down" }),
        button(text.results.downloadCsv, save("predictions", "confide-predictions.csv", "text/csv"), { id: "report-csv", iconName: "down" }),
        button(text.back, () => go("results"), { kind: "quiet", id: "report-back" }),
      ),
      h("p", { class: "hint" }, `${words.printHint} ${words.kept}`),
    ),
    h("header", { class: "report-head" }, h("h2", { id: "report-title" }, words.reportTitle(label)), h("p", { class: "hint" }, words.made(day(report.id), report.model.release))),
    h("section", { class: "report-part" }, h("h2", { class: "part-title" }, words.performance), headline(report), figures(state), section(report.clear ? text.results.compare : text.results.alone, comparison(report))),
    h(
      "section",
      { class: "report-part", id: "model-card" },
      h("h2", { class: "part-title" }, words.model),
      h("p", { class: "hint" }, words.modelLead),
      h("section", { class: "card not-for" }, h("h3", null, words.notFor), h("ul", { class: "plain-list", id: "not-for" }, notFor(state).map((line) => h("li", null, line))), answer("not", words.notForAsk, review.answers.not ?? "")),
      h("section", { class: "card card-items" }, card.items.map(item)),
      h("section", { class: "card" }, h("h3", null, words.security), h("ul", { class: "plain-list" }, protection(state).map((line) => h("li", null, line)))),
    ),
  );
  return { element };
}
