// The seats that a customer wants to pay for, kept in this tab from the hall to the checkout.

import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import { PREFIX } from '../common/base';
import { credentials, customer, guestToken } from './customer';

export interface CartSeat {
  id: number;
  row: string;
  number: number;
  type: string;
  price: number | null;
}

interface Kept {
  seats: readonly CartSeat[];
  /** One payment pays for one cart, however often its button is pressed. */
  paymentId: string;
}

/** A reserved seat, and when it is free again. */
export interface HeldSeat extends CartSeat {
  expiresAt: string;
}

const key = (screening: number): string => `frontrow.cart${PREFIX} ${screening}`;

export function keepCart(screening: number, seats: readonly CartSeat[]): void {
  const before = keptCart(screening);
  const same = before?.seats.map(({ id }) => id).join() === seats.map(({ id }) => id).join();
  const paymentId = before && same ? before.paymentId : newPaymentId();
  sessionStorage.setItem(key(screening), JSON.stringify({ seats, paymentId } satisfies Kept));
}

export function keptCart(screening: number): Kept | null {
  const text = sessionStorage.getItem(key(screening));
  return text === null ? null : (JSON.parse(text) as Kept);
}

export function forgetCart(screening: number): void {
  sessionStorage.removeItem(key(screening));
}

/** An id for a payment. `randomUUID` needs a secure context, and the demo is often opened by its address. */
export function newPaymentId(): string {
  const random = crypto.getRandomValues(new Uint32Array(4));
  return `test_${Array.from(random, (part) => part.toString(16).padStart(8, '0')).join('')}`;
}

/** The seats of a screening that the customer has reserved, as the server knows them. */
export async function heldSeats(screening: number): Promise<HeldSeat[]> {
  const held = await answered(
    api.GET('/api/v1/seat-reservations/my-reservations', { params: { query: { size: 100 } }, headers: await customer() }),
  );
  const here = held.filter((one) => one.screening_id === screening);
  if (here.length === 0) return [];
  const known = new Map(keptCart(screening)?.seats.map((seat) => [seat.id, seat]));
  if (here.some(({ seat_id }) => !known.has(seat_id))) await learn(screening, known);
  const seats: HeldSeat[] = here.flatMap(({ seat_id, expires_at, price }) => {
    const seat = known.get(seat_id);
    return seat ? [{ ...seat, price: price ?? seat.price, expiresAt: expires_at }] : [];
  });
  return seats.sort((one, other) => one.row.localeCompare(other.row) || one.number - other.number);
}

/** Look up names and prices of seats. */
async function learn(screening: number, known: Map<number, CartSeat>): Promise<void> {
  const path = { screening_id: screening };
  const [seats, prices] = await Promise.all([
    answered(api.GET('/api/v1/showtimes/{showtime_id}/seats', { params: { path: { showtime_id: screening } } })),
    answered(api.GET('/api/v1/screenings/{screening_id}/prices', { params: { path } })),
  ]);
  const priceOf = new Map(prices.map(({ seat_type, price }) => [seat_type, price]));
  for (const { seat } of seats) {
    known.set(seat.id, {
      id: seat.id,
      row: seat.row_label,
      number: seat.seat_number,
      type: seat.seat_type,
      price: priceOf.get(seat.seat_type) ?? null,
    });
  }
}

export async function releaseSeats(screening: number): Promise<void> {
  await answered(
    api.DELETE('/api/v1/seat-reservations/cancel/{screening_id}', {
      params: { path: { screening_id: screening } },
      headers: await customer(),
    }),
  );
}

/** Ask for more time for the customer's seats of a screening. */
export async function extendSeats(screening: number, seat_ids: number[]): Promise<void> {
  await answered(
    api.POST('/api/v1/seat-reservations/extend', { body: { screening_id: screening, seat_ids }, headers: await customer() }),
  );
}

/** What has become of a guest's seats after the log-in; shorter if there is less time to pay them than before. */
export type Moved = 'none' | 'moved' | 'shorter' | 'lost';

/** Less than this is the time that the move itself takes. */
const SHORTER_MS = 3000;

/** Move the seats that were chosen as a guest to the user who has logged in since. */
export async function moveToUser(screening: number): Promise<Moved> {
  const guest = guestToken();
  const kept = keptCart(screening);
  if (!guest || !kept) return 'none';
  const own = credentials(guest);
  try {
    const held = await answered(
      api.GET('/api/v1/seat-reservations/my-reservations', { params: { query: { size: 100 } }, headers: own }),
    );
    const here = held.filter((one) => one.screening_id === screening);
    const seat_ids = here.map(({ seat_id }) => seat_id);
    if (seat_ids.length === 0) return 'none';
    await answered(
      api.DELETE('/api/v1/seat-reservations/cancel/{screening_id}', {
        params: { path: { screening_id: screening } },
        headers: own,
      }),
    );
    const { reservations } = await answered(
      api.POST('/api/v1/seat-reservations/reserve', {
        body: { screening_id: screening, seat_ids },
        headers: await customer(),
      }),
    );
    const first = (all: readonly { expires_at: string }[]): number => Math.min(...all.map((one) => Date.parse(one.expires_at)));
    return first(reservations) < first(here) - SHORTER_MS ? 'shorter' : 'moved';
  } catch (problem) {
    if (problem instanceof Problem && !problem.serverAway) return 'lost';
    throw problem;
  }
}
