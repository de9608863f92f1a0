// The seats of a hall, what has become of each, and how that looks: pure, so that it can be tested.

import type { components } from '../api/schema';

export type RoomSeat = components['schemas']['RoomSeat'];
export type Hall = components['schemas']['Hall'];
export type Person = components['schemas']['Person'];

/** `buying`: a sale is being written; `pending`: sold, and not paid yet; `blocked`: kept back, and nobody has it. */
export type Status = 'available' | 'held' | 'buying' | 'pending' | 'booked' | 'blocked';

/** The state of a seat. Times are in milliseconds since 1970. */
export interface SeatState {
  readonly status: Status;
  readonly since: number | null;
  readonly expiresAt: number | null;
  readonly holder: string | null;
  readonly ticketId: number | null;
}

export type States = ReadonlyMap<number, SeatState>;

export const FREE: SeatState = { status: 'available', since: null, expiresAt: null, holder: null, ticketId: null };

/** A timestamp of the API in milliseconds since 1970. */
export function milliseconds(timestamp: string | null): number | null {
  return timestamp === null ? null : Date.parse(timestamp);
}

/** The states of all seats that are not free. */
export function statesOf(hall: Hall): Map<number, SeatState> {
  return new Map(
    hall.taken.map((seat) => [
      seat.seat_id,
      {
        status: seat.status as Status,
        since: milliseconds(seat.since),
        expiresAt: milliseconds(seat.expires_at),
        holder: seat.holder,
        ticketId: seat.ticket_id,
      },
    ]),
  );
}

/** A seat as the socket sends it. */
export interface Update {
  seat_id: number;
  status: 'available' | 'reserved' | 'booked';
  /** Not sold, but kept back. */
  blocked?: boolean;
  reserved_by?: number;
  booked_by?: number;
  /** Who has it, if the id is too large for a number of JavaScript. */
  holder?: string;
  expires_at?: string;
}

/** Apply what the socket tells to the states. What it tells is coarser: it knows no pending tickets. */
export function applyUpdates(states: Map<number, SeatState>, updates: readonly Update[], now: number): void {
  for (const update of updates) {
    const known = states.get(update.seat_id) ?? FREE;
    const settled = known.status === 'available' || known.status === 'booked' || known.status === 'blocked';
    const coarse = settled ? known.status : 'reserved';
    const told = update.blocked ? 'blocked' : update.status;
    const userId = update.reserved_by ?? update.booked_by;
    const holder = update.holder ?? (userId === undefined ? null : `user:${userId}`);
    const expiresAt = milliseconds(update.expires_at ?? null);
    const sameHolder = holder === null || holder === known.holder;
    if (told === coarse && sameHolder) {
      if (coarse === 'reserved') states.set(update.seat_id, { ...known, expiresAt: expiresAt ?? known.expiresAt });
    } else if (update.status === 'available') {
      states.delete(update.seat_id);
    } else {
      const status = told === 'reserved' ? 'held' : told;
      states.set(update.seat_id, { status, since: now, expiresAt, holder, ticketId: null });
    }
  }
}

/** How many seats are in each state. */
export function countsOf(states: States, capacity: number): Record<'held' | 'sold' | 'blocked' | 'free', number> {
  let held = 0;
  let blocked = 0;
  let sold = 0;
  for (const { status } of states.values()) {
    if (status === 'held') held += 1;
    else if (status === 'blocked') blocked += 1;
    else if (status !== 'available') sold += 1;
  }
  return { held, sold, blocked, free: Math.max(0, capacity - held - sold - blocked) };
}

const HELD_OLD_MS = 10 * 60_000;
const SOLD_OLD_MS = 24 * 3_600_000;

/** The age of a state from 0, new, to 1, old: ten minutes for a hold, a day for a sale. */
export function ageOf(state: SeatState, now: number): number {
  if (state.since === null) return 0;
  const age = Math.max(0, now - state.since);
  if (state.status === 'held') return Math.min(1, age / HELD_OLD_MS);
  // Most sales are old; a logarithm tells the last minutes apart.
  return Math.min(1, Math.log1p(age / 60_000) / Math.log1p(SOLD_OLD_MS / 60_000));
}

/** The name of a seat as people say it. */
export function seatName(seat: RoomSeat): string {
  return `Row ${seat.row_label} seat ${seat.seat_number}`;
}

const STATUS_WORDS: Record<Status, string> = {
  available: 'free',
  held: 'held',
  buying: 'being bought',
  pending: 'waiting for payment',
  booked: 'sold',
  blocked: 'kept back',
};

/** Who a holder or an actor is. */
export function nameOf(holder: string | null, people: ReadonlyMap<string, Person>): string {
  if (holder === null) return 'a guest';
  if (holder === 'system') return 'the system';
  const person = people.get(holder);
  if (person) return person.full_name || person.email;
  return holder.startsWith('~') ? `guest ${holder.slice(0, 7)}` : holder.replace(':', ' ');
}

export function peopleBy(people: readonly Person[]): Map<string, Person> {
  return new Map(people.map((person) => [person.holder, person]));
}

/** The state of a seat in a few words. */
export function describe(state: SeatState, people: ReadonlyMap<string, Person>): string {
  if (state.status === 'available' || state.status === 'blocked') return STATUS_WORDS[state.status];
  const who = state.status === 'held' || state.status === 'buying' ? 'by' : 'to';
  return `${STATUS_WORDS[state.status]} ${state.status === 'pending' ? 'from' : who} ${nameOf(state.holder, people)}`;
}

export type Direction = 'ArrowLeft' | 'ArrowRight' | 'ArrowUp' | 'ArrowDown';
const STEPS: Record<Direction, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export function isDirection(key: string): key is Direction {
  return key in STEPS;
}

/** The next seat in a direction, by geometry; the seat itself if there is none. */
export function neighbour(seats: readonly RoomSeat[], from: RoomSeat, direction: Direction): RoomSeat {
  const [dx, dy] = STEPS[direction];
  let best = from;
  let shortest = Infinity;
  for (const seat of seats) {
    const x = (seat.x ?? 0) - (from.x ?? 0);
    const y = (seat.y ?? 0) - (from.y ?? 0);
    const along = x * dx + y * dy;
    if (along <= 0.01) continue;
    const distance = along + 3 * Math.abs(x * dy + y * dx);
    if (distance < shortest) [best, shortest] = [seat, distance];
  }
  return best;
}
