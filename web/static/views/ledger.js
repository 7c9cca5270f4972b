// Everything that left this browser, in order, with its form.

import { button, details, download, formChip, h, notice } from "../dom.js";
import { wipeService } from "../actions.js";
import { bytes, time } from "../format.js";
import { actions, head, section } from "./page.js";
import { text } from "../text.js";

const words = text.ledger;

const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;
const named = (name) => words.names.find(([pattern]) => pattern.test(name))?.[1] ?? name;
const csv = (entries) =>
  ["time,what,form,bytes,readable", ...entries.map((entry) => [new Date(entry.time).toISOString(), quoted(entry.name), entry.form, entry.bytes, quoted(entry.about)].join(","))].join("\n") + "\n";

function totals(entries) {
  return h(
    "ul",
    { class: "forms" },
    Object.keys(text.forms).map((form) => {
      const those = entries.filter((entry) => entry.form === form);
      return h("li", null, formChip(form, text.forms[form]), h("strong", { class: "form-total" }, bytes(those.reduce((sum, entry) => sum + entry.bytes, 0))), h("span", null, text.formsMeaning[form]));
    }),
  );
}

export const shape = ({ ledger, busy }) => `${ledger.length}/${busy}`;

export function build({ ledger, vault }) {
  const place = h("div", { role: "status" });
  const wipe = button(
    words.wipe,
    async () => {
      const answer = await wipeService();
      if (answer) place.replaceChildren(notice("good", h("p", null, words.wiped(answer.objects, answer.bytes))));
    },
    { kind: "danger", id: "wipe" },
  );
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    section(words.totals, totals(ledger)),
    section(
      words.caption,
      ledger.length === 0
        ? h("p", null, words.empty)
        : h(
            "div",
            { class: "scroll tall", tabindex: "0", role: "region", "aria-label": words.caption },
            h(
              "table",
              { class: "ledger", id: "ledger" },
              h("caption", { class: "visually-hidden" }, words.caption),
              h("thead", null, h("tr", null, h("th", { scope: "col" }, words.time), h("th", { scope: "col" }, words.what), h("th", { scope: "col" }, words.form), h("th", { scope: "col", class: "number" }, words.size))),
              h("tbody", null, ledger.map((entry) => h("tr", null, h("td", { class: "nowrap" }, time(entry.time)), h("th", { scope: "row" }, named(entry.name), entry.about ? h("span", { class: "hint" }, entry.about) : null), h("td", null, formChip(entry.form, text.forms[entry.form])), h("td", { class: "number nowrap" }, bytes(entry.bytes))))),
            ),
          ),
      place,
    ),
    actions(button(words.download, () => download("confide-ledger.csv", csv(ledger), "text/csv"), { id: "ledger-csv", iconName: "down", disabled: ledger.length === 0 })),
    vault ? details(words.wipe, h("p", null, words.wipeLead), wipe) : null,
  );
  return { element };
}
