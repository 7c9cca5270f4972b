// Third step of a project of pictures: a model of the service's, and the pictures for it.

import { button, details, h, icon, notice } from "../dom.js";
import { askPlan, beginImages, chooseModel, go, leaveImages, readPictures } from "../actions.js";
import { facts, thumbnail } from "./picture.js";
import { actions, head, section, workingView } from "./page.js";
import { filePicker } from "./file-picker.js";
import { text } from "../text.js";

const words = text.classify;
const PICTURES = "image/png,image/jpeg,.png,.jpg,.jpeg";
const DRAWN = 24;

// The control of the model that was just chosen: it keeps the focus when its card has come.
let chosenModel = null;

/** One of the kinds of data that a project can begin with. */
export function imagesSource({ connection }) {
  const online = connection.status === "online";
  return h(
    "section",
    { class: "card" },
    h("h2", null, words.source),
    h("p", null, words.sourceAbout),
    button(words.sourceButton, beginImages, { id: "use-images", disabled: !online, describedby: online ? null : "images-offline" }),
    online ? null : h("p", { class: "hint", id: "images-offline" }, words.sourceOffline),
  );
}

function choose(name, index) {
  chosenModel = `#model-${index}`;
  return chooseModel(name);
}

function modelChoice({ models, model }) {
  const option = (card, index) =>
    h(
      "li",
      { class: `model ${card.name === model ? "chosen" : ""}`.trim() },
      h(
        "label",
        { class: "tick", for: `model-${index}` },
        h("input", { type: "radio", name: "model", id: `model-${index}`, value: card.name, checked: card.name === model, "aria-describedby": `model-facts-${index}`, onchange: () => choose(card.name, index) }),
        h("span", null, h("strong", null, card.name), h("span", { class: "hint" }, card.about)),
      ),
      h("div", { id: `model-facts-${index}` }, facts(card)),
    );
  return section(
    words.models,
    h("p", null, words.modelsLead),
    models.length === 0
      ? notice("warning", h("p", { id: "no-models" }, words.noModels))
      : h("fieldset", null, h("legend", { class: "visually-hidden" }, words.models), h("ul", { class: "models", id: "models" }, models.map(option))),
    h("div", { class: "row" }, button(words.modelsAgain, beginImages, { kind: "quiet", id: "models-again" }), button(words.otherKind, leaveImages, { kind: "quiet", id: "leave-images" })),
  );
}

const chooser = () => [
  filePicker("picture-files", words.choose, readPictures, { accept: PICTURES, folder: { id: "picture-folder", label: words.chooseFolder }, drop: words.drop }),
  h("p", { class: "hint" }, words.folderHint),
];

function refusals({ refused, refused_total: total }) {
  if (total === 0) return null;
  return details(
    [words.refused, ` (${total})`],
    h(
      "ul",
      { class: "problems", id: "refused" },
      refused.map(({ name, reason, remedy }) => h("li", { class: "problem" }, icon("alert"), h("div", null, h("p", { class: "where" }, name), h("p", null, reason), h("p", { class: "hint" }, remedy)))),
    ),
    total > refused.length ? h("p", { class: "hint" }, words.refusedMore(total - refused.length)) : null,
  );
}

function chosen(pictures) {
  if (!pictures) return null;
  const { count, known, refused_total: refused } = pictures;
  const drawn = Array.from({ length: Math.min(count, DRAWN) }, (_, index) => thumbnail(pictures, index)).filter(Boolean);
  return [
    h("p", { class: "ready", id: "pictures-ready" }, words.summary(count, refused), " ", words.known(known)),
    count === 0 ? notice("error", h("p", null, words.none)) : null,
    drawn.length > 0 ? h("figure", { class: "previews" }, h("figcaption", { class: "hint" }, words.asSeen), h("div", { class: "row" }, drawn)) : null,
    refusals(pictures),
  ];
}

export const shape = ({ images, busy, plan, run, connection }) =>
  `${images.models.map((card) => card.digest).join()}/${images.model}/${images.pictures?.count}/${images.pictures?.refused_total}/${busy}/${plan?.id}/${run?.status}/${connection.status === "online"}`;

export function build(state) {
  const { images, busy, connection, plan } = state;
  if (busy) return { element: workingView(words, busy) };
  const online = connection.status === "online";
  const ready = (images.pictures?.count ?? 0) > 0;
  const element = h(
    "div",
    { class: "view" },
    head(words.title, words.lead),
    state.run?.status === "working" ? notice("warning", h("p", null, words.running)) : null,
    modelChoice(images),
    images.model ? section(words.pictures, chooser(), chosen(images.pictures)) : null,
    ready ? notice("info", h("p", { id: "ask-hint" }, words.askHint(images.pictures.count))) : null,
    online ? null : notice("warning", h("p", null, text.records.offline)),
    actions(
      plan
        ? button(text.next, () => go("plan"), { kind: "primary", id: "records-next", iconName: "arrow" })
        : button(words.ask, askPlan, { kind: "primary", id: "ask-plan", disabled: !ready || !online, iconName: "arrow", describedby: ready ? "ask-hint" : null }),
    ),
  );
  const focus = chosenModel;
  chosenModel = null;
  return { element, focus };
}
