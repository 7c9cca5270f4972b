// What forms with passphrases and files share.

import { fill, h, notice } from "../dom.js";
import { text } from "../text.js";

/** Shortest passphrase that the page takes. */
export const SHORTEST = 12;

/** A field for a passphrase; password managers are told whether it is a new one. */
export const password = (autocomplete) => h("input", { type: "password", autocomplete, spellcheck: "false", required: true });

/** Password managers keep the passphrase under this name. */
export const owner = (name) => h("input", { type: "text", autocomplete: "username", value: name, hidden: true, tabindex: "-1", "aria-hidden": "true" });

/** Takes what was typed out of a field. */
export function taken(field) {
  const given = field.value;
  field.value = "";
  return given;
}

/**
 * A form with a place for its complaints. `check` answers `[control, sentence]` for what is wrong, or nothing;
 * `submit` runs when nothing is.
 */
export function form(props, check, submit, ...children) {
  const place = h("div", { class: "complaint" });
  const complain = (control, message) => {
    for (const input of element.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    fill(place, message ? notice("error", h("p", null, message)) : null);
    if (!message) return;
    control.setAttribute("aria-invalid", "true");
    control.focus();
  };
  const element = h(
    "form",
    {
      ...props,
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault();
        const wrong = check();
        complain(...(wrong ?? []));
        return wrong ? undefined : submit();
      },
    },
    ...children.slice(0, -1),
    place,
    children.at(-1),
  );
  return element;
}

/** What is wrong with a new passphrase and its repetition. */
export function badPair(first, second) {
  if (first.value.length < SHORTEST) return [first, text.key.tooShort];
  return first.value === second.value ? null : [second, text.key.differs];
}

/** What is wrong with a file and its passphrase. */
export function badFile(file, passphrase) {
  if (!file.files[0]) return [file, text.key.noFile];
  return passphrase.value ? null : [passphrase, text.key.noPassphrase];
}
