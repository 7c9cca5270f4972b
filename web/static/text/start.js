// Words of the first step: what this is, and what this browser has and lacks.

import { bytes } from "../format.js";

export const connect = {
  title: "Train on patient records without showing them to anyone",
  lead: "Your records are locked in this browser. A compute service trains a risk model on the locked copy and never sees a value. Only this browser can open the result.",
  how: [
    ["You lock", "Your key is made here. Records and outcomes are locked before they leave."],
    ["It computes", "The service calculates on locked data. It cannot open the records, the model or the predictions."],
    ["You open", "Results come back locked, and this browser opens them for you."],
  ],
  checks: "This computer",
  checked: (n) => `What was checked and is good (${n})`,
  service: "Compute service",
  serviceOnline: (name, threads) => `${name}, ${threads} processor threads`,
  serviceConnecting: "Looking for the compute service at this address",
  serviceOffline: "The compute service does not answer. Records can be prepared meanwhile; nothing is lost.",
  begin: "Begin",
  beginAgain: "Open a project",
  retry: "Try again now",
};

export const preflight = {
  pending: "Looking at this browser",
  summary: {
    good: "Everything that the work needs is here.",
    warn: "The work can be done here. What could be better stands below.",
    bad: "The work cannot be done in this browser. What to do stands below.",
  },
  states: { good: "good", warn: "could be better", bad: "missing" },
  names: {
    engine: "Calculation engine",
    workers: "Helpers in the background",
    memory: "Memory",
    cores: "Processor cores",
    storage: "Storage in this browser",
    secure: "Protected connection",
    isolation: "Separation from other pages",
  },
  values: {
    engine: (variant) => ({ relaxed: "fast version", plain: "standard version" })[variant] ?? "cannot run",
    workers: (_, state) => (state === "good" ? "available" : "not available"),
    memory: (value, state) => (state === "bad" ? "not enough" : value === null ? "enough for the engine" : value >= 8 * 2 ** 30 ? "8 GB or more" : `about ${value / 2 ** 30} GB`),
    cores: (cores) => (cores === 1 ? "1" : `${cores}, of which ${Math.min(4, cores)} lock data in parallel`),
    storage: (free) => (free === null ? "not available" : `${bytes(free)} free`),
    secure: (_, state) => (state === "good" ? "yes" : "no"),
    isolation: (_, state) => (state === "good" ? "yes" : "no"),
  },
  remedies: {
    engine: {
      warn: "Works, at about half the speed. A current Chrome, Edge or Firefox has the fast version.",
      bad: "WebAssembly with SIMD is missing. Use Chrome or Edge 91, Firefox 89, Safari 16.4, or any newer one; if this is one, ask whether a policy switches WebAssembly off.",
    },
    workers: { bad: "Web Workers are missing. Use a current Chrome, Edge, Firefox or Safari without an extension that blocks them." },
    memory: {
      warn: "Close other tabs and programs before you train, and prefer few measurements.",
      bad: "The browser cannot give 512 MB to the engine. Close other tabs, or use a 64-bit browser on a computer with more memory.",
    },
    cores: { warn: "Locking takes its time on one core. A computer with four is about three times as fast." },
    storage: { warn: "Work may be lost when the tab closes. Leave private browsing, free some disk space, or allow this address to keep data." },
    secure: { warn: "The page did not come over HTTPS: someone in between could change it. Ask whoever serves it for an address that begins with https." },
    isolation: { warn: "Whoever serves the page can separate it from others by the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp." },
  },
};
