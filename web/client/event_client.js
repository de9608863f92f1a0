// Watches how many seats or tickets events have left. The server forgets subscriptions when a connection ends, and
// starts each with the current counts; so the client subscribes to all events again after every reconnection.

import { Backoff } from './backoff.js';
import { LiveClient, ProtocolError } from './live_client.js';

/**
 * @typedef {object} Counts
 * @property {number} eventId
 * @property {number} availableSeats
 * @property {number} seatCapacity
 */

/**
 * The end of own reservations of an event.
 *
 * @typedef {object} Expiring
 * @property {number} eventId
 * @property {string[]} reservationIds
 * @property {number} quantity
 * @property {string} expiresAt
 * @property {number} remainingSeconds
 */

/**
 * Tickets that were reserved for a customer who has waited for them.
 *
 * @typedef {object} TicketOffer
 * @property {number} eventId
 * @property {number} id
 * @property {string} reservationId
 * @property {number} quantity
 * @property {string} expiresAt
 * @property {number} remainingSeconds
 */

/**
 * The details of the events of an `EventClient`, in addition to those of all clients.
 *
 * @typedef {object} OwnEvents
 * @property {Counts} counts the counts of an event, after subscribing and whenever they change
 * @property {{eventId: number, availableSeats: number, cancelled: boolean}} booking tickets were sold or cancelled
 * @property {{eventId: number, open: boolean}} sales sales have opened or closed
 * @property {{eventId: number}} cancelled it is a screening, and the venue has cancelled or deleted it
 * @property {Expiring} expiring own reservations expire soon
 * @property {TicketOffer} offered tickets are reserved for the customer, who has waited for them
 * @property {{eventId: number, code: string, message: string}} refused the event may not be watched, which ends the
 *   subscription
 *
 * @typedef {import('./live_client.js').LiveEvents & OwnEvents} EventEvents
 */

/**
 * The counts of events, kept up to date.
 *
 * @extends {LiveClient<EventEvents>}
 */
export class EventClient extends LiveClient {
  /** Wanted events, and whether the server has confirmed each. @type {Map<number, boolean>} */
  #subscriptions = new Map();
  /** @type {Map<number, Counts>} */
  #counts = new Map();
  #retries;
  /** @type {any} */
  #retry;
  #sessionId;

  /**
   * @param {string | URL} baseUrl of the server
   * @param {import('./credentials.js').Token} token of the user, or a function that fetches one
   * @param {import('./live_client.js').Options & {sessionId?: string}} [options] `sessionId` of a guest of the public
   *   API, whose reservations are warned of as well; `token` may be undefined then
   */
  constructor(baseUrl, token, options = {}) {
    super(baseUrl, token, options);
    this.#sessionId = options.sessionId;
    this.#retries = new Backoff(this.environment.limits, this.environment.random);
  }

  /** The known counts of subscribed events by event id. Read-only. */
  get counts() {
    return this.#counts;
  }

  /**
   * Watch an event, now or as soon as the client is connected.
   *
   * @param {number} eventId
   * @throws {RangeError} the limit of watched events is reached
   */
  subscribe(eventId) {
    const limit = this.environment.limits.subscriptions;
    if (this.#subscriptions.has(eventId)) return;
    if (this.#subscriptions.size >= limit) throw new RangeError(`At most ${limit} events can be watched`);
    this.#subscriptions.set(eventId, false);
    if (this.state === 'live') this.#ask(eventId);
  }

  /** Stop watching an event. @param {number} eventId */
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
    return this.socketUrl('ws', { token, sessionId: this.#sessionId });
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
      case 'sales_opened':
      case 'sales_ended':
        if (this.#subscriptions.has(message.eventId)) {
          this.emit('sales', { eventId: message.eventId, open: message.type === 'sales_opened' });
        }
        break;
      case 'screening_cancelled':
        if (this.#subscriptions.has(message.eventId)) this.emit('cancelled', { eventId: message.eventId });
        break;
      case 'hold_expiring':
        this.#expiring(message);
        break;
      case 'waitlist_offered':
        this.#offered(message);
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
      throw new ProtocolError('Counts are not numbers');
    }
    // The server may have sent it before it received the unsubscription.
    if (!this.#subscriptions.has(eventId)) return;
    const counts = { eventId, availableSeats, seatCapacity };
    this.#counts.set(eventId, counts);
    this.emit('counts', counts);
  }

  /** @param {any} message */
  #booked({ type, eventId, availableSeats }) {
    if (!this.#subscriptions.has(eventId)) return;
    this.emit('booking', { eventId, availableSeats, cancelled: type === 'booking_cancelled' });
  }

  /** @param {any} message */
  #expiring({ type: _, timestamp: __, ...warning }) {
    if (this.#subscriptions.has(warning.eventId)) this.emit('expiring', warning);
  }

  /** @param {any} message */
  #offered({ type: _, timestamp: __, ...offer }) {
    if (this.#subscriptions.has(offer.eventId)) this.emit('offered', offer);
  }

  /** @param {any} message */
  #refused({ eventId, code, message }) {
    if (!this.#subscriptions.has(eventId)) {
      if (code !== 'not_subscribed') this.emit('error', new ProtocolError(`${code}: ${message}`));
    } else if (code === 'unavailable') {
      this.#subscriptions.set(eventId, false);
      const { clock } = this.environment;
      clock.clearTimeout(this.#retry);
      this.#retry = clock.setTimeout(() => this.#askForAll(), this.#retries.next());
    } else {
      this.#subscriptions.delete(eventId);
      this.#counts.delete(eventId);
      this.emit('refused', { eventId, code, message });
    }
  }
}
