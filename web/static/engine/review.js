// The results from the side that the user looks from: class, threshold, parts of the records, words for the model card.

export class Review {
  #engine;
  #project;
  #result = null;
  #evaluation = null;
  #choices = null;
  #drawn = null;

  /** `project` answers the project of the moment. */
  constructor(engine, project) {
    this.#engine = engine;
    this.#project = project;
  }

  /** The held-out records of the project's result. */
  get evaluation() {
    const { result } = this.#project();
    if (this.#result !== result) {
      this.#evaluation?.free();
      this.#evaluation = new this.#engine.Evaluation(result.held);
      this.#result = result;
      this.#choices = null;
      this.#drawn = null;
    }
    return this.#evaluation;
  }

  get threshold() {
    return this.#choices?.threshold ?? 0.5;
  }

  /** What the page shows of a result that was just opened, or made: as it was looked at last. */
  async open() {
    const evaluation = this.evaluation;
    const kept = await this.#project().recallReview();
    const own = kept?.of === this.#result.report.id ? kept : null;
    this.#choices = own ?? { of: this.#result.report.id, class: evaluation.firstClass(), threshold: 0.5, column: null, cuts: null, answers: kept?.answers ?? {} };
    return { ...this.#shown(this.#choices), view: this.#view(this.#choices.class) };
  }

  /** Looks from another side. What cannot be shown leaves everything as it was. */
  async change(changes) {
    const choices = { ...this.#choices, ...changes };
    const shown = this.#shown(choices);
    if (choices.class !== this.#choices.class) shown.view = this.#view(choices.class);
    this.#choices = choices;
    await this.#project().keepReview(choices);
    return shown;
  }

  /** Curves and figures of a class. Their bands are drawn from a thousand samples: the last one is kept. */
  #view(index) {
    const { evaluation } = this;
    if (this.#drawn?.index !== index) this.#drawn = { index, view: evaluation.classView(index) };
    return this.#drawn.view;
  }

  #shown(choices) {
    const { class: index, threshold, column, cuts } = choices;
    const parts = column === null ? null : this.evaluation.subgroups(this.#project().workbench, index, threshold, column, cuts ? Float64Array.from(cuts) : undefined);
    return { ...choices, decision: this.evaluation.decision(index, threshold), parts };
  }

  /** The predictions of the held-out records, labelled at the threshold. */
  csv() {
    return this.evaluation.csv(this.threshold);
  }

  /** Everything that the results show, for a file. `card` is the model card as the page words it. */
  json(card) {
    const { assessment, roc, precision_recall } = this.#view(this.#choices.class);
    const { class: index, threshold, decision, parts } = this.#shown(this.#choices);
    const { classes } = this.#result.report;
    const looked_at = { class: classes[index], threshold, decision, subgroups: parts?.parts ?? null, assessment, roc, precision_recall };
    return JSON.stringify({ ...JSON.parse(this.#result.json), looked_at, model_card: card ?? null }, null, 2);
  }
}
