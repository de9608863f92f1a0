// The common base of all clients: address, token, connection, events, and a state that says where updates come from.

import { systemClock } from './clock.js';
import { Connection } from './connection.js';
import { Credentials } from './credentials.js';
import { Next } from './close_codes.js';
import { limitsWith } from './limits.js';

/**
 * @typedef {'idle' | 'connecting' | 'live' | 'polling' | 'closed'} State
 *   `idle` before `open`; `connecting` while there are no updates; `live` while they come from the socket, `polling`
 *   while they come from polls; `closed` permanently.
 */

/**
 * @typedef {object} Options
 * @property {Partial<import('./limits.js').Limits>} [limits]
 * @property {typeof WebSocket} [WebSocket] in place of the global one
 * @property {typeof fetch} [fetch] in place of the global one
 * @property {import('./clock.js').Clock} [clock]
 * @property {() => number} [random] from 0 to below 1
 * @property {string} [accessCode] of a channel; the seats that are kept back for it are available to the client
 */

/** A message violates the documented protocol. */
export class ProtocolError extends Error {
  name = 'ProtocolError';
}

/**
 * The details of the events of all clients by name.
 *
 * @typedef {object} LiveEvents
 * @property {{state: State, previous: State, code?: number, reason?: string}} state the state changed; with `code` and
 *   `reason` if the server ended the connection
 * @property {import('./close_codes.js').CloseReason} unauthorized the token was rejected and there is no other one; the
 *   client is closed
 * @property {unknown} error a failure for the log, which the client handles itself
 */

/**
 * All events are `CustomEvent`s with a `detail`.
 *
 * @template {LiveEvents} [Events=LiveEvents] the details of its events by name
 * @abstract
 */
export class LiveClient extends EventTarget {
  /** @type {State} */
  #state = 'idle';
  #base;

  /**
   * @param {string | URL} baseUrl of the server, e.g. "https://tickets.example/"; or `location.origin`
   * @param {import('./credentials.js').Token} token
   * @param {Options} options
   * @throws {TypeError | RangeError} the URL or a limit is invalid
   */
  constructor(baseUrl, token, options) {
    super();
    this.#base = new URL(baseUrl);
    /** @protected @type {string | undefined} */
    this.accessCode = options.accessCode || undefined;
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
      onStop: (closeReason, next) => this.dismissed(closeReason, next),
      onError: (error) => this.emit('error', error),
    });
  }

  /**
   * @template {keyof Events & string} Name
   * @overload
   * @param {Name} name
   * @param {(event: CustomEvent<Events[Name]>) => void} listener
   * @param {boolean | AddEventListenerOptions} [options]
   * @returns {void}
   */
  /**
   * @overload
   * @param {string} name
   * @param {EventListenerOrEventListenerObject | null} listener
   * @param {boolean | AddEventListenerOptions} [options]
   * @returns {void}
   */
  /**
   * @override
   * @param {string} name
   * @param {any} listener
   * @param {boolean | AddEventListenerOptions} [options]
   */
  addEventListener(name, listener, options) {
    super.addEventListener(name, listener, options);
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Connect, and stay connected. A closed client cannot be opened again. */
  open() {
    if (this.#state !== 'idle') return;
    this.become('connecting');
    this.connection.open();
  }

  /** Disconnect permanently. The last known data remains readable. */
  close() {
    this.end();
    this.become('closed');
  }

  // Overridden by the clients

  /**
   * @protected
   * @abstract
   * @param {string | undefined} _token
   * @returns {string} URL of the WebSocket
   */
  address(_token) {
    throw new Error('Subclasses must override this');
  }

  /** The socket is open. @protected */
  opened() {}

  /**
   * A message arrived. If this throws, the client reconnects.
   *
   * @protected
   * @param {any} _message
   */
  take(_message) {}

  /**
   * The connection was lost; another attempt follows.
   *
   * @protected
   * @param {number} _failures failed attempts in a row
   * @param {boolean} _blocked whether the browser blocked the attempt
   */
  down(_failures, _blocked) {
    this.become('connecting');
  }

  /** Stop all timers and requests. @protected */
  end() {
    this.connection.close();
  }

  // Used by the clients

  /** The connection has proved useful. @protected */
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
   * @param {Record<string, string | number | undefined>} query entries that are undefined are omitted
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
  emit(name, detail) {
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
    this.emit('state', { state, previous, ...details });
  }

  /**
   * The connection ended for good.
   *
   * @protected
   * @param {import('./close_codes.js').CloseReason} closeReason
   * @param {string} next
   */
  dismissed(closeReason, next) {
    this.end();
    if (next === Next.NEW_TOKEN) this.emit('unauthorized', closeReason);
    this.become('closed', closeReason);
  }

  /** @param {any} message */
  #heard(message) {
    try {
      this.take(message);
    } catch (error) {
      // Nothing was changed, so a new connection can deliver the same message again.
      this.emit('error', error);
      this.connection.renew();
    }
  }
}
