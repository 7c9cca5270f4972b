// What all views share: the head of a page and the row of buttons at its end.

import { button, h } from "../dom.js";
import { text } from "../text.js";

/** Heading and leading sentence. The heading takes the focus when the step opens. */
export function head(title, lead) {
  return h("header", { class: "page-head" }, h("h1", { tabindex: "-1" }, title), lead ? h("p", { class: "lead" }, lead) : null);
}

/** A titled section of a page. */
export function section(title, ...children) {
  return h("section", { class: "card" }, h("h2", null, title), ...children);
}

/** The ends of an interval. Where groups are separated completely, the methods give one of no width: none is shown. */
export function ends({ low, high }, show) {
  return low === high ? text.results.noInterval : text.results.intervalShort(show(low), show(high));
}

/** The buttons that lead on. */
export function actions(...children) {
  return h("div", { class: "actions" }, ...children);
}

/** Shows the sentence of the work under way; `onstop` ends it. */
export function working(sentence, onstop) {
  const line = h("p", { class: "working", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), h("span", { id: "working-now" }, sentence));
  return onstop ? h("div", { class: "row spread" }, line, button(text.stop, onstop, { id: "stop-reading" })) : line;
}

/** A view that shows nothing but work under way. */
export function workingView({ title, lead }, sentence, onstop) {
  return h("div", { class: "view" }, head(title, lead), h("section", { class: "card" }, working(sentence, onstop)));
}

/** Another sentence of the same work, in a view that stays. */
export function workingNow({ busy }) {
  const place = document.getElementById("working-now");
  if (place && busy && place.textContent !== busy) place.textContent = busy;
}
