// Files that were chosen or dropped, with the folders that they came in.

/** Chosen files as `{ path, file }`. */
export const withPaths = (files) => [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** Files of a dropped file or folder. One that cannot be read comes as an empty one: whoever reads it says so of it. */
async function within(entry, path) {
  if (entry.isFile) {
    const file = await new Promise((found) => entry.file(found, () => found(new File([], entry.name))));
    return [{ path, file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    // A reader gives its entries in parts, and nothing at the end.
    const part = await new Promise((next) => reader.readEntries(next, () => next([])));
    if (part.length === 0) return found;
    for (const one of part) found.push(...(await within(one, `${path}/${one.name}`)));
  }
}

/** Dropped files as `{ path, file }`, those within dropped folders among them. */
async function dropped(transfer) {
  // What is dropped can only be asked for while the event lasts.
  const items = [...transfer.items].filter((item) => item.kind === "file").map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const parts = await Promise.all(items.map(({ entry, file }) => (entry ? within(entry, entry.name) : withPaths(file ? [file] : []))));
  return parts.flat().sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Lets files and folders be dropped on `zone`; `onfiles` gets them as `{ path, file }`. */
export function takeDrops(zone, onfiles) {
  const over = async (event) => {
    event.preventDefault();
    zone.classList.toggle("over", event.type === "dragover");
    if (event.type !== "drop") return;
    const files = await dropped(event.dataTransfer);
    if (files.length > 0) onfiles(files);
  };
  for (const name of ["dragover", "dragleave", "drop"]) zone.addEventListener(name, over);
  return zone;
}
