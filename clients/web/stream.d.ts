/** Frames are sent by `send`; the events are those of `for await (const event of stream)`. */
export class Stream {
    /**
     * Opened by `Client.stream`.
     * @param {() => any} open Returns a new WebSocket.
     * @param {() => Promise<unknown>} reason Returns why one was refused.
     * @param {StreamConfig} config
     * @param {StreamCallOptions & {timeoutMs: number}} call
     */
    constructor(open: () => any, reason: () => Promise<unknown>, config: StreamConfig, { signal, timeoutMs, reconnect, reconnectMs }: StreamCallOptions & {
        timeoutMs: number;
    });
    /** Frames that `send` has dropped, since there was no room for them. */
    dropped: number;
    /** Whether a frame would be sent at once. */
    get canSend(): boolean;
    /** Resolves as soon as a frame would be sent at once. */
    get ready(): Promise<void>;
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
    send(picture: Binary | RawPicture, { timestampMs, frameId, boxes, drop }?: {
        timestampMs?: number | undefined;
        frameId?: number | bigint | undefined;
        boxes?: {
            id: number;
            box: [number, number, number, number];
        }[] | undefined;
        drop?: boolean | undefined;
    }): Promise<boolean>;
    /** Ends the running segments; resolves when everything that was sent before is answered. */
    flush(): Promise<void>;
    /** Ends the stream; resolves when everything is answered. */
    end(): Promise<void>;
    /** Leaves at once; what is not answered yet is not. */
    close(): void;
    /** @returns {AsyncIterator<StreamEvent, void, undefined>} */
    [Symbol.asyncIterator](): AsyncIterator<StreamEvent, void, undefined>;
    #private;
}
export type Binary = import("./types.js").Binary;
export type RawPicture = import("./types.js").RawPicture;
export type StreamCallOptions = import("./types.js").StreamCallOptions;
export type StreamConfig = import("./types.js").StreamConfig;
export type StreamEvent = import("./types.js").StreamEvent;
export type TrackedBox = import("./types.js").TrackedBox;
