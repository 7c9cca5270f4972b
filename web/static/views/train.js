// Fifth step: what is under way, how far, how long still, and ways to pause and to cancel.

import { button, details, fill, h, icon, announce } from "../dom.js";
import { cancelRun, pauseRun, resumeRun } from "../actions.js";
import { duration, percent } from "../format.js";
import { curve } from "./curve.js";
import { actions, head, section } from "./page.js";
import { text, wordsOf } from "../text.js";

const PHASES = ["prepare", "keys", "encrypt", "upload", "train", "predict", "open"];
const LOCKED_PHASES = ["prepare", "keys", "encrypt", "upload", "features", "train", "predict", "open"];

/** The phases of a project: where a model classifies nothing is scored after it; locked pictures are read before the training. */
const phasesOf = ({ images, table }) => (images ? PHASES.filter((phase) => phase !== "predict") : table?.locked ? LOCKED_PHASES : PHASES);

const AMOUNTS = { bytes: text.train.ofBytes, count: text.train.of, work: (done, total) => percent(done / total, 0) };

function row(phase, words) {
  const bar = h("progress", { max: 1, value: 0, id: `progress-${phase}`, "aria-labelledby": `phase-${phase}` });
  const symbol = h("span", { class: "badge", "aria-hidden": "true" });
  const value = h("span", { class: "phase-value" });
  const element = h("li", { class: "phase" }, symbol, h("span", { class: "phase-name", id: `phase-${phase}` }, words.phases[phase]), value, bar);
  let drawn = "";
  return {
    element,
    refresh(progress) {
      const status = progress?.status ?? "waiting";
      const done = progress?.done ?? 0;
      const total = progress?.total ?? 0;
      const amount = total > 0 ? AMOUNTS[progress.unit](done, total) : "";
      const queue = progress?.queued !== null && progress?.queued !== undefined ? words.queued(progress.queued) : null;
      const sentences = { done: () => duration(progress.seconds), working: () => queue ?? (amount || words.working), paused: () => amount || words.paused, waiting: () => words.waiting };
      const sentence = sentences[status]();
      bar.value = status === "done" ? 1 : total > 0 ? done / total : 0;
      if (status === "working" && total === 0) bar.removeAttribute("value");
      value.textContent = sentence;
      if (drawn === status) return;
      drawn = status;
      element.className = `phase phase-${status}`;
      fill(symbol, status === "done" ? icon("check") : status === "working" ? h("span", { class: "spinner" }) : null);
    },
  };
}

export const shape = ({ run }) => `${run?.id}`;

export function build(state) {
  const words = wordsOf("train", state);
  const phases = phasesOf(state);
  const rows = phases.map((phase) => row(phase, words));
  const overall = h("progress", { max: 1, value: 0, id: "progress-all", "aria-label": words.overall });
  const remaining = h("p", { class: "remaining" });
  const elapsed = h("span", { class: "hint" });
  const place = h("div", { role: "status" });
  const pause = button(words.pause, pauseRun, { id: "pause-run" });
  const cancel = details(words.cancel, h("p", null, words.cancelLead), h("div", { class: "row" }, button(words.cancelButton, cancelRun, { kind: "danger", id: "cancel-run" })));
  const resume = button(words.resume, resumeRun, { kind: "primary", id: "resume-run", iconName: "arrow" });
  const drawing = h("div", null);
  let said = "";
  let shown = "";
  let drawn = -1;
  const refresh = ({ run, connection }) => {
    if (!run) return;
    phases.forEach((phase, index) => rows[index].refresh(run.phases[phase]));
    overall.value = run.fraction;
    const working = run.status === "working";
    remaining.textContent = working ? (run.remaining === null ? words.working : words.remaining(run.remaining)) : run.status === "done" ? words.done : words.pausedNow;
    elapsed.textContent = words.elapsed(run.elapsed);
    if (run.curve.length !== drawn) fill(drawing, curve(run.curve, state.plan?.epochs ?? 0));
    drawn = run.curve.length;
    pause.hidden = !working;
    cancel.hidden = run.status === "done";
    resume.hidden = working || run.status === "done";
    const phase = phases.find((name) => run.phases[name]?.status === "working");
    if (phase && phase !== said) announce(words.phases[phase]);
    said = phase ?? said;
    const sentence = run.status === "stopped" ? words.isPaused : working && connection.status !== "online" ? words.offline : "";
    if (sentence !== shown) fill(place, sentence ? h("p", { class: "notice notice-warning" }, icon("alert"), h("span", null, sentence)) : null);
    shown = sentence;
  };
  refresh(state);
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    h("section", { class: "card" }, h("div", { class: "row spread" }, remaining, elapsed), overall, h("ol", { class: "phases" }, rows.map((one) => one.element))),
    state.plan?.points > 0 ? section(text.curve.title, drawing) : null,
    place,
    actions(resume, pause),
    cancel,
  );
  return { element, refresh };
}
