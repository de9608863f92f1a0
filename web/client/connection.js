// A connection that reconnects: one link after another, with pauses between them, until it is closed or the server
// tells it not to come back. It does not interpret messages, so all kinds of clients use it.

import { Backoff } from './backoff.js';
import { Next, nextAfter } from './close_codes.js';
import { Link } from './link.js';

/**
 * @typedef {object} Environment the dependencies of a client
 * @property {typeof WebSocket} WebSocket
 * @property {typeof fetch} fetch
 * @property {import('./clock.js').Clock} clock
 * @property {() => number} random from 0 to below 1
 * @property {import('./limits.js').Limits} limits
 */

/**
 * @typedef {object} ConnectionHandlers
 * @property {() => void} onOpen a link is open; no message has arrived yet
 * @property {(message: any) => void} onMessage a message arrived
 * @property {(failures: number, blocked: boolean) => void} onDown a link ended or could not be opened, and
 *   another attempt follows; with the number of failures in a row, and whether the browser blocked the attempt
 * @property {(closeReason: import('./close_codes.js').CloseReason, next: string) => void} onStop the connection ended for good
 * @property {(error: unknown) => void} onError a failure for the log
 */

export class Connection {
  #address;
  #credentials;
  #environment;
  #handlers;
  #backoff;
  /** @type {Link | null} */
  #link = null;
  /** @type {any} */
  #timer;
  #wanted = false;
  /** Number of the current attempt. An asynchronous attempt that finds another number was superseded. */
  #turn = 0;
  #failures = 0;
  /** When the link began to work; null before that. @type {number | null} */
  #worksSince = null;

  /**
   * @param {(token: string | undefined) => string} address returns the URL of the WebSocket, before every attempt
   * @param {import('./credentials.js').Credentials} credentials
   * @param {Environment} environment
   * @param {ConnectionHandlers} handlers
   */
  constructor(address, credentials, environment, handlers) {
    this.#address = address;
    this.#credentials = credentials;
    this.#environment = environment;
    this.#handlers = handlers;
    this.#backoff = new Backoff(environment.limits, environment.random, environment.limits.longestReconnectMs);
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

  /** Drop the link and open another one after a pause. */
  renew() {
    if (!this.#wanted || this.#link === null) return;
    this.#link.drop();
    this.#lost(false);
  }

  /** Call this when the link has proved useful; until then it counts as a failed attempt. */
  works() {
    this.#worksSince ??= this.#environment.clock.now();
    this.#failures = 0;
  }

  /**
   * @param {object} message
   * @returns {boolean} whether it was sent
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
          // The server checks the token before it sends anything.
          this.#credentials.accepted();
          this.#handlers.onMessage(message);
        },
        onEnd: (closeReason) => this.#ended(closeReason),
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
    // The error handler may have closed the connection.
    if (this.#wanted) this.#lost(blocked);
  }

  /** @param {import('./close_codes.js').CloseReason} closeReason */
  #ended(closeReason) {
    const next = nextAfter(closeReason);
    if (next === Next.RETURN || (next === Next.NEW_TOKEN && this.#credentials.refused())) {
      this.#lost(false);
    } else {
      this.close();
      this.#handlers.onStop(closeReason, next);
    }
  }

  /** @param {boolean} blocked */
  #lost(blocked) {
    const { clock, limits } = this.#environment;
    this.#link = null;
    if (this.#worksSince === null) this.#failures += 1;
    // Pauses keep growing if the server drops connections soon after accepting them.
    else if (clock.now() - this.#worksSince >= limits.stableMs) this.#backoff.reset();
    this.#worksSince = null;
    this.#timer = clock.setTimeout(() => this.#connect(), this.#backoff.next());
    this.#handlers.onDown(this.#failures, blocked);
  }
}
