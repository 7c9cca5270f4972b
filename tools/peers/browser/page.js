// Runs the measurements in workers, one after another, and hands what they found to the server that served this page.

const query = Object.fromEntries(new URLSearchParams(location.search));

/** The lines of one worker's measurement. */
function lines(script, message) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(script, { type: "module" });
    worker.onmessage = ({ data }) => {
      if (!data.lines && !data.error) return;
      worker.terminate();
      if (data.lines) resolve(data.lines);
      else reject(new Error(data.error));
    };
    worker.onerror = (event) => reject(new Error(`${event.message} (${event.filename}:${event.lineno})`));
    worker.postMessage(message);
  });
}

async function measure() {
  const engines = await lines("/engines.js", { rounds: Number(query.rounds), primes: Number(query.primes), peerName: query.peer, runtime: query.runtime });
  const memory = await lines("/memory.js", { wasm: engines[0].wasm, runtime: query.runtime });
  return { lines: [...engines, ...memory] };
}

const body = await measure().catch((error) => ({ error: String(error?.stack ?? error) }));
await fetch("/result", { method: "POST", body: JSON.stringify(body) });
