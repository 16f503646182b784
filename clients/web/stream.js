/** A live stream over a WebSocket: frames in by credits, events out, and a new connection where one is lost. */

import { DeepharError } from "./errors.js";

const HEADER_BYTES = 24;
const FOR_THE_PRESENT = new Set(["unreachable", "unavailable", "overloaded"]);
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4_000;
const MOST_IN_VAIN = 5; // connections in a row that brought no event

/**
 * @typedef {object} Item What was sent, or is to be, in order.
 * @property {"frame" | "flush" | "end"} kind
 * @property {ArrayBuffer | string} [message] Absent while the picture is being read.
 * @property {string} [boxes] Text that goes before the frame.
 * @property {number} [timeS]
 * @property {boolean} isSent
 * @property {boolean} isAnswered
 */

/** Frames are sent by `send`; the events are those of `for await (const event of stream)`. */
export class Stream {
  /** Frames that `send` has dropped, since there was no room for them. */
  dropped = 0;

  #open;
  #reason;
  #config;
  #timeoutMs;
  #reconnects;
  #reconnectMs;
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

  /** @type {Item[]} */
  #queue = []; // not sent over the present connection
  /** @type {Item[]} */
  #kept = []; // sent, and needed by the connection after this one
  #frames = 0;
  #hasEnd = false;
  #isStarted = false; // the present connection
  #wasStarted = false; // any
  #sent = 0;
  #received = 0;
  #allowed = 0;
  #windowS = 0;
  /** @type {Map<string, number>} */
  #told = new Map(); // time of the last event of each kind
  /** @type {Map<string, number>} */
  #toldBefore = new Map(); // over earlier connections
  #inVain = 0;
  #tries = 0;
  #lostMs = 0;

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
    this.#reconnects = reconnect;
    this.#reconnectMs = reconnectMs;
    this.#signal = signal;
    if (signal?.aborted) this.#abort();
    else this.#connect();
    signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** Whether a frame would be sent at once. */
  get canSend() {
    return this.#isStarted && !this.#hasEnd && !this.#queue.length && this.#sent < this.#allowed;
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
    const item = this.#put("frame");
    item.timeS = timestampMs / 1000;
    if (boxes) item.boxes = JSON.stringify({ type: "boxes", boxes });
    const size = "rgb" in picture ? picture : { width: 0, height: 0 };
    const data = "rgb" in picture ? picture.rgb : picture;
    try {
      item.message = frame(data instanceof Blob ? await data.arrayBuffer() : data, frameId, timestampMs, size);
    } catch (error) {
      this.#queue = this.#queue.filter((other) => other !== item);
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
    const item = this.#put("flush");
    item.message = JSON.stringify({ type: "flush" });
    this.#pump();
    await this.#until(() => item.isAnswered);
  }

  /** Ends the stream; resolves when everything is answered. */
  async end() {
    this.#refuseIfOver();
    const item = this.#put("end");
    item.message = JSON.stringify({ type: "end" });
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

  /**
   * Returns a new part of what is to be sent, in its place.
   * @param {Item["kind"]} kind
   */
  #put(kind) {
    /** @type {Item} */
    const item = { kind, isSent: false, isAnswered: false };
    this.#queue.push(item);
    return item;
  }

  /** Sends what there is room for. */
  #pump() {
    while (this.#isStarted && this.#queue.length) {
      const item = this.#queue[0];
      if (item.message === undefined || (item.kind === "frame" && this.#sent >= this.#allowed)) break;
      this.#queue.shift();
      if (item.boxes) this.#socket.send(item.boxes);
      this.#socket.send(item.message);
      if (item.kind === "frame") this.#sent++;
      item.isSent = true;
      this.#kept.push(item);
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
      this.#received = event.received_frames;
      this.#allowed = event.received_frames + event.credits;
    }
    switch (event.event) {
      case "started":
        this.#windowS = event.clip_frames * event.sample_interval_s;
        this.#tell(this.#wasStarted ? { ...event, reconnected: true } : event);
        this.#isStarted = this.#wasStarted = true;
        this.#lostMs = this.#tries = 0;
        break;
      case "credits":
        break;
      case "end":
        for (const item of this.#kept) item.isAnswered = true;
        this.#finish();
        return;
      case "error":
        this.#lose(DeepharError.of(event));
        return;
      default:
        this.#note(event);
    }
    this.#pump();
    this.#restartTimer(this.#sent > this.#received || this.#sent >= this.#allowed || this.#awaits());
  }

  /**
   * Tells of an event, unless it was told over an earlier connection, and forgets frames that no window needs any more.
   * @param {any} event
   */
  #note(event) {
    const { event: kind, time_s: timeS } = event;
    if (kind === "flushed") {
      const flush = this.#kept.findIndex((item) => item.kind === "flush");
      if (flush >= 0) this.#kept.splice(0, flush + 1)[flush].isAnswered = true;
    } else if (typeof timeS === "number") {
      if (timeS <= (this.#toldBefore.get(kind) ?? -Infinity)) return;
      this.#toldBefore.delete(kind);
      this.#told.set(kind, timeS);
      const last = this.#kept.findLastIndex(
        (item) => item.kind === "frame" && /** @type {number} */ (item.timeS) <= timeS - this.#windowS,
      );
      const flush = this.#kept.findIndex((item) => item.kind !== "frame");
      this.#kept.splice(0, flush < 0 ? last + 1 : Math.min(last + 1, flush));
    }
    this.#inVain = 0;
    this.#tell(event);
  }

  /** @param {StreamEvent} event */
  #tell(event) {
    this.#events.push(event);
    this.#wake();
  }

  /** Whether a flush or an end is not answered yet. */
  #awaits() {
    return this.#kept.some((item) => item.kind !== "frame");
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
    const mayPass = isSilent || (error instanceof DeepharError && FOR_THE_PRESENT.has(error.code));
    this.#lostMs ||= Date.now();
    const isTooLong = Date.now() - this.#lostMs > this.#reconnectMs;
    if (this.#isOver) return;
    if (this.#isStarted || !this.#tries) this.#inVain++;
    if (!this.#reconnects || !this.#wasStarted || !mayPass || isTooLong || this.#inVain > MOST_IN_VAIN) {
      this.#finish(error);
      return;
    }
    this.#leave();
    this.#queue = [...this.#kept, ...this.#queue];
    this.#kept = [];
    this.#sent = this.#received = this.#allowed = 0;
    this.#toldBefore = new Map(this.#told);
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
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

  /** @param {unknown} [error] */
  #finish(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#error = error;
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#leave();
    this.#queue = this.#kept = [];
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

/**
 * Returns a binary message: the header in network byte order, then the picture.
 * @param {ArrayBuffer | ArrayBufferView} picture
 * @param {number | bigint} frameId
 * @param {number} timestampMs
 * @param {{width: number, height: number}} size
 */
function frame(picture, frameId, timestampMs, { width, height }) {
  const bytes = ArrayBuffer.isView(picture)
    ? new Uint8Array(picture.buffer, picture.byteOffset, picture.byteLength)
    : new Uint8Array(picture);
  const message = new Uint8Array(HEADER_BYTES + bytes.length);
  const header = new DataView(message.buffer);
  header.setBigUint64(0, BigInt(frameId));
  header.setBigInt64(8, BigInt(Math.round(timestampMs * 1e6)));
  header.setUint32(16, width);
  header.setUint32(20, height);
  message.set(bytes, HEADER_BYTES);
  return message.buffer;
}
