// The seats of one screening, kept up to date: over a WebSocket wherever it can be had, by polling where it cannot.

import { nextAfter } from './farewells.js';
import { LiveClient, ProtocolError } from './live_client.js';
import { Poller } from './poller.js';
import { SeatPicture } from './seat_picture.js';

/**
 * Besides the events of `LiveClient`: `seats` with a `Change` whenever the picture changed, whatever the cause;
 * `snapshot` with the same when all seats were told anew, before its `seats`; `open` with `{resumed}` whenever a
 * socket was confirmed, `resumed` where it goes on from what is known.
 */
export class ScreeningClient extends LiveClient {
  #poller;
  #picture;
  #screeningId;

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
    this.#poller = new Poller(polled.href, this.credentials, this.environment, {
      onSeats: (entries, position) => this.#announce(this.#picture.replace(entries, position)),
      onAnswer: () => this.become('polling'),
      onFailure: (error) => {
        this.become('connecting');
        this.tell('error', error);
      },
      onStop: (farewell) => this.dismissed(farewell, nextAfter(farewell)),
    });
  }

  /** All seats by their ids, as far as they are known. Not to be changed. */
  get seats() {
    return this.#picture.seats;
  }

  /**
   * @override @protected
   * @param {string | undefined} token
   */
  address(token) {
    const { seq, epoch } = this.#picture;
    const query = { token, updates: 'bulk', since: seq, epoch };
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
      case 'error':
        this.tell('error', new ProtocolError(`${message.code}: ${message.message}`));
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
    // An answer that is under way may be older than what the socket says next.
    this.#poller.stop();
    this.#picture.begin();
    // Epoch 0 announces a snapshot.
    const resumed = epoch !== 0;
    this.tell('open', { resumed });
    if (resumed) this.works();
  }

  /** @param {any} message */
  #updated(message) {
    if (message.snapshot !== true && message.epoch !== this.#picture.epoch) {
      // The screening was loaded anew: only what the server makes of the old position is certain.
      this.connection.renew();
      return;
    }
    const change = this.#picture.take(message);
    if (change === null) return;
    this.#announce(change);
    this.works();
  }

  /** @param {import('./seat_picture.js').Change} change */
  #announce(change) {
    if (change.replaced) this.tell('snapshot', change);
    if (change.changed.length > 0 || change.removed.length > 0) this.tell('seats', change);
  }
}
