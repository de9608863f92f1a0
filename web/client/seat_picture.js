// The seats of a screening as one client knows them: changed by updates, replaced by snapshots. An update that is split
// into several messages takes effect with the last of them. So no partial update is visible, and if the connection
// breaks in between, the client can resume from the position of the picture.

import { ProtocolError } from './live_client.js';
import { hashOf } from './state_hash.js';

/**
 * @typedef {object} Seat as the server sends it (docs/websocket.md)
 * @property {number} seat_id
 * @property {'available' | 'reserved' | 'booked'} status
 * @property {boolean} is_mine
 * @property {true} [blocked] kept back, and not sold
 * @property {number} [reserved_by]
 * @property {number} [booked_by]
 * @property {string} [expires_at]
 * @property {number} [price] agreed with the user whose seat it is
 * @property {number} [previously_reserved_by]
 * @property {string} [holder] who has it, if the id is too large for a number of JavaScript
 */

/**
 * @typedef {object} Change
 * @property {Seat[]} changed new and changed seats
 * @property {number[]} removed ids of removed seats
 * @property {boolean} replaced whether all seats were replaced
 */

const STATUSES = new Set(['available', 'reserved', 'booked']);

export class SeatPicture {
  /** By id. @type {Map<number, Seat>} */
  seats = new Map();
  /** The position of the last complete update; (0, 0) before the first. */
  epoch = 0;
  seq = 0;
  #limit;
  /** Seats of an update that is not complete yet. @type {Map<number, Seat>} */
  #gathered = new Map();

  /** @param {number} limit maximum number of seats */
  constructor(limit) {
    this.#limit = limit;
  }

  /** A connection starts: drop an incomplete update, which will be sent again. */
  begin() {
    this.#gathered = new Map();
  }

  /**
   * Apply a `seat_update` or a `bulk_seat_update`.
   *
   * @param {any} message
   * @returns {Change | null} null if another message of the same update follows
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
    return this.#apply(gathered, message, message.snapshot === true);
  }

  /**
   * Everything up to a position is known.
   *
   * @param {number} epoch
   * @param {number} seq
   */
  reach(epoch, seq) {
    if (epoch === this.epoch && seq > this.seq && this.#gathered.size === 0) this.seq = seq;
  }

  /**
   * Compare with what the server says at a position.
   *
   * @param {{epoch: number, seq: number, hash: string}} proof a `state_hash`
   * @returns {boolean | null} whether the picture is right; null if it is of another position
   */
  agrees({ epoch, seq, hash }) {
    if (epoch !== this.epoch || seq < this.seq || this.#gathered.size > 0) return null;
    return hashOf(this.seats.values()) === hash;
  }

  /** Give up the position, so that the server sends all seats. */
  distrust() {
    this.epoch = 0;
    this.seq = 0;
  }

  /**
   * Replace all seats by the result of a poll.
   *
   * @param {any} entries the body of `availability/me`
   * @param {{epoch: number, seq: number}} position of the answer; (0, 0) if unknown
   * @returns {Change}
   * @throws {ProtocolError}
   */
  replace(entries, position) {
    if (!Array.isArray(entries) || entries.length > this.#limit) throw new ProtocolError('Seats are not a list');
    const seats = entries.map((entry) => seatOf(stateOf(entry)));
    return this.#apply(new Map(seats.map((seat) => [seat.seat_id, seat])), position, true);
  }

  /**
   * @param {Map<number, Seat>} seats
   * @param {{epoch: number, seq: number}} position
   * @param {boolean} replaced
   * @returns {Change}
   */
  #apply(seats, { epoch, seq }, replaced) {
    const changed = [...seats.values()].filter((seat) => !sameState(seat, this.seats.get(seat.seat_id)));
    const removed = replaced ? [...this.seats.keys()].filter((id) => !seats.has(id)) : [];
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
 * @returns {Seat} the fields that belong to the seat
 */
function seatOf(state) {
  if (!Number.isSafeInteger(state?.seat_id)) throw new ProtocolError('A seat has no id');
  if (!STATUSES.has(state.status)) throw new ProtocolError(`Seat ${state.seat_id} is ${state.status}`);
  const { seat_id, status, is_mine, reserved_by, booked_by, expires_at, price, previously_reserved_by, holder } = state;
  const blocked = state.blocked === true ? true : undefined;
  const known = { blocked, reserved_by, booked_by, expires_at, price, previously_reserved_by, holder };
  const given = Object.entries(known).filter(([, value]) => value !== undefined && value !== null);
  return { seat_id, status, is_mine: is_mine === true, ...Object.fromEntries(given) };
}

/** Convert a seat of `availability/me` to the socket's format. @param {any} entry */
function stateOf(entry) {
  const status = entry?.status === 'reserved_by_me' ? 'reserved' : entry?.status;
  return { ...entry, seat_id: entry?.seat?.id, status };
}

/**
 * Whether a seat is unchanged. Polls do not say who booked it, so a missing `booked_by` does not count as a change.
 *
 * @param {Seat} seat
 * @param {Seat | undefined} before
 */
function sameState(seat, before) {
  return (
    before !== undefined &&
    seat.status === before.status &&
    seat.is_mine === before.is_mine &&
    seat.blocked === before.blocked &&
    seat.reserved_by === before.reserved_by &&
    (seat.booked_by === undefined || seat.booked_by === before.booked_by) &&
    seat.expires_at === before.expires_at &&
    seat.price === before.price &&
    seat.previously_reserved_by === before.previously_reserved_by
  );
}
