// The client's token, or a function that fetches one whenever it is needed; undefined for guests.

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
   * @returns {Promise<string | undefined>} the token, freshly fetched if there is a function for it
   * @throws {Error} the function failed or took too long
   */
  async current() {
    const token = this.#token;
    if (typeof token !== 'function') return token;
    // Call it inside a promise, so that throwing and rejecting are handled alike.
    return within(this.#clock, this.#limits.answerMs, Promise.resolve().then(token), 'The token');
  }

  /** The server has accepted the token. */
  accepted() {
    this.#refusals = 0;
  }

  /**
   * The server has rejected the token.
   *
   * @returns {boolean} whether to try another one: only if there is a function that fetches tokens, and the rejected
   *   token was not itself fetched after a rejection
   */
  refused() {
    this.#refusals += 1;
    return typeof this.#token === 'function' && this.#refusals < 2;
  }
}
