// Loads what a hall looks like, what its seats cost, and how they are now.

import { type Box, Plan, type PlanSeat } from './plan.js';
import type { SeatStatus } from './public.js';
import { Refusal, type Rest } from './rest.js';
import type { SeatState } from './states.js';

/** A rectangle by its corner at the left and towards the screen. */
export interface Area {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** What is drawn around the seats. */
export interface Around {
  /** Where the screen is; null for the usual place. */
  screen: { x: number; y: number; width: number } | null;
  sections: (Area & { name: string })[];
  aisles: Area[];
}

/** Room between a screen in front and the first row: the view adds it to everything. */
const SCREEN_SPACE = 1.75;

/** The component loads the whole hall again if there is no answer, after pauses that grow. */
const ATTEMPTS = 1;

export interface Hall {
  plan: Plan;
  around: Around;
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
  price?: number;
}

/**
 * Raises `Refusal`.
 *
 * @param isUser whether there is a token, so that the user's own seats are marked
 */
export async function loadHall(rest: Rest, screening: number, isUser: boolean): Promise<Hall> {
  const availability = `api/v1/seat-reservations/screening/${screening}/availability`;
  const [details, prices, available] = await Promise.all([
    rest.get<Screening>(`api/v1/screenings/${screening}`, ATTEMPTS),
    rest.get<{ seat_type: string; price: number }[]>(`api/v1/screenings/${screening}/prices`, ATTEMPTS),
    isUser ? ownAvailability(rest, availability) : rest.get<Available[]>(availability, ATTEMPTS),
  ]);
  const { seats, screen, sections, aisles } = await rest.get<Around & { seats: RoomSeat[] }>(
    `api/v1/rooms/${details.room_id}/layout`,
    ATTEMPTS,
  );
  const plan = new Plan(
    seats.map(({ id, row_label: row, seat_number: number, seat_type: type, x, y }): PlanSeat => {
      return { id, row, number, type, x, y };
    }),
  );
  return {
    plan,
    around: { screen, sections, aisles },
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
    return await rest.get<Available[]>(`${path}/me`, ATTEMPTS);
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return rest.get<Available[]>(path, ATTEMPTS);
    throw error;
  }
}

function stateOf(
  plan: Plan,
  { seat, status, is_mine: isMine = false, expires_at: expiresAt, price }: Available,
): SeatState[] {
  const index = plan.indexOf.get(seat.id);
  if (index === undefined || status === 'available') return [];
  const expiresMs = isMine && expiresAt ? Date.parse(expiresAt) : null;
  return [{ index, status: status === 'reserved_by_me' ? 'reserved' : status, isMine, expiresMs, price }];
}

/** Around the seats and everything that is drawn around them. The view leaves room for a screen in front of that. */
export function boundsAround({ bounds }: Plan, { screen, sections, aisles }: Around): Box {
  const boxes = [...sections, ...aisles].map(({ x, y, width, height }) => ({
    left: x,
    top: y,
    right: x + width,
    bottom: y + height,
  }));
  if (screen) {
    const y = screen.y + SCREEN_SPACE;
    boxes.push({ left: screen.x, top: y, right: screen.x + screen.width, bottom: y });
  }
  return boxes.reduce(
    (all, box) => ({
      left: Math.min(all.left, box.left),
      top: Math.min(all.top, box.top),
      right: Math.max(all.right, box.right),
      bottom: Math.max(all.bottom, box.bottom),
    }),
    bounds,
  );
}
