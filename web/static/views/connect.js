// First step: what this is, and whether computer and service are ready.

import { button, details, fill, h, icon } from "../dom.js";
import { go, reconnect } from "../actions.js";
import { blocked } from "../preflight.js";
import { actions, head, section } from "./page.js";
import { check, checkLines, summary } from "./preflight.js";
import { text } from "../text.js";

const words = text.connect;

function service({ connection }) {
  if (connection.status === "online") return check(words.service, "good", words.serviceOnline(connection.worker, connection.threads));
  if (connection.status === "connecting") return check(words.service, "wait", words.serviceConnecting);
  return check(words.service, "warn", words.serviceOffline);
}

export const shape = ({ preflight }) => preflight.length;

export function build(state) {
  const { preflight, vault } = state;
  const first = h("ul", { class: "checks" });
  const good = preflight.filter((one) => one.state === "good");
  const lacking = preflight.filter((one) => one.state !== "good");
  const retry = button(words.retry, reconnect, { kind: "quiet", id: "retry" });
  const begin = button(words.begin, () => go("key"), { kind: "primary", id: "begin", iconName: "arrow" });
  const open = button(words.beginAgain, () => go("projects"), { kind: "quiet", id: "to-projects" });
  let drawn = null;
  const refresh = (now) => {
    const { status } = now.connection;
    if (drawn !== status) fill(first, service(now), checkLines(lacking));
    drawn = status;
    retry.hidden = !["waiting", "offline"].includes(status);
    begin.disabled = now.engine === null || blocked(preflight);
    open.hidden = now.projects.length === 0 || Boolean(vault);
  };
  refresh(state);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h(
      "ol",
      { class: "how" },
      words.how.map(([title, sentence], index) =>
        h("li", null, h("span", { class: "how-icon" }, icon(["lock", "server", "key"][index])), h("h2", null, title), h("p", null, sentence)),
      ),
    ),
    section(
      words.checks,
      summary(preflight),
      first,
      good.length > 0 ? details(words.checked(good.length), h("ul", { class: "checks" }, checkLines(good))) : null,
    ),
    actions(begin, open, retry),
  );
  return { element, refresh };
}
