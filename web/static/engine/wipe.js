// Deleting at the service what one key owns there, over a connection of its own: the project need not be open.

import { Service } from "./service.js";

/** Milliseconds that the service may take to answer. A job that has to stop first ends within a minute. */
const PATIENCE = { connect: 10_000, delete: 90_000 };

const SILENT = {
  code: "CF-0010",
  blame: "Network",
  message: "The compute service does not answer, so nothing was deleted there.",
  remedy: "Try again when it is connected, or delete the project here only: the service drops what nobody uses.",
};

/** Deletes everything that the owner of `token` has at the service; answers objects and bytes. A second time finds none. */
export function wipe(engine, token) {
  let service = null;
  let timer = null;
  const answered = new Promise((resolve, reject) => {
    const wait = (time) => {
      clearTimeout(timer);
      timer = setTimeout(() => reject(SILENT), time);
    };
    wait(PATIENCE.connect);
    service = new Service(engine, ({ status }) => {
      if (status !== "online") return;
      wait(PATIENCE.delete);
      service.deleteAll().then(resolve, reject);
    });
    service.use(token);
  });
  return answered.finally(() => {
    clearTimeout(timer);
    service.close();
  });
}
