// The seats of a screening as one client knows them: painted by updates, replaced by snapshots. What is cut into
// several messages takes effect when the last of them is there, so nobody sees half an update, and a connection
// that breaks in the middle leaves the picture at the position that it is resumed from.

import { ProtocolError } from './live_client.js';

/**
 * @typedef {object} Seat as the server tells it (docs/websocket.md)
 * @property {number} seat_id
 * @property {'available' | 'reserved' | 'booked'} status
 * @property {boolean} is_mine
 * @property {number} [reserved_by]
 * @property {number} [booked_by]
 * @property {string} [expires_at]
 * @property {number} [previously_reserved_by]
 */

/**
 * @typedef {object} Change
 * @property {Seat[]} changed seats that are new or not as they were
 * @property {number[]} removed ids of seats that are no more
 * @property {boolean} replaced whether all seats were told anew
 */

const STATUSES = new Set(['available', 'reserved', 'booked']);

export class SeatPicture {
  /** By their ids. @type {Map<number, Seat>} */
  seats = new Map();
  /** The position of the last whole update; (0, 0) before the first. */
  epoch = 0;
  seq = 0;
  #limit;
  /** What has come of an update that is not whole yet. @type {Map<number, Seat>} */
  #gathered = new Map();

  /** @param {number} limit seats at most */
  constructor(limit) {
    this.#limit = limit;
  }

  /** A connection begins: what another one left unfinished will be sent again. */
  begin() {
    this.#gathered = new Map();
  }

  /**
   * Take a `seat_update` or a `bulk_seat_update`.
   *
   * @param {any} message
   * @returns {Change | null} null where more of the same update follows
   * @throws {ProtocolError}
   */
  take(message) {
    const states = message.type === 'seat_update' ? [message] : message.updates;
    if (!Array.isArray(states)) throw new ProtocolError('An update has no seats');
    for (const state of states) this.#gathered.set(state?.seat_id, seatOf(state));
    if (this.#gathered.size > this.#limit) throw new ProtocolError(`More than ${this.#limit} seats`);
    if (message.more === true) return null;
    if (!isPosition(message)) throw new ProtocolError('An update has no position');
    const gathered = this.#gathered;
    this.#gathered = new Map();
    return this.#paint(gathered, message, message.snapshot === true);
  }

  /**
   * Take all seats as they were polled for.
   *
   * @param {any} entries an answer of `availability/me`
   * @param {{epoch: number, seq: number}} position of the answer; (0, 0) where it is not known
   * @returns {Change}
   * @throws {ProtocolError}
   */
  replace(entries, position) {
    if (!Array.isArray(entries) || entries.length > this.#limit) throw new ProtocolError('No list of seats');
    const seats = entries.map((entry) => seatOf(stateOf(entry)));
    return this.#paint(new Map(seats.map((seat) => [seat.seat_id, seat])), position, true);
  }

  /**
   * @param {Map<number, Seat>} told
   * @param {{epoch: number, seq: number}} position
   * @param {boolean} replaced
   * @returns {Change}
   */
  #paint(told, { epoch, seq }, replaced) {
    const changed = [...told.values()].filter((seat) => !sameState(seat, this.seats.get(seat.seat_id)));
    const removed = replaced ? [...this.seats.keys()].filter((id) => !told.has(id)) : [];
    const added = changed.filter((seat) => !this.seats.has(seat.seat_id));
    if (this.seats.size + added.length - removed.length > this.#limit) {
      throw new ProtocolError(`More than ${this.#limit} seats`);
    }
    for (const seat of changed) this.seats.set(seat.seat_id, seat);
    for (const id of removed) this.seats.delete(id);
    this.epoch = epoch;
    this.seq = seq;
    return { changed, removed, replaced };
  }
}

/** @param {any} position */
function isPosition({ epoch, seq }) {
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(seq);
}

/**
 * @param {any} state
 * @returns {Seat} what of it belongs to the seat
 */
function seatOf(state) {
  if (!Number.isSafeInteger(state?.seat_id)) throw new ProtocolError('A seat has no id');
  if (!STATUSES.has(state.status)) throw new ProtocolError(`Seat ${state.seat_id} is ${state.status}`);
  const { seat_id, status, is_mine, reserved_by, booked_by, expires_at, previously_reserved_by } = state;
  const seat = { seat_id, status, is_mine: is_mine === true };
  for (const [name, value] of Object.entries({ reserved_by, booked_by, expires_at, previously_reserved_by })) {
    if (value !== undefined && value !== null) seat[name] = value;
  }
  return seat;
}

/** A seat of `availability/me` in the words of the socket. @param {any} entry */
function stateOf(entry) {
  const status = entry?.status === 'reserved_by_me' ? 'reserved' : entry?.status;
  return { ...entry, seat_id: entry?.seat?.id, status };
}

/**
 * Whether a seat is as it was. Who booked it is told on sockets only, so that it is not told changes nothing.
 *
 * @param {Seat} seat
 * @param {Seat | undefined} before
 */
function sameState(seat, before) {
  return (
    before !== undefined &&
    seat.status === before.status &&
    seat.is_mine === before.is_mine &&
    seat.reserved_by === before.reserved_by &&
    (seat.booked_by === undefined || seat.booked_by === before.booked_by) &&
    seat.expires_at === before.expires_at &&
    seat.previously_reserved_by === before.previously_reserved_by
  );
}
