// Pictures: which files, which list of labels, which base model reads them, and where: in this browser, or locked at the service.

import { button, details, field, fill, h, notice } from "../dom.js";
import { listBaseModels, openPictures } from "../actions.js";
import { TABLES, fileButton, filePicker } from "./file-picker.js";
import { section } from "./page.js";
import { text } from "../text.js";

const words = text.baseModel;
const IS_PICTURE = /\.(png|jpe?g)$/i;

// What is chosen so far: it stays while a view is built anew.
let chosen = { files: [], list: null, name: "", locked: false };

/** Whether pictures lie in a folder for each class. */
const inFolders = (found) => {
  const folders = found.map((one) => one.path.split("/").at(-2)).filter((name) => name !== undefined);
  return folders.length === found.length && new Set(folders).size > 1;
};

/** The models that can read pictures there. */
const able = (models, locked) => models.filter((one) => (locked ? one.heads : one.bytes !== null));

/** A folder or single files, chosen or dropped; `onfiles` gets `{ path, file }` of every picture. */
export const picturePicker = (prefix, onfiles) =>
  filePicker(`${prefix}-files`, words.files, (found) => onfiles(found.filter(({ file }) => IS_PICTURE.test(file.name))), {
    accept: ".png,.jpg,.jpeg,image/png,image/jpeg",
    folder: { id: `${prefix}-folder`, label: words.folder },
    drop: words.drop,
  });

function modelChoice({ baseModels, connection }, onchoice) {
  if (connection.status !== "online") return notice("warning", h("p", null, words.offline));
  if (!Array.isArray(baseModels)) return h("p", { class: "hint" }, words.modelsAsked);
  if (baseModels.length === 0) return notice("warning", h("p", null, words.modelsNone));
  const place = h("div", { class: "stack" });
  const offer = () => {
    const models = able(baseModels, chosen.locked);
    if (!models.some((one) => one.name === chosen.name)) chosen.name = "";
    const about = h("p", { class: "hint", id: "base-model-about" });
    const tell = () => {
      const model = models.find((one) => one.name === chosen.name);
      about.textContent = model ? words.modelAbout(model, chosen.locked) : "";
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
      models.map(({ name }) => h("option", { value: name, selected: name === chosen.name }, name)),
    );
    tell();
    const hint = chosen.locked ? words.modelHintLocked : words.modelHint;
    fill(place, models.length === 0 ? notice("warning", h("p", null, chosen.locked ? words.modelsNoneLocked : words.modelsNone)) : [field(words.model, select, { id: "base-model", hint }), about]);
    onchoice();
  };
  const where = (locked) => {
    const id = locked ? "read-there" : "read-here";
    const change = () => {
      chosen.locked = locked;
      offer();
    };
    return h(
      "label",
      { class: "tick", for: id },
      h("input", { type: "radio", name: "read-where", id, checked: chosen.locked === locked, onchange: change }),
      h("span", null, locked ? words.there : words.here, h("span", { class: "hint" }, locked ? words.thereHint : words.hereHint)),
    );
  };
  offer();
  return [h("fieldset", { class: "stack" }, h("legend", null, words.where), where(false), where(true)), place];
}

/** The card in which pictures are chosen. */
export const pickPictures = (state) => section(words.title, h("p", null, words.lead), picking(state));

function picking(state) {
  if (state.connection.status === "online" && state.baseModels === null) queueMicrotask(listBaseModels);
  const begin = button(words.begin, () => openPictures(chosen), { kind: "primary", id: "read-pictures", describedby: "read-pictures-hint" });
  const counted = h("p", { class: "hint", id: "pictures-chosen" });
  const listed = h("p", { class: "hint", id: "list-chosen" });
  const hint = h("p", { class: "hint", id: "read-pictures-hint" });
  const tell = () => {
    fill(counted, chosen.files.length === 0 ? words.none : words.chosen(chosen.files.length));
    const foldered = inFolders(chosen.files);
    fill(listed, chosen.list ? words.listChosen(chosen.list.name) : foldered ? words.listFolders : words.listNone);
    begin.disabled = chosen.files.length === 0 || !(chosen.list || foldered) || chosen.name === "" || !Array.isArray(state.baseModels);
    fill(hint, begin.disabled ? words.beginHint : null);
    fill(begin.lastElementChild, chosen.locked ? words.beginLocked : words.begin);
  };
  const choose = (changes) => {
    Object.assign(chosen, changes);
    tell();
  };
  const list = fileButton("picture-list", words.list, { accept: TABLES }, ([{ file }]) => choose({ list: file }));
  tell();
  return [
    picturePicker("picture", (found) => choose({ files: found })),
    counted,
    h("div", { class: "row" }, list),
    listed,
    modelChoice(state, tell),
    hint,
    h("div", { class: "row" }, begin),
  ];
}

/** What was read, in place of the columns of measurements. */
export function picturesRead(state) {
  const { table, dataset } = state;
  const usable = table.rows - (dataset?.missing ?? 0);
  const done = table.locked ? words.doneLocked : words.done;
  return section(words.title, table.pictures ? h("p", { id: "pictures-read" }, done(usable, table.pictures.name)) : null, details(words.again, picking(state)));
}
