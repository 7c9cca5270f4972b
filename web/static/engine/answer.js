// What predictions of all kinds end with.

/** The service has lost the trained head. */
export const GONE = {
  code: "CF-0007",
  blame: "Worker",
  message: "The compute service no longer has the locked model.",
  remedy: "Train again; it takes as long as the first time.",
};

/** What the page shows of a prediction, and its file. */
export function answer(prediction, { evaluation, threshold, kind, begun }) {
  const { rows, refused, ...view } = prediction.view(evaluation, threshold);
  return {
    csv: prediction.csv(evaluation, threshold),
    view: {
      id: Date.now(),
      kind,
      ...view,
      threshold,
      scored: rows.length,
      rows: [...rows, ...refused].sort((a, b) => a.row - b.row),
      seconds: (performance.now() - begun) / 1000,
    },
  };
}
