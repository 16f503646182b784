/**
 * Client of deephar-serve for browsers and Node: poses of pictures, actions of videos, live streams.
 *
 *     const client = new Client({ address: "http://localhost:8080" });
 *     const answer = await client.pose(file);
 */

import { Deadline } from "./deadline.js";
import { DeepharError } from "./errors.js";
import { Stream } from "./stream.js";

export { DeepharError, Stream };

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").ActionEvent} ActionEvent */
/** @typedef {import("./types.js").ActionsAnswer} ActionsAnswer */
/** @typedef {import("./types.js").ActionsFormat} ActionsFormat */
/** @typedef {import("./types.js").ActionsOptions} ActionsOptions */
/** @typedef {import("./types.js").AnswerEvent} AnswerEvent */
/** @typedef {import("./types.js").Binary} Binary */
/** @typedef {import("./types.js").CallOptions} CallOptions */
/**
 * @template Options
 * @typedef {import("./types.js").ExportOptions<Options>} ExportOptions
 */
/** @typedef {import("./types.js").FlushedEvent} FlushedEvent */
/** @typedef {import("./types.js").FrameErrorEvent} FrameErrorEvent */
/** @typedef {import("./types.js").Keypoint} Keypoint */
/** @typedef {import("./types.js").Layout} Layout */
/** @typedef {import("./types.js").Model} Model */
/** @typedef {import("./types.js").ModelCatalogue} ModelCatalogue */
/** @typedef {import("./types.js").Person} Person */
/** @typedef {import("./types.js").PoseAnswer} PoseAnswer */
/** @typedef {import("./types.js").PoseEvent} PoseEvent */
/** @typedef {import("./types.js").PoseFormat} PoseFormat */
/** @typedef {import("./types.js").PoseOptions} PoseOptions */
/** @typedef {import("./types.js").RawPicture} RawPicture */
/** @typedef {import("./types.js").Segment} Segment */
/** @typedef {import("./types.js").SegmentEvent} SegmentEvent */
/** @typedef {import("./types.js").StartedEvent} StartedEvent */
/** @typedef {import("./types.js").StreamCallOptions} StreamCallOptions */
/** @typedef {import("./types.js").StreamConfig} StreamConfig */
/** @typedef {import("./types.js").StreamEvent} StreamEvent */
/** @typedef {import("./types.js").TrackedBox} TrackedBox */
/** @typedef {import("./types.js").VideoEvent} VideoEvent */

const MP4 = "video/mp4";
const NDJSON = "application/x-ndjson";
const LONGEST_RETRY_S = 10;
const TRIES = 3;
const JSON_HEADERS = { Accept: "application/json" };

export class Client {
  #address;
  #headers;
  #fetch;
  #WebSocket;
  #apiKey;
  #timeoutMs;

  /**
   * @param {object} [options]
   * @param {string} [options.address] Of the service, as http://localhost:8080; of a page its own origin.
   * @param {string} [options.apiKey] A key, or a token.
   * @param {typeof fetch} [options.fetch] Another one than the platform's.
   * @param {any} [options.WebSocket] Another one than the platform's; Node has one of its own from version 22 on.
   * @param {number} [options.timeoutMs] Of each call, with its retries; of event streams until the next event.
   */
  constructor({ address = globalThis.location?.origin, apiKey, fetch, WebSocket, timeoutMs = 60_000 } = {}) {
    if (!/^https?:\/\//.test(address ?? "")) {
      throw new TypeError("address must begin with http:// or https://, as http://localhost:8080");
    }
    this.#address = String(address).replace(/\/+$/, "");
    this.#apiKey = apiKey;
    this.#headers = /** @type {Record<string, string>} */ (apiKey ? { Authorization: `Bearer ${apiKey}` } : {});
    this.#fetch = fetch ?? ((/** @type {any} */ ...asked) => globalThis.fetch(.../** @type {[any]} */ (asked)));
    this.#WebSocket = WebSocket ?? globalThis.WebSocket;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Returns the models of the service, with card and layout.
   * @param {CallOptions} [call]
   * @returns {Promise<Model[]>}
   */
  async models(call) {
    return (await this.catalogue(call)).models;
  }

  /**
   * Returns the models, and those of which so much is missing that they have no card.
   * @param {CallOptions} [call]
   * @returns {Promise<ModelCatalogue>}
   */
  async catalogue(call) {
    const { models, incomplete = [] } = await this.#answer("/v1/models", { headers: JSON_HEADERS }, call, json);
    return { models, incomplete };
  }

  /**
   * Returns the people in a picture.
   * @param {Binary} picture JPEG, PNG, WebP, BMP, HEIC or AVIF.
   * @param {PoseOptions} [options]
   * @param {CallOptions} [call]
   * @returns {Promise<PoseAnswer>}
   */
  pose(picture, options, call) {
    return this.#answer("/v1/pose", post(form("image", picture, options), JSON_HEADERS.Accept), call, json);
  }

  /**
   * Returns the picture with the skeletons drawn in.
   * @param {Binary} picture
   * @param {PoseOptions} [options]
   * @param {CallOptions & {type?: "image/jpeg" | "image/png"}} [call]
   * @returns {Promise<Blob>}
   */
  poseDrawn(picture, options, { type = "image/jpeg", ...call } = {}) {
    return this.#answer("/v1/pose", post(form("image", picture, options), type), call, (answer) => answer.blob());
  }

  /**
   * Returns the people in a picture in the format of another program.
   * @param {Binary} picture
   * @param {PoseFormat} format
   * @param {ExportOptions<PoseOptions>} [options]
   * @param {CallOptions} [call]
   * @returns {Promise<string>}
   */
  poseExport(picture, format, options, call) {
    return this.#answer("/v1/pose", post(form("image", picture, { ...options, format }), "*/*"), call, text);
  }

  /**
   * Returns the actions in a video.
   * @param {Binary | Binary[]} video MP4, WebM, MKV, AVI or MOV; or pictures, with the option `fps` or `timestamps_ms`.
   * @param {ActionsOptions} [options]
   * @param {CallOptions} [call]
   * @returns {Promise<ActionsAnswer>}
   */
  actions(video, options, call) {
    const asked = post(videoForm(video, options), JSON_HEADERS.Accept);
    return this.#answer("/v1/actions", asked, call, json, false);
  }

  /**
   * Returns the video with skeletons and actions drawn in, as MP4 with its sound. `timeoutMs` is that of each part.
   * @param {Binary} video
   * @param {ActionsOptions} [options]
   * @param {CallOptions} [call]
   * @returns {Promise<Blob>}
   */
  async actionsDrawn(video, options, call) {
    const parts = [];
    for await (const part of this.#parts(post(videoForm(video, options), MP4), call)) parts.push(part);
    return new Blob(/** @type {BlobPart[]} */ (parts), { type: MP4 });
  }

  /**
   * Returns the joints in a video in the format of another program. `timeoutMs` is that of each part.
   * @param {Binary | Binary[]} video
   * @param {ActionsFormat} format
   * @param {ExportOptions<ActionsOptions>} [options]
   * @param {CallOptions} [call]
   * @returns {Promise<string>}
   */
  async actionsExport(video, format, options, call) {
    const decoder = new TextDecoder();
    let document = "";
    for await (const part of this.#parts(post(videoForm(video, { ...options, format }), "*/*"), call)) {
      document += decoder.decode(part, { stream: true });
    }
    return document + decoder.decode();
  }

  /**
   * Yields the events of a video as they become known; the last is `answer`, the whole answer.
   * @param {Binary | Binary[]} video
   * @param {ActionsOptions} [options]
   * @param {CallOptions} [call]
   * @returns {AsyncGenerator<VideoEvent, void, undefined>}
   */
  async *actionEvents(video, options, { signal, timeoutMs = this.#timeoutMs } = {}) {
    const time = new Deadline(signal, timeoutMs);
    try {
      const response = await this.#response("/v1/actions", post(videoForm(video, options), NDJSON), time);
      for await (const line of linesOf(response, time)) {
        const event = JSON.parse(line);
        if (event.event === "error") throw DeepharError.of(event);
        yield event;
        if (event.event === "answer") return;
        time.restart();
      }
      throw new DeepharError("unreachable", "the connection broke before the answer was whole; send the video again");
    } finally {
      time.end();
    }
  }

  /**
   * Opens a live stream.
   * @param {StreamConfig} [config] The service's options of a stream.
   * @param {StreamCallOptions} [call]
   */
  stream(config = {}, call = {}) {
    if (!this.#WebSocket) {
      throw new TypeError("there is no WebSocket here; give one: new Client({WebSocket}) (in Node: of the package ws)");
    }
    const protocols = this.#apiKey ? ["deephar", `deephar.key.${this.#apiKey}`] : [];
    const address = `${this.#address.replace(/^http/, "ws")}/v1/stream`;
    const open = () => new this.#WebSocket(address, protocols);
    // A browser does not tell why a WebSocket was refused. A small request is refused for the same reasons.
    const reason = async () => {
      try {
        await this.#once("/v1/models", { headers: JSON_HEADERS }, new Deadline(call.signal, 5_000), json);
      } catch (error) {
        return error;
      }
      const detail = "the stream was refused: too many are open, or pages of this origin may not open any; try again";
      return new DeepharError("unavailable", detail);
    };
    return new Stream(open, reason, config, { timeoutMs: this.#timeoutMs, ...call });
  }

  /**
   * Yields the parts of an answer of `/v1/actions` as they come.
   * @param {RequestInit} asked
   * @param {CallOptions} [call]
   */
  async *#parts(asked, { signal, timeoutMs = this.#timeoutMs } = {}) {
    const time = new Deadline(signal, timeoutMs);
    try {
      const response = await this.#response("/v1/actions", asked, time);
      const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
      for (;;) {
        const { value, done } = await time.reaching(reader.read());
        if (done) return;
        yield value;
        time.restart();
      }
    } finally {
      time.end();
    }
  }

  /**
   * Returns what is made of an answer. Tries again what is safe to be asked twice.
   * @template T
   * @param {string} path
   * @param {RequestInit} asked
   * @param {CallOptions | undefined} call
   * @param {(response: Response) => Promise<T>} read
   * @param {boolean} [again] Whether the service may be asked again after it has refused for the present.
   * @returns {Promise<T>}
   */
  async #answer(path, asked, { signal, timeoutMs = this.#timeoutMs } = {}, read, again = true) {
    const time = new Deadline(signal, timeoutMs);
    try {
      for (let tried = 1; ; tried++) {
        try {
          return await this.#once(path, asked, time, read);
        } catch (error) {
          const waitS = again ? retryAfterS(error, asked.method !== "POST") : undefined;
          if (waitS === undefined || tried === TRIES || waitS * 1000 >= time.leftMs) throw error;
          await time.of(new Promise((resolve) => setTimeout(resolve, waitS * 1000)));
        }
      }
    } finally {
      time.end();
    }
  }

  /**
   * @template T
   * @param {string} path
   * @param {RequestInit} asked
   * @param {Deadline} time
   * @param {(response: Response) => Promise<T>} read
   */
  async #once(path, asked, time, read) {
    return time.reaching(read(await this.#response(path, asked, time)));
  }

  /**
   * Returns an answer whose status is no error.
   * @param {string} path
   * @param {RequestInit} asked
   * @param {Deadline} time
   */
  async #response(path, asked, time) {
    const headers = { .../** @type {Record<string, string>} */ (asked.headers), ...this.#headers };
    const answering = this.#fetch(this.#address + path, { ...asked, headers, signal: time.signal });
    const nobody = `the service cannot be reached at ${this.#address}; start it (make serve), or give its address`;
    const response = await time.reaching(answering, nobody);
    if (!response.ok) throw await time.reaching(DeepharError.ofResponse(response));
    return response;
  }
}

/**
 * Returns after how many seconds to ask again; undefined: never.
 * @param {unknown} error
 * @param {boolean} isGet
 */
function retryAfterS(error, isGet) {
  if (!(error instanceof DeepharError)) return undefined;
  const refused = error.status === 429 || error.status === 503;
  const waitS = error.retryAfterS ?? (isGet && (refused || error.code === "unreachable") ? 1 : undefined);
  return waitS !== undefined && (refused || isGet) && waitS <= LONGEST_RETRY_S ? waitS : undefined;
}

/** @param {Response} response */
function json(response) {
  return response.json();
}

/** @param {Response} response */
function text(response) {
  return response.text();
}

/**
 * @param {FormData} body
 * @param {string} type
 */
function post(body, type) {
  return { method: "POST", body, headers: { Accept: type } };
}

/**
 * Returns the form of a request. Options that are null or undefined are left out.
 * @param {string} field
 * @param {Binary | Binary[]} files
 * @param {Record<string, any>} [options]
 */
function form(field, files, options = {}) {
  const data = new FormData();
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && value !== null) {
      data.append(name, typeof value === "object" ? JSON.stringify(value) : String(value));
    }
  }
  for (const file of Array.isArray(files) ? files : [files]) {
    data.append(field, file instanceof Blob ? file : new Blob([/** @type {BlobPart} */ (file)]), "file");
  }
  return data;
}

/**
 * @param {Binary | Binary[]} video
 * @param {Record<string, any>} [options]
 */
function videoForm(video, options) {
  return form(Array.isArray(video) ? "frames" : "video", video, options);
}

/**
 * Yields the lines of an answer as they come.
 * @param {Response} response
 * @param {Deadline} time
 */
async function* linesOf(response, time) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { value, done } = await time.reaching(reader.read());
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim()) yield line;
    if (done) return;
  }
}
