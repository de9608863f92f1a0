// Selects seats in rooms and shows what others select. On the server selections survive a disconnect but room
// membership does not; so after every reconnection the client joins its rooms again and receives all their selections.

import { LiveClient, ProtocolError } from './live_client.js';

/**
 * @typedef {object} Selection
 * @property {string} room_id
 * @property {string} seat_id
 * @property {string} client_id the client that selected it
 * @property {object} [user_info] data that this client sent about its user
 * @property {string | null} [timestamp]
 * @property {string | null} [expires_at]
 * @property {'booked'} [status] only if the seat is sold
 * @property {string[]} [stranded] of an own selection: seats that it leaves alone, if the organiser warns of that
 * @property {string[][]} [alternatives] choices to make instead, with `stranded`
 */

/**
 * A request that the server has refused. Without a `seat_id` the client is not in the room, or `request` is
 * `select_best`.
 *
 * @typedef {object} RoomRefusal
 * @property {string} code
 * @property {string} message
 * @property {string} [room_id]
 * @property {string} [seat_id]
 * @property {'select_best'} [request]
 * @property {number} [largest] size of the largest party that fits, with the code `no_adjacent_seats`
 * @property {string[]} [stranded] seats that the choice would leave alone, with `would_strand_seat`
 * @property {string[][]} [alternatives] choices to make instead, with `would_strand_seat`
 */

/**
 * What a party wants that asks for the best seats.
 *
 * @typedef {object} Party
 * @property {number} quantity
 * @property {readonly string[] | undefined} [seat_types]
 * @property {number | undefined} [max_price] highest price of a seat
 * @property {boolean | undefined} [accessible] one of the seats is to be a wheelchair place
 * @property {string | undefined} [zone] name of a section of the room
 * @property {boolean | undefined} [allow_split] two groups in neighbouring rows will do
 */

/**
 * The details of the events of a `RoomClient`, in addition to those of all clients. `selected`, `released` and `booked`
 * also tell of this client's own requests.
 *
 * @typedef {object} OwnEvents
 * @property {{room_id: string, selections: Selection[]}} joined all selections of a room were received
 * @property {Selection} selected
 * @property {Selection} released
 * @property {Selection} booked
 * @property {{room_id: string, client_id: string, seat_ids: string[], expires_at: string}} best the best seats were selected
 * @property {{room_id: string, seat_ids: string[], expires_at: string, remaining_seconds: number}} expiring own
 *   selections expire soon
 * @property {{room_id: string}} cancelled the venue has cancelled or deleted the screening
 * @property {{room_id: string}} altered the room's seats were changed
 * @property {{room_id: string, open: boolean}} sales sales have opened or closed
 * @property {RoomRefusal} refused a request failed
 *
 * @typedef {import('./live_client.js').LiveEvents & OwnEvents} RoomEvents
 */

/**
 * The selections in rooms, kept up to date.
 *
 * @extends {LiveClient<RoomEvents>}
 */
export class RoomClient extends LiveClient {
  #clientId;
  /** Wanted rooms, and their selections by seat. @type {Map<string, Map<string, Selection>>} */
  #rooms = new Map();
  /** The room of the next `current_selections`, which does not name it if empty. @type {string | null} */
  #entered = null;

  /**
   * @param {string | URL} baseUrl of the server
   * @param {string} clientId identifies the client; the server finds its selections by it after a reconnection
   * @param {import('./live_client.js').Options & {token?: import('./credentials.js').Token}} [options] a
   *   client without `token` is a guest
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
   * @returns {Map<string, Selection>} the known selections of a room by seat. Read-only.
   */
  selections(roomId) {
    return this.#rooms.get(roomId) ?? new Map();
  }

  /**
   * Join a room, now or as soon as the client is connected.
   *
   * @param {string} roomId
   * @throws {RangeError} the limit of joined rooms is reached
   */
  join(roomId) {
    const limit = this.environment.limits.subscriptions;
    if (this.#rooms.has(roomId)) return;
    if (this.#rooms.size >= limit) throw new RangeError(`At most ${limit} rooms can be joined`);
    this.#rooms.set(roomId, new Map());
    this.#enter(roomId);
  }

  /** Leave a room. Selections in it remain. @param {string} roomId */
  leave(roomId) {
    if (this.#rooms.delete(roomId)) this.connection.send({ type: 'leave_room', room_id: roomId });
  }

  /**
   * Select a seat. A `selected` or `refused` event follows.
   *
   * @param {string} roomId
   * @param {string} seatId
   * @param {object} [userInfo] shown to others
   * @returns {boolean} whether it was sent; it is not queued
   */
  select(roomId, seatId, userInfo = {}) {
    return this.connection.send({ type: 'select_seat', room_id: roomId, seat_id: seatId, user_info: userInfo });
  }

  /**
   * Select the best free seats for a party. A `best` or `refused` event follows.
   *
   * @param {string} roomId
   * @param {Party} party
   * @param {object} [userInfo] shown to others
   * @returns {boolean} whether it was sent; it is not queued
   */
  selectBest(roomId, party, userInfo = {}) {
    return this.connection.send({ ...party, type: 'select_best', room_id: roomId, user_info: userInfo });
  }

  /**
   * Release a seat. A `released` or `refused` event follows.
   *
   * @param {string} roomId
   * @param {string} seatId
   * @returns {boolean} whether it was sent
   */
  release(roomId, seatId) {
    return this.connection.send({ type: 'release_seat', room_id: roomId, seat_id: seatId });
  }

  /**
   * @override @protected
   * @param {string | undefined} token
   */
  address(token) {
    return this.socketUrl(`ws/${encodeURIComponent(this.#clientId)}`, { token, access_code: this.accessCode });
  }

  /** @override @protected */
  opened() {
    // The server sends no greeting; its first answer shows that it has admitted the client.
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
      case 'best_selected':
        this.#best(message);
        break;
      case 'seat_booked':
        this.#changed('booked', { ...message, status: 'booked' });
        break;
      case 'seat_released':
        this.#changed('released', message);
        break;
      case 'hold_expiring':
        this.#expiring(message);
        break;
      case 'sales_opened':
      case 'sales_ended':
        this.emit('sales', { room_id: message.room_id, open: message.type === 'sales_opened' });
        break;
      case 'room_changed':
        this.emit('altered', { room_id: message.room_id });
        if (this.#rooms.has(message.room_id)) this.#enter(message.room_id);
        break;
      case 'screening_cancelled':
        if (this.#rooms.has(message.room_id)) this.emit('cancelled', { room_id: message.room_id });
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
    if (!Array.isArray(selections) || selections.length > seats) throw new ProtocolError('Selections are not a list');
    const roomId = this.#entered;
    if (roomId === null || !this.#rooms.has(roomId)) return;
    this.#rooms.set(roomId, new Map(selections.map((selection) => [selection.seat_id, selection])));
    this.emit('joined', { room_id: roomId, selections });
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
    this.emit(what, selection);
  }

  /** @param {any} message */
  #best({ type: _, ...best }) {
    const room = this.#rooms.get(best.room_id);
    const { seat_ids, ...shared } = best;
    if (!Array.isArray(seat_ids)) throw new ProtocolError('The best seats are not a list');
    for (const seat_id of seat_ids) room?.set(seat_id, { ...shared, seat_id });
    this.emit('best', best);
  }

  /** @param {any} message */
  #expiring({ room_id, seat_ids, expires_at, remaining_seconds }) {
    if (this.#rooms.has(room_id)) this.emit('expiring', { room_id, seat_ids, expires_at, remaining_seconds });
  }

  /** @param {any} message */
  #refused({ type: _, timestamp: __, ...refusal }) {
    // Without a seat, the refusal concerns the room, unless no seat was named.
    if (refusal.seat_id === undefined && refusal.request === undefined) this.#rooms.delete(refusal.room_id);
    this.emit('refused', refusal);
  }
}
