// Pauses between attempts: exponential backoff with full jitter, so that the clients of a restarted server do not all
// reconnect at once. (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)

export class Backoff {
  #limits;
  #random;
  #longestMs;
  #attempt = 0;

  /**
   * @param {import('./limits.js').Limits} limits
   * @param {() => number} random from 0 to below 1
   * @param {number} [longestMs] upper bound of the pauses, if it is below that of the limits
   */
  constructor(limits, random, longestMs = Infinity) {
    this.#limits = limits;
    this.#random = random;
    this.#longestMs = Math.min(longestMs, limits.longestDelayMs);
  }

  /** @returns {number} milliseconds to wait before the next attempt */
  next() {
    const bound = Math.min(this.#longestMs, this.#limits.firstDelayMs * 2 ** this.#attempt);
    // Stop counting at the bound, so that the power does not overflow.
    if (bound < this.#longestMs) this.#attempt += 1;
    return this.#random() * bound;
  }

  /** Start again with short pauses. */
  reset() {
    this.#attempt = 0;
  }
}
