// Entry of the page: starts the engine, draws the frame, shows the view of the current step.

import * as engine from "./engine.js";
import { get, reachable, update, watch } from "./state.js";
import { reading, report } from "./actions.js";
import { drawFoot, drawSteps, drawTop } from "./frame.js";
import { errorNotice } from "./views/error.js";
import { fill } from "./dom.js";
import { text } from "./text.js";
import * as connect from "./views/connect.js";
import * as key from "./views/key.js";
import * as ledger from "./views/ledger.js";
import * as plan from "./views/plan.js";
import * as predict from "./views/predict.js";
import * as records from "./views/records.js";
import * as results from "./views/results.js";
import * as train from "./views/train.js";

const views = { connect, key, records, plan, train, results, predict, ledger };
const main = document.getElementById("main");
let shown = { step: null, key: null, refresh: null };

/** Builds the view anew when its key changed; otherwise lets it refresh itself, keeping focus and input. */
function show(state) {
  const step = reachable(state.step) ? state.step : "connect";
  const view = views[step];
  const shape = `${step}/${state.revision}/${view.shape(state)}/${state.error?.at ?? ""}`;
  drawTop(state);
  drawSteps(state);
  if (shown.key === shape) {
    shown.refresh?.(state);
    return;
  }
  const moved = shown.step !== step;
  const focused = moved ? null : document.activeElement?.id;
  const built = view.build(state);
  fill(main, state.error ? errorNotice(state.error) : null, built.element);
  main.dataset.step = step;
  shown = { step, key: shape, refresh: built.refresh };
  document.title = `${text.steps[step]} · ${text.brand}`;
  if (moved) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  } else if (built.focus) {
    main.querySelector(built.focus)?.focus();
  } else if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function resumeAt(state) {
  if (state.report) return "results";
  if (state.run && state.vault?.safe) return "train";
  if (state.vault?.safe) return state.plan ? "plan" : "records";
  return "connect";
}

watch(show);
drawFoot();
engine.start();
engine.on("connection", (connection) => update({ connection }));
engine.on("ledger", (ledger) => update({ ledger }));
engine.on("run", (run) => update({ run }));
engine.on("report", (changes) => update({ ...changes, step: get().step === "train" ? "results" : get().step }));
engine.on("error", report);
engine.on("reading", reading);
show(get());

try {
  const restored = await engine.call("boot");
  update(restored);
  if (get().step === "connect") update({ step: resumeAt(get()) });
} catch (error) {
  report(error);
}
