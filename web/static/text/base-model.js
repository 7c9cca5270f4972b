// Words for pictures, and for the base model that makes numbers of them; part of text.js.

import { bytes, count, duration } from "../format.js";

export const baseModel = {
  title: "Pictures",
  lead: "A base model in this browser turns each picture into numbers that stand for what it shows. Neither picture nor numbers leave readable.",
  folder: "Choose a folder of pictures",
  files: "Choose pictures",
  none: "No picture chosen yet: PNG or JPEG files.",
  chosen: (n) => (n === 1 ? "1 picture chosen." : `${count(n)} pictures chosen.`),
  list: "Choose the list of labels",
  listNone: "A CSV file with a line for each picture: its file name, a comma, its label. With a header it may have more columns, such as one that names the patient.",
  listChosen: (name) => `List: ${name}`,
  model: "Base model",
  modelNone: "Choose a base model",
  modelHint: "It is fetched from the compute service, checked, and kept. The service learns which one, and nothing of the pictures.",
  modelAbout: ({ about, classes, shape, bytes: size, licence }) => `${about} It knows: ${classes.join(", ")}. Pictures become ${shape[2]} × ${shape[1]} pixels${shape[0] === 1 ? ", grey" : ""}. ${bytes(size)}, ${licence}.`,
  modelsAsked: "Asking for the base models",
  modelsNone: "The compute service offers no base model that runs in a browser.",
  offline: "The base models come from the compute service. It is not connected yet.",
  begin: "Read the pictures",
  beginHint: "Pictures, list and base model are needed first.",
  done: (n, name) => `${count(n)} pictures are read by the base model ${name}. Their numbers are what is learnt from.`,
  again: "Use other pictures",
  read: {
    base: () => "Fetching the base model",
    pictures: ({ done, total, seconds }) => `Reading the pictures: ${count(done)} of ${count(total)}${seconds == null ? "" : `, ${duration(seconds)} left`}`,
  },
  predict: "Pictures of new patients",
  predictLead: (name) => `PNG or JPEG files like those of the training. The base model ${name} reads them in this browser.`,
  picture: "Picture",
};
