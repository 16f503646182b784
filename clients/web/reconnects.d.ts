export class Reconnects {
    /**
     * @param {boolean} isWanted
     * @param {number} patienceMs How long it is tried.
     */
    constructor(isWanted: boolean, patienceMs: number);
    /** A connection was opened. */
    opened(): void;
    /** It has brought something new. */
    useful(): void;
    /** Returns after how many milliseconds to connect; undefined: it is given up. */
    waitMs(): number | undefined;
    #private;
}
