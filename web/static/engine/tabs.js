// Several tabs of one browser: one of them has a project, and changes to what they share follow each other.

/** Milliseconds that a tab which is being closed or reloaded may take to let go. */
const PATIENCE = 3000;

const ELSEWHERE = {
  code: "CF-0013",
  blame: "Client",
  message: "This project is open in another tab.",
  remedy: "Go on there, or close that tab and open the project here.",
};

/** Holds a project for this tab; answers what lets it go. */
export function hold(id) {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve, reject) => {
    const held = () => new Promise((release) => resolve(release));
    navigator.locks.request(`confide-project-${id}`, { signal: AbortSignal.timeout(PATIENCE) }, held).catch(() => reject(ELSEWHERE));
  });
}

/** Runs `change` while no other tab runs one. */
export const alone = (change) => (navigator.locks ? navigator.locks.request("confide-projects", change) : change());
