/** Errors of the client, by the service's codes (docs/api.md). */

/** @type {Record<number, string>} */
const BY_STATUS = {
  401: "unauthenticated", 403: "permission_denied", 404: "not_found", 408: "request_timeout", 413: "payload_too_large",
  429: "overloaded", 502: "unavailable", 503: "unavailable", 504: "unavailable",
};

/**
 * What the service refused, or that it could not be reached (`unreachable`) or did not answer in time
 * (`deadline_exceeded`).
 */
export class DeepharError extends Error {
  /**
   * @param {string} code Stable name of the error, the same on all transports.
   * @param {string} detail What is wrong, and what to do.
   * @param {{status?: number, retryAfterS?: number, requestId?: string, cause?: unknown}} [more]
   */
  constructor(code, detail, { status, retryAfterS, requestId, cause } = {}) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = "DeepharError";
    this.code = code;
    this.detail = detail;
    /** HTTP's, where it is an answer. */
    this.status = status;
    /** Seconds after which to try again. */
    this.retryAfterS = retryAfterS;
    /** Names the request in the service's log. */
    this.requestId = requestId;
  }

  /**
   * Returns the error in a problem, of an answer or of a stream.
   * @param {Record<string, any>} problem
   * @param {number} [retryAfterS]
   */
  static of(problem, retryAfterS) {
    const { code, detail, status, request_id: requestId } = problem;
    return new DeepharError(String(code), String(detail), { status, retryAfterS, requestId });
  }

  /**
   * Returns the error in an answer whose status is one.
   * @param {Response} response
   */
  static async ofResponse(response) {
    const after = Number(response.headers.get("Retry-After") || NaN);
    const retryAfterS = Number.isFinite(after) ? after : undefined;
    try {
      const problem = JSON.parse(await response.text());
      if (typeof problem.code === "string") return DeepharError.of(problem, retryAfterS);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    }
    const { status } = response; // not the service's own: of a proxy before it
    const code = BY_STATUS[status] ?? (status < 500 ? "invalid_argument" : "internal");
    const requestId = response.headers.get("X-Request-ID") ?? undefined;
    const detail = `HTTP ${status}, and no problem of deephar-serve; is the address right?`;
    return new DeepharError(code, detail, { status, retryAfterS, requestId });
  }
}
