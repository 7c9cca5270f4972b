// What this browser keeps: IndexedDB, every entry sealed by AES-256-GCM under a WebCrypto key
// that scripts can use but never read. Without a database entries last as long as the tab.

const DATABASE = "confide";
const ENTRIES = "entries";
const WRAPPING = "wrapping-key";

let database = null;
let wrapping = null;
const memory = new Map();

const promised = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Ends when the transaction is durable, not when its request is. */
const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });

const read = (name) => promised(database.transaction(ENTRIES).objectStore(ENTRIES).get(name));

async function write(name, value) {
  const transaction = database.transaction(ENTRIES, "readwrite");
  transaction.objectStore(ENTRIES).put(value, name);
  await finished(transaction);
}

/** Opens the store; answers whether anything can be kept here. */
export async function open() {
  try {
    if (!globalThis.crypto?.subtle) return false;
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(ENTRIES);
    database = await promised(request);
    wrapping = await read(WRAPPING);
    if (!wrapping) {
      wrapping = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
      await write(WRAPPING, wrapping);
    }
    return true;
  } catch {
    database = null;
    return false;
  }
}

const encoder = new TextEncoder();
const sealing = (name, iv) => ({ name: "AES-GCM", iv, additionalData: encoder.encode(name) });

/** Keeps bytes under a name, sealed. */
export async function keep(name, bytes) {
  if (!database) return memory.set(name, bytes.slice());
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const data = await crypto.subtle.encrypt(sealing(name, iv), wrapping, bytes);
  return write(name, { iv, data });
}

/** The bytes kept under a name, or null. An entry that does not open is treated as absent. */
export async function recall(name) {
  if (!database) return memory.get(name)?.slice() ?? null;
  const entry = await read(name);
  if (!entry) return null;
  try {
    return new Uint8Array(await crypto.subtle.decrypt(sealing(name, entry.iv), wrapping, entry.data));
  } catch {
    return null;
  }
}

/** Keeps a plain value as JSON. */
export const keepValue = (name, value) => keep(name, encoder.encode(JSON.stringify(value)));

/** A value kept by `keepValue`, or null. */
export async function recallValue(name) {
  const bytes = await recall(name);
  return bytes ? JSON.parse(new TextDecoder().decode(bytes)) : null;
}

/** Forgets the named entries. */
export async function forget(...names) {
  for (const name of names) memory.delete(name);
  if (!database) return;
  const transaction = database.transaction(ENTRIES, "readwrite");
  for (const name of names) transaction.objectStore(ENTRIES).delete(name);
  await finished(transaction);
}

/** The same functions for the entries of one project, and `clear`, which forgets them all. */
export function scope(id) {
  const own = (name) => `${id}/${name}`;
  return {
    keep: (name, bytes) => keep(own(name), bytes),
    recall: (name) => recall(own(name)),
    keepValue: (name, value) => keepValue(own(name), value),
    recallValue: (name) => recallValue(own(name)),
    forget: (...names) => forget(...names.map(own)),
    async clear() {
      for (const name of memory.keys()) if (name.startsWith(own(""))) memory.delete(name);
      if (!database) return;
      const transaction = database.transaction(ENTRIES, "readwrite");
      // "0" follows "/": the range holds every name of this project and no other.
      transaction.objectStore(ENTRIES).delete(IDBKeyRange.bound(own(""), `${id}0`, false, true));
      await finished(transaction);
    },
  };
}
