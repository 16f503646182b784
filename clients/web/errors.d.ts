/**
 * What the service refused, or that it could not be reached (`unreachable`) or did not answer in time
 * (`deadline_exceeded`).
 */
export class DeepharError extends Error {
    /**
     * Returns the error in a problem, of an answer or of a stream.
     * @param {Record<string, any>} problem
     * @param {number} [retryAfterS]
     */
    static of(problem: Record<string, any>, retryAfterS?: number): DeepharError;
    /**
     * Returns the error in an answer whose status is one.
     * @param {Response} response
     */
    static ofResponse(response: Response): Promise<DeepharError>;
    /**
     * @param {string} code Stable name of the error, the same on all transports.
     * @param {string} detail What is wrong, and what to do.
     * @param {{status?: number, retryAfterS?: number, requestId?: string, cause?: unknown}} [more]
     */
    constructor(code: string, detail: string, { status, retryAfterS, requestId, cause }?: {
        status?: number;
        retryAfterS?: number;
        requestId?: string;
        cause?: unknown;
    });
    code: string;
    detail: string;
    /** HTTP's, where it is an answer. */
    status: number | undefined;
    /** Seconds after which to try again. */
    retryAfterS: number | undefined;
    /** Names the request in the service's log. */
    requestId: string | undefined;
}
