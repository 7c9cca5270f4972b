// The socket to the worker: connects to the page's own server, feeds the session, and comes back after a cut.

const FIRST_WAIT = 500;
const LONGEST_WAIT = 15_000;
const BUFFERED = 4 * 1024 * 1024;
const SILENCE = 20_000;

/** Connects a session (`Link`) to the worker for as long as the page is open. */
export class Socket {
  #link = null;
  #socket = null;
  #attempt = 0;
  #timer = null;
  #pump = null;
  #onEvent;
  #onStatus;
  #ticker;

  /** `onEvent` gets what happened; `onStatus` whether there is a connection. */
  constructor(onEvent, onStatus) {
    this.#onEvent = onEvent;
    this.#onStatus = onStatus;
    // A sign of life keeps connections through proxies open.
    this.#ticker = setInterval(() => {
      this.#link?.ping();
      this.pump();
    }, SILENCE);
  }

  /** Uses another session from now on, with a connection of its own. */
  use(link) {
    this.#link = link;
    this.#drop();
    this.connect();
  }

  /** Connects at once, without waiting for the next attempt. */
  connect() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#socket) return;
    this.#onStatus({ status: "connecting" });
    const scheme = self.location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${self.location.host}/socket`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const link = this.#link;
    socket.onopen = () => {
      link.onOpen();
      this.pump();
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#attempt = 0;
      try {
        link.onFrame(new Uint8Array(data));
      } catch (error) {
        this.#onEvent({ type: "broken", error });
        socket.close();
        return;
      }
      this.pump();
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      link.onClose();
      this.#again();
    };
  }

  /** Sends what the session has, as far as the socket takes it, and hands on what happened. */
  pump() {
    const socket = this.#socket;
    if (socket?.readyState === WebSocket.OPEN) {
      while (socket.bufferedAmount < BUFFERED) {
        const frame = this.#link.pollSend(Date.now());
        if (!frame) break;
        socket.send(frame);
      }
      if (socket.bufferedAmount >= BUFFERED && !this.#pump) {
        this.#pump = setTimeout(() => {
          this.#pump = null;
          this.pump();
        }, 20);
      }
    }
    for (const event of this.#link.events()) this.#onEvent(event);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #again() {
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#attempt) * (0.75 + Math.random() / 2);
    this.#attempt += 1;
    this.#onStatus({ status: this.#attempt > 1 ? "offline" : "waiting", seconds: Math.ceil(wait / 1000) });
    this.#timer = setTimeout(() => this.connect(), wait);
  }

  /** Ends the connection for good. */
  close() {
    clearInterval(this.#ticker);
    clearTimeout(this.#timer);
    clearTimeout(this.#pump);
    this.#drop();
  }
}
