/**
 * Returns a binary message: the header in network byte order, then the picture.
 * @param {ArrayBuffer | ArrayBufferView} picture
 * @param {number | bigint} frameId
 * @param {number} timestampMs
 * @param {{width: number, height: number}} size
 */
export function frame(picture: ArrayBuffer | ArrayBufferView, frameId: number | bigint, timestampMs: number, { width, height }: {
    width: number;
    height: number;
}): ArrayBuffer;
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
    /** Whether a frame would be sent at once. */
    get hasRoom(): boolean;
    /** Whether a frame was sent over the present connection. */
    get hasSent(): boolean;
    /** Whether the service must say something, as soon as it has worked. */
    get isOwed(): boolean;
    /**
     * Returns a new item, in its place.
     * @param {Item["kind"]} kind
     * @param {number} [timeS]
     */
    put(kind: Item["kind"], timeS?: number): Item;
    /** @param {Item} item */
    remove(item: Item): void;
    /** Returns the next item that may be sent, and counts it as sent. */
    next(): Item | undefined;
    /**
     * @param {number} received Frames that the service has received.
     * @param {number} free For how many more it has room.
     */
    credit(received: number, free: number): void;
    /** Everything up to the first flush is answered for good. */
    flushed(): void;
    /** Everything is answered. */
    ended(): void;
    /**
     * Forgets frames that no window needs any more.
     * @param {number} timeS Of the last of them.
     */
    forget(timeS: number): void;
    /** Makes ready for a new connection. */
    again(): void;
    clear(): void;
    #private;
}
export type Item = {
    kind: "frame" | "flush" | "end";
    /**
     * Absent while the picture is being read.
     */
    message?: string | ArrayBuffer | undefined;
    /**
     * Text that goes before the frame.
     */
    boxes?: string | undefined;
    timeS: number;
    isSent: boolean;
    isAnswered: boolean;
};
