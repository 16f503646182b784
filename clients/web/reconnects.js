/** When a stream that lost its connection opens the next one, and when it gives up. */

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 4_000;
const MOST_IN_VAIN = 5; // connections in a row that brought no event

export class Reconnects {
  #isWanted;
  #patienceMs;
  #tries = 0;
  #inVain = 0;
  #lostMs = 0;

  /**
   * @param {boolean} isWanted
   * @param {number} patienceMs How long it is tried.
   */
  constructor(isWanted, patienceMs) {
    this.#isWanted = isWanted;
    this.#patienceMs = patienceMs;
  }

  /** A connection was opened. */
  opened() {
    this.#tries = this.#lostMs = 0;
    this.#inVain++;
  }

  /** It has brought something new. */
  useful() {
    this.#inVain = 0;
  }

  /** Returns after how many milliseconds to connect; undefined: it is given up. */
  waitMs() {
    this.#lostMs ||= Date.now();
    const isTooLong = Date.now() - this.#lostMs > this.#patienceMs;
    if (!this.#isWanted || isTooLong || this.#inVain > MOST_IN_VAIN) return undefined;
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
  }
}
