/** The time of a call. */

import { DeepharError } from "./errors.js";

/** Ends by its signal what takes too long, or what the caller has aborted. */
export class Deadline {
  #controller = new AbortController();
  #outer;
  #ms;
  #endsMs = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #abort = () => this.#controller.abort(this.#outer?.reason);

  /**
   * @param {AbortSignal | undefined} outer The caller's.
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
    const detail = `no answer came within ${this.#ms / 1000} s; allow more by timeoutMs`;
    const over = () => this.#controller.abort(new DeepharError("deadline_exceeded", detail));
    this.#timer = setTimeout(over, this.#ms);
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

  /**
   * As `of`, of what comes over the connection: where that breaks, it is `unreachable`.
   * @template T
   * @param {Promise<T>} work
   * @param {string} [detail]
   */
  async reaching(work, detail = "the connection broke before the answer was whole; try again") {
    try {
      return await this.of(work);
    } catch (cause) {
      if (this.signal.aborted || cause instanceof DeepharError) throw cause;
      throw new DeepharError("unreachable", detail, { cause });
    }
  }
}
