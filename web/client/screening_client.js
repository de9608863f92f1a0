// Keeps the seats of one screening up to date, over a WebSocket if possible and otherwise by polling.

import { nextAfter } from './close_codes.js';
import { LiveClient, ProtocolError } from './live_client.js';
import { Poller } from './poller.js';
import { SeatPicture } from './seat_picture.js';

/**
 * The details of the events of a `ScreeningClient`, in addition to those of all clients.
 *
 * @typedef {object} OwnEvents
 * @property {import('./seat_picture.js').Change} seats seats have changed, whatever the cause
 * @property {import('./seat_picture.js').Change} snapshot all seats were replaced; `seats` follows
 * @property {{seats: number, available: number}} altered the screening's seats, times, price or room were changed
 * @property {{seat_ids: number[], expires_at: string, remaining_seconds: number}} expiring own seats expire soon
 * @property {Offer} offered seats are reserved for the user, who has waited for them
 * @property {{id: number, seat_id: number}} free a seat is free about which the user wanted to be told
 * @property {{open: boolean}} sales sales have opened or closed
 * @property {{epoch: number, seq: number, mismatches: number}} mismatch the seats were not the server's, as its hash shows;
 *   they are loaded again
 * @property {null} cancelled the venue has cancelled or deleted the screening
 * @property {{resumed: boolean}} open the server has confirmed a socket; no snapshot follows if `resumed`
 *
 * @typedef {import('./live_client.js').LiveEvents & OwnEvents} ScreeningEvents
 */

/**
 * Seats that were reserved for a user who has waited for them.
 *
 * @typedef {object} Offer
 * @property {number} id
 * @property {number[]} seat_ids
 * @property {number} reservation_id
 * @property {string} expires_at
 * @property {number} remaining_seconds
 */

/**
 * The seats of a screening, kept up to date.
 *
 * @extends {LiveClient<ScreeningEvents>}
 */
export class ScreeningClient extends LiveClient {
  #poller;
  #picture;
  #screeningId;
  /** How often the seats were not the server's. */
  mismatches = 0;
  /** How often that was so since a hash has agreed. */
  #inVain = 0;
  /** The last warning. */
  #warned = '';

  /**
   * @param {string | URL} baseUrl of the server
   * @param {number} screeningId
   * @param {import('./credentials.js').Token} token of the user, or a function that fetches one
   * @param {import('./live_client.js').Options} [options]
   */
  constructor(baseUrl, screeningId, token, options = {}) {
    super(baseUrl, token, options);
    this.#screeningId = screeningId;
    this.#picture = new SeatPicture(this.environment.limits.seats);
    const polled = this.url(`api/v1/seat-reservations/screening/${screeningId}/availability/me`);
    const headers = this.accessCode === undefined ? {} : { 'X-Access-Code': this.accessCode };
    this.#poller = new Poller(polled.href, headers, this.credentials, this.environment, {
      onSeats: (entries, position) => this.#announce(this.#picture.replace(entries, position)),
      onAnswer: () => this.become('polling'),
      onFailure: (error) => {
        this.become('connecting');
        this.emit('error', error);
      },
      onStop: (closeReason) => this.dismissed(closeReason, nextAfter(closeReason)),
    });
  }

  /** The known seats by id. Read-only. */
  get seats() {
    return this.#picture.seats;
  }

  /**
   * @override @protected
   * @param {string | undefined} token
   */
  address(token) {
    const { seq, epoch } = this.#picture;
    const query = { token, access_code: this.accessCode, updates: 'bulk', state_hash: 'true', since: seq, epoch };
    return this.socketUrl(`ws/screenings/${this.#screeningId}`, query);
  }

  /**
   * @override @protected
   * @param {any} message
   */
  take(message) {
    switch (message.type) {
      case 'connection_confirmed':
        this.#confirmed(message);
        break;
      case 'seat_update':
      case 'bulk_seat_update':
        this.#updated(message);
        break;
      case 'sales_opened':
      case 'sales_ended':
        this.#picture.reach(message.epoch, message.seq);
        this.emit('sales', { open: message.type === 'sales_opened' });
        break;
      case 'screening_cancelled':
        this.#picture.reach(message.epoch, message.seq);
        this.emit('cancelled', null);
        break;
      case 'state_hash':
        this.#compare(message);
        break;
      case 'hold_expiring':
        this.#expiring(message);
        break;
      case 'waitlist_offered':
        this.#told('offered', message);
        break;
      case 'seat_free':
        this.#told('free', message);
        break;
      case 'screening_changed':
        this.emit('altered', { seats: message.seats, available: message.available });
        if (message.epoch !== this.#picture.epoch) this.connection.renew();
        break;
      case 'error':
        this.emit('error', new ProtocolError(`${message.code}: ${message.message}`));
        break;
    }
  }

  /**
   * @override @protected
   * @param {number} failures
   * @param {boolean} blocked
   */
  down(failures, blocked) {
    if (!this.#poller.running) this.become('connecting');
    if (blocked || failures >= this.environment.limits.attemptsBeforePolling) this.#poller.start();
  }

  /** @override @protected */
  end() {
    super.end();
    this.#poller.stop();
  }

  /** @param {any} message */
  #confirmed({ epoch }) {
    // A pending poll may return older data than the socket.
    this.#poller.stop();
    this.#picture.begin();
    // Epoch 0 announces a snapshot.
    const resumed = epoch !== 0;
    this.emit('open', { resumed });
    if (resumed) this.works();
  }

  /** @param {any} message */
  #updated(message) {
    if (message.snapshot !== true && message.epoch !== this.#picture.epoch) {
      // The screening was loaded again; reconnecting lets the server resume from the old position.
      this.connection.renew();
      return;
    }
    const change = this.#picture.take(message);
    if (change === null) return;
    this.#announce(change);
    this.works();
  }

  /** @param {any} message */
  #compare({ epoch, seq, hash }) {
    const agrees = this.#picture.agrees({ epoch, seq, hash });
    if (agrees === null) return;
    if (agrees) {
      this.#picture.reach(epoch, seq);
      this.#inVain = 0;
      return;
    }
    this.mismatches += 1;
    this.#inVain += 1;
    this.emit('mismatch', { epoch, seq, mismatches: this.mismatches });
    // After the 1st, 2nd, 4th, 8th mismatch in a row: if loading all seats does not help, doing so ever again would
    // only burden the server.
    if ((this.#inVain & (this.#inVain - 1)) === 0) {
      this.#picture.distrust();
      this.connection.renew();
    }
  }

  /** @param {any} message */
  #expiring({ seat_ids, expires_at, remaining_seconds, epoch, seq }) {
    this.#picture.reach(epoch, seq);
    // A server that takes the screening over after a crash does not know which warnings were sent.
    const warning = `${seat_ids} ${expires_at}`;
    if (warning === this.#warned) return;
    this.#warned = warning;
    this.emit('expiring', { seat_ids, expires_at, remaining_seconds });
  }

  /**
   * @param {string} name
   * @param {any} message
   */
  #told(name, { type: _, screening_id: __, timestamp: ___, epoch, seq, ...details }) {
    this.#picture.reach(epoch, seq);
    this.emit(name, details);
  }

  /** @param {import('./seat_picture.js').Change} change */
  #announce(change) {
    if (change.replaced) this.emit('snapshot', change);
    if (change.changed.length > 0 || change.removed.length > 0) this.emit('seats', change);
  }
}
