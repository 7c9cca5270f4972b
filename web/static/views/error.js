// An error: what happened, what to do, and what to copy for whoever helps.

import { button, details, h, icon } from "../dom.js";
import { update } from "../state.js";
import { text } from "../text.js";

/**
 * What may be copied. Nothing of it comes from a record: sentences on a user's own file may name columns or quote
 * cells, so of those the code alone stands here.
 */
function copyable({ code, blame, step, message, remedy, detail }) {
  const sentences = code.startsWith("CC-1") ? [] : [message, remedy];
  return [code, blame ? text.errors.cause(text.errors.blame[blame]) : null, text.errors.where(text.steps[step] ?? step), ...sentences, detail, navigator.userAgent].filter(Boolean).join("\n");
}

/** A notice above the view; it takes the focus so that nobody misses it. */
export function errorNotice(error) {
  const pre = h("pre", { tabindex: "0", role: "region", "aria-label": text.errors.details }, copyable(error));
  const copied = h("span", { class: "hint", role: "status" });
  const copy = button(
    text.errors.copy,
    async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
        copied.textContent = text.errors.copied;
      } catch {
        copied.textContent = text.errors.copyFailed;
      }
    },
    { id: "copy-error" },
  );
  const close = h("button", { type: "button", class: "close", "aria-label": text.errors.dismiss, onclick: () => update({ error: null }) }, icon("cross"));
  return h(
    "div",
    { class: "notice notice-error", role: "alert", id: "error", tabindex: "-1" },
    icon("alert"),
    h(
      "div",
      null,
      h("strong", null, text.errors.title),
      h("p", null, error.message),
      error.remedy ? h("p", null, error.remedy) : null,
      details(`${text.errors.details} (${error.code})`, h("p", { class: "hint" }, text.errors.detailLead), pre, h("div", { class: "row" }, copy, copied)),
    ),
    close,
  );
}
