/**
 * Client of deephar-serve for browsers and Node: poses of pictures, actions of videos, live streams.
 *
 *     const client = new Client({ address: "http://localhost:8080" });
 *     const answer = await client.pose(file);
 */

import { DeepharError } from "./errors.js";
import { Stream } from "./stream.js";

export { DeepharError, Stream };

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
    this.#headers = apiKey ? { Authorization: `Bearer ${apiKey}` } : {};
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
    return (await this.#answer("/v1/models", { headers: JSON_HEADERS }, call, json)).models;
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
   * Yields the events of a video as they become known; the last is `answer`, the whole answer.
   * @param {Binary | Binary[]} video
   * @param {ActionsOptions} [options]
   * @param {CallOptions} [call]
   * @returns {AsyncGenerator<VideoEvent, void, undefined>}
   */
  async *actionEvents(video, options, { signal, timeoutMs = this.#timeoutMs } = {}) {
    const time = new Deadline(signal, timeoutMs);
    try {
      const response = await time.of(this.#response("/v1/actions", post(videoForm(video, options), NDJSON), time));
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
          const waitS = again && error instanceof DeepharError ? retryAfterS(error, asked.method !== "POST") : undefined;
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
    const response = await this.#response(path, asked, time);
    return reached(time, read(response));
  }

  /**
   * Returns an answer whose status is no error.
   * @param {string} path
   * @param {RequestInit} asked
   * @param {Deadline} time
   */
  async #response(path, asked, time) {
    const headers = { ...asked.headers, ...this.#headers };
    const { signal } = time;
    const response = await reached(time, this.#fetch(this.#address + path, { ...asked, headers, signal }), this.#address);
    if (!response.ok) throw await reached(time, DeepharError.ofResponse(response));
    return response;
  }
}

/** The time of a call, and its caller's signal. */
class Deadline {
  #controller = new AbortController();
  #outer;
  #ms;
  #endsMs = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #abort = () => this.#controller.abort(this.#outer?.reason);

  /**
   * @param {AbortSignal | undefined} outer
   * @param {number} ms
   */
  constructor(outer, ms) {
    this.#outer = outer;
    this.#ms = ms;
    if (outer?.aborted) this.#abort();
    else outer?.addEventListener("abort", this.#abort, { once: true });
    this.restart();
  }

  get signal() {
    return this.#controller.signal;
  }

  get leftMs() {
    return this.#endsMs - Date.now();
  }

  restart() {
    clearTimeout(this.#timer);
    this.#endsMs = Date.now() + this.#ms;
    const error = new DeepharError("deadline_exceeded", `no answer came within ${this.#ms / 1000} s; allow more by timeoutMs`);
    this.#timer = setTimeout(() => this.#controller.abort(error), this.#ms);
  }

  /** Ends it, and what is still in work under its signal. */
  end() {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#abort);
    this.#controller.abort();
  }

  /**
   * Returns what comes of the work, unless the time is over first.
   * @template T
   * @param {Promise<T>} work
   * @returns {Promise<T>}
   */
  of(work) {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }
}

/**
 * Returns what comes over the connection; where that breaks, says so.
 * @template T
 * @param {Deadline} time
 * @param {Promise<T>} work
 * @param {string} [address]
 */
async function reached(time, work, address) {
  try {
    return await time.of(work);
  } catch (cause) {
    if (time.signal.aborted || cause instanceof DeepharError) throw cause;
    const detail = address
      ? `the service cannot be reached at ${address}; start it (make serve), or give its address`
      : "the connection broke before the answer was whole; try again";
    throw new DeepharError("unreachable", detail, { cause });
  }
}

/**
 * Returns after how many seconds to ask again; undefined: never.
 * @param {DeepharError} error
 * @param {boolean} isGet
 */
function retryAfterS(error, isGet) {
  const refused = error.status === 429 || error.status === 503;
  const waitS = error.retryAfterS ?? (isGet && (refused || error.code === "unreachable") ? 1 : undefined);
  return waitS !== undefined && (refused || isGet) && waitS <= LONGEST_RETRY_S ? waitS : undefined;
}

/** @param {Response} response */
function json(response) {
  return response.json();
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
 * @param {ActionsOptions} [options]
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
    const { value, done } = await reached(time, reader.read());
    const lines = (rest + decoder.decode(value, { stream: !done })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line.trim()) yield line;
    if (done) return;
  }
}
