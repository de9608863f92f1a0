// The states of all seats in typed arrays, by the index of the seat in the plan.

import type { SeatStatus } from './public.js';

/** What a seat looks like. The order is that of the painter's colours. */
export enum Look {
  Available,
  Mine,
  Reserved,
  Booked,
  /** The user has clicked and the server has not answered yet. */
  Pending,
  /** Sold to the user. */
  Bought,
}

/** The state of a seat as a source reports it. */
export interface SeatState {
  index: number;
  status: 'available' | 'reserved' | 'booked';
  isMine: boolean;
  /** Milliseconds since 1970; only needed of own reserved seats. */
  expiresMs: number | null;
  /** Agreed with the user, if the seat is reserved for the user and the source knows it. */
  price?: number | undefined;
}

export interface Change {
  index: number;
  before: Look;
  after: Look;
}

export class SeatStates {
  readonly #looks: Uint8Array;
  readonly #pending = new Set<number>();
  readonly #expiresMs = new Map<number, number>();
  readonly #prices = new Map<number, number>();
  /** Number of seats by `Look`; pending ones count by their known state. */
  readonly counts = [0, 0, 0, 0, 0, 0];

  constructor(size: number) {
    this.#looks = new Uint8Array(size);
    this.counts[Look.Available] = size;
  }

  /** What the server says, whether or not the seat is pending. */
  known(index: number): Look {
    return this.#looks[index]!;
  }

  look(index: number): Look {
    return this.#pending.has(index) ? Look.Pending : this.#looks[index]!;
  }

  isPending(index: number): boolean {
    return this.#pending.has(index);
  }

  setPending(index: number, pending: boolean): void {
    if (pending) this.#pending.add(index);
    else this.#pending.delete(index);
  }

  /** Indices of the user's reserved seats, in the order in which they were reserved. */
  get mine(): number[] {
    return [...this.#expiresMs.keys()];
  }

  expiresMs(index: number): number | null {
    const expires = this.#expiresMs.get(index);
    return expires === undefined || expires === Infinity ? null : expires;
  }

  /** The price that was agreed for a reserved seat of the user's; undefined if it is not known. */
  price(index: number): number | undefined {
    return this.#prices.get(index);
  }

  /** When the first reservation ends; null without any. */
  get firstExpiryMs(): number | null {
    const first = Math.min(...this.#expiresMs.values());
    return Number.isFinite(first) ? first : null;
  }

  /** Apply states and return the changes. A new time of expiry or price alone is a change from mine to mine. */
  apply(states: Iterable<SeatState>): Change[] {
    const changes: Change[] = [];
    for (const { index, status, isMine, expiresMs, price: agreed } of states) {
      const before: Look = this.#looks[index]!;
      const after = lookOf(status, isMine);
      const expires = expiresMs ?? this.#expiresMs.get(index) ?? Infinity;
      const price = agreed ?? this.#prices.get(index);
      const known = this.#expiresMs.get(index) === expires && this.#prices.get(index) === price;
      if (after === before && (after !== Look.Mine || known)) continue;
      this.#looks[index] = after;
      this.counts[before]! -= 1;
      this.counts[after]! += 1;
      if (after === Look.Mine) {
        this.#expiresMs.set(index, expires);
        if (price !== undefined) this.#prices.set(index, price);
      } else {
        this.#expiresMs.delete(index);
        this.#prices.delete(index);
      }
      changes.push({ index, before, after });
    }
    return changes;
  }
}

export function lookOf(status: SeatState['status'], isMine: boolean): Look {
  if (status === 'available') return Look.Available;
  if (status === 'booked') return isMine ? Look.Bought : Look.Booked;
  return isMine ? Look.Mine : Look.Reserved;
}

export function statusOf(look: Look): SeatStatus {
  if (look === Look.Mine) return 'reserved_by_me';
  if (look === Look.Reserved) return 'reserved';
  return look === Look.Booked || look === Look.Bought ? 'booked' : 'available';
}
