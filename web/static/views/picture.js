// What the views of pictures share: a picture as the model sees it, and what a model's card says.

import { h } from "../dom.js";
import { text } from "../text.js";

const words = text.classify;

/** Picture `index` of those whose pixels came along; nothing of others. Its name stands beside it. */
export function thumbnail({ previews, width, height }, index) {
  const size = width * height * 4;
  const pixels = previews?.subarray(index * size, (index + 1) * size);
  if (!pixels || pixels.length !== size || size === 0) return null;
  const canvas = h("canvas", { class: "thumbnail", width, height, "aria-hidden": "true" });
  canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pixels), width, height), 0, 0);
  return canvas;
}

/** A card's facts. */
export function facts({ classes, accuracy, licence, width, height, channels, closest }) {
  const fact = (label, value) => [h("dt", null, label), h("dd", null, value)];
  return h(
    "dl",
    { class: "facts" },
    fact(words.facts.classes, classes.join(", ")),
    fact(words.facts.accuracy, accuracy ? words.accuracy(accuracy.test, accuracy.test_images) : words.noAccuracy),
    fact(words.facts.ranges, closest ? words.checkedRanges(closest.ratio) : words.uncheckedRanges),
    fact(words.facts.input, words.input(width, height, channels)),
    fact(words.facts.licence, licence),
  );
}
