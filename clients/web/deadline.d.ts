/** Ends by its signal what takes too long, or what the caller has aborted. */
export class Deadline {
    /**
     * @param {AbortSignal | undefined} outer The caller's.
     * @param {number} ms
     */
    constructor(outer: AbortSignal | undefined, ms: number);
    get signal(): AbortSignal;
    get leftMs(): number;
    restart(): void;
    /** Ends it, and what is still in work under its signal. */
    end(): void;
    /**
     * Returns what comes of the work, unless the time is over first.
     * @template T
     * @param {Promise<T>} work
     * @returns {Promise<T>}
     */
    of<T>(work: Promise<T>): Promise<T>;
    /**
     * As `of`, of what comes over the connection: where that breaks, it is `unreachable`.
     * @template T
     * @param {Promise<T>} work
     * @param {string} [detail]
     */
    reaching<T>(work: Promise<T>, detail?: string): Promise<T>;
    #private;
}
