// Pauses between attempts: exponential backoff with full jitter, so that the clients of a restarted server do not all
// reconnect at once. (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)

export class Backoff {
  #limits;
  #random;
  #attempt = 0;

  /**
   * @param {import('./limits.js').Limits} limits
   * @param {() => number} random from 0 to below 1
   */
  constructor(limits, random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** @returns {number} milliseconds to wait before the next attempt */
  next() {
    const { firstDelayMs, longestDelayMs } = this.#limits;
    const bound = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#attempt);
    // Stop counting at the bound, so that the power does not overflow.
    if (bound < longestDelayMs) this.#attempt += 1;
    return this.#random() * bound;
  }

  /** Start again with short pauses. */
  reset() {
    this.#attempt = 0;
  }
}
