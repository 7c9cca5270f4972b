// The parts around every view: the bar at the top, the list of steps, the foot.

import { fill, h, icon } from "./dom.js";
import { finished, reachable, stepsOf } from "./state.js";
import { go } from "./actions.js";
import { stepName, text } from "./text.js";

const top = document.getElementById("top");
const steps = document.getElementById("steps");
const foot = document.getElementById("foot");
let drawnSteps = "";

const status = h("span", { class: "status", id: "status", role: "status" });
const left = h("button", { type: "button", class: "left", id: "open-ledger", onclick: () => go("ledger") });
const project = h("button", { type: "button", class: "left", id: "open-projects", onclick: () => go("projects") });
document.getElementById("brand").textContent = text.brand;
document.getElementById("tagline").textContent = text.tagline;
top.append(h("div", { class: "top-right" }, project, left, status));

function set(element, value, ...children) {
  if (element.dataset.value === value) return;
  element.dataset.value = value;
  fill(element, ...children);
}

/** The open project, the connection, and how much has left the browser. */
export function drawTop({ connection, ledger, vault, engine, projects }) {
  const words =
    connection.status === "waiting" ? text.connection.waiting(connection.seconds) : (text.connection[connection.status] ?? text.connection.offline);
  status.dataset.status = connection.status;
  set(status, words, h("span", { class: "dot", "aria-hidden": "true" }), words);
  const name = vault?.name ?? text.noProject;
  project.hidden = engine === null || projects.length === 0;
  set(project, name, icon("file"), h("span", { class: "visually-hidden" }, `${text.currentProject} `), h("span", { class: "project-name" }, name));
  const locked = ledger.filter((entry) => entry.form !== "plain").reduce((sum, entry) => sum + entry.bytes, 0);
  const summary = locked === 0 ? text.leftNothing : text.leftSummary(locked);
  set(left, summary, icon("lock"), h("span", null, summary));
}

/** The steps with the current one marked; those that cannot be opened yet say so. */
export function drawSteps(state) {
  const list = stepsOf(state);
  const shape = list.map((step) => `${stepName(step, state)}${step === state.step}${reachable(step)}${finished(step)}`).join() + state.step;
  if (shape === drawnSteps) return;
  drawnSteps = shape;
  const focused = document.activeElement?.id;
  const item = (step, index) => {
    const current = step === state.step;
    const done = finished(step) && !current;
    const open = reachable(step);
    const badge = index === null ? icon({ report: "file", projects: "file", ledger: "lock" }[step]) : done ? icon("check") : String(index + 1);
    return h(
      "li",
      { class: `step ${current ? "current" : ""} ${done ? "done" : ""}`.trim() },
      h(
        "button",
        { type: "button", id: `step-${step}`, disabled: !open, "aria-current": current ? "step" : null, onclick: () => go(step) },
        h("span", { class: "badge", "aria-hidden": "true" }, badge),
        h("span", { class: "step-name" }, stepName(step, state)),
        done ? h("span", { class: "visually-hidden" }, `, ${text.stepDone}`) : null,
      ),
    );
  };
  const at = list.indexOf(state.step);
  fill(
    steps,
    h("p", { class: "step-small", "aria-hidden": "true" }, at >= 0 ? h("span", null, text.stepOf(at + 1, list.length)) : null, h("strong", null, stepName(state.step, state))),
    h("ol", { class: "step-list" }, list.map(item)),
    h("ul", { class: "step-list step-extra" }, state.images ? null : item("report", null), item("projects", null), item("ledger", null)),
  );
  if (focused?.startsWith("step-")) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** What the page promises. */
export function drawFoot() {
  fill(foot, h("p", null, text.foot));
}
