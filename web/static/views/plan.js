// Fourth step: everything that will leave this browser, before it leaves, and consent.

import { button, details, formChip, h } from "../dom.js";
import { go, startRun } from "../actions.js";
import { bytes, count, duration } from "../format.js";
import { actions, head, section } from "./page.js";
import { text, wordsOf } from "../text.js";

/** A large number with its meaning below. */
export function tile(value, label, note) {
  return h("div", { class: "tile" }, h("dt", null, label), h("dd", { class: "tile-value" }, value), note ? h("dd", { class: "hint" }, note) : null);
}

function manifest(plan, words) {
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": words.caption },
    h(
      "table",
      { class: "manifest", id: "manifest" },
      h("caption", { class: "visually-hidden" }, words.caption),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, words.item), h("th", { scope: "col" }, words.form), h("th", { scope: "col", class: "number" }, words.number), h("th", { scope: "col", class: "number" }, words.size))),
      h(
        "tbody",
        null,
        [...plan.items, { name: "plan", form: "plain", count: null, bytes: null }].map((item) =>
          h("tr", null, h("th", { scope: "row" }, words.items[item.name] ?? item.name), h("td", null, formChip(item.form, text.forms[item.form])), h("td", { class: "number" }, item.count === null ? "" : count(item.count)), h("td", { class: "number nowrap" }, item.bytes === null ? words.fewKilobytes : bytes(item.bytes))),
        ),
      ),
      h("tfoot", null, h("tr", null, h("th", { scope: "row" }, words.total), h("td"), h("td"), h("td", { class: "number" }, bytes(plan.bytes_up)))),
    ),
  );
}

export const shape = ({ plan }) => `${plan?.id}`;

export function build(state) {
  const { plan } = state;
  const words = wordsOf("plan", state);
  const begin = button(words.begin, startRun, { kind: "primary", id: "start-run", disabled: true, iconName: "lock", describedby: "agree-hint" });
  const hint = h("span", { class: "hint", id: "agree-hint" }, words.notAgreed);
  const agree = h("input", {
    type: "checkbox",
    id: "agree",
    onchange: () => {
      begin.disabled = !agree.checked;
      hint.hidden = agree.checked;
    },
  });
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h(
      "dl",
      { class: "tiles" },
      tile(bytes(plan.bytes_up), words.tiles.size),
      tile(duration(plan.seconds), words.tiles.time, plan.parts ? words.parts(plan.parts) : null),
      tile(words.bits(plan.security_bits), words.tiles.security, words.atLeast),
      tile(bytes(plan.memory_bytes), words.tiles.memory),
    ),
    section(words.caption, manifest(plan, words), h("ul", { class: "forms" }, Object.keys(text.forms).map((form) => h("li", null, formChip(form, text.forms[form]), h("span", null, text.formsMeaning[form]))))),
    plan.notes.length > 0 ? section(words.notes, h("ul", { class: "plain-list" }, plan.notes.map((line) => h("li", null, line)))) : null,
    section(words.learns, h("ul", { class: "plain-list" }, words.learnsList.map((line) => h("li", null, line)))),
    details(text.details, h("p", null, words.technicalLead), h("pre", { class: "expert", tabindex: "0", role: "region", "aria-label": text.details }, plan.text)),
    h("section", { class: "card consent" }, h("label", { class: "tick", for: "agree" }, agree, h("span", null, words.agree))),
    actions(begin, button(words.change, () => go("records"), { kind: "quiet", id: "back-records" }), hint),
  );
  return { element };
}
