// Buttons and places for files.

import { h, icon } from "../dom.js";
import { takeDrops, withPaths } from "../files.js";

/** Files that may be tables, for an input. */
export const TABLES = ".csv,text/csv,.tsv,text/tab-separated-values,text/plain";

/** A button-like label over a file input; `onfiles` gets what is chosen as `{ path, file }` each, if anything is. */
export function fileButton(id, label, props, onfiles) {
  const input = h("input", { type: "file", id, class: "file-input", ...props, onchange: () => input.files.length > 0 && onfiles(withPaths(input.files)) });
  return [h("label", { for: id, class: "button" }, icon("file"), label), input];
}

/**
 * A button for files, with a `folder` (`id` and `label`) another for a folder, and a place to drop both on, which has the hint `drop`.
 * `onfiles` gets what is chosen or dropped.
 */
export function filePicker(id, label, onfiles, { accept, multiple = true, folder = null, drop }) {
  const zone = h("div", { class: "drop", id: `${id}-drop` }, fileButton(id, label, { accept, multiple }, onfiles), folder && fileButton(folder.id, folder.label, { webkitdirectory: true }, onfiles), h("span", { class: "hint" }, drop));
  return takeDrops(zone, onfiles);
}
