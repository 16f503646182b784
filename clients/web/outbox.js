/** What a stream sends, in its order and by credits, and what of it a new connection needs again. */

const HEADER_BYTES = 24;

/**
 * @typedef {object} Item
 * @property {"frame" | "flush" | "end"} kind
 * @property {ArrayBuffer | string} [message] Absent while the picture is being read.
 * @property {string} [boxes] Text that goes before the frame.
 * @property {number} timeS
 * @property {boolean} isSent
 * @property {boolean} isAnswered
 */

export class Outbox {
  /** @type {Item[]} */
  #queue = []; // not sent over the present connection
  /** @type {Item[]} */
  #kept = []; // sent over it
  #sent = 0; // frames
  #received = 0;
  #allowed = 0;

  /** Whether a frame would be sent at once. */
  get hasRoom() {
    return !this.#queue.length && this.#sent < this.#allowed;
  }

  /** Whether a frame was sent over the present connection. */
  get hasSent() {
    return this.#sent > 0;
  }

  /** Whether the service must say something, as soon as it has worked. */
  get isOwed() {
    const isHeldBack = this.#sent > 0 && this.#sent >= this.#allowed;
    return isHeldBack || this.#sent > this.#received || this.#kept.some((item) => item.kind !== "frame");
  }

  /**
   * Returns a new item, in its place.
   * @param {Item["kind"]} kind
   * @param {number} [timeS]
   */
  put(kind, timeS = 0) {
    /** @type {Item} */
    const item = { kind, timeS, isSent: false, isAnswered: false };
    if (kind !== "frame") item.message = JSON.stringify({ type: kind });
    this.#queue.push(item);
    return item;
  }

  /** @param {Item} item */
  remove(item) {
    this.#queue = this.#queue.filter((other) => other !== item);
  }

  /** Returns the next item that may be sent, and counts it as sent. */
  next() {
    const [item] = this.#queue;
    const isFrame = item?.kind === "frame";
    if (item?.message === undefined || (isFrame && this.#sent >= this.#allowed)) return undefined;
    this.#queue.shift();
    this.#kept.push(item);
    if (isFrame) this.#sent++;
    item.isSent = true;
    return item;
  }

  /**
   * @param {number} received Frames that the service has received.
   * @param {number} free For how many more it has room.
   */
  credit(received, free) {
    this.#received = received;
    this.#allowed = received + free;
  }

  /** Everything up to the first flush is answered for good. */
  flushed() {
    const flush = this.#kept.findIndex((item) => item.kind === "flush");
    if (flush >= 0) this.#kept.splice(0, flush + 1)[flush].isAnswered = true;
  }

  /** Everything is answered. */
  ended() {
    for (const item of this.#kept) item.isAnswered = true;
  }

  /**
   * Forgets frames that no window needs any more.
   * @param {number} timeS Of the last of them.
   */
  forget(timeS) {
    const isOld = (/** @type {Item} */ item) => item.kind === "frame" && item.timeS <= timeS;
    const flush = this.#kept.findIndex((item) => item.kind !== "frame");
    const last = this.#kept.findLastIndex(isOld); // times may begin anew: not the first that is younger
    this.#kept.splice(0, flush < 0 ? last + 1 : Math.min(last + 1, flush));
  }

  /** Makes ready for a new connection. */
  again() {
    this.#queue = [...this.#kept, ...this.#queue];
    this.#kept = [];
    this.#sent = this.#received = this.#allowed = 0;
  }

  clear() {
    this.#queue = this.#kept = [];
  }
}

/**
 * Returns a binary message: the header in network byte order, then the picture.
 * @param {ArrayBuffer | ArrayBufferView} picture
 * @param {number | bigint} frameId
 * @param {number} timestampMs
 * @param {{width: number, height: number}} size
 */
export function frame(picture, frameId, timestampMs, { width, height }) {
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
