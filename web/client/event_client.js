// How much is left of events, as many as are subscribed to. The server forgets subscriptions with the connection,
// and begins each with the present counts; so after every connection the client subscribes to all of them again.

import { Backoff } from './backoff.js';
import { LiveClient, ProtocolError } from './live_client.js';

/**
 * @typedef {object} Counts
 * @property {number} eventId
 * @property {number} availableSeats
 * @property {number} seatCapacity
 */

/**
 * Besides the events of `LiveClient`: `counts` with `Counts`, at first and whenever they change; `booking` with
 * `{eventId, availableSeats, cancelled}` when tickets were sold or cancelled; `refused` with `{eventId, code,
 * message}` when an event may not be watched, which ends its subscription.
 */
export class EventClient extends LiveClient {
  /** Which are wanted, and whether the server knows it. @type {Map<number, boolean>} */
  #subscriptions = new Map();
  /** @type {Map<number, Counts>} */
  #counts = new Map();
  #retries;
  #retry;

  /**
   * @param {string | URL} baseUrl of the server
   * @param {import('./credentials.js').Token} token of the user, or a function that fetches one
   * @param {import('./live_client.js').Options} [options]
   */
  constructor(baseUrl, token, options = {}) {
    super(baseUrl, token, options);
    this.#retries = new Backoff(this.environment.limits, this.environment.random);
  }

  /** The counts of every event that is subscribed to, by their ids, as far as they are known. Not to be changed. */
  get counts() {
    return this.#counts;
  }

  /**
   * Watch an event, from now on or as soon as there is a connection.
   *
   * @param {number} eventId
   * @throws {RangeError} so many are watched already
   */
  subscribe(eventId) {
    const limit = this.environment.limits.subscriptions;
    if (this.#subscriptions.has(eventId)) return;
    if (this.#subscriptions.size >= limit) throw new RangeError(`At most ${limit} events can be watched`);
    this.#subscriptions.set(eventId, false);
    if (this.state === 'live') this.#ask(eventId);
  }

  /** Watch an event no more. @param {number} eventId */
  unsubscribe(eventId) {
    if (!this.#subscriptions.delete(eventId)) return;
    this.#counts.delete(eventId);
    this.connection.send({ type: 'unsubscribe_event', eventId });
  }

  /**
   * @override @protected
   * @param {string | undefined} token
   */
  address(token) {
    return this.socketUrl('ws', { token });
  }

  /**
   * @override @protected
   * @param {any} message
   */
  take(message) {
    switch (message.type) {
      case 'connection_established':
        this.works();
        this.#askForAll();
        break;
      case 'subscribed':
        if (this.#subscriptions.has(message.eventId)) this.#subscriptions.set(message.eventId, true);
        this.#retries.reset();
        break;
      case 'seat_update':
        this.#counted(message);
        break;
      case 'booking_created':
      case 'booking_cancelled':
        this.#booked(message);
        break;
      case 'error':
        this.#refused(message);
        break;
    }
  }

  /**
   * @override @protected
   * @param {number} failures
   * @param {boolean} blocked
   */
  down(failures, blocked) {
    this.environment.clock.clearTimeout(this.#retry);
    for (const eventId of this.#subscriptions.keys()) this.#subscriptions.set(eventId, false);
    super.down(failures, blocked);
  }

  /** @override @protected */
  end() {
    super.end();
    this.environment.clock.clearTimeout(this.#retry);
  }

  /** @param {number} eventId */
  #ask(eventId) {
    this.connection.send({ type: 'subscribe_event', eventId });
  }

  #askForAll() {
    for (const [eventId, known] of this.#subscriptions) if (!known) this.#ask(eventId);
  }

  /** @param {any} message */
  #counted({ eventId, availableSeats, seatCapacity }) {
    if (!Number.isSafeInteger(availableSeats) || !Number.isSafeInteger(seatCapacity)) {
      throw new ProtocolError('Counts are no numbers');
    }
    // It may have been sent before the server heard that nobody wants it.
    if (!this.#subscriptions.has(eventId)) return;
    const counts = { eventId, availableSeats, seatCapacity };
    this.#counts.set(eventId, counts);
    this.tell('counts', counts);
  }

  /** @param {any} message */
  #booked({ type, eventId, availableSeats }) {
    if (!this.#subscriptions.has(eventId)) return;
    this.tell('booking', { eventId, availableSeats, cancelled: type === 'booking_cancelled' });
  }

  /** @param {any} message */
  #refused({ eventId, code, message }) {
    if (!this.#subscriptions.has(eventId)) {
      if (code !== 'not_subscribed') this.tell('error', new ProtocolError(`${code}: ${message}`));
    } else if (code === 'unavailable') {
      this.#subscriptions.set(eventId, false);
      const { clock } = this.environment;
      clock.clearTimeout(this.#retry);
      this.#retry = clock.setTimeout(() => this.#askForAll(), this.#retries.next());
    } else {
      this.#subscriptions.delete(eventId);
      this.#counts.delete(eventId);
      this.tell('refused', { eventId, code, message });
    }
  }
}
