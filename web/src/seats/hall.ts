// Loads what a hall looks like, what its seats cost, and how they are now.

import { Plan, type PlanSeat } from './plan';
import type { SeatStatus } from './public';
import { Refusal, type Rest } from './rest';
import type { SeatState } from './states';

const SEATS_PER_REQUEST = 10_000;

export interface Hall {
  plan: Plan;
  title: string;
  room: string;
  startsAt: string;
  /** Price by seat type. */
  prices: Map<string, number>;
  states: SeatState[];
}

interface Screening {
  title: string;
  room_id: number;
  room_name: string;
  starts_at: string;
}

interface RoomSeat {
  id: number;
  row_label: string;
  seat_number: number;
  seat_type: string;
  x: number;
  y: number;
}

/** An entry of `availability`, or of `availability/me`. */
interface Available {
  seat: { id: number };
  status: SeatStatus;
  is_mine?: boolean;
  expires_at: string | null;
}

/**
 * Raises `Refusal`.
 *
 * @param isUser whether there is a token, so that the user's own seats are marked
 */
export async function loadHall(rest: Rest, screening: number, isUser: boolean): Promise<Hall> {
  const availability = `api/v1/seat-reservations/screening/${screening}/availability`;
  const [details, prices, available] = await Promise.all([
    rest.get<Screening>(`api/v1/screenings/${screening}`),
    rest.get<{ seat_type: string; price: number }[]>(`api/v1/screenings/${screening}/prices`),
    isUser ? ownAvailability(rest, availability) : rest.get<Available[]>(availability),
  ]);
  const seats: PlanSeat[] = [];
  for (let page = 1, total = 1; seats.length < total; page++) {
    const answer = await rest.list<RoomSeat>(
      `api/v1/rooms/${details.room_id}/seats/?size=${SEATS_PER_REQUEST}&page=${page}`,
    );
    for (const seat of answer.entries) {
      const { id, row_label: row, seat_number: number, seat_type: type, x, y } = seat;
      seats.push({ id, row, number, type, x, y });
    }
    if (answer.entries.length === 0) break;
    total = answer.total;
  }
  const plan = new Plan(seats);
  return {
    plan,
    states: available.flatMap((entry) => stateOf(plan, entry)),
    title: details.title,
    room: details.room_name,
    startsAt: details.starts_at,
    prices: new Map(prices.map(({ seat_type, price }) => [seat_type, price])),
  };
}

/** A rejected token does not keep anybody from seeing the hall; the socket will report it. */
async function ownAvailability(rest: Rest, path: string): Promise<Available[]> {
  try {
    return await rest.get<Available[]>(`${path}/me`);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return rest.get<Available[]>(path);
    throw error;
  }
}

function stateOf(plan: Plan, { seat, status, is_mine: isMine = false, expires_at: expiresAt }: Available): SeatState[] {
  const index = plan.indexOf.get(seat.id);
  if (index === undefined || status === 'available') return [];
  const expiresMs = isMine && expiresAt ? Date.parse(expiresAt) : null;
  return [{ index, status: status === 'reserved_by_me' ? 'reserved' : status, isMine, expiresMs }];
}
