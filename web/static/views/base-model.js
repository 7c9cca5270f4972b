// Pictures: which files, which list of labels, and which base model reads them.

import { button, details, field, fill, h, icon, notice } from "../dom.js";
import { listBaseModels, openPictures } from "../actions.js";
import { section } from "./page.js";
import { text } from "../text.js";

const words = text.baseModel;
const IS_PICTURE = /\.(png|jpe?g)$/i;

// What is chosen so far: it stays while a view is built anew.
let chosen = { files: [], list: null, name: "" };

/** Files with their paths within what was chosen. */
const pictures = (list) => [...list].filter((file) => IS_PICTURE.test(file.name)).map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** A file field behind its label. */
function files(id, label, props, onfiles) {
  const input = h("input", { type: "file", id, class: "file-input", ...props, onchange: () => onfiles([...input.files]) });
  return [h("label", { for: id, class: "button" }, icon("file"), label), input];
}

/** Folder or single files; `onfiles` gets `{ path, file }` of every picture. */
export function picturePicker(prefix, onfiles) {
  const take = (list) => onfiles(pictures(list));
  return h(
    "div",
    { class: "row" },
    files(`${prefix}-folder`, words.folder, { webkitdirectory: true }, take),
    files(`${prefix}-files`, words.files, { multiple: true, accept: ".png,.jpg,.jpeg,image/png,image/jpeg" }, take),
  );
}

function modelChoice({ baseModels, connection }, onchoice) {
  if (connection.status !== "online") return notice("warning", h("p", null, words.offline));
  if (!Array.isArray(baseModels)) return h("p", { class: "hint" }, words.modelsAsked);
  if (baseModels.length === 0) return notice("warning", h("p", null, words.modelsNone));
  const about = h("p", { class: "hint", id: "base-model-about" });
  const tell = () => {
    const model = baseModels.find((one) => one.name === chosen.name);
    about.textContent = model ? words.modelAbout(model) : "";
  };
  const select = h(
    "select",
    {
      onchange: () => {
        chosen.name = select.value;
        tell();
        onchoice();
      },
    },
    h("option", { value: "" }, words.modelNone),
    baseModels.map(({ name }) => h("option", { value: name, selected: name === chosen.name }, name)),
  );
  tell();
  return [field(words.model, select, { id: "base-model", hint: words.modelHint }), about];
}

/** The card in which pictures are chosen. */
export const pickPictures = (state) => section(words.title, h("p", null, words.lead), picking(state));

function picking(state) {
  if (state.connection.status === "online" && state.baseModels === null) queueMicrotask(listBaseModels);
  const begin = button(words.begin, () => openPictures(chosen), { kind: "primary", id: "read-pictures", describedby: "read-pictures-hint" });
  const counted = h("p", { class: "hint", id: "pictures-chosen" });
  const listed = h("p", { class: "hint", id: "list-chosen" });
  const tell = () => {
    fill(counted, chosen.files.length === 0 ? words.none : words.chosen(chosen.files.length));
    fill(listed, chosen.list ? words.listChosen(chosen.list.name) : words.listNone);
    begin.disabled = chosen.files.length === 0 || !chosen.list || chosen.name === "" || !Array.isArray(state.baseModels);
  };
  const choose = (changes) => {
    Object.assign(chosen, changes);
    tell();
  };
  const list = files("picture-list", words.list, { accept: ".csv,text/csv,text/plain" }, ([file]) => file && choose({ list: file }));
  tell();
  return [
    picturePicker("picture", (found) => choose({ files: found })),
    counted,
    h("div", { class: "row" }, list),
    listed,
    modelChoice(state, tell),
    h("p", { class: "hint", id: "read-pictures-hint" }, words.beginHint),
    h("div", { class: "row" }, begin),
  ];
}

/** What was read, in place of the columns of measurements. */
export function picturesRead(state) {
  const { table } = state;
  return section(words.title, table.pictures ? h("p", { id: "pictures-read" }, words.done(table.rows, table.pictures.name)) : null, details(words.again, picking(state)));
}
