// An error: what happened, what to do, and what to copy for whoever helps.

import { button, details, h, icon } from "../dom.js";
import { update } from "../state.js";
import { text } from "../text.js";

/** A notice above the view; it takes the focus so that nobody misses it. */
export function errorNotice(error) {
  const blame = text.errors.blame[error.blame];
  const copyable = [error.code, blame, error.message, error.remedy, error.detail].filter(Boolean).join("\n");
  const copied = h("span", { class: "hint", role: "status" });
  const copy = button(text.errors.copy, async () => {
    await navigator.clipboard?.writeText(copyable).catch(() => {});
    copied.textContent = text.errors.copied;
  });
  const close = h("button", { type: "button", class: "close", "aria-label": text.errors.dismiss, onclick: () => update({ error: null }) }, icon("cross"));
  return h(
    "div",
    { class: "notice notice-error", role: "alert", id: "error" },
    icon("alert"),
    h(
      "div",
      null,
      h("strong", null, text.errors.title),
      h("p", null, error.message),
      error.remedy ? h("p", null, error.remedy) : null,
      details(`${text.errors.details} (${error.code})`, h("pre", null, copyable), h("div", { class: "row" }, copy, copied)),
    ),
    close,
  );
}
