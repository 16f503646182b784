/** A live stream over a WebSocket: frames in by credits, events out, and a new connection where one is lost. */

import { DeepharError } from "./errors.js";
import { frame, Outbox } from "./outbox.js";
import { Reconnects } from "./reconnects.js";

/** @typedef {import("./types.js").Binary} Binary */
/** @typedef {import("./types.js").RawPicture} RawPicture */
/** @typedef {import("./types.js").StreamCallOptions} StreamCallOptions */
/** @typedef {import("./types.js").StreamConfig} StreamConfig */
/** @typedef {import("./types.js").StreamEvent} StreamEvent */
/** @typedef {import("./types.js").TrackedBox} TrackedBox */

const FOR_THE_PRESENT = new Set(["unreachable", "unavailable", "overloaded"]);

/** Frames are sent by `send`; the events are those of `for await (const event of stream)`. */
export class Stream {
  /** Frames that `send` has dropped, since there was no room for them. */
  dropped = 0;

  #open;
  #reason;
  #config;
  #timeoutMs;
  #reconnects;
  #signal;
  /** @type {any} */
  #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @type {StreamEvent[]} */
  #events = [];
  /** @type {Set<() => void>} */
  #waiting = new Set();
  #isOver = false;
  /** @type {unknown} */
  #error;
  #isErrorTold = false;

  #outbox = new Outbox();
  #frames = 0;
  #hasEnd = false;
  #isStarted = false; // the present connection
  #wasStarted = false; // any
  #windowS = 0;
  /** @type {Map<string, number>} */
  #told = new Map(); // time of the last event of each kind
  /** @type {Map<string, number>} */
  #toldBefore = new Map(); // over earlier connections

  /**
   * Opened by `Client.stream`.
   * @param {() => any} open Returns a new WebSocket.
   * @param {() => Promise<unknown>} reason Returns why one was refused.
   * @param {StreamConfig} config
   * @param {StreamCallOptions & {timeoutMs: number}} call
   */
  constructor(open, reason, config, { signal, timeoutMs, reconnect = true, reconnectMs = 60_000 }) {
    this.#open = open;
    this.#reason = reason;
    this.#config = JSON.stringify({ type: "config", ...config });
    this.#timeoutMs = timeoutMs;
    this.#reconnects = new Reconnects(reconnect, reconnectMs);
    this.#signal = signal;
    if (signal?.aborted) this.#abort();
    else this.#connect();
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Whether a frame would be sent at once. */
  get canSend() {
    return this.#isStarted && !this.#hasEnd && this.#outbox.hasRoom;
  }

  /** Resolves as soon as a frame would be sent at once. */
  get ready() {
    return this.#until(() => this.canSend);
  }

  /**
   * Sends a frame as soon as there is room for it.
   * @param {Binary | RawPicture} picture JPEG, WebP or PNG, or raw RGB.
   * @param {object} [options]
   * @param {number} [options.timestampMs] Media time; it rises from frame to frame. Absent: the time of this call.
   * @param {number | bigint} [options.frameId] Absent: frames are counted from 0.
   * @param {TrackedBox[]} [options.boxes] The people in this frame, with `people: "boxes"`.
   * @param {boolean} [options.drop] For cameras: where there is no room at present, the frame is dropped.
   * @returns {Promise<boolean>} Whether it was sent; false: dropped.
   */
  async send(picture, { timestampMs = performance.now(), frameId = this.#frames, boxes, drop = false } = {}) {
    this.#refuseIfOver();
    if (drop && !this.canSend) {
      this.dropped++;
      return false;
    }
    this.#frames++;
    const item = this.#outbox.put("frame", timestampMs / 1000);
    if (boxes) item.boxes = JSON.stringify({ type: "boxes", boxes });
    const size = "rgb" in picture ? picture : { width: 0, height: 0 };
    const data = "rgb" in picture ? picture.rgb : picture;
    try {
      item.message = frame(data instanceof Blob ? await data.arrayBuffer() : data, frameId, timestampMs, size);
    } catch (error) {
      this.#outbox.remove(item);
      throw error;
    } finally {
      this.#pump();
    }
    await this.#until(() => item.isSent);
    return true;
  }

  /** Ends the running segments; resolves when everything that was sent before is answered. */
  async flush() {
    this.#refuseIfOver();
    const item = this.#outbox.put("flush");
    this.#pump();
    await this.#until(() => item.isAnswered);
  }

  /** Ends the stream; resolves when everything is answered. */
  async end() {
    this.#refuseIfOver();
    const item = this.#outbox.put("end");
    this.#hasEnd = true;
    this.#pump();
    await this.#until(() => item.isAnswered);
  }

  /** Leaves at once; what is not answered yet is not. */
  close() {
    this.#finish();
  }

  /** @returns {AsyncIterator<StreamEvent, void, undefined>} */
  [Symbol.asyncIterator]() {
    return {
      next: async () => {
        await this.#until(() => this.#events.length > 0, false);
        const event = this.#events.shift();
        if (event) return { value: event, done: false };
        if (this.#error && !this.#isErrorTold) {
          this.#isErrorTold = true;
          throw this.#error;
        }
        return { value: undefined, done: true };
      },
      return: async () => {
        this.close();
        return { value: undefined, done: true };
      },
    };
  }

  #abort = () => this.#finish(this.#signal?.reason);

  /** Sends what there is room for. */
  #pump() {
    for (let item; this.#isStarted && (item = this.#outbox.next()); ) {
      if (item.kind === "end" && !this.#outbox.hasSent && this.#toldBefore.size) {
        this.#close(); // everything was answered over an earlier connection
        return;
      }
      if (item.boxes) this.#socket.send(item.boxes);
      this.#socket.send(item.message);
      this.#timer ??= setTimeout(this.#expire, this.#timeoutMs);
    }
    this.#wake();
  }

  #connect() {
    const socket = this.#open();
    let isOpen = false;
    this.#socket = socket;
    this.#restartTimer(true);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      isOpen = true;
      socket.send(this.#config);
    };
    socket.onmessage = (/** @type {{data: string}} */ { data }) => {
      if (socket === this.#socket) this.#take(JSON.parse(data));
    };
    socket.onerror = () => {}; // a close follows
    socket.onclose = async () => {
      if (socket !== this.#socket) return;
      this.#isStarted = false;
      const error = isOpen ? broken() : await this.#reason();
      if (socket === this.#socket) this.#lose(error);
    };
  }

  /** @param {any} event */
  #take(event) {
    if (typeof event.received_frames === "number") {
      this.#outbox.credit(event.received_frames, event.credits);
    }
    switch (event.event) {
      case "started":
        this.#windowS = event.clip_frames * event.sample_interval_s;
        this.#tell(this.#wasStarted ? { ...event, reconnected: true } : event);
        this.#isStarted = this.#wasStarted = true;
        this.#reconnects.opened();
        break;
      case "credits":
        break;
      case "end":
        this.#close();
        return;
      case "error":
        this.#lose(DeepharError.of(event));
        return;
      default:
        this.#note(event);
    }
    this.#pump();
    this.#restartTimer(this.#outbox.isOwed);
  }

  /**
   * Tells of an event, unless it was told over an earlier connection, and forgets frames that no window needs any more.
   * @param {any} event
   */
  #note(event) {
    const { event: kind, time_s: timeS } = event;
    if (kind === "flushed") {
      this.#outbox.flushed();
    } else if (typeof timeS === "number") {
      if (timeS <= (this.#toldBefore.get(kind) ?? -Infinity)) return;
      this.#toldBefore.delete(kind);
      this.#told.set(kind, timeS);
      this.#outbox.forget(timeS - this.#windowS);
    }
    this.#reconnects.useful();
    this.#tell(event);
  }

  /** @param {StreamEvent} event */
  #tell(event) {
    this.#events.push(event);
    this.#wake();
  }

  /** @param {boolean} isAwaited Whether the service must send something. */
  #restartTimer(isAwaited) {
    clearTimeout(this.#timer);
    this.#timer = isAwaited && !this.#isOver ? setTimeout(this.#expire, this.#timeoutMs) : undefined;
  }

  #expire = () => {
    const detail = `no event came within ${this.#timeoutMs / 1000} s; allow more by timeoutMs`;
    this.#lose(new DeepharError("deadline_exceeded", detail), true);
  };

  /**
   * Connects anew, or ends the stream with the error.
   * @param {unknown} error
   * @param {boolean} [isSilent] Whether the connection may only be dead.
   */
  #lose(error, isSilent = false) {
    if (this.#isOver) return;
    const mayPass = isSilent || (error instanceof DeepharError && FOR_THE_PRESENT.has(error.code));
    const waitMs = this.#wasStarted && mayPass ? this.#reconnects.waitMs() : undefined;
    if (waitMs === undefined) {
      this.#finish(error);
      return;
    }
    this.#leave();
    this.#outbox.again();
    this.#toldBefore = new Map(this.#told);
    this.#timer = setTimeout(() => this.#connect(), waitMs);
  }

  /** Leaves the present connection. */
  #leave() {
    this.#restartTimer(false);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isStarted = false;
    socket?.close();
  }

  /** Ends it, with everything answered. */
  #close() {
    this.#outbox.ended();
    this.#finish();
  }

  /** @param {unknown} [error] */
  #finish(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#leave();
    this.#outbox.clear();
    this.#wake();
  }

  #refuseIfOver() {
    if (this.#isOver || this.#hasEnd) throw this.#error ?? closed();
  }

  #wake() {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  /**
   * Waits for a condition.
   * @param {() => boolean} condition
   * @param {boolean} [isNeeded] Whether it is an error that the stream ends before.
   */
  async #until(condition, isNeeded = true) {
    while (!condition()) {
      if (this.#isOver) {
        if (isNeeded) throw this.#error ?? closed();
        return;
      }
      await new Promise((resolve) => this.#waiting.add(() => resolve(undefined)));
    }
  }
}

function broken() {
  return new DeepharError("unreachable", "the connection of the stream broke; open a new one");
}

function closed() {
  return new DOMException("the stream is closed; open a new one", "AbortError");
}
