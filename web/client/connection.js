// A connection that comes back: one link after another, with pauses in between, until it is closed or told to stay
// away. It knows nothing of what is said on it, so every kind of client stands on it.

import { Backoff } from './backoff.js';
import { Next, nextAfter } from './farewells.js';
import { Link } from './link.js';

/**
 * @typedef {object} Environment what a client works with
 * @property {typeof WebSocket} WebSocket
 * @property {typeof fetch} fetch
 * @property {import('./clock.js').Clock} clock
 * @property {() => number} random from 0 to below 1
 * @property {import('./limits.js').Limits} limits
 */

/**
 * @typedef {object} ConnectionHandlers
 * @property {() => void} onOpen a link is open; the server has not said anything yet
 * @property {(message: any) => void} onMessage a message came
 * @property {(failures: number, blocked: boolean) => void} onDown a link ended or could not be made, and another
 *   one follows: how many in a row came to nothing, and whether the browser did not even let it try
 * @property {(farewell: import('./farewells.js').Farewell, next: string) => void} onStop told not to come back
 * @property {(error: unknown) => void} onError something went wrong that is worth a line in a log
 */

export class Connection {
  #address;
  #credentials;
  #environment;
  #handlers;
  #backoff;
  /** @type {Link | null} */
  #link = null;
  #timer;
  #wanted = false;
  /** Attempts are asynchronous; one that was overtaken by `close` or `renew` finds another number here. */
  #turn = 0;
  #failures = 0;
  /** Since when the link has worked; null while it has not. @type {number | null} */
  #worksSince = null;

  /**
   * @param {(token: string | undefined) => string} address of the WebSocket, asked for before every attempt
   * @param {import('./credentials.js').Credentials} credentials
   * @param {Environment} environment
   * @param {ConnectionHandlers} handlers
   */
  constructor(address, credentials, environment, handlers) {
    this.#address = address;
    this.#credentials = credentials;
    this.#environment = environment;
    this.#handlers = handlers;
    this.#backoff = new Backoff(environment.limits, environment.random);
  }

  /** Connect, and stay connected. */
  open() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#connect();
  }

  /** Disconnect, and stay disconnected. */
  close() {
    this.#wanted = false;
    this.#turn += 1;
    this.#environment.clock.clearTimeout(this.#timer);
    this.#link?.drop();
    this.#link = null;
  }

  /** Give the link up and make another one after a pause. */
  renew() {
    if (!this.#wanted || this.#link === null) return;
    this.#link.drop();
    this.#lost(false);
  }

  /** To be called when the link has brought what it is for; until then it counts as a failed attempt. */
  works() {
    this.#worksSince ??= this.#environment.clock.now();
    this.#failures = 0;
  }

  /**
   * @param {object} message
   * @returns {boolean} whether there was a link to send it on
   */
  send(message) {
    return this.#link?.send(message) ?? false;
  }

  async #connect() {
    const turn = ++this.#turn;
    let token;
    try {
      token = await this.#credentials.current();
    } catch (error) {
      if (turn === this.#turn) this.#failed(error, false);
      return;
    }
    if (turn !== this.#turn) return;
    try {
      this.#link = new Link(this.#address(token), this.#environment, {
        onOpen: this.#handlers.onOpen,
        onMessage: (message) => {
          // A server that talks has looked at the token first.
          this.#credentials.accepted();
          this.#handlers.onMessage(message);
        },
        onEnd: (farewell) => this.#ended(farewell),
      });
    } catch (error) {
      this.#failed(error, true);
    }
  }

  /**
   * @param {unknown} error
   * @param {boolean} blocked
   */
  #failed(error, blocked) {
    this.#handlers.onError(error);
    // Whoever was told may have closed the connection.
    if (this.#wanted) this.#lost(blocked);
  }

  /** @param {import('./farewells.js').Farewell} farewell */
  #ended(farewell) {
    const next = nextAfter(farewell);
    if (next === Next.RETURN || (next === Next.NEW_TOKEN && this.#credentials.refused())) {
      this.#lost(false);
    } else {
      this.close();
      this.#handlers.onStop(farewell, next);
    }
  }

  /** @param {boolean} blocked */
  #lost(blocked) {
    const { clock, limits } = this.#environment;
    this.#link = null;
    if (this.#worksSince === null) this.#failures += 1;
    // A server that drops everybody soon after they came gets longer and longer pauses all the same.
    else if (clock.now() - this.#worksSince >= limits.stableMs) this.#backoff.reset();
    this.#worksSince = null;
    this.#timer = clock.setTimeout(() => this.#connect(), this.#backoff.next());
    this.#handlers.onDown(this.#failures, blocked);
  }
}
