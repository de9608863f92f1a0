// Who the client speaks for: a token, or a function that fetches one whenever one is needed; nobody, for guests.

import { within } from './clock.js';

/** @typedef {string | (() => string | Promise<string>) | undefined} Token */

export class Credentials {
  #token;
  #clock;
  #limits;
  #refusals = 0;

  /**
   * @param {Token} token
   * @param {import('./clock.js').Clock} clock
   * @param {import('./limits.js').Limits} limits
   */
  constructor(token, clock, limits) {
    this.#token = token;
    this.#clock = clock;
    this.#limits = limits;
  }

  /**
   * @returns {Promise<string | undefined>} a token, fetched anew where there is a function for it
   * @throws {Error} the function failed or took too long
   */
  async current() {
    const token = this.#token;
    if (typeof token !== 'function') return token;
    // Called in a promise, so that a function that throws is like one that rejects.
    return within(this.#clock, this.#limits.answerMs, Promise.resolve().then(token), 'The token');
  }

  /** The server took the token. */
  accepted() {
    this.#refusals = 0;
  }

  /**
   * The server refused the token.
   *
   * @returns {boolean} whether another one may do: not where there is only one, nor where the one that was
   *   fetched after a refusal is refused as well
   */
  refused() {
    this.#refusals += 1;
    return typeof this.#token === 'function' && this.#refusals < 2;
  }
}
