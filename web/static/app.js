// Entry of the page: starts the engine, draws the frame, shows the view of the current step.

import * as engine from "./engine.js";
import { get, reachable, update, watch } from "./state.js";
import { inspect } from "./preflight.js";
import { reading, report } from "./actions.js";
import { stepOf } from "./project-actions.js";
import { drawFoot, drawSteps, drawTop } from "./frame.js";
import { errorNotice } from "./views/error.js";
import { breathe, fill } from "./dom.js";
import { stepName, text } from "./text.js";
import * as classes from "./views/classes.js";
import * as classify from "./views/classify.js";
import * as connect from "./views/connect.js";
import * as key from "./views/key.js";
import * as ledger from "./views/ledger.js";
import * as plan from "./views/plan.js";
import * as predict from "./views/predict.js";
import * as projects from "./views/projects.js";
import * as records from "./views/records.js";
import * as reportView from "./views/report.js";
import * as results from "./views/results.js";
import * as train from "./views/train.js";

const views = { connect, key, records, plan, train, results, report: reportView, predict, projects, ledger };
/** Steps that a project of pictures has views of its own for. */
const imageViews = { records: classify, results: classes };
const main = document.getElementById("main");
let shown = { step: null, key: null, error: null, refresh: null };

/** Builds the view anew when its key changed; otherwise lets it refresh itself, keeping focus and input. */
function show(state) {
  const step = reachable(state.step) ? state.step : "connect";
  const view = (state.images && imageViews[step]) || views[step];
  const shape = `${step}/${state.revision}/${view.shape(state)}/${state.error?.at ?? ""}`;
  drawTop(state);
  drawSteps(state);
  if (shown.key === shape) {
    shown.refresh?.(state);
    return;
  }
  const moved = shown.step !== step;
  const focused = moved ? null : document.activeElement?.id;
  const within = main.contains(document.activeElement);
  const built = view.build(state);
  fill(main, state.error ? errorNotice(state.error) : null, built.element);
  main.dataset.step = step;
  const raised = state.error && state.error.at !== shown.error;
  shown = { step, key: shape, error: state.error?.at, refresh: built.refresh };
  document.title = `${stepName(step, state)} · ${text.brand}`;
  if (raised) {
    document.getElementById("error").focus();
  } else if (moved) {
    window.scrollTo(0, 0);
    main.querySelector("h1")?.focus({ preventScroll: true });
  } else if (built.focus) {
    main.querySelector(built.focus)?.focus();
  } else if (focused || within) {
    // What had the focus may be gone: then the heading takes it, not the top of the document.
    const again = (focused && document.getElementById(focused)) || main.querySelector("h1");
    again?.focus({ preventScroll: true });
  }
}

watch(show);
drawFoot();
addEventListener("error", (event) => report(event.error));
addEventListener("unhandledrejection", (event) => report(event.reason));
// Reading the modules, the first view and the checks are tasks of their own: none blocks for long.
await breathe();
show(get());
await breathe();
engine.on("connection", (connection) => update({ connection }));
engine.on("ledger", (ledger) => update({ ledger }));
engine.on("projects", (projects) => update({ projects, vault: projects.find((one) => one.current) ?? null }));
engine.on("run", (run) => update({ run }));
engine.on("report", (changes) => update({ ...changes, step: get().step === "train" ? "results" : get().step }));
engine.on("error", report);
engine.on("reading", reading);

inspect().then((preflight) => update({ preflight }), report);
try {
  engine.start();
  const restored = await engine.call("boot");
  update(restored);
  if (get().step === "connect") update({ step: stepOf(get()) });
} catch (error) {
  report(error);
}
