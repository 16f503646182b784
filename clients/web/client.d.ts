export class Client {
    /**
     * @param {object} [options]
     * @param {string} [options.address] Of the service, as http://localhost:8080; of a page its own origin.
     * @param {string} [options.apiKey] A key, or a token.
     * @param {typeof fetch} [options.fetch] Another one than the platform's.
     * @param {any} [options.WebSocket] Another one than the platform's; Node has one of its own from version 22 on.
     * @param {number} [options.timeoutMs] Of each call, with its retries; of event streams until the next event.
     */
    constructor({ address, apiKey, fetch, WebSocket, timeoutMs }?: {
        address?: string | undefined;
        apiKey?: string | undefined;
        fetch?: typeof globalThis.fetch | undefined;
        WebSocket?: any;
        timeoutMs?: number | undefined;
    });
    /**
     * Returns the models of the service, with card and layout.
     * @param {CallOptions} [call]
     * @returns {Promise<Model[]>}
     */
    models(call?: CallOptions): Promise<Model[]>;
    /**
     * Returns the models, and those of which so much is missing that they have no card.
     * @param {CallOptions} [call]
     * @returns {Promise<ModelCatalogue>}
     */
    catalogue(call?: CallOptions): Promise<ModelCatalogue>;
    /**
     * Returns the people in a picture.
     * @param {Binary} picture JPEG, PNG, WebP, BMP, HEIC or AVIF.
     * @param {PoseOptions} [options]
     * @param {CallOptions} [call]
     * @returns {Promise<PoseAnswer>}
     */
    pose(picture: Binary, options?: PoseOptions, call?: CallOptions): Promise<PoseAnswer>;
    /**
     * Returns the picture with the skeletons drawn in.
     * @param {Binary} picture
     * @param {PoseOptions} [options]
     * @param {CallOptions & {type?: "image/jpeg" | "image/png"}} [call]
     * @returns {Promise<Blob>}
     */
    poseDrawn(picture: Binary, options?: PoseOptions, { type, ...call }?: CallOptions & {
        type?: "image/jpeg" | "image/png";
    }): Promise<Blob>;
    /**
     * Returns the people in a picture in the format of another program.
     * @param {Binary} picture
     * @param {PoseFormat} format
     * @param {ExportOptions<PoseOptions>} [options]
     * @param {CallOptions} [call]
     * @returns {Promise<string>}
     */
    poseExport(picture: Binary, format: PoseFormat, options?: ExportOptions<PoseOptions>, call?: CallOptions): Promise<string>;
    /**
     * Returns the actions in a video.
     * @param {Binary | Binary[]} video MP4, WebM, MKV, AVI or MOV; or pictures, with the option `fps` or `timestamps_ms`.
     * @param {ActionsOptions} [options]
     * @param {CallOptions} [call]
     * @returns {Promise<ActionsAnswer>}
     */
    actions(video: Binary | Binary[], options?: ActionsOptions, call?: CallOptions): Promise<ActionsAnswer>;
    /**
     * Returns the video with skeletons and actions drawn in, as MP4 with its sound. `timeoutMs` is that of each part.
     * @param {Binary} video
     * @param {ActionsOptions} [options]
     * @param {CallOptions} [call]
     * @returns {Promise<Blob>}
     */
    actionsDrawn(video: Binary, options?: ActionsOptions, call?: CallOptions): Promise<Blob>;
    /**
     * Returns the joints in a video in the format of another program. `timeoutMs` is that of each part.
     * @param {Binary | Binary[]} video
     * @param {ActionsFormat} format
     * @param {ExportOptions<ActionsOptions>} [options]
     * @param {CallOptions} [call]
     * @returns {Promise<string>}
     */
    actionsExport(video: Binary | Binary[], format: ActionsFormat, options?: ExportOptions<ActionsOptions>, call?: CallOptions): Promise<string>;
    /**
     * Yields the events of a video as they become known; the last is `answer`, the whole answer.
     * @param {Binary | Binary[]} video
     * @param {ActionsOptions} [options]
     * @param {CallOptions} [call]
     * @returns {AsyncGenerator<VideoEvent, void, undefined>}
     */
    actionEvents(video: Binary | Binary[], options?: ActionsOptions, { signal, timeoutMs }?: CallOptions): AsyncGenerator<VideoEvent, void, undefined>;
    /**
     * Opens a live stream.
     * @param {StreamConfig} [config] The service's options of a stream.
     * @param {StreamCallOptions} [call]
     */
    stream(config?: StreamConfig, call?: StreamCallOptions): Stream;
    #private;
}
export type Action = import("./types.js").Action;
export type ActionEvent = import("./types.js").ActionEvent;
export type ActionsAnswer = import("./types.js").ActionsAnswer;
export type ActionsFormat = import("./types.js").ActionsFormat;
export type ActionsOptions = import("./types.js").ActionsOptions;
export type AnswerEvent = import("./types.js").AnswerEvent;
export type Binary = import("./types.js").Binary;
export type CallOptions = import("./types.js").CallOptions;
export type ExportOptions<Options> = import("./types.js").ExportOptions<Options>;
export type FlushedEvent = import("./types.js").FlushedEvent;
export type FrameErrorEvent = import("./types.js").FrameErrorEvent;
export type Keypoint = import("./types.js").Keypoint;
export type Layout = import("./types.js").Layout;
export type Model = import("./types.js").Model;
export type ModelCatalogue = import("./types.js").ModelCatalogue;
export type Person = import("./types.js").Person;
export type PoseAnswer = import("./types.js").PoseAnswer;
export type PoseEvent = import("./types.js").PoseEvent;
export type PoseFormat = import("./types.js").PoseFormat;
export type PoseOptions = import("./types.js").PoseOptions;
export type RawPicture = import("./types.js").RawPicture;
export type Segment = import("./types.js").Segment;
export type SegmentEvent = import("./types.js").SegmentEvent;
export type StartedEvent = import("./types.js").StartedEvent;
export type StreamCallOptions = import("./types.js").StreamCallOptions;
export type StreamConfig = import("./types.js").StreamConfig;
export type StreamEvent = import("./types.js").StreamEvent;
export type TrackedBox = import("./types.js").TrackedBox;
export type VideoEvent = import("./types.js").VideoEvent;
import { DeepharError } from "./errors.js";
import { Stream } from "./stream.js";
export { DeepharError, Stream };
