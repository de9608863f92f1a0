// What all clients have in common: an address, a token, a connection, events, and a state that says where the news
// comes from.

import { systemClock } from './clock.js';
import { Connection } from './connection.js';
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

/** A message is not what the server's documentation says. */
export class ProtocolError extends Error {
  name = 'ProtocolError';
}

/**
 * Events: `state` with `{state, previous}`, and with `code` and `reason` where the server ended it; `unauthorized`
 * with `{code, reason}`; `error` with an `Error`, which is for a log: the client goes on by itself. All are
 * `CustomEvent`s with these as their `detail`.
 *
 * @abstract
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
    /** @protected */
    this.connection = new Connection((token) => this.address(token), this.credentials, this.environment, {
      onOpen: () => this.opened(),
      onMessage: (message) => this.#heard(message),
      onDown: (failures, blocked) => this.down(failures, blocked),
      onStop: (farewell, next) => this.dismissed(farewell, next),
      onError: (error) => this.tell('error', error),
    });
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Connect, and stay connected. A client that was closed remains so. */
  open() {
    if (this.#state !== 'idle') return;
    this.become('connecting');
    this.connection.open();
  }

  /** End everything, for good. What is known stays. */
  close() {
    this.end();
    this.become('closed');
  }

  // What the kinds of clients fill in

  /**
   * @protected
   * @abstract
   * @param {string | undefined} _token
   * @returns {string} where to connect to
   */
  address(_token) {
    throw new Error('Clients of each kind have their own');
  }

  /** The socket is open. @protected */
  opened() {}

  /**
   * A message came; what it throws makes the client connect anew.
   *
   * @protected
   * @param {any} _message
   */
  take(_message) {}

  /**
   * There is no connection; another attempt follows.
   *
   * @protected
   * @param {number} _failures attempts in a row that came to nothing
   * @param {boolean} _blocked whether the browser did not even let it try
   */
  down(_failures, _blocked) {
    this.become('connecting');
  }

  /** Stop all that goes on. @protected */
  end() {
    this.connection.close();
  }

  // What they use

  /** The connection has brought what it is for. @protected */
  works() {
    this.connection.works();
    this.become('live');
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
   * @param {Record<string, string | number | undefined>} query what is undefined is left out
   * @returns {string}
   */
  socketUrl(path, query) {
    const url = this.url(path);
    url.protocol = url.protocol.replace('http', 'ws');
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
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
    this.end();
    if (next === Next.NEW_TOKEN) this.tell('unauthorized', farewell);
    this.become('closed', farewell);
  }

  /** @param {any} message */
  #heard(message) {
    try {
      this.take(message);
    } catch (error) {
      // Nothing was changed, so another connection can bring the same again.
      this.tell('error', error);
      this.connection.renew();
    }
  }
}
