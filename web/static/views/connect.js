// First step: what this is, and whether computer and service are ready.

import { button, fill, h, icon } from "../dom.js";
import { go, reconnect } from "../actions.js";
import { actions, head, section } from "./page.js";
import { text } from "../text.js";

const words = text.connect;

function check(name, state, value) {
  const symbol = { good: "check", bad: "cross", wait: null }[state];
  return h(
    "li",
    { class: `check check-${state}` },
    symbol ? icon(symbol) : h("span", { class: "spinner", "aria-hidden": "true" }),
    h("span", { class: "check-name" }, name),
    h("span", { class: "check-value" }, value),
  );
}

function checks({ connection, engine }) {
  const online = connection.status === "online";
  const service = online
    ? check(words.service, "good", words.serviceOnline(connection.worker, connection.threads))
    : connection.status === "connecting"
      ? check(words.service, "wait", words.serviceConnecting)
      : check(words.service, "bad", words.serviceOffline);
  if (!engine) return [service, check(words.engine, "wait", words.engineLoading)];
  return [
    service,
    check(words.engine, "good", words.engineReady[engine.variant]),
    check(words.cores, "good", words.coresValue(engine.cores, engine.pool)),
    check(words.storage, engine.storage ? "good" : "bad", engine.storage ? words.storageGood : words.storageBad),
  ];
}

export const shape = () => "";

export function build(state) {
  const list = h("ul", { class: "checks" });
  const retry = button(words.retry, reconnect, { kind: "quiet", id: "retry" });
  const begin = button(words.begin, () => go("key"), { kind: "primary", id: "begin", iconName: "arrow" });
  const refresh = (now) => {
    fill(list, checks(now));
    retry.hidden = !["waiting", "offline"].includes(now.connection.status);
    begin.disabled = now.engine === null;
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
    section(words.checks, list),
    actions(begin, retry),
  );
  return { element, refresh };
}
