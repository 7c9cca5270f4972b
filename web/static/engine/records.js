// What was chosen as records: a table, or text files that become one.

const IS_TABLE = /\.(csv|tsv)$/i;
const MIXED = { code: "CF-0013", blame: "Client" };

/** Whether chosen files, `{ path, file }`, are text files and no table. One file alone is a table, unless it came in a folder. */
const written = (engine, chosen) => (chosen.length > 1 || chosen[0].path.includes("/")) && !chosen.some(({ file }) => IS_TABLE.test(file.name)) && chosen.some(({ path }) => engine.TextFiles.isOne(path));

async function tableOf(engine, chosen, model) {
  const files = new engine.TextFiles();
  try {
    for (const { path, file } of chosen) {
      if (engine.TextFiles.isOne(path)) files.add(path, new Uint8Array(await file.arrayBuffer()));
    }
    return files.csv(model);
  } finally {
    files.free();
  }
}

/** The folder that all files lie in, or the first file. */
function nameOf(chosen) {
  const folders = new Set(chosen.map(({ path }) => path.split("/")[0]));
  return folders.size === 1 ? [...folders][0] : `${chosen[0].path}, …`;
}

/** The `name` and `bytes` of a table out of the chosen files, and whether it was made `fromFiles`; of records for a `model` if there is one. */
export async function chosenTable(engine, chosen, model) {
  if (written(engine, chosen)) return { name: nameOf(chosen), bytes: await tableOf(engine, chosen, model), fromFiles: true };
  const tables = chosen.length === 1 ? chosen : chosen.filter(({ file }) => IS_TABLE.test(file.name));
  if (tables.length !== 1) throw MIXED;
  const [{ file }] = tables;
  return { name: file.name, bytes: new Uint8Array(await file.arrayBuffer()), fromFiles: false };
}
