// Errors as plain fields that can cross between workers.

/** Failures of the browser itself that have a code of their own. */
const BY_NAME = { QuotaExceededError: "CF-0009", NotReadableError: "CF-0012", NotFoundError: "CF-0012" };

/** The kind of an error and where it arose. Not its words: they may quote what was read. */
function trace(error) {
  const frames = String(error?.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at |@/.test(line));
  return [error?.name ?? typeof error, ...frames.map((line) => line.trim())].join("\n");
}

/** Code, blame, message, remedy and detail of anything thrown; nothing in them comes from a record. */
export function explain(error) {
  if (error?.code && typeof error.code === "string") {
    const { code, blame, message, remedy, detail } = error;
    return { code, blame, message, remedy, detail };
  }
  return { code: BY_NAME[error?.name] ?? "CF-0000", message: "", detail: trace(error) };
}
