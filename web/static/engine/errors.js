// Errors as plain fields that can cross between workers.

/** Code, blame, message, remedy and detail of anything thrown; nothing in them comes from a record. */
export function explain(error) {
  if (error?.code && typeof error.code === "string") {
    const { code, blame, message, remedy, detail } = error;
    return { code, blame, message, remedy, detail };
  }
  return { code: "CF-0000", message: "", detail: String(error?.stack ?? error?.message ?? error) };
}
