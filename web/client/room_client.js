// Seats that are selected in rooms, as everybody in a room sees them. Selections outlive connections on the server,
// rooms that one is in do not; so after every connection the client joins all of them again, and is told anew what is
// selected there.

import { LiveClient, ProtocolError } from './live_client.js';

/**
 * @typedef {object} Selection
 * @property {string} room_id
 * @property {string} seat_id
 * @property {string} client_id who selected it
 * @property {object} [user_info] what that client told about its user
 * @property {string | null} [timestamp]
 * @property {string | null} [expires_at]
 * @property {'booked'} [status] of a seat that is sold
 */

/**
 * Besides the events of `LiveClient`: `joined` with `{room_id, selections}` whenever a room's selections were told
 * anew; `selected`, `released` and `booked` with a `Selection`, whoever did it; `refused` with `{room_id, seat_id,
 * code, message}` when nothing has come of what was asked for; without a `seat_id` one is not in the room.
 */
export class RoomClient extends LiveClient {
  #clientId;
  /** Those that are wanted, and what is selected in them, by seats. @type {Map<string, Map<string, Selection>>} */
  #rooms = new Map();
  /** Whose `current_selections` come next: where there are none, these do not say it. @type {string | null} */
  #entered = null;

  /**
   * @param {string | URL} baseUrl of the server
   * @param {string} clientId one's name, by which the server finds the selections of a client that returns
   * @param {import('./live_client.js').Options & {token?: import('./credentials.js').Token}} [options] without a
   *   `token` one is a guest
   */
  constructor(baseUrl, clientId, options = {}) {
    super(baseUrl, options.token, options);
    this.#clientId = clientId;
  }

  get clientId() {
    return this.#clientId;
  }

  /**
   * @param {string} roomId
   * @returns {Map<string, Selection>} what is selected in a room, by seats, as far as it is known. Not to be changed.
   */
  selections(roomId) {
    return this.#rooms.get(roomId) ?? new Map();
  }

  /**
   * Be in a room, from now on or as soon as there is a connection.
   *
   * @param {string} roomId
   * @throws {RangeError} one is in so many already
   */
  join(roomId) {
    const limit = this.environment.limits.subscriptions;
    if (this.#rooms.has(roomId)) return;
    if (this.#rooms.size >= limit) throw new RangeError(`At most ${limit} rooms can be joined`);
    this.#rooms.set(roomId, new Map());
    this.#enter(roomId);
  }

  /** Be in a room no longer. What is selected there stays so. @param {string} roomId */
  leave(roomId) {
    if (this.#rooms.delete(roomId)) this.connection.send({ type: 'leave_room', room_id: roomId });
  }

  /**
   * Select a seat. What comes of it is told by `selected` or `refused`.
   *
   * @param {string} roomId
   * @param {string} seatId
   * @param {object} [userInfo] shown to others
   * @returns {boolean} whether it could be sent; it is not kept for later
   */
  select(roomId, seatId, userInfo = {}) {
    return this.connection.send({ type: 'select_seat', room_id: roomId, seat_id: seatId, user_info: userInfo });
  }

  /**
   * Give a seat back. What comes of it is told by `released` or `refused`.
   *
   * @param {string} roomId
   * @param {string} seatId
   * @returns {boolean} whether it could be sent
   */
  release(roomId, seatId) {
    return this.connection.send({ type: 'release_seat', room_id: roomId, seat_id: seatId });
  }

  /**
   * @override @protected
   * @param {string | undefined} token
   */
  address(token) {
    return this.socketUrl(`ws/${encodeURIComponent(this.#clientId)}`, { token });
  }

  /** @override @protected */
  opened() {
    // The server does not greet; its first answer shows that it has admitted the client.
    this.connection.send({ type: 'ping' });
    for (const roomId of this.#rooms.keys()) this.#enter(roomId);
  }

  /**
   * @override @protected
   * @param {any} message
   */
  take(message) {
    this.works();
    switch (message.type) {
      case 'room_joined':
        this.#entered = message.room_id;
        break;
      case 'current_selections':
        this.#replaced(message.selections);
        break;
      case 'seat_selected':
        this.#changed('selected', message);
        break;
      case 'seat_booked':
        this.#changed('booked', { ...message, status: 'booked' });
        break;
      case 'seat_released':
        this.#changed('released', message);
        break;
      case 'error':
        this.#refused(message);
        break;
    }
  }

  /** @param {string} roomId */
  #enter(roomId) {
    this.connection.send({ type: 'join_room', room_id: roomId });
  }

  /** @param {any} selections */
  #replaced(selections) {
    const { seats } = this.environment.limits;
    if (!Array.isArray(selections) || selections.length > seats) throw new ProtocolError('No list of selections');
    const roomId = this.#entered;
    if (roomId === null || !this.#rooms.has(roomId)) return;
    this.#rooms.set(roomId, new Map(selections.map((selection) => [selection.seat_id, selection])));
    this.tell('joined', { room_id: roomId, selections });
  }

  /**
   * @param {'selected' | 'booked' | 'released'} what
   * @param {any} message
   */
  #changed(what, { type: _, ...selection }) {
    const room = this.#rooms.get(selection.room_id);
    if (room === undefined) return;
    if (what === 'released') room.delete(selection.seat_id);
    else if (room.size < this.environment.limits.seats) room.set(selection.seat_id, selection);
    else throw new ProtocolError(`More than ${this.environment.limits.seats} seats`);
    this.tell(what, selection);
  }

  /** @param {any} message */
  #refused({ type: _, timestamp: __, ...refusal }) {
    // Without a seat it is the room that cannot be had.
    if (refusal.seat_id === undefined) this.#rooms.delete(refusal.room_id);
    this.tell('refused', refusal);
  }
}
