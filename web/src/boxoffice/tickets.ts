// The customer's tickets: the user's, or those of the guests that this browser remembers.

import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { accessToken } from '../common/session';
import { buyers, credentials, forgetBuyer } from './customer';

type ShownTicket = components['schemas']['ShownTicket'];
export type OwnRefund = components['schemas']['OwnRefund'];

/** A ticket, and the token of its holder. */
export interface OwnTicket extends ShownTicket {
  token: string;
}

export interface Booking {
  id: string;
  tickets: OwnTicket[];
}

const PAGE_SIZE = 100;
const PAGES_LIMIT = 5;

async function ticketsOf(token: string): Promise<OwnTicket[]> {
  const found: OwnTicket[] = [];
  for (let page = 1; page <= PAGES_LIMIT; page++) {
    const { data, meta } = await answered(
      api.GET('/api/public/tickets', { params: { query: { page, limit: PAGE_SIZE } }, headers: credentials(token) }),
    );
    found.push(...data.map((ticket) => ({ ...ticket, token })));
    if (page >= meta.totalPages) break;
  }
  return found;
}

/** The latest refunds that are owed or were paid back. */
async function refundsOf(token: string): Promise<OwnRefund[]> {
  return answered(api.GET('/api/v1/refunds/me', { params: { query: { size: PAGE_SIZE } }, headers: credentials(token) }));
}

/** What belongs to a guest; nothing if the server no longer accepts the token. */
async function ofGuest<Entry>(token: string, load: (token: string) => Promise<Entry[]>): Promise<Entry[]> {
  try {
    return await load(token);
  } catch (problem) {
    if (!(problem instanceof Problem) || problem.status !== 401) throw problem;
    forgetBuyer(token);
    return [];
  }
}

/** What belongs to the user and to the guests of this browser. */
async function ofAll<Entry>(load: (token: string) => Promise<Entry[]>): Promise<Entry[]> {
  const user = await accessToken();
  const lists = await Promise.all([...(user ? [load(user)] : []), ...buyers().map((token) => ofGuest(token, load))]);
  return lists.flat();
}

export function ownRefunds(): Promise<OwnRefund[]> {
  return ofAll(refundsOf);
}

export async function ownBookings(): Promise<Booking[]> {
  const bookings = new Map<string, Booking>();
  for (const ticket of await ofAll(ticketsOf)) {
    const booking = bookings.get(ticket.bookingId);
    if (booking) booking.tickets.push(ticket);
    else bookings.set(ticket.bookingId, { id: ticket.bookingId, tickets: [ticket] });
  }
  return [...bookings.values()];
}

/** Whether the doors of a booking are still ahead. */
export function isUpcoming({ tickets }: Booking, now = Date.now()): boolean {
  return tickets.some(
    ({ endsAt, status }) => (status === 'confirmed' || status === 'pending') && (!endsAt || Date.parse(endsAt) > now),
  );
}
