// Building elements without markup strings: nothing from a file or from the worker is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function append(parent, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
  return parent;
}

function assign(element, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "indeterminate") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

/** An HTML element with attributes, `on…` listeners and children (nodes, text, nested lists; null is left out). */
export function h(tag, props, ...children) {
  return append(assign(document.createElement(tag), props), children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return append(assign(document.createElementNS(SVG, tag), props), children);
}

/** Replaces everything in `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren();
  return append(parent, children);
}

const ICONS = {
  lock: ["M7 11V8a5 5 0 0 1 10 0v3", "M5.5 11h13v9h-13z"],
  eye: ["M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z", "M12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z"],
  key: ["M14.5 4.5a5 5 0 1 1-4.3 7.55L4 18.25V20.5h3v-2h2v-2h1.8l1.3-1.3", "M15.8 8.2h.01"],
  check: ["M5 12.5l4.5 4.5L19 7.5"],
  cross: ["M6.5 6.5l11 11M17.5 6.5l-11 11"],
  alert: ["M12 4l9 15.5H3z", "M12 10v4M12 16.7v.01"],
  info: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M12 11v5M12 8v.01"],
  arrow: ["M5 12h14M13 6l6 6-6 6"],
  down: ["M12 4v11M7 10.5l5 5 5-5M5 20h14"],
  file: ["M6.5 3.5h7l4.5 4.5v12.5h-11.5z", "M13.5 3.5V8H18"],
  server: ["M4 5h16v6H4zM4 13h16v6H4z", "M7.5 8h.01M7.5 16h.01"],
};

/** A decorative icon: hidden from screen readers, sized by the text around it. */
export function icon(name) {
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, ICONS[name].map((d) => s("path", { d })));
}

/** A push button. `kind`: primary, quiet or danger; plain when left out. */
export function button(label, onclick, { kind = "", id, disabled = false, iconName, describedby, label: spoken } = {}) {
  return h(
    "button",
    { type: "button", class: `button ${kind}`.trim(), id, disabled, onclick, "aria-describedby": describedby, "aria-label": spoken },
    iconName ? icon(iconName) : null,
    h("span", null, label),
  );
}

/** A labelled control with an optional hint and a place for its error. */
export function field(label, control, { hint, id } = {}) {
  const hintId = hint ? `${id}-hint` : null;
  control.id = id;
  if (hintId) control.setAttribute("aria-describedby", hintId);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, hint ? h("p", { class: "hint", id: hintId }, hint) : null);
}

/** Lets the browser paint and answer before the work goes on. */
export const breathe = () => new Promise((next) => setTimeout(next));

const opened = new Set();

/** An expandable section; it stays as the user left it when a view is built anew. Of a summary in parts the first tells it from others. */
export function details(summary, ...children) {
  const [name] = [summary].flat();
  const element = h("details", { open: opened.has(name) }, h("summary", null, summary), h("div", { class: "details-body" }, ...children));
  element.addEventListener("toggle", () => (element.open ? opened.add(name) : opened.delete(name)));
  return element;
}

/** The coloured word that says in which form something travels: locked, key or plain. */
export function formChip(form, label) {
  const name = { locked: "lock", key: "key", plain: "eye" }[form] ?? "info";
  return h("span", { class: `chip chip-${form}` }, icon(name), label);
}

/** A notice. `kind`: info, warning, error or good. */
export function notice(kind, ...children) {
  const name = { info: "info", warning: "alert", error: "alert", good: "check" }[kind];
  return h("div", { class: `notice notice-${kind}`, role: kind === "error" ? "alert" : null }, icon(name), h("div", null, ...children));
}

/** Says something to screen readers without moving the focus. */
export function announce(message) {
  const place = document.getElementById("announce");
  if (place && place.textContent !== message) place.textContent = message;
}

/** Offers bytes or text as a file to keep. */
export function download(name, content, type) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = h("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
