// What all clients have in common: an address, a token, events, and a state that says where the news comes from.

import { systemClock } from './clock.js';
import { Credentials } from './credentials.js';
import { Next } from './farewells.js';
import { limitsWith } from './limits.js';

/**
 * @typedef {'idle' | 'connecting' | 'live' | 'polling' | 'closed'} State
 *   `idle` before `open`; `connecting` while nothing brings news; `live` while the socket does, `polling` while
 *   polls do; `closed` for good.
 */

/**
 * @typedef {object} Options
 * @property {Partial<import('./limits.js').Limits>} [limits]
 * @property {typeof WebSocket} [WebSocket] in place of the global one
 * @property {typeof fetch} [fetch] in place of the global one
 * @property {import('./clock.js').Clock} [clock]
 * @property {() => number} [random] from 0 to below 1
 */

/**
 * Events: `state` with `{state, previous}`, and with `code` and `reason` where the server ended it; `unauthorized`
 * with `{code, reason}`; `error` with an `Error`, which is for a log: the client goes on by itself. All are
 * `CustomEvent`s with these as their `detail`.
 */
export class LiveClient extends EventTarget {
  /** @type {State} */
  #state = 'idle';
  #base;

  /**
   * @param {string | URL} baseUrl of the server, e.g. "https://tickets.example/"; in a page of the server's own,
   *   `location.origin`
   * @param {import('./credentials.js').Token} token
   * @param {Options} options
   * @throws {TypeError | RangeError} the address is none, or a limit makes no sense
   */
  constructor(baseUrl, token, options) {
    super();
    this.#base = new URL(baseUrl);
    if (!this.#base.pathname.endsWith('/')) this.#base.pathname += '/';
    /** @protected @type {import('./connection.js').Environment} */
    this.environment = {
      WebSocket: options.WebSocket ?? globalThis.WebSocket,
      fetch: options.fetch ?? globalThis.fetch,
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
      limits: limitsWith(options.limits),
    };
    /** @protected */
    this.credentials = new Credentials(token, this.environment.clock, this.environment.limits);
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /**
   * @protected
   * @param {string} path
   * @returns {URL}
   */
  url(path) {
    return new URL(path, this.#base);
  }

  /**
   * @protected
   * @param {string} path
   * @param {Record<string, string | number>} query
   * @returns {string}
   */
  socketUrl(path, query) {
    const url = this.url(path);
    url.protocol = url.protocol.replace('http', 'ws');
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    return url.href;
  }

  /**
   * @protected
   * @param {string} name
   * @param {unknown} detail
   */
  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /**
   * @protected
   * @param {State} state
   * @param {object} [details]
   */
  become(state, details = {}) {
    const previous = this.#state;
    if (state === previous || previous === 'closed') return;
    this.#state = state;
    this.tell('state', { state, previous, ...details });
  }

  /**
   * Told not to come back.
   *
   * @protected
   * @param {import('./farewells.js').Farewell} farewell
   * @param {string} next
   */
  dismissed(farewell, next) {
    if (next === Next.NEW_TOKEN) this.tell('unauthorized', farewell);
    this.become('closed', farewell);
  }
}
