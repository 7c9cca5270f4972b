// Part of the first step: what this browser has and lacks, and what to do about it.

import { h, icon, notice } from "../dom.js";
import { text } from "../text.js";

const words = text.preflight;
const SYMBOLS = { good: "check", warn: "alert", bad: "cross" };

/** One line of a list of checks: `state` is good, warn, bad or wait. */
export function check(name, state, value, remedy) {
  return h(
    "li",
    { class: `check check-${state}` },
    SYMBOLS[state] ? icon(SYMBOLS[state]) : h("span", { class: "spinner", "aria-hidden": "true" }),
    h("span", { class: "check-name" }, name),
    h("span", { class: "check-value" }, words.states[state] && state !== "good" ? h("span", { class: "visually-hidden" }, `${words.states[state]}: `) : null, value, remedy ? h("span", { class: "check-remedy" }, remedy) : null),
  );
}

/** The lines of all checks of this browser. */
export const checkLines = (checks) => checks.map(({ id, state, value }) => check(words.names[id], state, words.values[id](value, state), words.remedies[id]?.[state]));

/** The sentence above them. */
export function summary(checks) {
  if (checks.length === 0) return h("p", { class: "hint" }, words.pending);
  const worst = ["bad", "warn"].find((state) => checks.some((one) => one.state === state)) ?? "good";
  return notice({ good: "good", warn: "warning", bad: "error" }[worst], h("p", { id: "preflight", "data-state": worst }, words.summary[worst]));
}
