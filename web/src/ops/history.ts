// The history of a screening, rebuilt from its event log: the states of all seats after any number of events.

import type { components } from '../api/schema';
import { milliseconds, type SeatState, type States, type Status } from './hall';

export type LogEvent = components['schemas']['LogEvent'];

const EVENTS_PER_CHECKPOINT = 2000;

const STATUSES: Record<string, Status> = {
  available: 'available',
  held: 'held',
  committing: 'buying',
  pending: 'pending',
  booked: 'booked',
  blocked: 'blocked',
};

/** Counts over time, one entry after each event; the first is before all events. */
export interface Counts {
  /** In seconds since 1970. */
  readonly times: number[];
  readonly held: number[];
  readonly sold: number[];
}

export class History {
  readonly counts: Counts = { times: [], held: [], sold: [] };
  readonly #checkpoints: Map<number, SeatState>[] = [];
  /** The seats that return to their block, by the event after which nobody has them any more. */
  readonly #returned = new Map<LogEvent, ReadonlySet<number>>();
  #states = new Map<number, SeatState>();
  #position = 0;

  /** @param events all events, oldest first */
  constructor(readonly events: readonly LogEvent[]) {
    const states = new Map<number, SeatState>();
    const blocks = new Map<number, ReadonlySet<number>>();
    let held = 0;
    let sold = 0;
    const first = events[0];
    this.#count(first ? Date.parse(first.at) / 1000 : 0, 0, 0);
    events.forEach((event, index) => {
      if (index % EVENTS_PER_CHECKPOINT === 0) this.#checkpoints.push(new Map(states));
      if (event.block_id !== undefined) blocks.set(event.block_id, new Set(event.block_seat_ids));
      else if (event.to_status === 'available' && blocks.size) this.#returned.set(event, seatsOf(event, blocks));
      for (const [number, seatId] of event.seat_ids.entries()) {
        const before = states.get(seatId)?.status ?? STATUSES[event.from_statuses[number] ?? 'available'];
        const after = STATUSES[event.to_status];
        held += Number(after === 'held') - Number(before === 'held');
        sold += Number(isSold(after)) - Number(isSold(before));
        if (seatId !== undefined) this.#apply(states, seatId, event);
      }
      this.#count(Date.parse(event.at) / 1000, held, sold);
    });
  }

  /** The states after the first `position` events. Valid until the next call. */
  at(position: number): States {
    const checkpoint = Math.floor(Math.min(position, this.events.length - 1) / EVENTS_PER_CHECKPOINT);
    if (position < this.#position || checkpoint * EVENTS_PER_CHECKPOINT > this.#position) {
      this.#states = new Map(this.#checkpoints[Math.max(0, checkpoint)]);
      this.#position = Math.max(0, checkpoint) * EVENTS_PER_CHECKPOINT;
    } else {
      this.#states = new Map(this.#states);
    }
    for (; this.#position < position; this.#position++) {
      const event = this.events[this.#position];
      if (event) for (const seatId of event.seat_ids) this.#apply(this.#states, seatId, event);
    }
    return this.#states;
  }

  /** The event that led to a position; undefined for the beginning. */
  before(position: number): LogEvent | undefined {
    return this.events[position - 1];
  }

  #apply(states: Map<number, SeatState>, seatId: number, event: LogEvent): void {
    const returns = this.#returned.get(event)?.has(seatId);
    const status = returns ? 'blocked' : (STATUSES[event.to_status] ?? 'available');
    if (status === 'available') {
      states.delete(seatId);
      return;
    }
    const known = states.get(seatId);
    const continued = event.kind === 'holds_extended' || event.kind === 'tickets_confirmed';
    states.set(seatId, {
      status,
      since: continued && known ? known.since : milliseconds(event.at),
      expiresAt: null,
      holder: returns ? null : (event.holder ?? known?.holder ?? null),
      ticketId: null,
    });
  }

  #count(time: number, held: number, sold: number): void {
    this.counts.times.push(time);
    this.counts.held.push(held);
    this.counts.sold.push(sold);
  }
}

function isSold(status: Status | undefined): boolean {
  return status === 'booked' || status === 'pending' || status === 'buying';
}

/** The seats of an event that belong to one of the blocks. */
function seatsOf(event: LogEvent, blocks: ReadonlyMap<number, ReadonlySet<number>>): ReadonlySet<number> {
  return new Set(event.seat_ids.filter((seatId) => [...blocks.values()].some((seats) => seats.has(seatId))));
}

const KINDS: Record<string, string> = {
  seats_held: 'held',
  holds_extended: 'extended',
  holds_released: 'released',
  holds_expired: 'expired',
  tickets_issued: 'sold',
  tickets_confirmed: 'paid',
  tickets_cancelled: 'cancelled',
  tickets_lapsed: 'not paid in time',
  seats_blocked: 'kept back',
  seats_unblocked: 'no longer kept back',
};

/** What an event did, in one word or a few. */
export function wordFor(kind: string): string {
  return KINDS[kind] ?? kind;
}
